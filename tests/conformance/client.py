"""A partner's HTTP client, written without any of Plugtill's own code."""

import base64
import http.client
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

Json = dict[str, Any]
DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")
VERSION = "/ocpi/2.2.1/"


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def basic64(token: str) -> str:
    return base64.b64encode(token.encode()).decode()


@dataclass(frozen=True)
class Answer:
    http: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        found: Json = json.loads(self.raw)
        return found

    @property
    def code(self) -> int:
        """The OCPI status code."""
        return int(self.body["status_code"])

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def both(self) -> tuple[int, int]:
        return self.http, self.code

    @property
    def next_link(self) -> str | None:
        match = re.fullmatch(r'<([^>]+)>; rel="next"', self.headers.get("link", ""))
        return match[1] if match else None


@dataclass
class Client:
    """`parties`: who calls and whom, as (country code, party id). Every answer must be an envelope."""

    base: str
    token: str
    own: tuple[str, str] = ("NL", "PTP")
    other: tuple[str, str] = ("AT", "VLT")
    sent: list[dict[str, str]] = field(default_factory=list)

    def with_token(self, token: str) -> Self:
        return type(self)(self.base, token, self.own, self.other)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PATCH", path, body, **headers)

    def call(
        self, method: str, path: str, body: Any = None, *, all_headers: dict[str, str] | None = None, **more: str
    ) -> Answer:
        """`path` is below the version's address, absolute, or a whole URL. `body` bytes go as they are.

        `more` adds headers, `_` for `-`; `all_headers` replaces them.
        """
        headers = self.headers(path) | {name.replace("_", "-"): value for name, value in more.items()}
        if all_headers is not None:
            headers = all_headers
        answer = self._send(method, self._address(path), body, headers)
        assert isinstance(answer.body["status_code"], int), answer.raw
        assert DATETIME.fullmatch(answer.body["timestamp"]), answer.raw
        return answer

    def headers(self, path: str = "") -> dict[str, str]:
        ids = {name: str(uuid.uuid4()) for name in ("X-Request-ID", "X-Correlation-ID")}
        headers = {"Authorization": f"Token {basic64(self.token)}", "Content-Type": "application/json"} | ids
        if not re.search(r"versions|2\.2\.1/?$|credentials|hubclientinfo", path):
            headers |= {"OCPI-from-country-code": self.own[0], "OCPI-from-party-id": self.own[1]}
            headers |= {"OCPI-to-country-code": self.other[0], "OCPI-to-party-id": self.other[1]}
        return headers

    def _address(self, path: str) -> str:
        if path.startswith("http"):
            return path
        return self.base + (path if path.startswith("/") else VERSION + path)

    def _send(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        try:
            connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, content, headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, raw)

    def pages(self, path: str) -> list[Answer]:
        """A list from its beginning to its end."""
        found = [self.get(path)]
        while following := found[-1].next_link:
            assert len(found) < 200
            found.append(self.get(following))
        return found
