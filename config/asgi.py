"""The ASGI application: HTTP to Django, charger websockets to their consumer, start and end of the loop."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Consumers and their models can be imported only afterwards.
django.setup(set_prefix=False)

from chargers.ocpp.draining import CallsUnderWay  # noqa: E402
from chargers.ocpp.routing import websocket_urlpatterns  # noqa: E402
from config.handler import OneThreadHandler  # noqa: E402
from config.proxies import TrustedProxies  # noqa: E402
from infrastructure.wakeups import set_event_loop  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers the handshake on an unknown path with 404, or closes where the server cannot say so."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells wake-ups which loop serves the websockets, for as long as it does (ASGI lifespan protocol)."""
    await receive()
    set_event_loop(asyncio.get_running_loop())
    # Each connection finds it in its scope, and the server when it ends.
    scope.setdefault("state", {})["calls"] = CallsUnderWay()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    set_event_loop(None)
    await send({"type": "lifespan.shutdown.complete"})


application = TrustedProxies(
    ProtocolTypeRouter(
        {
            "http": OneThreadHandler(),
            # Django's type of a view; channels' routes hold ASGI applications.
            "websocket": URLRouter([*websocket_urlpatterns, re_path("", refuse_websocket)]),  # type: ignore[arg-type]
            "lifespan": lifespan,
        }
    ),
    settings.FORWARDED_ALLOW_IPS,
)
