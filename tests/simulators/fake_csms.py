"""A central system just good enough to lead a charge point through a session."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ACCEPTED = {"status": AuthorizationStatus.accepted}
NOW = "2026-01-01T00:00:00Z"
PATIENCE = 10.0


class Peer(ChargePoint):
    """The central system's end of one connection."""

    def __init__(self, csms: "FakeCSMS", identity: str, connection: Any) -> None:
        super().__init__(identity, connection)
        self.csms = csms

    @on(Action.boot_notification)
    def on_boot(self, **payload: Any) -> call_result.BootNotification:
        self.csms.note("BootNotification", payload)
        status = self.csms.boot_answers.pop(0) if self.csms.boot_answers else RegistrationStatus.accepted
        return call_result.BootNotification(current_time=NOW, interval=1, status=status)

    @on(Action.heartbeat)
    def on_heartbeat(self) -> call_result.Heartbeat:
        self.csms.note("Heartbeat", {})
        return call_result.Heartbeat(current_time=NOW)

    @on(Action.status_notification)
    def on_status(self, **payload: Any) -> call_result.StatusNotification:
        self.csms.note("StatusNotification", payload)
        return call_result.StatusNotification()

    @on(Action.authorize)
    def on_authorize(self, **payload: Any) -> call_result.Authorize:
        self.csms.note("Authorize", payload)
        return call_result.Authorize(id_tag_info={"status": self.csms.authorization})

    @on(Action.start_transaction)
    async def on_start(self, **payload: Any) -> call_result.StartTransaction:
        self.csms.note("StartTransaction", payload)
        await self.csms.before_answer("StartTransaction")
        return call_result.StartTransaction(self.csms.transaction_id(payload), id_tag_info=ACCEPTED)

    @on(Action.meter_values)
    def on_meter_values(self, **payload: Any) -> call_result.MeterValues:
        self.csms.note("MeterValues", payload)
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    async def on_stop(self, **payload: Any) -> call_result.StopTransaction:
        self.csms.note("StopTransaction", payload)
        await self.csms.before_answer("StopTransaction")
        return call_result.StopTransaction()


class FakeCSMS:
    """Remembers every message in order; `hooks` run once before the answer to an action is given."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.authorization_headers: list[str | None] = []
        self.hooks: dict[str, list[Callable[[], Awaitable[None]]]] = {}
        self.boot_answers: list[str] = []
        self.authorization = AuthorizationStatus.accepted
        self.peer: Peer | None = None
        self.socket: ServerConnection | None = None
        self._news = asyncio.Condition()
        self._known: dict[Any, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FakeCSMS":
        self._server = await serve(self._accept, "127.0.0.1", 0, subprotocols=["ocpp1.6"])
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ocpp"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _accept(self, socket: ServerConnection) -> None:
        self.authorization_headers.append(socket.request.headers.get("Authorization"))
        self.socket, self.peer = socket, Peer(self, socket.request.path.rsplit("/", 1)[1], socket)
        with contextlib.suppress(ConnectionClosed):
            await self.peer.start()

    def note(self, action: str, payload: dict[str, Any]) -> None:
        self.received.append((action, payload))
        task = asyncio.get_running_loop().create_task(self._announce())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _announce(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def before_answer(self, action: str) -> None:
        if waiting := self.hooks.get(action):
            await waiting.pop(0)()

    def transaction_id(self, payload: dict[str, Any]) -> int:
        """The same transaction gets the same id, however often it is announced."""
        key = (payload["connector_id"], payload["id_tag"], payload["timestamp"])
        return self._known.setdefault(key, 100 + len(self._known))

    def all(self, action: str) -> list[dict[str, Any]]:
        return [payload for name, payload in self.received if name == action]

    def statuses(self, connector: int = 1) -> list[str]:
        notified = self.all("StatusNotification")
        return [payload["status"] for payload in notified if payload["connector_id"] == connector]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Waits for messages until the condition holds."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(condition)

    async def drop(self) -> None:
        """Loses the connection without a goodbye, and the answer with it."""
        assert self.socket is not None
        self.socket.transport.abort()
        await asyncio.sleep(0)

    async def remote_start(self, connector: int | None = 1, id_tag: str = "TAG") -> str:
        assert self.peer is not None
        answer = await self.peer.call(call.RemoteStartTransaction(id_tag=id_tag, connector_id=connector))
        return str(answer.status)

    async def remote_stop(self, transaction_id: int) -> str:
        assert self.peer is not None
        answer = await self.peer.call(call.RemoteStopTransaction(transaction_id=transaction_id))
        return str(answer.status)
