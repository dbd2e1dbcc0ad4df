"""How fast one charger may talk without listening."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]

logger = logging.getLogger(__name__)

# Frames that a charger may send ahead of our answers, and how many more per second then. What comes faster waits in
# its socket, until TCP stops it: nothing is lost, and nobody else waits.
BURST = 100.0
PER_SECOND = 20.0
TELL_EVERY = 60.0


class Pace:
    """Slows down who floods, never who waits for our answers as OCPP-J asks (1.6, 4.1.1), however fast they go."""

    def __init__(self, receive: Callable[[], Awaitable[Message]], clock: Callable[[], float] = time.monotonic) -> None:
        self._receive = receive
        self._clock = clock
        self._tokens = BURST
        self._filled_at = clock()
        self._told_at = float("-inf")
        self._ahead: asyncio.Future[Message] | None = None
        self._is_at_work = self._is_early = False

    async def next_frame(self) -> Message:
        """The next message of the socket. The one after it is already waited for, to see whether it comes early."""
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(self._receive())
        message = await self._ahead
        self._is_at_work = message["type"] == "websocket.receive"
        self._ahead = asyncio.ensure_future(self._receive()) if self._is_at_work else None
        return message

    @property
    def is_quiet(self) -> bool:
        """Whether every frame that has arrived is handled."""
        return not self._is_at_work and not self._has_next

    @property
    def _has_next(self) -> bool:
        return self._ahead is not None and self._ahead.done()

    def answered(self) -> None:
        """After a frame was handled: one that is there by now did not wait for the answer."""
        self._is_at_work, self._is_early = False, self._has_next

    async def wait(self) -> None:
        """Before a frame is handled."""
        if self._is_early and (seconds := self.take()) > 0:
            await asyncio.sleep(seconds)

    def take(self) -> float:
        """Takes up one early frame; gives the seconds to wait before."""
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled_at) * PER_SECOND, BURST) - 1
        self._filled_at = now
        if self._tokens >= 0:
            return 0.0
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            logger.warning("a charger sends without waiting for answers: it is slowed down")
        return -self._tokens / PER_SECOND

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
