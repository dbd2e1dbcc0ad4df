"""Which requests came through a reverse proxy of ours: only their X-Forwarded-* and certificate headers count."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chargers.ocpp.auth import FROM_PROXY

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


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
        await self._forwarded(scope, receive, send)
