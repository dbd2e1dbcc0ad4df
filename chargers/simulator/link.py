"""The connection to the back office: opens it again and again, boots, beats, and delivers the queue."""

import asyncio
import base64
import ipaddress
import time
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from ocpp.exceptions import OCPPError
from ocpp.v16.enums import RegistrationStatus
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from chargers.simulator.charger import Charger
from chargers.simulator.outgoing import Message
from chargers.simulator.station import Station
from chargers.simulator.station201 import Station201

AnyStation = Station | Station201

FIRST_DELAY, LONGEST_DELAY = 0.5, 5.0
BOOT_RETRY = 5.0


class NotSpoken(Exception):
    """The back office does not speak our OCPP version."""


class Link:
    """Keeps one charge point connected until it is cancelled."""

    def __init__(self, charger: Charger) -> None:
        self.charger, self.log = charger, charger.log
        self.station: AnyStation | None = None
        self.booted = False
        self._socket: ClientConnection | None = None
        self._offline_until = 0.0
        self._planned = asyncio.Event()
        self._delay = FIRST_DELAY
        self._requests: set[asyncio.Task[Any]] = set()
        charger.drop_link, charger.request_now = self.drop, self._request_now

    async def run(self) -> None:
        while True:
            await self._stay_away()
            try:
                await self._connect()
            except (OSError, InvalidHandshake, NotSpoken, TimeoutError) as error:
                self.log.record("connection_refused", reason=str(error) or type(error).__name__)
            await self._back_off()

    async def _stay_away(self) -> None:
        while (seconds := self._offline_until - time.monotonic()) > 0:
            self._planned.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._planned.wait(), seconds)

    async def _back_off(self) -> None:
        # Whoever planned to be away for a time comes back then, at once.
        if self._offline_until > time.monotonic():
            return
        await asyncio.sleep(self._delay)
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    async def _connect(self) -> None:
        settings = self.charger.settings
        url = f"{settings.url.rstrip('/')}/{quote(settings.identity, safe='')}"
        protocol, headers = Subprotocol(self.charger.dialect.subprotocol), self._authorization()
        proxy: Literal[True] | None = None if _is_local(url) else True
        async with connect(
            url, subprotocols=[protocol], additional_headers=headers, proxy=proxy, close_timeout=1
        ) as socket:
            if socket.subprotocol != protocol:
                raise NotSpoken(f"the server chose the subprotocol {socket.subprotocol!r}")
            self.log.record("connected", url=url)
            await self._serve(socket)

    def _authorization(self) -> dict[str, str]:
        identity, password = self.charger.settings.identity, self.charger.password
        if not password:
            return {}
        credentials = base64.b64encode(f"{identity}:{password}".encode()).decode()
        return {"Authorization": f"Basic {credentials}"}

    async def _serve(self, socket: ClientConnection) -> None:
        self._socket, self.station = socket, self.charger.dialect.station(self.charger, socket)
        tasks = [asyncio.create_task(self.station.start()), asyncio.create_task(self._work(self.station))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ConnectionClosed as error:
            self.log.record("disconnected", reason=str(error))
        finally:
            await _end(tasks)
            self._socket, self.station, self.charger.online = None, None, False
            self.charger.outgoing.forget_status()

    async def _work(self, station: AnyStation) -> None:
        if not self.booted or self.charger.behaviour.boot_on_reconnect:
            await self._boot(station)
        self._delay = FIRST_DELAY
        self.charger.online = True
        self.charger.report_all()
        beat = asyncio.create_task(self._beat(station))
        try:
            await self._deliver(station)
        finally:
            await _end([beat])

    async def _boot(self, station: AnyStation) -> None:
        """Asks until the back office accepts us (OCPP 1.6 §4.2); nothing else is sent before."""
        while True:
            answer = await self._ask(station, self._boot_notification())
            if answer is not None and answer.status == RegistrationStatus.accepted:
                break
            await asyncio.sleep(answer.interval if answer is not None and answer.interval else BOOT_RETRY)
        self.booted = True
        if answer.interval:
            self.charger.configuration.numbers["HeartbeatInterval"] = str(answer.interval)
        self.log.record("boot_accepted", interval=answer.interval)

    def _boot_notification(self) -> Any:
        return self.charger.dialect.boot(self.charger.settings)

    async def _ask(self, station: AnyStation, request: Any) -> Any:
        """The answer; None when there is none or an error."""
        try:
            return await station.call(request, suppress=False)
        except (OCPPError, TimeoutError, ConnectionClosed) as error:
            self.log.record("no_answer", action=type(request).__name__, reason=str(error)[:200])
            return None

    async def _beat(self, station: AnyStation) -> None:
        while True:
            # Looks again every minute at most, because the interval can be changed.
            await asyncio.sleep(self.charger.configuration.seconds("HeartbeatInterval") or 3600)
            await self._ask(station, self.charger.dialect.call.Heartbeat())

    async def _deliver(self, station: AnyStation) -> None:
        outgoing = self.charger.outgoing
        while True:
            message = await outgoing.head()
            try:
                answer = await station.call(outgoing.request(message), suppress=False)
            except TimeoutError:
                await self._retry(message, "no answer")
            except OCPPError as error:
                await self._refused(message, error)
            else:
                await self._answered(station, message, answer)

    async def _retry(self, message: Message, reason: str) -> None:
        self.log.record("message_retried", kind=message.kind, reason=reason)
        await asyncio.sleep(self.charger.configuration.seconds("TransactionMessageRetryInterval"))

    async def _refused(self, message: Message, error: OCPPError) -> None:
        """Tries again as often as configured, then gives up, as OCPP 1.6 §9.1.26 says."""
        message.attempts += 1
        attempts = self.charger.configuration.seconds("TransactionMessageAttempts")
        if message.durable and message.attempts < attempts:
            return await self._retry(message, str(error)[:200])
        self.charger.outgoing.settle(message)
        self.log.record("message_given_up", kind=message.kind, reason=str(error)[:200])
        if message.kind == "StartTransaction":
            self._abandon(message.local_id)
        self.charger.save()

    def _abandon(self, local_id: str) -> None:
        """Ends a transaction the back office does not want to know of; nobody would pay for it."""
        if connector := self.charger.running(local_id):
            self.charger.stop(connector, "DeAuthorized")
        lost = self.charger.outgoing.abandon(local_id)
        self.log.record("transaction_abandoned", unsent=lost)

    async def _answered(self, station: AnyStation, message: Message, answer: Any) -> None:
        if message.kind == "StartTransaction":
            answer = await self._repeat(station, message) or answer
            self._started(message, answer)
        if getattr(answer, "total_cost", None) is not None:
            self.charger.display_cost(message.local_id, answer.total_cost)
        self.charger.outgoing.settle(message)
        if message.durable:
            self.charger.save()

    async def _repeat(self, station: AnyStation, message: Message) -> Any:
        if not self.charger.behaviour.duplicate_start_transaction:
            return None
        return await self._ask(station, self.charger.outgoing.request(message))

    def _started(self, message: Message, answer: Any) -> None:
        dialect, given = self.charger.dialect, self.charger.outgoing.transaction_ids
        given[message.local_id] = getattr(answer, "transaction_id", None) or message.local_id
        connector = self.charger.running(message.local_id)
        if connector and dialect.is_refused(answer):
            self.charger.stop(connector, "DeAuthorized")

    async def authorize(self, id_tag: str) -> str | None:
        """The card's parent id tag ("" without one) if it may charge. Not without a connection: no local list."""
        if self.station is None or not self.charger.online:
            return None
        dialect = self.charger.dialect
        answer = await self._ask(self.station, dialect.authorize(id_tag))
        return None if answer is None else dialect.parent_id_tag(answer)

    def drop(self, seconds: float, reboot: bool = False) -> None:
        """Loses the connection without a goodbye and stays away for so long, or for so long from now on."""
        self.booted = self.booted and not reboot
        self._offline_until = time.monotonic() + seconds
        self._planned.set()
        self.log.record("offline", seconds=seconds)
        if self._socket is not None:
            self._socket.transport.abort()

    def _request_now(self, action: str) -> None:
        if self.station is not None:
            request = (
                self._boot_notification() if action == "BootNotification" else self.charger.dialect.call.Heartbeat()
            )
            task = asyncio.get_running_loop().create_task(self._ask(self.station, request))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels tasks for sure: before Python 3.12, wait_for swallows a cancellation that meets its result."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.1)
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_local(url: str) -> bool:
    """Loopback never goes through a proxy, whatever the environment says."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
