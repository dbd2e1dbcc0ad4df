"""A CPO just good enough to register with a provider, take its commands and push to it."""

import base64
import json
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

import requests

TOKEN_A, TOKEN_FOR_PTP = "token-a", "token-for-ptp"
NOW = "2026-01-01T12:00:00Z"
PATIENCE = 10.0
OWNER = {"country_code": "NL", "party_id": "PLU"}
CONNECTOR = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 32,
    "tariff_ids": ["T1"],
    "last_updated": NOW,
}
EVSE = {
    "uid": "E1",
    "evse_id": "NL*PLU*E1",
    "status": "AVAILABLE",
    "physical_reference": "1",
    "connectors": [CONNECTOR],
    "last_updated": NOW,
}
COORDINATES = {"latitude": "52.089180", "longitude": "5.109910"}
LOCATION = OWNER | {
    "id": "L1",
    "publish": True,
    "address": "Kade 1",
    "city": "Utrecht",
    "country": "NLD",
    "coordinates": COORDINATES,
    "evses": [EVSE],
    "time_zone": "Europe/Amsterdam",
    "last_updated": NOW,
}
TARIFF = OWNER | {
    "id": "T1",
    "currency": "EUR",
    "type": "AD_HOC_PAYMENT",
    "tariff_alt_text": [{"language": "en", "text": "0.49 per kWh"}],
    "max_price": {"excl_vat": 41.32, "incl_vat": 50.00},
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.405, "vat": 21.0, "step_size": 1}]}],
    "last_updated": NOW,
}
ENDPOINTS = (
    ("credentials", "SENDER"),
    ("locations", "SENDER"),
    ("tariffs", "SENDER"),
    ("sessions", "SENDER"),
    ("cdrs", "SENDER"),
    ("commands", "RECEIVER"),
    ("payments", "RECEIVER"),
)


def authorization(token: str) -> str:
    return "Token " + base64.b64encode(token.encode()).decode()


class FakeCPO:
    """Remembers what the provider sends; `answers` replaces the data of a path once or for good."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, Any]] = []
        self.ptp_token = ""
        self.endpoints = [*ENDPOINTS]
        self.failures: dict[str, int] = {}
        self.command_response = {"result": "ACCEPTED", "timeout": 30}
        self._news = Condition()
        cpo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                cpo.respond(self, raw)

            do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    # -- what the provider asks --------------------------------------------------------------------------

    def respond(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        path = handler.path.split("?")[0].strip("/")
        body = json.loads(raw) if raw else None
        with self._news:
            self.received.append((handler.command, path, body))
            self._news.notify_all()
        status, headers = 200, {}
        if self.failures.get(path, 0):
            self.failures[path] -= 1
            status = 500
        token = handler.headers["Authorization"]
        if token not in {authorization(TOKEN_A), authorization(TOKEN_FOR_PTP)}:
            status = 401
        data = self.data(handler.command, path, body) if status == 200 else None
        if isinstance(data, list):
            headers = {"X-Total-Count": str(len(data)), "X-Limit": "1"}
            data, headers = self.page(path, handler.path, data, headers)
        self.write(handler, status, data, headers)

    def page(self, path: str, full: str, data: list[Any], headers: dict[str, str]) -> tuple[Any, Any]:
        """One object per page, to see that pages are followed."""
        if path in {"versions"}:
            return data, headers
        offset = int(full.partition("offset=")[2] or 0)
        if offset + 1 < len(data):
            headers["Link"] = f'<{self.url}/{path}?offset={offset + 1}>; rel="next"'
        return data[offset : offset + 1], headers

    def write(self, handler: BaseHTTPRequestHandler, status: int, data: Any, headers: dict[str, str]) -> None:
        envelope = {"status_code": 1000 if status == 200 else 3000, "timestamp": NOW, "data": data}
        content = json.dumps(envelope).encode()
        handler.send_response(status)
        for name in ("X-Request-ID", "X-Correlation-ID"):
            handler.send_header(name, handler.headers[name])
        for name, value in (headers | {"Content-Type": "application/json"}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def data(self, method: str, path: str, body: Any) -> Any:
        if path == "versions":
            return [{"version": "2.1.1", "url": "http://old"}, {"version": "2.2.1", "url": f"{self.url}/2.2.1"}]
        if path == "2.2.1":
            listed = [{"identifier": m, "role": r, "url": f"{self.url}/{m}"} for m, r in self.endpoints]
            return {"version": "2.2.1", "endpoints": listed}
        if path == "credentials" and method in {"POST", "PUT"}:
            self.called_back = self.get(body["url"], body["token"])
            self.ptp_token = body["token"]
            return self.credentials()
        if path == "locations":
            return [LOCATION, LOCATION | {"id": "L2"}]
        if path.startswith("locations/"):
            return CONNECTOR
        if path == "tariffs":
            return [TARIFF]
        return self.command_response if path.startswith("commands/") else None

    def credentials(self) -> dict[str, Any]:
        role = OWNER | {"role": "CPO", "business_details": {"name": "Fake CPO"}}
        return {"token": TOKEN_FOR_PTP, "url": f"{self.url}/versions", "roles": [role]}

    def until(self, method: str, path: str, count: int = 1) -> Any:
        """Waits for the provider's request and returns its body."""

        def found() -> list[Any]:
            return [body for m, p, body in self.received if (m, p) == (method, path)]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, PATIENCE), f"no {method} {path}"
            return found()[count - 1]

    # -- what it sends to the provider -------------------------------------------------------------------

    def get(self, url: str, token: str) -> requests.Response:
        return self.send("GET", url, token=token)

    def send(
        self, method: str, url: str, body: Any = None, *, token: str | None = None, **headers: str | None
    ) -> requests.Response:
        """One request with all headers; a header given as None is left out."""
        usual: dict[str, str | None] = {
            "Authorization": authorization(self.ptp_token if token is None else token),
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(uuid.uuid4()),
        }
        if body is not None:
            usual["Content-Type"] = "application/json"
        for name, value in headers.items():
            usual[name.replace("_", "-")] = value
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return requests.request(
            method, url, data=data, headers={k: v for k, v in usual.items() if v is not None}, timeout=10
        )
