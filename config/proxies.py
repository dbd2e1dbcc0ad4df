"""Which requests came through a reverse proxy of ours: only their X-Forwarded-* and certificate headers count."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chargers.ocpp.auth import FROM_PROXY

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

FORWARDED_FOR = b"x-forwarded-for"


class TrustedProxies:
    """Marks what came from `addresses`, then lets uvicorn read who stands behind: it replaces the client's address,
    so that nobody could tell afterwards."""

    def __init__(self, application: Application, addresses: Sequence[str]) -> None:
        self._application = application
        self._forwarded: Any = ProxyHeadersMiddleware(application, list(addresses))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] == "lifespan" or (client[0] if client else None) not in self._forwarded.trusted_hosts:
            return await self._application(scope, receive, send)
        scope[FROM_PROXY] = True
        scope["headers"] = [header for header in scope["headers"] if header[0] != FORWARDED_FOR] + self._chain(scope)
        await self._forwarded(scope, receive, send)

    def _chain(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """X-Forwarded-For as it may be believed: from the right, as far as it consists of addresses.

        Each proxy adds who called it behind what that one sent, which may be invented. Where every client is trusted
        nothing tells how many proxies there are: then it is one. uvicorn would take the first.
        """
        values = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
        chain: list[bytes] = []
        for hop in reversed(b",".join(values).split(b",")):
            if not _is_address(hop) or (chain and self._forwarded.trusted_hosts.always_trust):
                break
            chain.insert(0, hop.strip())
        return [(FORWARDED_FOR, b", ".join(chain))] if chain else []


def _is_address(hop: bytes) -> bool:
    """With or without a port: "192.0.2.7", "192.0.2.7:4711", "2001:db8::7", "[2001:db8::7]:4711"."""
    text = hop.decode("latin-1").strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
