"""What happened, in order: kept for the control API and printed one line per event."""

import json
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

KEPT_EVENTS = 20_000
ARROWS = {"in": "<-", "out": "->", "": "  "}


def timestamp() -> str:
    """Wall-clock UTC time in ISO 8601 with milliseconds, as OCPP writes dateTime."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventLog:
    """The ordered list of events; safe to read from other threads."""

    def __init__(self, identity: str, *, quiet: bool = False, as_json: bool = False) -> None:
        self.identity = identity
        self._quiet = quiet
        self._as_json = as_json
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._lock = threading.Lock()

    def record(self, event: str, direction: str = "", **details: Any) -> None:
        """Appends an event with the present time; details that are None are left out."""
        known = {name: value for name, value in details.items() if value is not None}
        entry = {"at": timestamp(), "event": event, "direction": direction, **known}
        with self._lock:
            self._events.append(entry)
            if not self._quiet:
                print(json.dumps(entry) if self._as_json else self._line(entry), flush=True)

    def events(self) -> list[dict[str, Any]]:
        """All kept events, oldest first."""
        with self._lock:
            return list(self._events)

    def _line(self, entry: dict[str, Any]) -> str:
        hidden = {"at", "event", "direction", "message_id"}
        details = "  ".join(_text(name, value) for name, value in entry.items() if name not in hidden)
        local = datetime.fromisoformat(entry["at"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
        arrow = ARROWS[entry["direction"]]
        return f"{local}  {self.identity:<14} {arrow}  {entry['event']:<32} {details}".rstrip()


def _text(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(_text(key, inner) for key, inner in value.items())
    if name == "meterValue":
        return _samples(value)
    return f"{name}={value}"


def _samples(meter_value: list[dict[str, Any]]) -> str:
    sampled = meter_value[0]["sampledValue"]
    return "  ".join(f"{sample['value']} {sample.get('unit', '')}".rstrip() for sample in sampled)
