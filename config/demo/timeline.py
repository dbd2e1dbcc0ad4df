"""Tells what happens as lines of a table: clock, seconds since the card was tapped, who, and what."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

Event = dict[str, Any]

PTP, CHARGER, PLUGTILL, DRIVER = "PTP", "charger", "Plugtill", "driver"


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["at"])


def _euro(amount: Any) -> str:
    return f"{float(amount):.2f} EUR"


def _session(event: Event) -> str:
    cost = f", {_euro(event['total'])}" if event.get("total") is not None else ""
    return f"session {event['status']}: {float(event['kwh']):.3f} kWh{cost}"


def _http(event: Event) -> str | None:
    """Of the provider's own requests only the ones of the story; the answer stands behind them."""
    command = event["path"].rsplit("/", 1)[-1]
    if event["method"] != "POST" or command not in ("START_SESSION", "STOP_SESSION"):
        return None
    return f"{command} -> HTTP {event['status']}, OCPI {event.get('code')}"


PTP_LINES: dict[str, tuple[str, Callable[[Event], str | None]]] = {
    "shown": (PTP, lambda event: f"shows the tariff: {event['text'].split(' | ')[0]}"),
    "hold": (DRIVER, lambda event: f"taps a card: {event['amount']} are blocked on {event['card']}"),
    "http": (PTP, _http),
    "command_result": (PLUGTILL, lambda event: f"CommandResult {event['result']}"),
    "session": (PLUGTILL, _session),
    "cdr": (
        PLUGTILL,
        lambda event: f"CDR: {_euro(event['total'])}, invoice {event.get('invoice_reference_id', 'none')}",
    ),
    "capture": (PTP, lambda event: f"captures {_euro(event['amount'])} ({event['outcome']})"),
    "release": (PTP, lambda event: f"releases the blocked amount: {event['reason']}"),
    "advice": (PTP, lambda event: "financial advice confirmation sent"),
    "complaint": (PTP, lambda event: f"COMPLAINT {event['rule']}: {event['message']}"),
}
CHARGER_LINES: dict[str, tuple[str, str]] = {
    "remote_start_received": (CHARGER, "is asked for the remote start"),
    "plugged": (DRIVER, "plugs the cable in"),
    "start_transaction_sent": (CHARGER, "tells that the transaction has begun"),
    "remote_stop_received": (CHARGER, "is asked for the stop"),
    "stop_transaction_sent": (CHARGER, "tells that the transaction has ended"),
    "unplugged": (DRIVER, "unplugs and drives off"),
}


class Timeline:
    """Prints the story of one session; remembers when it began."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = datetime.now(UTC)

    def heading(self, text: str) -> None:
        self._out.write(f"\n{text}\n{'-' * len(text)}\n")

    def begin(self) -> None:
        self._began = datetime.now(UTC)

    def line(self, who: str, text: str, when: datetime | None = None) -> None:
        when = when or datetime.now(UTC)
        since = (when - self._began).total_seconds()
        clock = when.astimezone().strftime("%H:%M:%S.%f")[:-3]
        self._out.write(f"{clock}  {since:+8.3f} s  {who:<9} {text}\n")
        self._out.flush()

    def tell(self, ptp_events: list[Event], charger_events: list[Event]) -> None:
        """Prints what is worth telling of new events, in the order in which they happened."""
        lines = [line for event in ptp_events if (line := self._of_ptp(event))]
        lines += [
            (at(event), *CHARGER_LINES[event["event"]]) for event in charger_events if event["event"] in CHARGER_LINES
        ]
        for when, who, text in sorted(lines):
            self.line(who, text, when)

    def _of_ptp(self, event: Event) -> tuple[datetime, str, str] | None:
        who, describe = PTP_LINES.get(event["what"], (PTP, None))
        text = describe(event) if describe else None
        return (at(event), who, text) if text else None
