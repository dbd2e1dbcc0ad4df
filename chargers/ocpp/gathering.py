"""What many chargers tell at once goes to the database together: one transaction, not one for each message."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from chargers.ocpp import database
from chargers.services import own_starts, progress, sessions, status, transactions

# Of one batch, so that nobody waits for long, and batches at work: while one waits for the disk, another computes.
LARGEST_BATCH = 50
BATCHES = 2
# Done by themselves at a time: they may wait for locks, and must leave threads (`database.THREADS`) to the batches.
ALONE = 3

Told = TypeVar("Told")
Answer = TypeVar("Answer")
Waiting = tuple[Told, asyncio.Future[Answer]]


class Gathering(Generic[Told, Answer]):
    """Calls `together` with what came while it was busy: one at a time as long as it keeps up, else many.

    `together` waits for no lock, commits before it returns, and gives the answers of what it took in, by its place.
    Each of the others goes to `alone`, which may wait: nobody else waits with it.
    """

    def __init__(
        self, together: Callable[[Sequence[Told]], Mapping[int, Answer]], alone: Callable[[Told], Answer]
    ) -> None:
        self._together, self._alone = together, alone
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[Told, Answer]] = WeakKeyDictionary()

    async def add(self, told: Told) -> Answer:
        """Returns when `told` is committed. Raises what its work raised."""
        loop = asyncio.get_running_loop()
        queue = self._of_loops.setdefault(loop, _Queue(self._together, self._alone))
        return await queue.add(told, loop.create_future())


class _Queue(Generic[Told, Answer]):
    def __init__(
        self, together: Callable[[Sequence[Told]], Mapping[int, Answer]], alone: Callable[[Told], Answer]
    ) -> None:
        self._together, self._alone = together, alone
        self._waiting: list[Waiting[Told, Answer]] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._lone: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(ALONE)

    async def add(self, told: Told, done: asyncio.Future[Answer]) -> Answer:
        self._waiting.append((told, done))
        # One that has ended leaves the set a moment later, and takes nothing any more.
        if sum(not batch.done() for batch in self._batches) < BATCHES:
            _begin(self._work_off(), self._batches)
        return await done

    async def _work_off(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            answers: Mapping[int, Answer | Exception]
            try:
                answers = await database.run(self._together, [told for told, _ in batch])
            except Exception as error:
                answers = dict.fromkeys(range(len(batch)), error)
            for number, (told, done) in enumerate(batch):
                if number in answers:
                    _tell(done, answers[number])
                else:
                    _begin(self._work_alone(told, done), self._lone)

    async def _work_alone(self, told: Told, done: asyncio.Future[Answer]) -> None:
        async with self._turns:
            try:
                _tell(done, await database.run(self._alone, told))
            except Exception as error:
                _tell(done, error)


def _begin(work: Coroutine[Any, Any, None], under_way: set[asyncio.Task[None]]) -> None:
    """The loop itself holds tasks weakly."""
    task = asyncio.get_running_loop().create_task(work)
    under_way.add(task)
    task.add_done_callback(under_way.discard)


def _tell(done: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if done.done():  # the socket went away meanwhile
        return
    if isinstance(answer, Exception):
        done.set_exception(answer)
    else:
        done.set_result(answer)


METER_VALUES = Gathering(progress.update_sessions, lambda told: progress.update_session(*told))
MEASUREMENTS = Gathering(transactions.continue_sessions, lambda told: transactions.continue_session(*told))
STATUSES = Gathering(status.record_statuses, lambda told: status.record_status(*told))
OWN_STARTS = Gathering(own_starts.start_sessions, lambda told: None)
STOPS = Gathering(sessions.end_sessions, lambda told: sessions.end_session(*told))
