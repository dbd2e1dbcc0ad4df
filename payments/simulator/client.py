"""Our requests to the CPO, and what we expect of its answers."""

import ipaddress
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from payments.simulator.wire import CONFIGURATION_MODULES, dumps, encode_token, loads, now

if TYPE_CHECKING:
    from payments.simulator.office import Office

TIMEOUTS = (5, 30)


class Unreachable(Exception):
    """No answer, or none that is OCPI."""


@dataclass(frozen=True)
class Reply:
    """An answer of the CPO; `code` is 0 when the body was no envelope."""

    status: int
    code: int
    message: str
    data: Any
    headers: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and 1000 <= self.code < 2000

    @property
    def reason(self) -> str:
        return f"HTTP {self.status}, OCPI {self.code} {self.message}".rstrip()


class Client:
    """Sends requests with all headers OCPI asks for."""

    def __init__(self, office: "Office") -> None:
        self.office = office
        self._http = requests.Session()
        # A .netrc would replace our Authorization header.
        self._http.trust_env = False

    def call(
        self, method: str, url: str, module: str, body: Any = None, *, token: str = "", params: Any = None
    ) -> Reply:
        """One request. Raises Unreachable when there is no answer at all."""
        headers = self._headers(module, token or self.office.book.registration.client_token)
        data = None
        if body is not None:
            data, headers["Content-Type"] = dumps(body).encode(), "application/json"
        at, started = now(), time.monotonic()
        try:
            response = self._http.request(
                method,
                url,
                data=data,
                headers=headers,
                params=params,
                timeout=TIMEOUTS,
                allow_redirects=False,
                proxies=_proxies(url),
            )
        except requests.RequestException as error:
            self._note(at, started, method, module, url, "no answer")
            raise Unreachable(f"{method} {url}: {error}") from error
        reply = self._reply(response)
        self._note(at, started, method, module, response.url, reply.status, reply.code or None)
        self._inspect(headers, reply, f"{method} {url}")
        return reply

    def _headers(self, module: str, token: str) -> dict[str, str]:
        headers = {
            "Authorization": encode_token(token),
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(uuid.uuid4()),
        }
        roles = self.office.book.registration.roles
        if module not in CONFIGURATION_MODULES and roles:
            settings = self.office.settings
            headers |= {
                "OCPI-from-country-code": settings.country,
                "OCPI-from-party-id": settings.party,
                "OCPI-to-country-code": roles[0]["country_code"],
                "OCPI-to-party-id": roles[0]["party_id"],
            }
        return headers

    def _reply(self, response: requests.Response) -> Reply:
        try:
            body = loads(response.content)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("status_code"), int):
            return Reply(response.status_code, 0, "no envelope", None, response.headers)
        message = str(body.get("status_message") or "")
        return Reply(response.status_code, body["status_code"], message, body.get("data"), response.headers)

    def _note(self, at: str, started: float, method: str, module: str, url: str, status: Any, code: Any = None) -> None:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        ms = round((time.monotonic() - started) * 1000)
        self.office.log.record(
            "http", "out", at=at, module=module, method=method, path=path, status=status, code=code, ms=ms
        )

    def _inspect(self, sent: dict[str, str], reply: Reply, call: str) -> None:
        """Complains about answers that break the rules of the transport chapter."""
        if not reply.code:
            return self.office.complain("answer-envelope", f"HTTP {reply.status} without envelope", call=call)
        if not str(reply.headers.get("Content-Type", "")).startswith("application/json"):
            self.office.complain("answer-content-type", "the answer is not application/json", call=call)
        for name in ("X-Request-ID", "X-Correlation-ID"):
            if reply.status != 401 and reply.headers.get(name) != sent[name]:
                self.office.complain("answer-headers", f"{name} was not sent back", call=call)

    def pages(self, url: str, module: str, **params: Any) -> Iterator[list[Any]]:
        """The pages of a list, oldest first. Raises Unreachable when one cannot be had."""
        following, query = url, dict(params)
        while following:
            reply = self.call("GET", following, module, params=query)
            if not reply.ok or not isinstance(reply.data, list):
                raise Unreachable(f"GET {following}: {reply.reason}")
            for name in ("X-Total-Count", "X-Limit"):
                if not str(reply.headers.get(name, "")).isdigit():
                    self.office.complain("pagination", f"{name} is missing", call=f"GET {following}")
            yield reply.data
            following, query = _next_link(reply.headers.get("Link", "")), {}


def _next_link(header: str) -> str:
    for link in requests.utils.parse_header_links(header):
        if link.get("rel") == "next":
            return link["url"]
    return ""


def _proxies(url: str) -> dict[str, str]:
    """The proxies of the environment, except for this machine."""
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return {} if local else requests.utils.get_environ_proxies(url)
