"""The HTTP server: reads requests, finds who answers them, writes the answers, and fails on demand."""

import socket
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from payments.simulator import commands, receivers, registration, screen, sessions, terminals
from payments.simulator.admission import admit
from payments.simulator.control import Control
from payments.simulator.exchange import Answer, Refusal, Request
from payments.simulator.office import Office
from payments.simulator.wire import CLIENT_ERROR, CONFIGURATION_MODULES, SERVER_ERROR, dumps, envelope, now

MODULES = {
    "versions": registration.versions,
    "credentials": registration.credentials,
    "locations": receivers.locations,
    "tariffs": receivers.tariffs,
    "sessions": sessions.sessions,
    "cdrs": sessions.cdrs,
    "commands": commands.results,
    "payments": terminals.payments,
}
KINDS = ("500", "refuse", "drop", "lost", "slow", "garbage", "twice")


@dataclass
class Fault:
    """How the next `times` requests to a module ("*" for any) fail."""

    module: str
    kind: str
    times: int
    seconds: float


def answer(office: Office, request: Request) -> Answer:
    """The answer to an OCPI request; every broken rule becomes a complaint."""
    try:
        admit(office, request)
        if request.module not in MODULES:
            raise Refusal("url", "unknown URL", 404, CLIENT_ERROR)
        return MODULES[request.module](office, request)
    except Refusal as refusal:
        if refusal.rule:
            office.complain(refusal.rule, refusal.message, method=request.method, path=request.path)
        return refusal.answer
    except Exception as error:
        # A mistake of ours must not end in a closed connection that looks like the network's.
        office.log.record("internal_error", error=f"{type(error).__name__}: {error}", path=request.path)
        return Answer(status=500, code=SERVER_ERROR, message=f"simulator: {error}")


class Handler(BaseHTTPRequestHandler):
    """One connection of the CPO or of somebody who controls us."""

    protocol_version = "HTTP/1.1"
    # Header and body leave as one packet, without 40 ms of delayed acknowledgement in between.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """The event log tells what was done."""

    def _handle(self) -> None:
        started, at = time.monotonic(), now()
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        if url.path.startswith("/control"):
            status, content = self.server.control.handle(self.command, url.path, url.query, raw)
            return self._write(status, dumps(content).encode(), {})
        if url.path.startswith("/terminal"):
            status, page, kind = screen.serve(url.path, url.query)
            return self._write(status, page, {"Content-Type": kind})
        request = _request(self, url.path, url.query, raw, at)
        status, code = self._serve(request)
        self.server.office.log.record(
            "http",
            "in",
            at=at,
            module=request.module,
            method=self.command,
            path=self.path,
            status=status,
            code=code,
            ms=round((time.monotonic() - started) * 1000),
        )

    def _serve(self, request: Request) -> tuple[Any, int | None]:
        fault = self.server.next_fault(request.module)
        if fault in {"drop", "500", "refuse", "garbage"}:
            # A repetition after this needs an X-Request-ID of its own all the same.
            self.server.office.book.seen_before(request.header("X-Request-ID"))
        if fault == "drop":
            return self._hang_up(), None
        if fault == "500":
            self._write(500, b"Internal Server Error", {})
            return 500, None
        if fault == "garbage":
            self._write(200, b"<html>It works!</html>", {"Content-Type": "text/html"})
            return 200, None
        if fault == "refuse":
            given = Answer(status=400, code=CLIENT_ERROR, message="refused, as it was asked for")
        else:
            given = answer(self.server.office, request)
        if fault == "lost":
            return self._hang_up(), None
        body = dumps(envelope(given.data, given.code, given.message)).encode()
        for _ in range(2 if fault == "twice" else 1):
            self._write(given.status, body, _echo(request) | given.headers)
        return given.status, given.code

    def _hang_up(self) -> str:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return "hung up"

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _request(handler: Handler, path: str, query: str, raw: bytes, at: str) -> Request:
    parts = [unquote(part) for part in path.split("/") if part]
    headers = {name.lower(): value for name, value in handler.headers.items()}
    module, below = "unknown", []
    if parts[:2] == ["ocpi", "versions"] or parts == ["ocpi", "2.2.1"]:
        module, below = "versions", parts[1:] if parts[1] == "2.2.1" else parts[2:]
    elif parts[:2] == ["ocpi", "2.2.1"]:
        module, below = parts[2], parts[3:]
    return Request(handler.command, path, module, below, dict(parse_qsl(query)), headers, raw, at)


def _echo(request: Request) -> dict[str, str]:
    """Headers of an answer that repeat or mirror those of the request."""
    names = ("X-Request-ID", "X-Correlation-ID")
    echoed = {name: request.header(name) for name in names if request.header(name)}
    if request.module in CONFIGURATION_MODULES:
        return echoed
    for name in ("country-code", "party-id"):
        for mine, theirs in (("to", "from"), ("from", "to")):
            if value := request.header(f"OCPI-{theirs}-{name}"):
                echoed[f"OCPI-{mine}-{name}"] = value
    return echoed


class Server(ThreadingHTTPServer):
    """Serves OCPI under /ocpi, the control API under /control and a terminal's screen at /terminal."""

    daemon_threads = True

    def __init__(self, office: Office) -> None:
        super().__init__(office.settings.listen, Handler)
        self.office = office
        self.faults: list[Fault] = []
        self.control = Control(office, self.add_fault)
        if not office.base_url:
            host = "127.0.0.1" if office.settings.listen[0] == "0.0.0.0" else office.settings.listen[0]
            office.base_url = f"http://{host}:{self.server_address[1]}"

    # The usual one asks the name service who we are, which can take seconds.
    server_bind = TCPServer.server_bind

    def add_fault(self, body: dict[str, Any]) -> None:
        """Plans failures; raises ValueError on a kind or module there is not."""
        fault = Fault(
            str(body.get("module", "*")),
            str(body["kind"]),
            int(body.get("times", 1)),
            float(body.get("seconds", 5)),
        )
        if fault.kind not in KINDS or fault.module not in {*MODULES, "*"}:
            raise ValueError(f"kinds are {', '.join(KINDS)}; modules are *, {', '.join(MODULES)}")
        self.faults.append(fault)

    def next_fault(self, module: str) -> str:
        """The failure that is due; waits when it is slowness."""
        with self.office.book.lock:
            due = [fault for fault in self.faults if fault.times > 0 and fault.module in {module, "*"}]
            if not due:
                return ""
            due[0].times -= 1
        self.office.log.record("fault", module=module, kind=due[0].kind)
        if due[0].kind == "slow":
            self.office.closing.wait(due[0].seconds)
        return due[0].kind
