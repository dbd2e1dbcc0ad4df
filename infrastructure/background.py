"""Writing that nobody waits for: items are taken in at once and written in batches by a thread."""

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError, connections

logger = logging.getLogger(__name__)

INTERVAL = 0.5
RETRY_AFTER = 5.0
STOP_WITHIN = 5.0
BATCH = 200

Item = TypeVar("Item")


class BackgroundWriter(Generic[Item]):
    """Calls `write` with batches of what `put` took in. The daemon thread starts with the first item.

    When the database is slow or away the oldest items make room: at most `max_items` and `max_bytes` wait, and
    a warning says how many were lost. Each process has a queue of its own, a forked one begins empty.
    """

    def __init__(self, write: Callable[[list[Item]], None], *, max_items: int, max_bytes: int) -> None:
        self._write = write
        self._max_items = max_items
        self._max_bytes = max_bytes
        self.is_threaded = True
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._lost = 0
        self._thread: threading.Thread | None = None
        self._has_items = threading.Event()
        self._is_urgent = threading.Event()
        self._is_stopping = threading.Event()

    def put(self, item: Item, size: int) -> None:
        """Takes microseconds. `size` is about the memory in bytes that the item holds."""
        with self._lock:
            self._items.append((item, size))
            self._bytes += size
            self._make_room()
            is_full_batch = len(self._items) >= BATCH
            if self._thread is None and self.is_threaded:
                self._start()
        self._has_items.set()
        if is_full_batch:
            self._is_urgent.set()

    def flush(self) -> None:
        """Writes everything that waits, in the calling thread and its database connection."""
        while batch := self._take():
            self._write([item for item, _ in batch])

    def close(self) -> None:
        """Writes what waits, within a few seconds, and ends the thread; a later item starts it again."""
        thread = self._thread
        if thread is None:
            return
        self._is_stopping.set()
        self._has_items.set()
        self._is_urgent.set()
        thread.join(STOP_WITHIN)
        atexit.unregister(self.close)
        with self._lock:
            self._thread = None
            self._is_stopping.clear()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="background-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _run(self) -> None:
        while True:
            self._has_items.wait()
            self._is_urgent.wait(INTERVAL)
            self._has_items.clear()
            self._is_urgent.clear()
            is_last = self._is_stopping.is_set()
            try:
                self._write_waiting()
            finally:
                # The thread lives as long as the process; its connection must not.
                connections.close_all()
            if is_last:
                return

    def _write_waiting(self) -> None:
        while batch := self._take():
            try:
                self._write([item for item, _ in batch])
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database takes no messages for the log now: %s", error)
                self._give_back(batch)
                self._is_stopping.wait(RETRY_AFTER)
                break
            except Exception:
                logger.exception("%d messages could not be written to the log", len(batch))
        self._tell_lost()

    def _take(self) -> list[tuple[Item, int]]:
        with self._lock:
            batch = [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]
            self._bytes -= sum(size for _, size in batch)
        return batch

    def _give_back(self, batch: list[tuple[Item, int]]) -> None:
        with self._lock:
            self._items.extendleft(reversed(batch))
            self._bytes += sum(size for _, size in batch)
            self._make_room()
        self._has_items.set()

    def _make_room(self) -> None:
        while len(self._items) > self._max_items or (self._bytes > self._max_bytes and len(self._items) > 1):
            self._bytes -= self._items.popleft()[1]
            self._lost += 1

    def _tell_lost(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            logger.warning("%d messages are missing in the log: the database was too slow for them", lost)
