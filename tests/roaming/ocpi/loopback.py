"""A peer on a loopback socket that answers what a test tells it to."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Peer:
    """`answers` maps a path, with or without query, to an Answer or to what takes over the handler."""

    url: str
    answers: dict[str, Answer | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def says(self, path: str, data: object = None, *, status: int = 200, code: int = 1000, **headers: str) -> str:
        """An OCPI envelope at `path`; header names with underscores."""
        body = {"status_code": code, "status_message": "as told", "timestamp": "2025-01-31T12:00:00Z"}
        if data is not None:
            body["data"] = data
        return self.sends(path, json.dumps(body).encode(), status=status, **headers)

    def sends(self, path: str, body: bytes = b"", *, status: int = 200, **headers: str) -> str:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = Answer(status, body, names)
        return self.url + path

    def runs(self, path: str, answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        self.answers[path] = answer
        return self.url + path


def serve(peer: Peer, server: ThreadingHTTPServer) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            peer.received.append(Received(self.command, self.path, dict(self.headers), body))
            answer = peer.answers.get(self.path) or peer.answers.get(self.path.partition("?")[0])
            if callable(answer):
                self.close_connection = True
                answer(self)
                return
            answer = answer or Answer(404)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server.RequestHandlerClass = Handler
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
