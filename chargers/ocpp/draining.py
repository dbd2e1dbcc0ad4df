"""The end of a process: calls that chargers are answering get their answers, and no new ones are taken."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class CallsUnderWay:
    """Those of all sockets of a process. Used on its event loop only."""

    def __init__(self) -> None:
        self.is_ending = False
        self._number = 0
        self._none_left = asyncio.Event()
        self._none_left.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        self._number += 1
        self._none_left.clear()
        try:
            yield
        finally:
            self._number -= 1
            if not self._number:
                self._none_left.set()

    async def drain(self, seconds: float) -> bool:
        """Waits for the end of all. False when some need longer: `expire_calls` ends those later.

        What waits to be sent stays a row, for the process to which its charger comes back.
        """
        self.is_ending = True
        try:
            async with asyncio.timeout(seconds):
                await self._none_left.wait()
        except TimeoutError:
            return False
        return True
