"""Chargers that talk as fast as they are answered: plain sockets, so that what is measured is the server.

A websocket library needs about as long for a frame as a fast server does.
"""

import asyncio
import base64
import json
import struct
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple, Self

Json = dict[str, Any]

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
# Nobody waits longer, for one answer or for those to all that has begun.
ANSWER_WITHIN = 120.0
# Of a transaction: it began so long ago, and a meter value came every ten seconds.
BEGAN_AGO = timedelta(hours=12)
INTERVAL = timedelta(seconds=10)
VALUES_OF_A_TRANSACTION = 5
STATUSES = ("Preparing", "Charging", "Finishing", "Available")


class Refused(Exception):
    """The server answered with something else than a CALLRESULT."""


@dataclass
class Told:
    """What the server has answered, of all chargers together."""

    counts: dict[str, int] = field(default_factory=dict)
    last_status: dict[str, str] = field(default_factory=dict)


class Charger(asyncio.Protocol):
    """One connection of OCPP 1.6J. `told` notes what was answered."""

    def __init__(self, identity: str, id_tag: str, told: Told) -> None:
        self.identity, self.id_tag, self.told = identity, id_tag, told
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._is_open = False
        self._awaited: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._ids = count(1)
        self._clock: Iterator[datetime] = iter(())
        self._register = 1_000
        self._statuses = count()

    @classmethod
    async def connect(cls, port: int, identity: str, password: str, id_tag: str, told: Told) -> Self:
        loop = asyncio.get_running_loop()
        transport, charger = await loop.create_connection(lambda: cls(identity, id_tag, told), "127.0.0.1", port)
        charger._transport = transport
        proof = base64.b64encode(f"{identity}:{password}".encode()).decode()
        transport.write(
            f"GET /ocpp/{identity} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp1.6\r\n"
            f"Authorization: Basic {proof}\r\n\r\n".encode()
        )
        async with asyncio.timeout(ANSWER_WITHIN):
            await charger._awaited
        return charger

    def drop(self) -> None:
        """As a power cut does it."""
        self._transport.abort()

    # -- messages; each returns when it was answered

    async def boot(self) -> None:
        await self.call("BootNotification", {"chargePointVendor": "Benchmark", "chargePointModel": "One"})

    async def heartbeat(self) -> None:
        await self.call("Heartbeat", {})

    async def status(self) -> None:
        """Each the next one of a charging session."""
        status = STATUSES[next(self._statuses) % len(STATUSES)]
        await self.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": status})
        self.told.last_status[self.identity] = status

    async def start(self) -> None:
        told = {"connectorId": 1, "idTag": self.id_tag, "meterStart": self._register, "timestamp": self._now()}
        answer = await self.call("StartTransaction", told)
        if answer["idTagInfo"]["status"] != "Accepted":
            raise Refused(answer)
        self._transaction = answer["transactionId"]

    async def meter_value(self) -> None:
        self._register += 1
        sample = {"value": str(self._register), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        power = {"value": "360", "measurand": "Power.Active.Import", "unit": "W"}
        values = [{"timestamp": self._now(), "sampledValue": [sample, power]}]
        told = {"connectorId": 1, "transactionId": self._transaction, "meterValue": values}
        await self.call("MeterValues", told)

    async def stop(self) -> None:
        self._register += 1
        told = {"transactionId": self._transaction, "meterStop": self._register, "timestamp": self._now()}
        await self.call("StopTransaction", told)

    def begin(self) -> None:
        """A new day: transactions begin twelve hours ago again."""
        began = datetime.now().astimezone() - BEGAN_AGO
        self._clock = (began + number * INTERVAL for number in count())

    def _now(self) -> str:
        return next(self._clock).isoformat()

    async def call(self, action: str, payload: Json) -> Json:
        unique_id = f"{self.identity}-{next(self._ids)}"
        self._awaited = asyncio.get_running_loop().create_future()
        self._send(TEXT, json.dumps([2, unique_id, action, payload], separators=(",", ":")).encode())
        answer = await self._awaited
        if answer[0] != 3 or answer[1] != unique_id:
            raise Refused(answer)
        self.told.counts[action] = self.told.counts.get(action, 0) + 1
        result: Json = answer[2]
        return result

    # -- frames (RFC 6455)

    def _send(self, opcode: int, body: bytes) -> None:
        length = struct.pack("!B", 0x80 | len(body)) if len(body) < 126 else struct.pack("!BH", 0xFE, len(body))
        # Masked with zeros, as the body then is what it is.
        self._transport.write(bytes([0x80 | opcode]) + length + bytes(4) + body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._awaited.done():
            self._awaited.set_exception(Refused(f"{self.identity}: the connection ended"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_open:
            head, end, rest = bytes(self._received).partition(b"\r\n\r\n")
            if not end:
                return
            self._is_open = True
            self._received = bytearray(rest)
            if b" 101 " not in head[:20]:
                return self._awaited.set_exception(Refused(head.decode()))
            self._awaited.set_result(None)
        while frame := self._take():
            self._handle(*frame)

    def _take(self) -> tuple[int, bytes] | None:
        data = self._received
        if len(data) < 2:
            return None
        start, length = 2, data[1]
        if length == 126:
            start, length = 4, int.from_bytes(data[2:4])
        if len(data) < start + length:
            return None
        body = bytes(data[start : start + length])
        opcode = data[0] & 15
        del data[: start + length]
        return opcode, body

    def _handle(self, opcode: int, body: bytes) -> None:
        if opcode == PING:
            self._send(PONG, body)
        elif opcode == TEXT:
            message = json.loads(body)
            if message[0] == 2:  # nothing that is measured asks a charger for anything: it has it not
                answer = [4, message[1], "NotSupported", "", {}]
                self._send(TEXT, json.dumps(answer, separators=(",", ":")).encode())
            elif not self._awaited.done():
                self._awaited.set_result(message)


Work = Callable[[Charger], Coroutine[Any, Any, None]]


async def one_transaction(charger: Charger) -> None:
    """Nine messages, each of which is answered before the next is sent."""
    await charger.start()
    for _ in range(VALUES_OF_A_TRANSACTION):
        await charger.meter_value()
    await charger.status()
    await charger.heartbeat()
    await charger.stop()


class Slice(NamedTuple):
    """Works that were done within some seconds, how long each of them took, and the processor time of the server."""

    seconds: float
    times: list[float]
    processor_ms: float

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds


async def measure(chargers: list[Charger], work: Work, seconds: float, processor_ms: Callable[[], float]) -> Slice:
    """All chargers at once, each does one work after the other; what has begun is brought to its end."""
    before_ms = await asyncio.to_thread(processor_ms)
    times: list[float] = []
    began = time.perf_counter()

    async def go_on(charger: Charger) -> None:
        now = time.perf_counter()
        while now < began + seconds:
            await work(charger)
            before, now = now, time.perf_counter()
            times.append(now - before)

    async with asyncio.timeout(seconds + ANSWER_WITHIN):
        await asyncio.gather(*(go_on(charger) for charger in chargers))
    spent = time.perf_counter() - began
    return Slice(spent, times, await asyncio.to_thread(processor_ms) - before_ms)
