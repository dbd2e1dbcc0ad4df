"""A partner's wrong answers: each is a transient or a permanent failure with a sentence, and no worker dies of it."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from roaming.choices import InterfaceRole, Module, PlatformType, PushState
from roaming.models import Document, PlatformEndpoint, Pull, Push, RoamingPlatform
from roaming.services import pulls, push
from roaming.services.peers import client_for
from tests.roaming.factories import RegisteredPlatformFactory, make_role

pytestmark = pytest.mark.django_db

Json = dict[str, Any]
Answer = Callable[[socket.socket], None]
CRLF = b"\r\n"


def says(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall(CRLF.join(line.encode("latin-1") for line in lines) + body)


def envelope(status_code: Any = 1000, **more: Any) -> bytes:
    return json.dumps({"status_code": status_code, "timestamp": "2026-01-01T00:00:00Z"} | more).encode()


def hang_up(connection: socket.socket) -> None:
    connection.close()


def trickle(connection: socket.socket) -> None:
    """A byte now and then, without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        if is_closed(connection, 0.02):
            return


def silence(connection: socket.socket) -> None:
    is_closed(connection, 10)


def is_closed(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def huge(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


TRANSIENT = {
    "html": says(b"<html>Welcome</html>"),
    "html of a fault": says(b"<html>Bad gateway</html>", "502 Bad Gateway"),
    "no json": says(b"{"),
    "not utf-8": says(b"\xff\xfe\x00"),
    "a list": says(b"[]"),
    "a text": says(b'"1000"'),
    "deep": says(b"[" * 200_000),
    "no status code": says(b'{"data": []}'),
    "an odd status code": says(envelope([1000])),
    "an infinite status code": says(b'{"status_code": 1e999}'),
    "a status code beyond all": says(envelope(10**30)),
    "a server fault": says(envelope(3000), "500 Internal Server Error"),
    "a server fault of OCPI": says(envelope(3000)),
    "too often": says(b"", "429 Too Many Requests", "Retry-After: soon"),
    "unauthorized": says(envelope(2001), "401 Unauthorized"),
    "not http": says(b"", "nonsense"),
    "silence": silence,
    "hang up": hang_up,
    "trickle": trickle,
    "huge": huge,
    "broken compression": says(b"not gzip", "200 OK", "Content-Encoding: gzip"),
}
PERMANENT = {
    "client error": says(envelope(2000)),
    "invalid": says(envelope(2001, status_message="kwh: is required")),
    "not found": says(b"<html>404</html>", "404 Not Found"),
    "an unprintable message": says(envelope(2001, status_message="\x00 \ud800 \x1b[31m")),
    "a message that is none": says(envelope(2001, status_message={"a": [1]})),
    "a long message": says(envelope(2001, status_message="x" * 100_000)),
    "moved": says(b"", "301 Moved Permanently", "Location: http://other.example/"),
    "moved in circles": says(b"", "307 Temporary Redirect", "Location: /again"),
}
GOOD = {
    "an envelope": says(envelope()),
    "empty": says(b""),
    "no content": says(b"", "204 No Content"),
    "odd data": says(envelope(data={"anything": ["\x00", None]})),
    "an odd Location": says(envelope(), "201 Created", "Location: \x01\xff" + "x" * 3000),
    "status code as text": says(envelope("1000")),
}


class Peer:
    """Answers every connection the same way."""

    def __init__(self) -> None:
        self.answer: Answer = hang_up
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            with closing(connection):
                self._read_request(connection)
                self.answer(connection)
        except OSError:  # Plugtill had heard enough
            return

    def _read_request(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.split(CRLF) if line.lower().startswith(b"content-length:")]
        while len(body) < sum(lengths):
            body += connection.recv(65536)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    """With the patience of a test."""
    monkeypatch.setitem(client_for.__kwdefaults__, "max_seconds", 1.0)
    monkeypatch.setitem(client_for.__kwdefaults__, "timeout", (1.0, 0.3))
    running = Peer()
    yield running
    running.close()


@pytest.fixture
def platform(peer: Peer) -> RoamingPlatform:
    found: RoamingPlatform = RegisteredPlatformFactory(type=PlatformType.EMSP)
    make_role(found, "EMP", "DE")
    roles = {Module.CDRS: InterfaceRole.RECEIVER, Module.SESSIONS: InterfaceRole.RECEIVER}
    for module, role in (roles | {Module.TOKENS: InterfaceRole.SENDER}).items():
        PlatformEndpoint.objects.create(platform=found, identifier=module, role=role, url=f"{peer.url}/{module}")
    return found


def delivered(platform: RoamingPlatform, module: Module = Module.CDRS) -> Push:
    """A push after one attempt."""
    body = {"id": "1", "country_code": "AT", "party_id": "PLG"}
    keys = {"object_id": "1", "country_code": "AT", "party_id": "PLG", "source_id": 1}
    Document.objects.create(platform=platform, module=module, body=body, last_updated="2026-01-01T00:00:00Z", **keys)
    if module == Module.CDRS:
        push.enqueue(platform, module, "AT/PLG/1")
    else:
        push.enqueue_state(platform, module, "AT/PLG/1")
    push.deliver_next(Push.objects.get().platform_id)
    return Push.objects.get()


@pytest.mark.parametrize("name", TRANSIENT)
def test_a_transient_failure_is_tried_again(peer: Peer, platform: RoamingPlatform, name: str) -> None:
    peer.answer = TRANSIENT[name]
    row = delivered(platform)
    assert (row.state, row.attempts, row.needs_operator) == (PushState.PENDING, 1, False)
    assert row.not_before > row.queued_at
    assert len(row.last_error) > 10


@pytest.mark.parametrize("name", PERMANENT)
def test_a_refused_state_is_given_up_and_shown(peer: Peer, platform: RoamingPlatform, name: str) -> None:
    peer.answer = PERMANENT[name]
    row = delivered(platform, Module.SESSIONS)
    assert (row.state, row.needs_operator) == (PushState.FAILED, True)
    assert 10 < len(row.last_error) < 1000
    assert row.last_error.isprintable()


@pytest.mark.parametrize("name", PERMANENT)
def test_a_refused_cdr_is_kept_for_staff(peer: Peer, platform: RoamingPlatform, name: str) -> None:
    peer.answer = PERMANENT[name]
    row = delivered(platform)
    assert (row.state, row.needs_operator) == (PushState.PENDING, True)


@pytest.mark.parametrize("name", GOOD)
def test_a_push_is_taken_with_whatever_data(peer: Peer, platform: RoamingPlatform, name: str) -> None:
    peer.answer = GOOD[name]
    row = delivered(platform)
    assert (row.state, row.last_error) == (PushState.DONE, "")
    stored = Document.objects.get()
    assert stored.acknowledged == stored.body
    assert len(stored.peer_url) <= 255


# Lists that we fetch


def run_pull(platform: RoamingPlatform) -> Pull:
    row = Pull.objects.create(platform=platform, source=Module.TOKENS)
    pulls.run(row.pk)
    row.refresh_from_db()
    assert row.claimed_at is None
    assert row.next_run_at > row.last_run_at
    return row


@pytest.mark.parametrize("name", [*TRANSIENT, *PERMANENT, "empty", "no content"])
def test_a_failed_pull_says_why(peer: Peer, platform: RoamingPlatform, name: str) -> None:
    peer.answer = (TRANSIENT | PERMANENT | GOOD)[name]
    row = run_pull(platform)
    assert len(row.last_error) > 10
    assert "Plugtill could not" not in row.last_error
    assert row.high_water is None


def token(uid: str, **changes: Any) -> Json:
    return {
        "country_code": "DE",
        "party_id": "EMP",
        "uid": uid,
        "type": "RFID",
        "contract_id": "C",
        "issuer": "I",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes


WRONG_ITEMS: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "a list": [],
    "an empty object": {},
    "another's party": token("B", party_id="XXX"),
    "an id too long": token("B" * 300),
    "an unprintable id": token("B\x00"),
    "a lone surrogate": token("B", odd="\ud800"),
    "a NUL": token("B", odd={"\x00": 1}),
    "a wrong type": token("B", valid="yes"),
    "a wrong date": token("B", last_updated="yesterday"),
    "deep": token("B", odd=[[[[[[[[[[]]]]]]]]]] and json.loads("[" * 200 + "]" * 200)),
}


@pytest.mark.parametrize("name", WRONG_ITEMS)
def test_a_wrong_item_hides_no_good_one(peer: Peer, platform: RoamingPlatform, name: str) -> None:
    from chargers.models import Token

    peer.answer = says(envelope(data=[token("A"), WRONG_ITEMS[name], token("Z")]))
    row = run_pull(platform)
    assert sorted(Token.objects.values_list("uid", flat=True)) == ["A", "Z"]
    assert (row.last_received, row.last_error) == (2, "")


@pytest.mark.parametrize("data", [None, {}, "text", 7, {"a": []}, [[]], [None]])
def test_a_list_that_is_none(peer: Peer, platform: RoamingPlatform, data: Any) -> None:
    peer.answer = says(envelope(data=data))
    row = run_pull(platform)
    assert row.last_received == 0
    assert row.last_error == "" or "list" in row.last_error


@pytest.mark.parametrize(
    "link", ["<", '<>; rel="next"', '<http://[bad>; rel="next"', '<file:///etc/passwd>; rel="next"', "x" * 9000]
)
def test_a_link_that_leads_nowhere(peer: Peer, platform: RoamingPlatform, link: str) -> None:
    peer.answer = says(envelope(data=[token("A")]), "200 OK", f"Link: {link}")
    assert run_pull(platform).last_received >= 1
