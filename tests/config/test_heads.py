"""What a stranger sends before it has said who it is: no request keeps the server waiting, or its memory."""

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from config.handler import LARGEST_BODY, OneThreadHandler
from config.heads import LONGEST_HEAD, BoundedHeads

PATIENCE = 10.0
HANDSHAKE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.accept"})
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
    return None


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(answer, http=BoundedHeads, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(PATIENCE)


def exchange(port: int, *parts: bytes) -> bytes:
    """The beginning of the answer to a request whose head is sent so. Raises TimeoutError when there is none."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for part in parts:
            connection.sendall(part)
        return connection.recv(1000).partition(b"\r\n")[0]


@pytest.mark.parametrize("size", [10, 60_000])
def test_a_head_of_usual_size_is_read(port: int, size: int) -> None:
    assert exchange(port, b"X: ", b"a" * size, b"\r\n\r\n") == b"HTTP/1.1 204 No Content"
    assert exchange(port, HANDSHAKE + b"\r\n") == b"HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize("header", [b"Authorization: Basic " + b"a" * 10_000, b"\r\n".join([b"X: y"] * 200)])
def test_a_handshake_with_too_much_of_a_head_is_answered(port: int, header: bytes) -> None:
    assert exchange(port, HANDSHAKE, header + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("beginning", [b"X: ", HANDSHAKE + b"X: "])
def test_a_head_without_end_is_ended(port: int, beginning: bytes) -> None:
    """With one byte more than the server has to take, so that nothing unread makes the answer a reset."""
    assert exchange(port, beginning, b"a" * (LONGEST_HEAD + 1)).startswith(b"HTTP/1.1 431 ")


def test_the_next_request_of_a_connection_has_a_head_of_its_own(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000)
            connection.sendall(b"\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_a_body_without_end_is_refused_before_it_fills_the_disk() -> None:
    """Whoever sends it, and wherever to: it is read before anything asks."""
    handler, answers, parts = OneThreadHandler(), [], itertools.count()
    scope = {"type": "http", "method": "POST", "path": "/ocpi/2.2.1/tokens", "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        next(parts)
        return {"type": "http.request", "body": bytes(1024 * 1024), "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)

    asyncio.run(handler(scope, receive, send))
    assert answers[0]["status"] == 413
    assert (b"Connection", b"close") in answers[0]["headers"]
    assert next(parts) == LARGEST_BODY // 1024 // 1024 + 1
