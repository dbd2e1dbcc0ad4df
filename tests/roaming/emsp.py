"""An eMSP's back office on a loopback port: its list of tokens in pages, and its answers to authorisations."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from config.demo.data import DemoData
from roaming.choices import InterfaceRole, PlatformType
from roaming.models import PlatformEndpoint, PlatformRole, RoamingPlatform
from roaming.services import documents
from tests.roaming.factories import RegisteredPlatformFactory
from tests.roaming.peer import Received, envelope

UNKNOWN = (404, envelope(None, 2004, "Unknown token"))
SILENCE = "does not answer while the test runs"


def make_token(uid: str = "04A1B2C3D4", **changes: Any) -> dict[str, Any]:
    return {
        "country_code": "DE",
        "party_id": "EMP",
        "uid": uid,
        "type": "RFID",
        "contract_id": "DE-EMP-C00000001-X",
        "issuer": "Charge & Go",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": "2026-01-01T12:00:00Z",
    } | changes


@dataclass
class FakeEmsp:
    """`authorizations` has an answer per uid: an AllowedType, an AuthorizationInfo, (HTTP status, body) or SILENCE;
    every other uid is unknown."""

    url: str = ""
    tokens: list[Any] = field(default_factory=list)
    page_size: int = 2
    authorizations: dict[str, Any] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)
    test_is_over: threading.Event = field(default_factory=threading.Event)

    def asked(self) -> list[str]:
        """The uids of all authorisations so far."""
        return [unquote(call.path.split("/")[-2]) for call in self.requests if call.method == "POST"]

    def answer(self, request: Received) -> tuple[int, Any, dict[str, str]]:
        self.requests.append(request)
        path = urlsplit(request.path)
        if path.path == "/tokens":
            return self._page(parse_qs(path.query))
        if path.path.endswith("/authorize"):
            return *self._authorize(unquote(path.path.split("/")[-2])), {}
        return 200, envelope(), {}

    def _page(self, query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        offset = int(query.get("offset", ["0"])[0])
        following = offset + self.page_size
        link = {"Link": f'<{self.url}/tokens?offset={following}>; rel="next"'} if following < len(self.tokens) else {}
        return 200, envelope(self.tokens[offset:following]), link

    def _authorize(self, uid: str) -> tuple[int, Any]:
        answer = self.authorizations.get(uid, UNKNOWN)
        if answer == SILENCE:
            self.test_is_over.wait(30)
            return UNKNOWN
        if isinstance(answer, str):
            answer = {"allowed": answer, "token": make_token(uid), "authorization_reference": f"AUTH-{uid}"}
        return (200, envelope(answer)) if isinstance(answer, dict) else answer


@contextmanager
def running_emsp() -> Iterator[FakeEmsp]:
    emsp = FakeEmsp()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(emsp.answer))
    server.daemon_threads = True
    emsp.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield emsp
    finally:
        emsp.test_is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(answer: Callable[[Received], tuple[int, Any, dict[str, str]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body, more = answer(Received(self.command, self.path, headers, json.loads(raw) if raw else None))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = handle_any

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


def make_emsp(url: str = "http://127.0.0.1:9", party_id: str = "EMP", **fields: Any) -> RoamingPlatform:
    """A registered eMSP (or hub) at `url` with the party DE-EMP and addresses for tokens, sessions and CDRs."""
    platform = RegisteredPlatformFactory(**{"type": PlatformType.EMSP, **fields})
    PlatformRole.objects.create(platform=platform, role="EMSP", country_code="DE", party_id=party_id)
    addresses = {"tokens": InterfaceRole.SENDER, "sessions": InterfaceRole.RECEIVER, "cdrs": InterfaceRole.RECEIVER}
    for module, role in addresses.items():
        PlatformEndpoint.objects.create(platform=platform, identifier=module, role=role, url=f"{url}/{module}")
    return platform


def show_demo(platform: RoamingPlatform, demo: DemoData) -> RoamingPlatform:
    """The platform sees what the demo's terminals see."""
    platform.profiles.set(demo.platform.profiles.all())
    platform.tariffs.set(demo.platform.tariffs.all())
    documents.refresh_platform(platform.pk)
    return platform
