"""The OCPI client: headers, envelope, pages, and what each kind of failure means for a retry."""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.utils import parse_header_links

from . import headers as ocpi_headers
from .envelope import Envelope, read
from .errors import PeerError, PeerGarbage, PeerRefused
from .exchange import Exchange, Observer
from .masking import mask
from .transport import MAX_SECONDS, Answer, Timeout, keeps_token_safe, pinned_session, send

logger = logging.getLogger(__name__)

MAX_PAGES = 10_000
# Seconds to connect, and between two bytes of the answer.
DEFAULT_TIMEOUT: Timeout = (3.05, 10.0)
# 401: the peer's new token may be on its way to us (credentials PUT), or ours to it.
_TRANSIENT_HTTP = {401, 408, 425, 429}
# Hub: generic, timeout on forwarding, receiver not connected. 4001 (unknown receiver) stays wrong.
_TRANSIENT_HUB = {4000, 4002, 4003}
_TOKEN_GIVEN = re.compile(rb'"token":"([^"\\]{4,})"')


@dataclass(frozen=True, slots=True)
class Page:
    """`following` is the address of the next page; None after the last."""

    objects: list[dict[str, object]]
    following: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A success: HTTP 2xx and OCPI 1xxx. `status_code` is 1000 for a push answered without a body."""

    http_status: int
    status_code: int
    status_message: str
    data: object
    headers: Mapping[str, str]
    duration_s: float


class OcpiClient:
    """Calls one peer. `routing` None on configuration modules (versions, credentials, hubclientinfo).

    Every method raises PeerError: PeerForbiddenAddress, PeerUnreachable, PeerRefused or PeerGarbage. `observe`
    is told of every request, also of those that fail; it must not raise. `timeout` holds for each step of an
    exchange, `max_seconds` for all of it.
    """

    def __init__(
        self,
        token: str,
        *,
        encode_token: bool = True,
        routing: ocpi_headers.Routing | None = None,
        allow_private: bool,
        require_https: bool,
        timeout: Timeout = DEFAULT_TIMEOUT,
        max_seconds: float = MAX_SECONDS,
        observe: Observer | None = None,
    ) -> None:
        self._token = ocpi_headers.encode_token(token) if encode_token else token
        self._routing = routing
        self._timeout = timeout
        self._max_seconds = max_seconds
        self._observe = observe
        self._session: requests.Session = pinned_session(allow_private=allow_private, require_https=require_https)

    def __enter__(self) -> "OcpiClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def get(self, url: str, params: Mapping[str, str] | None = None, *, correlation_id: str | None = None) -> Reply:
        return self._call("GET", _with_query(url, params), None, correlation_id)

    def put(self, url: str, body: object, *, correlation_id: str | None = None) -> Reply:
        return self._call("PUT", url, _encoded(body), correlation_id)

    def patch(self, url: str, body: object, *, correlation_id: str | None = None) -> Reply:
        return self._call("PATCH", url, _encoded(body), correlation_id)

    def post(self, url: str, body: object, *, correlation_id: str | None = None) -> Reply:
        return self._call("POST", url, _encoded(body), correlation_id)

    def delete(self, url: str, body: object = None, *, correlation_id: str | None = None) -> Reply:
        return self._call("DELETE", url, None if body is None else _encoded(body), correlation_id)

    def get_pages(self, url: str, params: Mapping[str, str] | None = None) -> Iterator[Page]:
        """A list page after page, as its Link headers say; entries that are no objects are skipped.

        It may be left and begun again with the `following` of the last page.
        """
        following: str | None = _with_query(url, params)
        correlation_id = ocpi_headers.new_id()
        seen: set[str] = set()
        while following is not None:
            if following in seen or len(seen) >= MAX_PAGES:
                raise PeerGarbage("The pages of the peer's list never end.")
            seen.add(following)
            reply = self.get(following, correlation_id=correlation_id)
            objects = list(_objects(reply.data, following))
            try:
                page = Page(objects, _next_page(reply, following))
            except PeerRefused:
                yield Page(objects, None)  # a bad address of the next page must not hide the objects of this one
                raise
            yield page
            following = page.following

    def _call(self, method: str, url: str, body: bytes | None, correlation_id: str | None) -> Reply:
        started_at, started = datetime.now(UTC), time.monotonic()
        headers = self._headers(has_body=body is not None, correlation_id=correlation_id)
        answer: Answer | None = None
        error = ""
        try:
            answer = send(
                self._session,
                method,
                url,
                headers=headers,
                body=body,
                timeout=self._timeout,
                max_seconds=self._max_seconds,
            )
            envelope = _judge(method, answer, self._secrets(body))
        except PeerError as failure:
            error = failure.detail
            raise
        finally:
            if self._observe is not None:
                self._observe(
                    Exchange(
                        method=method,
                        url=url,
                        authorization=headers["Authorization"],
                        request_id=headers["X-Request-ID"],
                        correlation_id=headers["X-Correlation-ID"],
                        request=body or b"",
                        http_status=answer.http_status if answer else None,
                        response=answer.body if answer else b"",
                        started_at=started_at,
                        duration_s=time.monotonic() - started,
                        error=error,
                    )
                )
        return Reply(
            http_status=answer.http_status,
            status_code=envelope.status_code,
            status_message=envelope.status_message,
            data=envelope.data,
            headers=answer.headers,
            duration_s=time.monotonic() - started,
        )

    def _secrets(self, body: bytes | None) -> set[str]:
        """What a peer must not have repeated in a sentence that we keep: the token, and one that `body` hands over."""
        given = _TOKEN_GIVEN.search(body or b"")
        forms = {self._token, *ocpi_headers.decode_tokens(f"Token {self._token}")}
        return forms | {given[1].decode()} if given else forms

    def _headers(self, *, has_body: bool, correlation_id: str | None) -> dict[str, str]:
        headers = {
            "Authorization": f"Token {self._token}",
            "Accept": "application/json",
            "Connection": "close",
            "User-Agent": "Plugtill",
            "X-Request-ID": ocpi_headers.new_id(),
            "X-Correlation-ID": correlation_id or ocpi_headers.new_id(),
        }
        if has_body:
            headers["Content-Type"] = "application/json"
        if self._routing is not None:
            headers.update(self._routing.to_headers())
        return headers


def _judge(method: str, answer: Answer, secrets: set[str]) -> Envelope:
    """The envelope of a success; the matching PeerError otherwise."""
    is_good = 200 <= answer.http_status < 300
    if is_good and method != "GET" and not answer.body.strip():
        return Envelope(1000, "", None)
    try:
        envelope = read(answer.body)
    except PeerGarbage:
        # A proxy's error page: the HTTP status alone has to tell.
        if is_good:
            raise
        raise _refusal(answer, None, secrets) from None
    if is_good and envelope.status_code < 2000:
        return envelope
    raise _refusal(answer, envelope, secrets)


def _refusal(answer: Answer, envelope: Envelope | None, secrets: set[str]) -> PeerRefused:
    status_code = envelope.status_code if envelope else None
    [message] = mask((envelope.status_message if envelope else "",), secrets=secrets)
    is_transient = (
        answer.http_status >= 500
        or answer.http_status in _TRANSIENT_HTTP
        or (status_code is not None and (3000 <= status_code < 4000 or status_code in _TRANSIENT_HUB))
    )
    return PeerRefused(
        _refusal_in_words(answer.http_status, status_code, message),
        http_status=answer.http_status,
        status_code=status_code,
        status_message=message,
        data=envelope.data if envelope else None,
        permanent=not is_transient,
        retry_after=_retry_after(answer.headers.get("Retry-After")),
    )


def _refusal_in_words(http_status: int, status_code: int | None, message: str) -> str:
    words = {
        401: "The peer does not accept our token",
        404: "The peer does not know this address or object",
        405: "The peer does not allow this request in its present state",
        429: "The peer asks us to send less",
    }.get(http_status)
    if words is None:
        words = "The peer has a fault of its own" if http_status >= 500 else "The peer refused the request"
    codes = f"HTTP {http_status}" + (f", OCPI {status_code}" if status_code else "")
    said = f": {message[:200]}" if message else ""
    return f"{words} ({codes}){said}"


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110 section 10.2.3)."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _objects(data: object, url: str) -> Iterator[dict[str, object]]:
    if data is None:  # null and [] mean the same for a list
        return
    if not isinstance(data, list):
        raise PeerGarbage("The peer answered a request for a list with something else.")
    for item in data:
        if isinstance(item, dict):
            yield item
        else:
            logger.warning("Skipped a list entry of type %s from %s", type(item).__name__, url)


def _next_page(reply: Reply, current: str) -> str | None:
    """PeerRefused where the next page would take our token to another host or send it without encryption."""
    for link in parse_header_links(reply.headers.get("Link") or ""):
        if "next" in link.get("rel", "").lower().split() and link.get("url"):
            following = _joined(current, link["url"])
            if not keeps_token_safe(current, following):
                raise PeerRefused(
                    f"The peer's list goes on at another host or without encryption, at {following[:100]!r}. Ask the "
                    "peer for Link headers with the address under which we call it.",
                    http_status=reply.http_status,
                )
            return following
    return None


def _joined(current: str, address: str) -> str:
    try:
        return urljoin(current, address)
    except ValueError:  # such as http://[bad
        return address


def _with_query(url: str, params: Mapping[str, str] | None) -> str:
    if not params:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params, safe=':')}"


def _encoded(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
