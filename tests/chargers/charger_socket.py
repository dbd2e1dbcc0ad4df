"""A charger's end of a websocket, speaking real OCPP-J frames to the ASGI application."""

import base64
import json
from itertools import count
from typing import Any
from urllib.parse import unquote

from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter

from chargers.ocpp.routing import websocket_urlpatterns

PASSWORD = "a very secret one"
# Seconds; only a failing test waits so long.
PATIENCE = 10
application = URLRouter(websocket_urlpatterns)


def basic(user: str, password: str = PASSWORD) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode()))]


class ChargerSocket(ApplicationCommunicator):
    """`url_identity` is the identity as it stands in the address, percent-encoded or not."""

    def __init__(
        self, identity: str, *, headers: Any = None, subprotocols: Any = ("ocpp1.6",), url_identity: str = ""
    ) -> None:
        scope = {
            "type": "websocket",
            "path": unquote(f"/ocpp/{url_identity or identity}"),
            "headers": basic(identity) if headers is None else headers,
            "subprotocols": list(subprotocols),
        }
        super().__init__(application, scope)
        self._ids = count(1)
        self._early: list[list[Any]] = []

    async def connect(self) -> dict[str, Any]:
        """The server's first word: accept, close, or the start of an HTTP response."""
        await self.send_input({"type": "websocket.connect"})
        return await self.output()

    async def open(self) -> "ChargerSocket":
        assert await self.connect() == {"type": "websocket.accept", "subprotocol": "ocpp1.6"}
        # The server goes on working after its word; this frame is answered when it is done.
        unique_id = await self.post("Heartbeat")
        while (frame := await self.frame())[1] != unique_id:
            self._early.append(frame)
        return self

    async def close(self) -> None:
        """The charger goes, and the server has noticed when this returns."""
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(PATIENCE)

    async def refused(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start and body of the answer of a server that can refuse a handshake with HTTP."""
        self.scope["extensions"] = {"websocket.http.response": {}}
        return await self.connect(), await self.output()

    async def output(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.receive_output(PATIENCE)
        return message

    async def send(self, frame: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": frame})

    async def post(self, action: str, /, **payload: Any) -> str:
        """Sends a request without waiting for its answer; gives its id."""
        unique_id = f"c{next(self._ids)}"
        await self.send(json.dumps([2, unique_id, action, payload]))
        return unique_id

    async def ask(self, action: str, /, **payload: Any) -> dict[str, Any]:
        """Sends a request; gives the payload of its CALLRESULT."""
        unique_id = await self.post(action, **payload)
        frame = await self.frame()
        assert frame[:2] == [3, unique_id], frame
        answer: dict[str, Any] = frame[2]
        return answer

    async def answer(self, unique_id: str, **payload: Any) -> None:
        await self.send(json.dumps([3, unique_id, payload]))

    async def request(self) -> list[Any]:
        """The next request of the server."""
        return self._early.pop(0) if self._early else await self.frame()

    async def frame(self) -> list[Any]:
        message = await self.output()
        assert message["type"] == "websocket.send", message
        frame: list[Any] = json.loads(message["text"])
        assert message["text"] == json.dumps(frame, separators=(",", ":")), "compact JSON on the wire"
        return frame
