"""A charger that talks without listening is slowed down; one that waits for answers never is."""

import asyncio
from typing import Any

from chargers.ocpp.pace import BURST, PER_SECOND, Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def never() -> Any:
    await asyncio.Event().wait()


def test_early_frames_are_free_up_to_a_burst_and_then_one_by_one():
    clock = Clock()
    pace = Pace(never, clock)
    waits = [pace.take() for _ in range(int(BURST) + 3)]
    assert waits[: int(BURST)] == [0] * int(BURST)
    assert waits[int(BURST) :] == [1 / PER_SECOND, 2 / PER_SECOND, 3 / PER_SECOND]
    clock.now += 3 / PER_SECOND + 1
    assert pace.take() == 0


async def test_who_sends_before_our_answer_is_early():
    frames: asyncio.Queue[Any] = asyncio.Queue()
    pace = Pace(frames.get)
    for _ in range(2):
        frames.put_nowait({"type": "websocket.receive"})
    await pace.next_frame()
    await asyncio.sleep(0)  # while we work the next one is taken in
    pace.answered()
    assert pace._is_early
    await pace.next_frame()
    await asyncio.sleep(0)
    pace.answered()
    assert not pace._is_early
    pace.close()


async def test_no_frame_is_lost_and_the_end_is_heard():
    frames: asyncio.Queue[Any] = asyncio.Queue()
    sent = [{"type": "websocket.receive", "text": str(number)} for number in range(5)] + [
        {"type": "websocket.disconnect"}
    ]
    for frame in sent:
        frames.put_nowait(frame)
    pace = Pace(frames.get)
    assert [await pace.next_frame() for _ in sent] == sent
    pace.close()
