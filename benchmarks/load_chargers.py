"""The chargers of `benchmarks/load.py`: OCPP 1.6J in as few words as possible, all in one process."""

import argparse
import asyncio
import base64
import json
import random
import signal
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.load_events import PASSWORD, Events

POWER_W = 11_000
CONNECTING_AT_ONCE = 20
RETRY_AFTER = 5.0


class Charger:
    """Beats by its meter values, charges when told, and stops by itself."""

    def __init__(self, number: int, options: argparse.Namespace, events: Events) -> None:
        self.identity = f"CP-{number:05}"
        self._options, self._events = options, events
        self._ids = count(1)
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._socket: ClientConnection
        self._transaction: int | None = None
        self._register_wh = 10_000.0
        self._is_stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Lock()

    async def run(self, gate: asyncio.Semaphore) -> None:
        while True:
            try:
                async with gate:
                    await self._open()
                await asyncio.gather(self._listen(), self._live())
            except (ConnectionClosed, OSError, TimeoutError) as error:
                self._events.tell("disconnected", self.identity, type(error).__name__)
                await asyncio.sleep(RETRY_AFTER)

    async def _open(self) -> None:
        secret = base64.b64encode(f"{self.identity}:{PASSWORD}".encode()).decode()
        self._socket = await connect(
            f"ws://127.0.0.1:{self._options.port}/ocpp/{self.identity}",
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers={"Authorization": f"Basic {secret}"},
            compression=None,
            proxy=None,
            open_timeout=60,
            ping_interval=None,
        )

    async def _live(self) -> None:
        await self._ask("BootNotification", chargePointVendor="Load", chargePointModel="Test")
        await self._status("Available")
        self._events.tell("connected", self.identity)
        # Not all at the same moment.
        await asyncio.sleep(random.uniform(0, self._options.meter_interval))
        while True:
            await self._meter_values()
            await asyncio.sleep(self._options.meter_interval)

    async def _listen(self) -> None:
        async for text in self._socket:
            kind, unique_id, *rest = json.loads(text)
            if kind == 2:
                await self._answer(unique_id, *rest)
            elif (waiting := self._answers.get(unique_id)) and not waiting.done():
                waiting.set_result(rest[0] if kind == 3 else None)
                if kind == 4:
                    self._events.tell("refused", self.identity, rest[0])

    async def _answer(self, unique_id: str, action: str, payload: dict[str, Any]) -> None:
        self._events.tell("asked", self.identity, action)
        await self._socket.send(json.dumps([3, unique_id, {"status": "Accepted"}]))
        if action == "RemoteStartTransaction":
            self._spawn(self._charge(payload["idTag"]))
        elif action == "RemoteStopTransaction":
            self._is_stopped.set()

    async def _charge(self, id_tag: str) -> None:
        self._is_stopped.clear()
        began = {"connectorId": 1, "idTag": id_tag, "meterStart": int(self._register_wh), "timestamp": _now()}
        answer = await self._ask("StartTransaction", **began)
        self._transaction = answer["transactionId"]
        await self._status("Charging")
        try:
            wanted = self._options.session_seconds * random.uniform(0.5, 1.5)
            async with asyncio.timeout(wanted):
                await self._is_stopped.wait()
        except TimeoutError:
            pass
        self._register_wh += POWER_W * wanted / 3600
        self._events.tell("stopped", self.identity, str(self._transaction))
        ended = {"transactionId": self._transaction, "meterStop": int(self._register_wh), "timestamp": _now()}
        self._transaction = None
        await self._ask("StopTransaction", **ended)
        await self._status("Available")

    async def _status(self, status: str) -> None:
        self._events.tell("status", self.identity, "CHARGING" if status == "Charging" else "AVAILABLE")
        await self._ask("StatusNotification", connectorId=1, errorCode="NoError", status=status, timestamp=_now())

    async def _meter_values(self) -> None:
        named = {} if self._transaction is None else {"transactionId": self._transaction}
        value = {"timestamp": _now(), "sampledValue": [{"value": str(int(self._register_wh)), "unit": "Wh"}]}
        await self._ask("MeterValues", connectorId=1, meterValue=[value], **named)
        self._events.tell("metered", self.identity)

    async def _ask(self, action: str, **payload: Any) -> Any:
        """One request at a time (OCPP-J 1.6, 4.1.1); what is refused is told and gives None."""
        async with self._turn:
            unique_id = str(next(self._ids))
            waiting = self._answers[unique_id] = asyncio.get_running_loop().create_future()
            began = asyncio.get_running_loop().time()
            try:
                await self._socket.send(json.dumps([2, unique_id, action, payload]))
                async with asyncio.timeout(60):
                    return await waiting
            finally:
                del self._answers[unique_id]
                spent = asyncio.get_running_loop().time() - began
                self._events.tell("answered", action, f"{spent:.4f}")

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def main(options: argparse.Namespace) -> None:
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
    events = Events(options.events)
    running = [
        asyncio.create_task(Charger(number, options, events).run(gate))
        for number in range(options.first, options.first + options.chargers)
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in running])
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if not isinstance(outcome, asyncio.CancelledError):
            events.tell("broken", "charger", repr(outcome).replace("\t", " ").replace("\n", " "))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("port", "first", "chargers", "meter-interval", "session-seconds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--events", type=Path, required=True)
    asyncio.run(main(parser.parse_args()))
