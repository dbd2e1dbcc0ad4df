"""The partners of `benchmarks/load.py`: two that take everything at once, and one that takes and never answers.

The drivers sit here too: at their terminals they keep a number of paid sessions running.
"""

import argparse
import asyncio
import base64
import json
import re
import signal
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.load_events import Events, token_of

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER = json.dumps({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}).encode()
_OK = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" + _ANSWER


class Peers:
    """What comes in: `/alive-1/2.2.1/cdrs` and so on; the dead partner has a port of its own."""

    def __init__(self, events: Events, on_cdr: Any) -> None:
        self._events, self._on_cdr = events, on_cdr

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                method, path, _ = head.split(b" ", 2)
                is_new = self._take(method.decode(), path.decode(), body)
                writer.write(_OK % (b"201 Created" if is_new else b"200 OK", len(_ANSWER)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _take(self, method: str, path: str, body: bytes) -> bool:
        _, peer, _, module, *below = path.split("/")
        content = json.loads(body) if body else {}
        if module == "locations":
            self._note_statuses(peer, below, content)
        elif module == "cdrs":
            self._events.tell("cdr", content["authorization_reference"], content["id"])
            self._on_cdr(content["authorization_reference"])
            return True
        elif module == "results":
            self._events.tell("result", below[0], content["result"])
        else:
            self._events.tell(module, peer, method)
        return False

    def _note_statuses(self, peer: str, below: list[str], content: dict[str, Any]) -> None:
        """A PATCH names its EVSE in the address, a PUT has them all in the body."""
        found = [(below[3], content)] if len(below) > 3 else [(one["uid"], one) for one in content.get("evses", [])]
        for uid, evse in found:
            if "status" in evse:
                self._events.tell(f"status-at-{peer}", uid, evse["status"])


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.CancelledError, ConnectionError):
        while await reader.read(65536):
            pass


class Drivers:
    """So many sessions at a time, at one charger after the other."""

    def __init__(self, options: argparse.Namespace, events: Events) -> None:
        self._options, self._events = options, events
        self._free = deque(range(options.chargers))
        self._charging: dict[str, int] = {}

    def note_cdr(self, reference: str) -> None:
        number = self._charging.pop(reference, None)
        if number is not None:
            self._free.append(number)

    async def run(self) -> None:
        starts, pending = 0, set()
        # Spread over a session's length at first, as drivers do not all come at once.
        pause = self._options.session_seconds / self._options.sessions
        while True:
            if len(self._charging) < self._options.sessions and self._free:
                starts += 1
                task = asyncio.create_task(self._start(starts, self._free.popleft()))
                pending.add(task)
                task.add_done_callback(pending.discard)
            await asyncio.sleep(pause)

    async def _start(self, number: int, charger: int) -> None:
        peer, reference = f"alive-{number % 2 + 1}", f"LOAD-{number:06}"
        self._charging[reference] = charger
        body = json.dumps(_command(self._options.peer_port, peer, reference, charger)).encode()
        self._events.tell("start", reference, f"CP-{charger:05}")
        reader, writer = await asyncio.open_connection("127.0.0.1", self._options.port)
        token = base64.b64encode(token_of(peer).encode()).decode()
        writer.write(
            b"POST /ocpi/2.2.1/commands/START_SESSION HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + f"Authorization: Token {token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        answer = json.loads(await reader.readexactly(int(length[1]))) if length else {}
        writer.close()
        result = (answer.get("data") or {}).get("result", head.split(b"\r\n")[0].decode())
        self._events.tell("started", reference, result)
        if result != "ACCEPTED":
            self.note_cdr(reference)


def _command(port: int, peer: str, reference: str, charger: int) -> dict[str, Any]:
    token: dict[str, Any] = {
        "country_code": "NL",
        "party_id": "PTP",
        "uid": reference,
        "type": "AD_HOC_USER",
        "contract_id": reference,
    }
    token |= {"issuer": "Load", "valid": True, "whitelist": "NEVER", "last_updated": datetime.now(UTC).isoformat()}
    return {
        "response_url": f"http://127.0.0.1:{port}/{peer}/2.2.1/results/{reference}",
        "token": token,
        "location_id": f"AREA-{charger // 4:05}",
        "evse_uid": f"CP-{charger:05}-1",
        "connector_id": "1",
        "authorization_reference": reference,
    }


async def main(options: argparse.Namespace) -> None:
    events = Events(options.events)
    drivers = Drivers(options, events)
    peers = Peers(events, drivers.note_cdr)
    await asyncio.start_server(peers.serve, "127.0.0.1", options.peer_port, backlog=500)
    await asyncio.start_server(never_answer, "127.0.0.1", options.dead_port, backlog=500)
    loop, driving = asyncio.get_running_loop(), None
    is_over, may_begin = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    # The drivers come with the first of these signals and stay away from the second on.
    loop.add_signal_handler(signal.SIGUSR1, may_begin.set)
    events.tell("ready", "peers")
    await may_begin.wait()
    driving = asyncio.create_task(drivers.run())
    loop.add_signal_handler(signal.SIGUSR1, driving.cancel)
    await is_over.wait()
    if driving.done() and not driving.cancelled() and (error := driving.exception()):
        events.tell("broken", "drivers", repr(error))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("port", "peer-port", "dead-port", "chargers", "sessions", "session-seconds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--events", type=Path, required=True)
    asyncio.run(main(parser.parse_args()))
