"""What both versions' connections share: every message is logged, and what a request sets in motion waits."""

import json
import logging
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chargers.simulator.charger import Charger

CALL, CALL_RESULT = 2, 3
SHORT = {
    "RemoteStartTransaction": "remote_start",
    "RemoteStopTransaction": "remote_stop",
    "RequestStartTransaction": "remote_start",
    "RequestStopTransaction": "remote_stop",
}
# The events of a transaction go by the names of OCPP 1.6, so that whoever reads the log needs one set of names.
EVENTS = {"Started": "StartTransaction", "Updated": "MeterValues", "Ended": "StopTransaction"}

# The library logs whole messages; our event log tells the same once.
logging.getLogger("ocpp").setLevel(logging.CRITICAL)


def event_name(action: str) -> str:
    """RemoteStartTransaction -> remote_start, MeterValues -> meter_values."""
    return SHORT.get(action) or re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()


class Wire:
    """Mixed into the library's ChargePoint, before it."""

    charger: "Charger"
    _connection: Any

    def prepare(self, charger: "Charger") -> None:
        self.charger = charger
        self._open: dict[str, str] = {}
        self.after_answer: deque[Callable[[], object]] = deque()

    async def route_message(self, raw_msg: str) -> None:
        ignored = self._log("in", raw_msg)
        if ignored:
            return
        await super().route_message(raw_msg)  # type: ignore[misc]
        # What a request sets in motion follows its answer on the wire.
        while self.after_answer:
            self.after_answer.popleft()()

    async def _send(self, message: str) -> None:
        self._log("out", message)
        await self._connection.send(message)

    def _log(self, direction: str, raw: str) -> bool:
        """Records a message; says whether it is a request that shall get no answer."""
        record = self.charger.log.record
        try:
            message: list[Any] = [*json.loads(raw), None]
            kind, message_id, first, second = message[:4]
        except (ValueError, TypeError):
            record("unreadable_message", direction, text=str(raw)[:200])
            return False
        if kind == CALL:
            action, payload = str(first), second
            if action == "TransactionEvent" and isinstance(payload, dict):
                action = EVENTS.get(str(payload.get("eventType")), action)
            self._open[message_id] = action
            suffix = "received" if direction == "in" else "sent"
            record(f"{event_name(action)}_{suffix}", direction, message_id=message_id, payload=payload)
            return direction == "in" and self.charger.behaviour.ignores(action)
        action = self._open.pop(message_id, "unknown")
        suffix = "answered" if kind == CALL_RESULT else "refused"
        payload = first if kind == CALL_RESULT else {"error": first, "description": second}
        record(f"{event_name(action)}_{suffix}", direction, message_id=message_id, payload=payload)
        return False
