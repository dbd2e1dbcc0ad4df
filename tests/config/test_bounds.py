"""What a stranger sends before it has said who it is: no request keeps the server waiting, or its memory."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from config import bounds
from config.bounds import LONGEST_HEAD, BoundedRequests
from config.handler import LARGEST_BODY, OneThreadHandler

PATIENCE = 10.0
HANDSHAKE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return None
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
    return None


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(answer, http=BoundedRequests, lifespan="off", log_level="critical")
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


@pytest.mark.parametrize("size, status", [(LONGEST_HEAD - 100, b"204"), (LONGEST_HEAD + 1, b"431")])
def test_a_head_is_measured_also_when_it_comes_at_once(port: int, size: int, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * size + b"\r\n\r\n")
        assert connection.recv(1000).split()[1] == status


def test_a_large_body_before_it_does_not_count_for_a_head(port: int) -> None:
    body = b"b" * (LONGEST_HEAD + 1)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body + b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")
        connection.sendall(b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")


GET, POST = b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n"
SLOW = {
    "head": (GET + b"X:", b"y"),
    "handshake": (GET + HANDSHAKE + b"X:", b"y"),
    "body": (POST, b"b"),
    "empty lines": (b"", b"\r\n"),
    "head of a second request": (GET + b"\r\n" + GET + b"X:", b"y"),
    "empty lines after a request": (GET + b"\r\n", b"\r\n"),
}


@pytest.mark.parametrize("beginning, more", SLOW.values(), ids=list(SLOW))
def test_who_sends_byte_by_byte_is_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch, beginning: bytes, more: bytes
) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.5)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(beginning)
        assert b"HTTP/1.1 408 Request Timeout" in until_the_end(connection, more)


def until_the_end(connection: socket.socket, more: bytes) -> bytes:
    """What the server says until it closes the connection; until then `more` is sent again and again."""
    said = b""
    connection.settimeout(0.05)
    for _ in range(199):
        try:
            part = connection.recv(1000)
            if not part:
                return said
            said += part
        except TimeoutError:
            connection.sendall(more)
        except ConnectionError:
            return said
    pytest.fail(f"The server still waits, after {said!r}")


def test_who_sends_nothing_is_let_go_without_a_word(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.1)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        assert connection.recv(1000) == b""


@pytest.mark.parametrize("before", [b"", GET + b"\r\n"], ids=["first", "second"])
def test_a_websocket_may_be_silent(port: int, monkeypatch: pytest.MonkeyPatch, before: bytes) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.2)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        for head in [before, GET + HANDSHAKE + b"\r\n"]:
            connection.sendall(head)
            assert not head or connection.recv(1000).startswith((b"HTTP/1.1 204 ", b"HTTP/1.1 101 "))
        time.sleep(1)
        connection.sendall(b"\x89\x80\0\0\0\0")
        assert connection.recv(1000) == b"\x8a\x00"


def test_a_bad_line_may_take_its_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.2)
    monkeypatch.setattr(bounds, "SLOWEST", 1)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(POST)
        for _ in range(10):
            connection.sendall(b"b" * 20)
            time.sleep(0.1)
        assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")


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
