"""What a charger told of a session as registers that never fall: intervals summed up, resets, impossible values."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from chargers.models import ChargingSession
from chargers.services.events import Reading

logger = logging.getLogger(__name__)

ZERO = Decimal(0)
HOUR = Decimal(3600)
# ReadingContext of the two series of intervals.
PERIODIC, ALIGNED = "Sample.Periodic", "Sample.Clock"
# No car takes more, and no charger delivers more for long: such a register is a fault of the meter. Generous, as a
# session whose beginning was told late, by a wrong clock, looks shorter than it was.
LARGEST_BATTERY_WH = Decimal(1_000_000)
LARGEST_POWER_W = Decimal(2_000_000)


def begin_of(session: ChargingSession) -> Reading:
    """The first reading. Raises ValueError for a session that has not started."""
    if session.started_at is None or session.meter_start is None:
        raise ValueError(f"session {session.pk} has not started")
    return Reading(session.started_at, session.meter_start)


def is_possible(session: ChargingSession, register_wh: Decimal, until: datetime) -> bool:
    """Whether a charger can have delivered so much since the session began."""
    began = begin_of(session)
    seconds = max(Decimal(str((until - began.at).total_seconds())), ZERO)
    return register_wh - began.register_wh <= LARGEST_BATTERY_WH + LARGEST_POWER_W * seconds / HOUR


def as_registers(session: ChargingSession, samples: list[Reading]) -> list[Reading]:
    """Energies of intervals summed up on top of the start, unless the charger told registers on the way: those mean
    the same energy. Where the register at the start is not known, only the intervals count.
    """
    if not any(one.is_interval for one in samples):
        return samples
    began = begin_of(session)
    registers = [one for one in samples if not one.is_interval and session.is_meter_start_known]
    if any(began.at < one.at and (session.ended_at is None or one.at < session.ended_at) for one in registers):
        return registers
    return _summed_up(session, _one_series([one for one in samples if one.is_interval and one.at > began.at]))


def _one_series(intervals: list[Reading]) -> list[Reading]:
    """A charger may tell the same energy twice, by its own intervals (`MeterValueSampleInterval`) and by those of the
    clock (`ClockAlignedDataInterval`), which can begin before the session: the former count if there are any.
    """
    if any(one.context == PERIODIC for one in intervals):
        intervals = [one for one in intervals if one.context != ALIGNED]
    # The last interval may be told again as that of the end.
    by_time: dict[datetime, Reading] = {}
    for one in sorted(intervals, key=lambda one: (one.at, one.context != PERIODIC)):
        by_time.setdefault(one.at, one)
    return list(by_time.values())


def _summed_up(session: ChargingSession, intervals: Sequence[Reading]) -> list[Reading]:
    """What can be true by itself cannot be any number of times: an interval that makes the sum impossible is left out.

    The time of the interval decides, so that what was left out does not come back as the session goes on.
    """
    register, readings = begin_of(session).register_wh, []
    for one in intervals:
        if is_possible(session, register + one.register_wh, one.at):
            register += one.register_wh
            readings.append(replace(one, register_wh=register, is_interval=False))
    if left_out := len(intervals) - len(readings):
        logger.warning("session %s: %d intervals are impossible beside the others", session, left_out)
    return readings


def plausible(session: ChargingSession, samples: Iterable[Reading]) -> Iterable[Reading]:
    """Start, samples and stop in time order, without values that contradict an earlier one or the stop."""
    began = begin_of(session)
    inside = [one for one in samples if one.at >= began.at and (session.ended_at is None or one.at < session.ended_at)]
    before = len(inside) - count_after_reset(inside, began.register_wh)
    register = began.register_wh
    yield began
    for sample in inside[:before]:
        is_below_stop = session.meter_stop is None or sample.register_wh <= session.meter_stop
        if is_below_stop and sample.register_wh >= register:
            register = sample.register_wh
            yield sample
    if session.ended_at is not None and session.meter_stop is not None:
        yield Reading(session.ended_at, session.meter_stop)
    else:
        yield from _run_on(session, register, inside[before:])


def count_after_reset(samples: Sequence[Reading], start_wh: Decimal) -> int:
    """How many of the last values were counted after the register was reset, or rolled over: it fell below the start.

    A value that fell is forgotten when one above the start follows, unless the meter has counted below the start and
    has not come back to what it had counted before.
    """
    fallen = [number for number, one in enumerate(samples) if one.register_wh < start_wh]
    if not fallen:
        return 0
    first = last = fallen[-1]
    while first and samples[first - 1].register_wh < start_wh:
        first -= 1
    has_counted = samples[first].register_wh < samples[last].register_wh
    before = max((one.register_wh for one in samples[:first]), default=start_wh)
    is_reset = last == len(samples) - 1 or (has_counted and samples[-1].register_wh < before)
    return len(samples) - first if is_reset else 0


def _run_on(session: ChargingSession, register_wh: Decimal, samples: Iterable[Reading]) -> Iterator[Reading]:
    """What a meter counted after its reset, on top of what it had counted before; the step between is not billed.

    Nor is what it cannot have counted: a register that falls to nothing and comes back has counted none of it.
    """
    lowest = highest = None
    for one in samples:
        if lowest is None or highest is None:
            lowest = highest = one.register_wh
        counted = register_wh + one.register_wh - lowest
        if one.register_wh >= highest and is_possible(session, counted, one.at):
            highest = one.register_wh
            yield replace(one, register_wh=counted)
