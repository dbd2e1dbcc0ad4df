"""HTTP to peers: only to judged addresses, with bounded redirects, size and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, DecodeError, NewConnectionError
from urllib3.util.connection import create_connection

from . import deadline
from .deadline import Deadline
from .errors import PeerForbiddenAddress, PeerGarbage, PeerRefused, PeerUnreachable
from .guard import check_url

MAX_REDIRECTS = 3
MAX_BYTES = 10 * 1024 * 1024
# The read time-out starts anew with every byte; this ends an exchange that trickles, redirects and all.
MAX_SECONDS = 45.0
_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)

Timeout = tuple[float, float]


class _PinnedConnection(HTTPConnection):
    """Connects to judged addresses; Host header, SNI and certificate check keep using the name."""

    def __init__(self, *args: Any, pinned: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pinned = pinned

    def _new_conn(self) -> Any:
        error: OSError | None = None
        limit = deadline.current()
        for address in self.pinned:
            try:
                connected = create_connection(
                    (address, self.port),
                    limit.within(self.timeout if isinstance(self.timeout, int | float) else None),
                    self.source_address,
                    self.socket_options,
                )
            except OSError as failure:
                error = failure
            else:
                # From here on TLS, headers and body may trickle.
                limit.watch(connected)
                return connected
        if isinstance(error, TimeoutError):
            raise ConnectTimeoutError(self, "connecting took too long") from error
        raise NewConnectionError(self, f"cannot connect: {error}") from error


class _PinnedTlsConnection(_PinnedConnection, HTTPSConnection):
    pass


class _PinnedPool(HTTPConnectionPool):
    ConnectionCls = _PinnedConnection


class _PinnedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PinnedTlsConnection


class PinnedAdapter(HTTPAdapter):
    """Judges every request's own URL just before connecting, so no other parser comes in between."""

    def __init__(self, *, allow_private: bool, require_https: bool) -> None:
        super().__init__()
        self.allow_private = allow_private
        self.require_https = require_https

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> HTTPConnectionPool:
        """A connection of its own for each request.

        A kept one may be closed by the peer in the moment it is used again; a POST could then neither be
        repeated safely nor be called failed.
        """
        target = check_url(request.url or "", allow_private=self.allow_private, require_https=self.require_https)
        kind = _PinnedTlsPool if target.scheme == "https" else _PinnedPool
        return kind(target.host, target.port, maxsize=1, pinned=target.addresses)


def pinned_session(*, allow_private: bool, require_https: bool) -> requests.Session:
    """A session whose connections all pass the guard."""
    session = requests.Session()
    # Proxies of the environment would connect in our place, .netrc would replace the token.
    session.trust_env = False
    adapter = PinnedAdapter(allow_private=allow_private, require_https=require_https)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


@dataclass(frozen=True, slots=True)
class Answer:
    http_status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: Timeout,
    max_seconds: float = MAX_SECONDS,
) -> Answer:
    """One exchange with a peer, redirects within its own host included, in `max_seconds`. Raises PeerError."""
    with deadline.limited(max_seconds) as limit:
        for _ in range(MAX_REDIRECTS + 1):
            answer = _exchange(session, method, url, headers=headers, body=body, timeout=timeout, limit=limit)
            location = answer.headers.get("Location")
            if answer.http_status not in (301, 302, 303, 307, 308) or not location:
                return answer
            url = _redirected(method, url, location, answer.http_status)
    raise PeerRefused(
        f"The peer sent us on more than {MAX_REDIRECTS} times in a row. Ask it for its final address.",
        http_status=answer.http_status,
    )


def _redirected(method: str, url: str, location: str, http_status: int) -> str:
    """The next address. PeerRefused where following would change the request or give our token away."""
    following = urljoin(url, location)
    if not keeps_token_safe(url, following):
        raise PeerRefused(
            f"The peer sends us on to another host or without encryption, to {following[:100]!r}. If that is "
            "right, enter it as the peer's address.",
            http_status=http_status,
        )
    # 301, 302 and 303 turn a POST into a GET by convention: the message would be lost without a sign.
    if method != "GET" and http_status not in (307, 308):
        raise PeerRefused(
            f"The peer's address has moved to {following[:100]!r}. Enter it as the peer's address.",
            http_status=http_status,
        )
    return following


def keeps_token_safe(url: str, following: str) -> bool:
    """Whether our token, meant for the host of `url`, may also go to `following`: same host, no encryption lost."""
    try:
        old, new = urlsplit(url), urlsplit(following)
        has_same_host = old.netloc.lower() == new.netloc.lower() or (
            old.hostname == new.hostname and (old.scheme, new.scheme) == ("http", "https")
        )
    except ValueError:
        return False
    return has_same_host and not (old.scheme == "https" and new.scheme != "https")


def _exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: Timeout,
    limit: Deadline,
) -> Answer:
    try:
        return _answer(session, method, url, headers=headers, body=body, timeout=timeout, limit=limit)
    except PeerUnreachable:
        limit.check()
        raise


def _answer(
    session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: Timeout,
    limit: Deadline,
) -> Answer:
    try:
        with session.request(
            method,
            url,
            headers=dict(headers),
            data=body,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(response.status_code, CaseInsensitiveDict(response.headers), _read(response, limit))
    except _BAD_ADDRESS:
        raise PeerForbiddenAddress(f"{url[:100]!r} is not a valid web address.", "Correct it.") from None
    except requests.exceptions.SSLError as error:
        if "WRONG_VERSION_NUMBER" in str(error):
            raise PeerUnreachable(
                "The peer answers without encryption at this address. Is the port right, and is it https there?"
            ) from None
        raise PeerUnreachable(f"No secure connection to the peer: {_reason(error)}") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
        raise PeerUnreachable("The peer did not answer in time.") from None
    except (requests.exceptions.ContentDecodingError, DecodeError):
        raise PeerGarbage("The peer's answer is compressed in a way that cannot be read.") from None
    except (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        UnicodeError,
    ) as error:
        reason = _reason(error).rstrip(".")
        advice = "Is the address right, and reachable from this server?"
        raise PeerUnreachable(f"The peer cannot be reached: {reason}. {advice}") from None


def _read(response: requests.Response, limit: Deadline) -> bytes:
    parts: list[bytes] = []
    size = 0
    # read1 returns what one receive brought; read would wait until a whole block has trickled in.
    while part := response.raw.read1(64 * 1024, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise PeerGarbage(f"The peer's answer is larger than {MAX_BYTES // 1024 // 1024} MB.")
        limit.check()
    # The end of the connection is ours then, not that of the answer.
    limit.check()
    return b"".join(parts)


def _reason(error: BaseException) -> str:
    """The innermost cause in its own words; the outer layers only repeat the address."""
    while True:
        inner = getattr(error, "reason", None) or next(
            (argument for argument in error.args if isinstance(argument, BaseException)), error.__cause__
        )
        if not isinstance(inner, BaseException) or inner is error:
            return (str(error) or type(error).__name__)[:200]
        error = inner
