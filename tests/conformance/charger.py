"""A charger on a socket, OCPP 1.6J by hand: what happens at it is what the test says."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Json = dict[str, Any]
CALL, CALL_RESULT = 2, 3
PATIENCE = 25.0
SILENCE = None
ACCEPTED = {"status": "Accepted"}

ANSWERS: dict[str, Json] = {
    "UnlockConnector": {"status": "Unlocked"},
    "GetCompositeSchedule": {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": "2026-01-01T00:00:00Z",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        },
    },
}


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Charger:
    """`plan` replaces answers by (action, connector): a payload, a function of the request, or SILENCE."""

    def __init__(self, url: str, identity: str, password: str, evses: int) -> None:
        secret = base64.b64encode(f"{identity}:{password}".encode()).decode()
        self.evses = evses
        self.plan: dict[tuple[str, int], Json | Callable[[Json], Json] | None] = {}
        self.calls: list[tuple[str, Json]] = []
        self._news = threading.Condition()
        self._answers: dict[str, Json] = {}
        self._connection = connect(
            f"{url}/{identity}", subprotocols=["ocpp1.6"], additional_headers={"Authorization": f"Basic {secret}"}
        )
        self._socket: Any = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._socket = self._connection.__enter__()
        self._reader.start()
        self.ask("BootNotification", chargePointVendor="Test", chargePointModel="Hand-made")
        for evse in range(1, self.evses + 1):
            self.status(evse, "Available")
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.__exit__(None, None, None)
        self._reader.join(5)

    # -- what it says

    def ask(self, action: str, **payload: Any) -> Json:
        """Sends a request and waits for the answer."""
        message_id = str(uuid.uuid4())
        self._socket.send(json.dumps([CALL, message_id, action, payload]))
        with self._news:
            assert self._news.wait_for(lambda: message_id in self._answers, PATIENCE), f"no answer to {action}"
            return self._answers.pop(message_id)

    def status(self, evse: int, status: str, at: datetime | None = None) -> None:
        when = {} if at is None else {"timestamp": stamp(at)}
        self.ask("StatusNotification", connectorId=evse, status=status, errorCode="NoError", **when)

    def authorize(self, id_tag: str) -> str:
        return str(self.ask("Authorize", idTag=id_tag)["idTagInfo"]["status"])

    def start(self, evse: int, id_tag: str, at: datetime, wh: int = 0, **more: Any) -> int:
        """A transaction begins; its id."""
        answer = self.ask(
            "StartTransaction", connectorId=evse, idTag=id_tag, meterStart=wh, timestamp=stamp(at), **more
        )
        return int(answer["transactionId"])

    def meter(self, evse: int, transaction: int, at: datetime, wh: int) -> None:
        value = {"timestamp": stamp(at), "sampledValue": [{"value": str(wh)}]}
        self.ask("MeterValues", connectorId=evse, transactionId=transaction, meterValue=[value])

    def stop(self, transaction: int, at: datetime, wh: int, reason: str = "Local") -> None:
        self.ask("StopTransaction", transactionId=transaction, meterStop=wh, timestamp=stamp(at), reason=reason)

    # -- what it is asked

    def called(self, action: str, **fields: Any) -> list[Json]:
        found = [payload for name, payload in list(self.calls) if name == action]
        return [one for one in found if all(one.get(name) == value for name, value in fields.items())]

    def wait(self, action: str, *, count: int = 1, **fields: Any) -> Json:
        with self._news:
            assert self._news.wait_for(lambda: len(self.called(action, **fields)) >= count, PATIENCE), (
                f"no {action} {fields}, but {self.calls[-8:]}"
            )
        return self.called(action, **fields)[count - 1]

    def _read(self) -> None:
        try:
            for frame in self._socket:
                self._take(json.loads(frame))
        except ConnectionClosed:
            pass

    def _take(self, message: list[Any]) -> None:
        kind, message_id, *rest = message
        if kind != CALL:
            with self._news:
                self._answers[message_id] = rest[0] if kind == CALL_RESULT else {"error": rest}
                self._news.notify_all()
            return
        action, payload = rest
        with self._news:
            self.calls.append((action, payload))
            self._news.notify_all()
        answer = self.plan.get((action, payload.get("connectorId", 0)), ANSWERS.get(action, ACCEPTED))
        answer = answer(payload) if callable(answer) else answer
        if answer is not SILENCE:
            self._socket.send(json.dumps([CALL_RESULT, message_id, answer]))


def until(what: str, is_there: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The first true value. For what can only be looked at, not listened to."""
    deadline = time.monotonic() + patience
    while not (found := is_there()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found
