"""The back office: what all parts of the provider share."""

import threading
from collections.abc import Callable
from typing import Any

from payments.simulator.book import Book, new_terminal
from payments.simulator.client import Client
from payments.simulator.log import EventLog
from payments.simulator.settings import Settings
from payments.simulator.wire import now


class Office:
    """One provider: its book, its log, its client, and the threads that finish things later."""

    def __init__(self, settings: Settings, log: EventLog) -> None:
        self.settings, self.log = settings, log
        self.book = Book(settings.state)
        self.client = Client(self)
        self.closing = threading.Event()
        self.delivering: set[str] = set()
        self.base_url = settings.public_url.rstrip("/")
        with self.book.changing() as book:
            # Once it has been used, a registration token is worth nothing, also after a restart.
            if settings.offer_token and not book.registration.registered:
                book.registration.offered_token = settings.offer_token
            for number in range(1, settings.terminals + 1):
                made = new_terminal(number, settings.country, settings.party, settings.invoice_creator)
                book.terminals.setdefault(made["terminal_id"], made)

    @property
    def versions_url(self) -> str:
        return f"{self.base_url}/ocpi/versions"

    def module_url(self, module: str) -> str:
        return f"{self.base_url}/ocpi/2.2.1/{module}"

    def complain(self, rule: str, message: str, **context: Any) -> None:
        """Notes that the CPO broke a rule of OCPI or DirectPayment."""
        complaint = {"at": now(), "rule": rule, "message": message, **context}
        with self.book.changing() as book:
            book.complaints.append(complaint)
        self.log.record("complaint", rule=rule, message=message, **context)

    def later(self, name: str, work: Callable[[], None], delay: float = 0.0) -> threading.Timer:
        """Does work in a thread of its own, after a delay in seconds."""
        timer = threading.Timer(delay, work)
        timer.name, timer.daemon = name, True
        timer.start()
        return timer
