import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.roaming.ocpi.loopback import Peer, serve


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A client that hangs up in the middle is what some of the tests are about."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.any_database)


@pytest.fixture
def peer() -> Iterator[Peer]:
    server = QuietServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    peer = Peer(f"http://127.0.0.1:{server.server_port}")
    serve(peer, server)
    yield peer
    peer.done.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A DNS of our own: a name and its addresses. Addresses pass through, any other name is unknown."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: object, **kwargs: object) -> list:
        if host in known:
            return [entry for address in known[host] for entry in real(address, port, type=socket.SOCK_STREAM)]
        if host.replace(".", "").isdigit() or ":" in host:
            return real(host, port, *args, **kwargs)
        raise socket.gaierror(f"{host} is not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known
