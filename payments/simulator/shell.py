"""Commands typed into the terminal the provider runs in."""

import shlex
import sys
from collections.abc import Callable, Iterator

from payments.simulator.control import Control
from payments.simulator.remote import body_of
from payments.simulator.wire import dumps

HELP = """\
locations                                  what one can charge at
start LOCATION EVSE CONNECTOR [TERMINAL]   tap a card
stop [REFERENCE]                           stop that session, or the only one that runs
sessions                                   sessions and what was captured
terminals                                  terminals and their assignment
complaints                                 what the CPO did wrong
push, pull, register                       exchange terminals, places and prices, credentials
help"""


class Shell:
    """Reads lines until the input ends."""

    def __init__(self, control: Control) -> None:
        self.control, self.book = control, control.office.book
        self.commands: dict[str, Callable[[list[str]], Iterator[str]]] = {
            "help": lambda words: iter([HELP]),
            "locations": self.locations,
            "sessions": self.sessions,
            "terminals": self.terminals,
            "complaints": self.complaints,
            "start": lambda words: self.post("tap", words),
            "stop": lambda words: self.post("stop", words or self._running()),
            "push": lambda words: self.post("push-terminals", words),
            "pull": lambda words: self.post("pull", words),
            "register": lambda words: self.post("register", words),
        }

    def run(self) -> None:
        for line in sys.stdin:
            for text in self.perform(line):
                print(text, flush=True)

    def perform(self, line: str) -> Iterator[str]:
        """The lines a typed line is answered with."""
        try:
            name, *words = shlex.split(line) or ["help"]
            yield from self.commands.get(name, self.commands["help"])(words)
        except ValueError as error:
            yield str(error)

    def post(self, action: str, words: list[str]) -> Iterator[str]:
        body = dumps(body_of(action, words, {})).encode()
        status, content = self.control.handle("POST", f"/control/{action}", "", body)
        yield f"{status} {dumps(content)}"

    def _running(self) -> list[str]:
        running = [one for one in self.book.sessions.values() if one["status"] in {"ACTIVE", "PENDING"}]
        return [str(one["authorization_reference"]) for one in running[:1]] if len(running) == 1 else []

    def locations(self, words: list[str]) -> Iterator[str]:
        for location in list(self.book.locations.values()):
            yield f"{location['id']}  {location.get('name', '')}, {location['address']}, {location['city']}"
            for evse in location.get("evses") or []:
                for connector in evse["connectors"]:
                    place = f"{location['id']} {evse['uid']} {connector['id']}"
                    yield f"    start {place:<48} {evse['status']:<12} {connector['standard']}"

    def sessions(self, words: list[str]) -> Iterator[str]:
        for session in list(self.book.sessions.values()):
            reference = session["authorization_reference"]
            captured = self.book.captures.get(reference, {}).get("amount", "-")
            total = (session.get("total_cost") or {}).get("incl_vat", "-")
            yield f"{reference:<32} {session['status']:<10} {session['kwh']:>9} kWh {total:>8}  taken {captured}"

    def terminals(self, words: list[str]) -> Iterator[str]:
        for terminal in list(self.book.terminals.values()):
            places = ", ".join((terminal["location_ids"] or []) + (terminal["evse_uids"] or []))
            yield f"{terminal['terminal_id']:<20} {places or 'not assigned'}"

    def complaints(self, words: list[str]) -> Iterator[str]:
        for complaint in list(self.book.complaints):
            yield f"{complaint['at']}  {complaint['rule']:<24} {complaint['message']}"
