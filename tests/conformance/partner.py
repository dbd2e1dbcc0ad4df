"""A partner's back office on a loopback port: versions, credentials, and receivers that keep what they get."""

import base64
import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
Reply = tuple[int, Any]
PATIENCE = 25.0
HANG_UP = (0, None)

PTP_ENDPOINTS = {
    "credentials": "RECEIVER",
    "payments": "SENDER",
    "locations": "RECEIVER",
    "tariffs": "RECEIVER",
    "sessions": "RECEIVER",
    "cdrs": "RECEIVER",
    "commands": "SENDER",
    "chargingprofiles": "SENDER",
}
EMSP_ENDPOINTS = {name: role for name, role in PTP_ENDPOINTS.items() if name != "payments"} | {"tokens": "SENDER"}


def envelope(data: Any = None, status_code: int = 1000) -> Json:
    return {"status_code": status_code, "data": data, "timestamp": "2026-01-01T00:00:00Z"}


@dataclass(frozen=True)
class Received:
    number: int
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any
    at: float

    @property
    def token(self) -> str:
        return base64.b64decode(self.headers["authorization"].removeprefix("Token ")).decode()

    @property
    def module(self) -> str:
        return self.path.split("/")[2] if self.path.startswith("/2.2.1/") else ""


@dataclass
class Partner:
    """`token` is what Plugtill must send; `plan` replaces answers: the longest matching "METHOD /path" wins."""

    country: str
    party: str
    roles: list[tuple[str, str, str]]
    endpoints: dict[str, str]
    token: str
    url: str = ""
    payments_path: str = "payments"
    is_plain: bool = False
    versions: tuple[str, ...] = ("2.1.1", "2.2.1")
    plan: dict[str, Reply | Callable[[Received], Reply]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    # -- what it says of itself

    @property
    def versions_url(self) -> str:
        return f"{self.url}/versions"

    def credentials(self, token: str = "") -> Json:
        return {
            "token": token or self.token,
            "url": self.versions_url,
            "roles": [
                {"role": role, "country_code": country, "party_id": party, "business_details": {"name": f"{party} Ltd"}}
                for role, country, party in self.roles
            ],
        }

    def details(self) -> Json:
        paths = {"payments": self.payments_path}
        return {
            "version": "2.2.1",
            "endpoints": [
                {"identifier": name, "role": role, "url": f"{self.url}/2.2.1/{paths.get(name, name)}"}
                for name, role in self.endpoints.items()
            ],
        }

    # -- what it was told

    def calls(self, method: str = "", path: str = "", since: int = 0, **fields: Any) -> list[Received]:
        """Requests whose path begins so and whose body has these fields, from a number on."""
        with self.news:
            found = self.received[since:]
        return [
            one
            for one in found
            if one.method.startswith(method)
            and one.path.startswith(path)
            and all(isinstance(one.body, dict) and one.body.get(name) == value for name, value in fields.items())
        ]

    def wait(self, method: str, path: str, since: int = 0, *, count: int = 1, **fields: Any) -> Received:
        """The request that makes it `count`. Raises AssertionError with what came instead."""
        deadline = time.monotonic() + PATIENCE
        with self.news:
            while len(found := self.calls(method, path, since, **fields)) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"no {method} {path} {fields}, but {[(r.method, r.path) for r in self.calls()[-12:]]}"
                self.news.wait(left)
        return found[count - 1]

    @property
    def now(self) -> int:
        """To ask for what comes `since`."""
        return len(self.received)

    # -- how it answers

    def answer(self, method: str, target: str, headers: dict[str, str], body: Any) -> Reply:
        parts = urlsplit(target)
        with self.news:
            number = len(self.received)
            request = Received(number, method, parts.path, parse_qs(parts.query), headers, body, time.monotonic())
            self.received.append(request)
            self.news.notify_all()
        if not self._is_known(headers.get("authorization", "")):
            return 401, envelope(status_code=2001)
        matching = [key for key in self.plan if f"{method} {parts.path}".startswith(key)]
        if matching:
            planned = self.plan[max(matching, key=len)]
            return planned(request) if callable(planned) else planned
        return self._usual(request)

    def _is_known(self, authorization: str) -> bool:
        expected = self.token if self.is_plain else base64.b64encode(self.token.encode()).decode()
        return authorization == f"Token {expected}"

    def _usual(self, request: Received) -> Reply:
        if request.path == "/versions":
            return 200, envelope([{"version": name, "url": f"{self.url}/{name}"} for name in self.versions])
        if request.path == "/2.2.1":
            return 200, envelope(self.details())
        if request.method == "GET":
            return 200, envelope([])
        return (201 if request.method == "POST" else 200), envelope()


@contextmanager
def serving(partner: Partner) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = partner.answer(self.command, self.path, headers, json.loads(raw) if raw else None)
            if not status:
                return
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if self.command == "POST" and self.path.endswith("/cdrs"):
                self.send_header("Location", f"{partner.url}{self.path}/kept-{json.loads(raw)['id']}")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # The usual one asks the name service who we are, which can take seconds.
        server_bind = TCPServer.server_bind

    server = Server(("127.0.0.1", 0), Handler)
    partner.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield partner
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
