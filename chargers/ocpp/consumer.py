"""The websocket of one charger: handshake, frames in, calls out, and who is in charge when two sockets meet."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import unquote

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.utils import await_many_dispatch
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chargers.choices import Direction
from chargers.ocpp import auth, database
from chargers.ocpp.adapter import Adapter, NotSent, Outcome, perform
from chargers.ocpp.draining import CallsUnderWay
from chargers.ocpp.pace import Pace
from chargers.ocpp.v16 import ChargePoint16
from chargers.ocpp.v201 import ChargePoint201
from chargers.services import calls, lifecycle, messages, outgoing, refresh
from chargers.services.masking import masked
from infrastructure import correlation

logger = logging.getLogger(__name__)

Json = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ADAPTERS: dict[str, type[ChargePoint16] | type[ChargePoint201]] = {
    ChargePoint16.subprotocol: ChargePoint16,
    ChargePoint201.subprotocol: ChargePoint201,
}
PROTOCOL_ERROR = 1002
TRY_AGAIN_LATER = 1013
UNAVAILABLE = 503
RETRY_AFTER = 1.0
# Seconds in which frames that a replaced socket's charger has already sent still arrive, and at most for all of them.
LAST_FRAMES = 1.0
MOST_LAST_FRAMES = 30.0
# Seconds after which a socket looks by itself whether a wake-up was lost, and shows that it is alive.
LOOK_EVERY = 60.0


class OcppConsumer(AsyncWebsocketConsumer):
    """Frames are handled one after the other, in the order in which they came."""

    charger_id: int
    # Set once the handshake is done and the charger is known.
    is_open = False
    adapter: Adapter
    # Background work of this socket; ends with it.
    _tasks: set[asyncio.Task[None]]
    _realm: ClassVar[bytes] = b'Basic realm="Plugtill OCPP"'

    async def __call__(self, scope: Json, receive: Receive, send: Send) -> None:
        """As Channels' own, except that a channel layer that fails does not take the socket with it."""
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer()
        self.channel_name = await self.channel_layer.new_channel()
        self._pace = Pace(receive)
        # Of the whole process where a server serves us (ASGI lifespan state), else our own.
        self._calls: CallsUnderWay = scope.get("state", {}).get("calls") or CallsUnderWay()
        try:
            with suppress(StopConsumer):
                await await_many_dispatch([self._pace.next_frame, self._next_wake_up], self.dispatch)
        finally:
            self._pace.close()

    async def dispatch(self, message: Json) -> None:
        # Not Channels' own, which visits the database thread for every frame: `database.run` cleans up itself.
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def _next_wake_up(self) -> Json:
        while True:
            try:
                message: Json = await self.channel_layer.receive(self.channel_name)
                return message
            except Exception as error:  # Redis restarts: until it is back, calls are found by looking
                if (task := asyncio.current_task()) and task.cancelling():
                    # The Redis client can answer a cancellation with an error of its own.
                    raise asyncio.CancelledError from error
                logger.warning("no wake-ups from the channel layer", exc_info=True)
                await asyncio.sleep(RETRY_AFTER)

    # -- handshake

    async def connect(self) -> None:
        self._tasks = set()
        identity = unquote(self.scope["url_route"]["kwargs"]["identity"])
        try:
            admitted = await database.run(auth.let_in, identity, self.scope)
        except auth.Refused as refused:
            logger.info("handshake of %r refused: %s %s", identity, refused.status, refused.reason)
            return await self._refuse(refused.status)
        except (OperationalError, InterfaceError) as error:
            logger.error("handshake of %r: the database is away: %s", identity, error)
            return await self._refuse(UNAVAILABLE)
        subprotocol = next((one for one in self.scope["subprotocols"] if one in ADAPTERS), None)
        await self.accept(subprotocol)
        if subprotocol is None:
            # OCPP-J 1.6, 3.1.2: complete the handshake without the header, then close.
            return await self.close(PROTOCOL_ERROR)
        await self._open(identity, admitted, subprotocol)

    async def _refuse(self, status: int) -> None:
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            return await self.close()
        headers = [(b"www-authenticate", self._realm)] if status == auth.UNAUTHORIZED else []
        await self.base_send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self.base_send({"type": "websocket.http.response.body", "body": b""})
        raise StopConsumer

    async def _open(self, identity: str, admitted: auth.Admitted, subprotocol: str) -> None:
        self.charger_id = charger_id = admitted.charger_id
        self.is_open = True
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._wake.set()
        self._seen_at = timezone.now()
        self.adapter = ADAPTERS[subprotocol](identity, charger_id, self._send_frame, self._wake.set)
        self.adapter.is_proven = admitted.is_proven
        await self._listen()
        replaced = await database.run(lifecycle.connected, charger_id, self.channel_name, subprotocol)
        if replaced:
            await self._hint(self.channel_layer.send(replaced, {"type": "ocpp.replaced"}))
        logger.info("charger %s connected", identity)
        self._spawn(self._serve_calls())
        self._spawn(self._ask_what_is_missing())

    async def disconnect(self, code: int) -> None:
        if not self.is_open:
            return
        # An answer that has just come is taken before: settings of security often cost the connection.
        await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await self._hint(self.channel_layer.group_discard(outgoing.group_of(self.charger_id), self.channel_name))
        try:
            if await database.run(lifecycle.disconnected, self.charger_id, self.channel_name):
                logger.info("charger %s disconnected (%s)", self.charger_id, code)
        except (OperationalError, InterfaceError) as error:  # its next socket, or a sweep, takes the place of this one
            logger.error("charger %s disconnected (%s), the database is away: %s", self.charger_id, code, error)

    # -- frames

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.is_open:
            return
        frame = text_data if text_data is not None else (bytes_data or b"").decode(errors="replace")
        await self._pace.wait()
        messages.record(self.charger_id, Direction.IN, frame)
        try:
            async with self._turn:
                await self.adapter.handle(frame)
                await self._note_seen(lifecycle.WRITE_SEEN_EVERY.total_seconds())
        except NotSent as error:
            # The socket went away while we worked. Frames that it brought before still have to be handled;
            # the charger repeats what it got no answer to.
            logger.info("charger %s did not get an answer: %s", self.charger_id, error)
        except (OperationalError, InterfaceError) as error:
            # It keeps what it got no answer to, and brings it again.
            logger.error("charger %s: the database is away, it shall come again: %s", self.charger_id, error)
            return await self._leave(TRY_AGAIN_LATER)
        except Exception:  # whatever one frame does, the next ones must be heard
            logger.exception("charger %s: a frame failed: %.500s", self.charger_id, masked(frame))
        self._pace.answered()

    async def _send_frame(self, frame: str) -> None:
        messages.record(self.charger_id, Direction.OUT, frame)
        try:
            await self.send(text_data=frame)
        except Exception as error:
            raise NotSent(repr(error)) from error

    async def _note_seen(self, interval: float) -> None:
        now = timezone.now()
        if (now - self._seen_at).total_seconds() < interval:
            return
        self._seen_at = now
        if not await database.run(lifecycle.seen, self.charger_id, self.channel_name):
            await self.ocpp_replaced({})

    # -- the channel layer: hints only, rows are the truth

    async def _listen(self) -> None:
        await self._hint(self.channel_layer.group_add(outgoing.group_of(self.charger_id), self.channel_name))

    async def _hint(self, sent: Awaitable[None]) -> None:
        try:
            await sent
        except Exception:  # who misses it finds out by looking
            logger.warning("charger %s: the channel layer failed", self.charger_id, exc_info=True)

    async def ocpp_call(self, message: Json) -> None:
        """A call may be waiting."""
        self._wake.set()

    async def ocpp_replaced(self, message: Json) -> None:
        """The charger has opened another socket."""
        self._spawn(self._close_soon())

    async def _close_soon(self) -> None:
        """What has arrived is handled before: a socket that is closed drops it. But who sends on and on is closed."""
        until = time.monotonic() + MOST_LAST_FRAMES
        await asyncio.sleep(LAST_FRAMES)
        while not self._pace.is_quiet and time.monotonic() < until:
            await asyncio.sleep(LAST_FRAMES)
        await self._leave()

    async def _leave(self, code: int | None = None) -> None:
        try:
            await self.close(code)
        except Exception as error:
            logger.info("charger %s had left before its socket was closed: %r", self.charger_id, error)

    # -- calls

    async def _serve_calls(self) -> None:
        """One call at a time (OCPP-J 1.6, 4.1.1): takes it, sends it, writes down how it ended."""
        while True:
            try:
                await self._wait_for_wake_up()
                while await self._serve_call():
                    pass
            except Exception:  # for example the database restarts; rows wait, and so do we
                logger.exception("charger %s: calls failed", self.charger_id)
                await asyncio.sleep(RETRY_AFTER)
                self._wake.set()

    async def _serve_call(self) -> bool:
        """False when none waits, this socket is gone or this process ends: the charger's next socket takes it then."""
        with self._calls.one():
            call = None if self._calls.is_ending else await self._claim()
            if call is not None:
                with correlation.correlated(call.correlation_id):
                    try:
                        outcome = await perform(self.adapter, call)
                    except NotSent as error:
                        logger.info("charger %s was not sent call %s: %s", self.charger_id, call.id, error)
                        await asyncio.shield(database.run(calls.give_back, call.id, self.channel_name))
                        return False
                    # Written down though the socket goes meanwhile, and this task with it.
                    await asyncio.shield(self._finish(call, outcome))
        return call is not None

    async def _finish(self, call: calls.ClaimedCall, outcome: Outcome) -> None:
        """The charger says it once: kept while the database is away, as long as anybody waits for it."""
        with self._calls.one():
            while True:
                try:
                    return await database.run(calls.finish_call, call.id, outcome.result, outcome.answer)
                except (OperationalError, InterfaceError) as error:
                    if timezone.now() >= call.expires_at:
                        raise
                    logger.error("the end of call %s cannot be written down yet: %s", call.id, error)
                await asyncio.sleep(RETRY_AFTER)

    async def _wait_for_wake_up(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._wake.wait()
        except TimeoutError:
            # Redis forgets a member of a group after a day.
            await self._listen()
            await self._note_seen(LOOK_EVERY)
        self._wake.clear()

    async def _ask_what_is_missing(self) -> None:
        """Once the charger had time to tell it by itself."""
        await asyncio.sleep(settings.CHARGER_SETTLED_AFTER)
        try:
            await database.run(refresh.request_missing, self.charger_id, self.channel_name)
        except Exception:
            logger.exception("charger %s: its status could not be asked for", self.charger_id)

    async def _claim(self) -> calls.ClaimedCall | None:
        # Not between a frame and its answer: a stop must not overtake the answer that tells the transaction's id.
        async with self._turn:
            claiming = asyncio.ensure_future(database.run(calls.claim_next, self.charger_id, self.channel_name))
            try:
                return await asyncio.shield(claiming)
            except asyncio.CancelledError:
                self._spawn(self._give_back(claiming))
                raise

    async def _give_back(self, claiming: asyncio.Future[calls.ClaimedCall | None]) -> None:
        """What is claimed while the socket goes."""
        with self._calls.one():
            if (call := await claiming) is not None:
                await database.run(calls.give_back, call.id, self.channel_name)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
