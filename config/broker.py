"""The broker of the embedded profile: kombu's memory transport, woken by a message instead of polling for it."""

import threading
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport import memory

# The worker looks at its stop flag between two waits, so this bounds how long it takes to stop.
LONGEST_WAIT = 0.2

_has_news = threading.Event()


class Channel(memory.Channel):
    """Tells the worker about messages, and about acknowledgements: they make room in its prefetch window."""

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)
        _has_news.set()

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        super().basic_ack(delivery_tag, multiple)
        _has_news.set()

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        super().basic_reject(delivery_tag, requeue)
        _has_news.set()


class Transport(memory.Transport):
    """One consumer per process, the worker of `serve`: a second one would take its wake-ups."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Delivers one message. Raises TimeoutError when none came within `LONGEST_WAIT` seconds."""
        deadline = monotonic() + LONGEST_WAIT
        while True:
            # Before looking, not after: news that come in between must end the wait at once.
            _has_news.clear()
            try:
                self.cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                if not _has_news.wait(deadline - monotonic()):
                    raise TimeoutError from None
