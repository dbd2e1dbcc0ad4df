"""A partner that pulls as fast as it can: plain sockets, so that what is measured is the server.

`requests` needs about as long for a page as a fast server does.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_NEXT = re.compile(rb'\r\nlink: *<http://[^/]+([^>]+)>; *rel="next"', re.IGNORECASE)


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes

    @property
    def next_path(self) -> str:
        """Of the Link header, "" on the last page."""
        found = _NEXT.search(self.head)
        return found[1].decode() if found else ""


class KeepAlive:
    """One connection for all its requests. Raises AssertionError when the server answers anything but 2xx."""

    asked = 0  # of Plugtill's own addresses, by all connections

    def __init__(self, port: int, authorization: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fields = f"Host: 127.0.0.1:{port}\r\nAuthorization: {authorization}\r\nAccept: application/json\r\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def get(self, path: str) -> Answer:
        return self._exchange(f"GET {path} HTTP/1.1\r\n{self._fields}\r\n".encode())

    def post(self, path: str, body: bytes) -> Answer:
        fields = f"{self._fields}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return self._exchange(f"POST {path} HTTP/1.1\r\n{fields}\r\n".encode() + body)

    def _exchange(self, request: bytes) -> Answer:
        KeepAlive.asked += b" /ocpi/" in request[:12]
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        head = received[: end + 2]
        length = _LENGTH.search(head)
        assert length, head
        parts, missing = [received[end + 4 :]], int(length[1]) - (len(received) - end - 4)
        while missing > 0:
            parts.append(self._receive())
            missing -= len(parts[-1])
        answer = Answer(int(head[9:12]), head, b"".join(parts))
        assert 200 <= answer.status < 300, answer.head + answer.body[:500]
        return answer

    def _receive(self) -> bytes:
        data = self._socket.recv(262_144)
        assert data, "the server closed the connection"
        return data


def crawl(connection: KeepAlive, path: str) -> int:
    """Follows the links of a list to its end; how many pages it had."""
    pages = 0
    while path:
        path = connection.get(path).next_path
        pages += 1
    return pages


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def all_at_once(works: Iterable[Callable[[], object]]) -> float:
    """Seconds until all are done, each in a thread of its own. The first failure is raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - began
