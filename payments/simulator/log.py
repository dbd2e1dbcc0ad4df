"""What happened, in order: kept for the control API and printed one line per event."""

import threading
from collections import deque
from datetime import datetime
from typing import Any

from payments.simulator.wire import dumps, now

KEPT_EVENTS = 20_000
ARROWS = {"in": "<-", "out": "->", "": "  "}
HIDDEN = {"n", "at", "what", "direction"}


class EventLog:
    """The ordered list of events; safe to use from all threads."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self._quiet, self._as_json = quiet, as_json
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._news = threading.Condition()
        self._count = 0

    def record(self, what: str, direction: str = "", *, at: str | None = None, **details: Any) -> None:
        """Appends an event; `at` when it happened before now. Details that are None are left out."""
        known = {name: value for name, value in details.items() if value is not None}
        with self._news:
            self._count += 1
            entry = {"n": self._count, "at": at or now(), "what": what, "direction": direction, **known}
            self._events.append(entry)
            self._news.notify_all()
            if not self._quiet:
                print(dumps(entry) if self._as_json else _line(entry), flush=True)

    def events(self, after: int = 0, wait: float = 0.0) -> list[dict[str, Any]]:
        """Events with a number above `after`; waits so many seconds for the first of them."""
        with self._news:
            self._news.wait_for(lambda: self._count > after, wait)
            return [entry for entry in self._events if entry["n"] > after]


def _line(entry: dict[str, Any]) -> str:
    local = datetime.fromisoformat(entry["at"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    details = {name: value for name, value in entry.items() if name not in HIDDEN}
    text = _exchange(details) if entry["what"] == "http" else _details(details)
    return f"{local}  {ARROWS[entry['direction']]}  {entry['what']:<18}  {text}".rstrip()


def _exchange(details: dict[str, Any]) -> str:
    outcome = f"{details['status']}"
    if "code" in details:
        outcome += f" / {details['code']}"
    return f"{details['method']:<6} {details['path']:<72} {outcome}  {details['ms']} ms"


def _details(details: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in details.items())
