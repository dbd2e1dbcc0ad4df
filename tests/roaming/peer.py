"""A partner's back office on a loopback port: versions, details and credentials, each answer replaceable."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from roaming.ocpi.headers import decode_tokens

TIMESTAMP = "2025-01-01T00:00:00Z"
Answer = tuple[int, Any]


def envelope(data: Any = None, status_code: int = 1000, message: str = "") -> dict[str, Any]:
    return {"status_code": status_code, "status_message": message, "data": data, "timestamp": TIMESTAMP}


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def tokens(self) -> list[str]:
        return decode_tokens(self.headers.get("authorization"))


@dataclass
class FakePeer:
    """`answers` maps (method, path) to what to answer instead: (HTTP status, body) or a function of the request."""

    url: str = ""
    accepted: set[str] = field(default_factory=set)
    handed_out: str = "peer-token-c"
    roles: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {
                "role": "OTHER",
                "country_code": "NL",
                "party_id": "PTP",
                "business_details": {"name": "Terminals BV"},
            }
        ]
    )
    answers: dict[tuple[str, str], Answer | Callable[[Received], Answer]] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)

    @property
    def versions_url(self) -> str:
        return f"{self.url}/versions"

    def endpoints(self) -> list[dict[str, str]]:
        modules = [("credentials", "RECEIVER"), ("payments", "SENDER"), ("cdrs", "RECEIVER")]
        return [{"identifier": name, "role": role, "url": f"{self.url}/2.2.1/{name}"} for name, role in modules]

    def credentials(self, token: str = "") -> dict[str, Any]:
        return {"token": token or self.handed_out, "url": self.versions_url, "roles": self.roles}

    def calls(self, method: str, path: str = "") -> list[Received]:
        return [call for call in self.requests if call.method == method and (not path or call.path == path)]

    def answer(self, request: Received) -> Answer:
        self.requests.append(request)
        if not self.accepted & set(request.tokens):
            return 401, envelope(None, 2001, "Unknown token")
        special = self.answers.get((request.method, request.path))
        if special is not None:
            return special(request) if callable(special) else special
        return self._usual(request)

    def _usual(self, request: Received) -> Answer:
        match request.method, request.path:
            case "GET", "/versions":
                return 200, envelope([{"version": "2.2.1", "url": f"{self.url}/2.2.1"}])
            case "GET", "/2.2.1":
                return 200, envelope({"version": "2.2.1", "endpoints": self.endpoints()})
            case "POST" | "PUT", "/2.2.1/credentials":
                return 200, envelope(self.credentials())
            case "DELETE", "/2.2.1/credentials":
                return 200, envelope()
        return 404, envelope(None, 2000, "Not found")


@contextmanager
def running_peer() -> Iterator[FakePeer]:
    peer = FakePeer()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, self.path, headers, json.loads(raw) if raw else None)
            status, body = peer.answer(request)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    peer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
