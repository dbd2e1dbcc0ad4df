"""What many chargers tell at once goes to the database together: one transaction, not one for each message."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from chargers.ocpp import database
from chargers.services import own_starts, progress, sessions, status

# Of one batch, so that nobody waits for long, and batches at work: while one waits for the disk, another computes.
LARGEST_BATCH = 50
BATCHES = 2

Told = TypeVar("Told")
Answer = TypeVar("Answer")
Waiting = tuple[Told, asyncio.Future[Answer]]


class Gathering(Generic[Told, Answer]):
    """Calls `work` with what came while it was busy: one at a time as long as it keeps up, else many.

    `work` commits before it returns, and gives an answer for each, or the exception that it met.
    """

    def __init__(self, work: Callable[[Sequence[Told]], Sequence[Answer | Exception]]) -> None:
        self._work = work
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[Told, Answer]] = WeakKeyDictionary()

    async def add(self, told: Told) -> Answer:
        """Returns when `told` is committed. Raises what its work raised."""
        loop = asyncio.get_running_loop()
        queue = self._of_loops.setdefault(loop, _Queue(self._work))
        return await queue.add(told, loop.create_future())


class _Queue(Generic[Told, Answer]):
    def __init__(self, work: Callable[[Sequence[Told]], Sequence[Answer | Exception]]) -> None:
        self._work = work
        self._waiting: list[Waiting[Told, Answer]] = []
        self._batches: set[asyncio.Task[None]] = set()

    async def add(self, told: Told, done: asyncio.Future[Answer]) -> Answer:
        self._waiting.append((told, done))
        # One that has ended leaves the set a moment later, and takes nothing any more.
        if sum(not batch.done() for batch in self._batches) < BATCHES:
            batch = asyncio.get_running_loop().create_task(self._work_off())
            self._batches.add(batch)
            batch.add_done_callback(self._batches.discard)
        return await done

    async def _work_off(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            answers: Sequence[Answer | Exception]
            try:
                answers = await database.run(self._work, [told for told, _ in batch])
            except Exception as error:
                answers = [error] * len(batch)
            for (_, done), answer in zip(batch, answers, strict=True):
                _tell(done, answer)


def _tell(done: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if done.done():  # the socket went away meanwhile
        return
    if isinstance(answer, Exception):
        done.set_exception(answer)
    else:
        done.set_result(answer)


METER_VALUES = Gathering(progress.update_sessions)
STATUSES = Gathering(status.record_statuses)
OWN_STARTS = Gathering(own_starts.start_sessions)
STOPS = Gathering(sessions.end_sessions)
