"""One deadline for a whole exchange with a peer: name, connection, TLS, headers and body together.

The time-outs of a socket start anew with every byte, so a peer that sends one byte now and then would hold a worker
for as long as it likes.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from .errors import PeerUnreachable

T = TypeVar("T")


class Deadline:
    """`seconds` from now. Once they are over, the watched connections end in the midst of whatever they do."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer: threading.Timer | None = None

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raises PeerUnreachable once the time is over."""
        if not self.left:
            raise PeerUnreachable(f"The peer's answer was not complete after {self.seconds:g} seconds.")

    def within(self, timeout: float | None) -> float:
        """The time-out for one step. Raises PeerUnreachable when no time is left for it."""
        self.check()
        # Zero would mean "do not block".
        return max(0.001, self.left if timeout is None else min(timeout, self.left))

    def watch(self, connection: socket.socket) -> None:
        # A second handle of the same connection: TLS takes the first one over.
        handle = connection.dup()
        with self._lock:
            self._watched.append(handle)
            if self._timer is None:
                self._timer = threading.Timer(self.left, self._shut_down)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            for handle in self._watched:
                handle.close()
            self._watched.clear()

    def _shut_down(self) -> None:
        with self._lock:
            for handle in self._watched:
                # The peer may have closed it already.
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
_DEFAULT_SECONDS = 45.0


def current() -> Deadline:
    """That of the exchange in progress."""
    return _current.get() or Deadline(_DEFAULT_SECONDS)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[Deadline]:
    deadline = Deadline(seconds)
    token = _current.set(deadline)
    try:
        yield deadline
    finally:
        _current.reset(token)
        deadline.close()


def call(function: Callable[[], T]) -> T:
    """Runs what has no time-out of its own, such as asking the DNS, within the deadline. Raises PeerUnreachable.

    The thread that still waits then is left behind; the system's own patience ends it.
    """
    limit = current()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised again below, in the thread that asked
            errors.append(error)

    thread = threading.Thread(target=run, name="ocpi-dns", daemon=True)
    thread.start()
    thread.join(limit.within(None))
    if errors:
        raise errors[0]
    if not results:
        raise PeerUnreachable("The DNS did not answer in time.")
    return results[0]
