"""The broker of the embedded profile: kombu's memory transport, woken by a message instead of polling for it."""

import threading
from queue import Empty
from time import monotonic
from typing import Any
from weakref import WeakSet

from kombu.transport import memory

# A worker looks at its stop flag between two waits, so this bounds how long it takes to stop.
LONGEST_WAIT = 0.2

_transports: "WeakSet[Transport]" = WeakSet()
_lock = threading.Lock()


def _tell_all() -> None:
    with _lock:
        transports = list(_transports)
    for transport in transports:
        transport.news.set()


class Channel(memory.Channel):
    """Tells the workers about messages, and about acknowledgements: they make room in a prefetch window."""

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)
        _tell_all()

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        super().basic_ack(delivery_tag, multiple)
        _tell_all()

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        super().basic_reject(delivery_tag, requeue)
        _tell_all()


class Transport(memory.Transport):
    """Each connection hears all news for itself: `serve` has several workers, none may take another's."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.news = threading.Event()
        with _lock:
            _transports.add(self)

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Delivers one message. Raises TimeoutError when none came within `LONGEST_WAIT` seconds."""
        deadline = monotonic() + LONGEST_WAIT
        while True:
            # Before looking, not after: news that come in between must end the wait at once.
            self.news.clear()
            try:
                self.cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                if not self.news.wait(deadline - monotonic()):
                    raise TimeoutError from None
