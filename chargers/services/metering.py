"""From meter values to energy, charging periods and cost.

The periods are the ones that partners see, and the cost is the price of exactly those (one pricing path).
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from chargers.models import ChargingSession, MeterSample, ParkingSpan
from chargers.services import clock
from chargers.services.events import Reading
from tariffs.pricing import (
    ChargingPeriod,
    Cost,
    Dimension,
    PriceComponent,
    RetailTerms,
    Tariff,
    TariffElement,
    money,
    ocpi_number,
    price_periods,
    split_session,
)
from tariffs.services.versions import pricing_tariff

logger = logging.getLogger(__name__)

ZERO = Decimal(0)
WATT_HOURS_PER_KWH = Decimal(1000)
HOUR = Decimal(3600)
# ReadingContext of the two series of intervals.
PERIODIC, ALIGNED = "Sample.Periodic", "Sample.Clock"
SHORTEST_SLOPE = timedelta(seconds=5)
# No car takes more, and no charger delivers more for long: such a register is a fault of the meter. Generous, as a
# session whose beginning was told late, by a wrong clock, looks shorter than it was.
LARGEST_BATTERY_WH = Decimal(1_000_000)
LARGEST_POWER_W = Decimal(2_000_000)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a session so far: registers that never fall, in order, and the parking."""

    session: ChargingSession
    readings: tuple[Reading, ...]
    parking: tuple[tuple[datetime, datetime | None], ...]

    @property
    def last(self) -> Reading:
        return self.readings[-1]


@dataclass(frozen=True, slots=True)
class Priced:
    """A session as if it ended at `end`; `cost` is None without a tariff, `retail` where the driver pays just that."""

    end: datetime
    periods: tuple[ChargingPeriod, ...]
    cost: Cost | None
    terms: RetailTerms | None = None

    @property
    def retail(self) -> Cost | None:
        return self.terms.cost(self.cost) if self.terms and self.cost else None

    @property
    def driver_total(self) -> Decimal:
        """Gross, unrounded."""
        if self.cost is None:
            return ZERO
        gross = self.cost.total.incl_vat
        return self.terms.gross(gross) if self.terms else gross

    @property
    def retail_total(self) -> Decimal | None:
        """`retail.gross`: what the driver pays, rounded once; None where that is the tariff's amount."""
        return money(self.driver_total, self.cost.currency) if self.terms and self.cost else None

    @property
    def kwh(self) -> Decimal:
        return sum((period.energy_kwh for period in self.periods), ZERO)

    @property
    def hours(self) -> Decimal:
        """Charging and parking together."""
        return sum((period.time_h for period in self.periods), ZERO) + self.parking_hours

    @property
    def parking_hours(self) -> Decimal:
        return sum((period.parking_h for period in self.periods), ZERO)

    def to_ocpi(self, tariff_id: str | None) -> list[dict[str, Any]]:
        return [period.to_ocpi(tariff_id) for period in self.periods]


def record_samples(session: ChargingSession, readings: Iterable[Reading], now: datetime) -> None:
    """Repeated values change nothing: the first one of an instant stays. Impossible ones are left out."""
    record_samples_of([(session, readings)], now)


def record_samples_of(told: Iterable[tuple[ChargingSession, Iterable[Reading]]], now: datetime) -> None:
    """`record_samples` of several sessions."""
    samples = [
        MeterSample(
            session=session,
            at=one.at,
            register_wh=one.register_wh,
            power_w=one.power_w,
            is_interval=one.is_interval,
            context=one.context,
        )
        for session, readings in told
        for one in _placed(session, readings, now)
    ]
    MeterSample.objects.bulk_create(samples, ignore_conflicts=True)


def is_possible(session: ChargingSession, register_wh: Decimal, until: datetime) -> bool:
    """Whether a charger can have delivered so much since the session began."""
    began = begin_of(session)
    seconds = max(Decimal(str((until - began.at).total_seconds())), ZERO)
    return register_wh - began.register_wh <= LARGEST_BATTERY_WH + LARGEST_POWER_W * seconds / HOUR


def _placed(session: ChargingSession, readings: Iterable[Reading], now: datetime) -> Iterator[Reading]:
    """The readings by our clock. Energy that a wrong clock told of counts at the time it came."""
    began, strays = begin_of(session), []
    for one in readings:
        if one.power_w is not None and one.power_w > LARGEST_POWER_W:  # a fault of the meter; its register may be right
            one = replace(one, power_w=None)
        at = clock.place(session, one.at, now)
        if one.is_interval:
            # Not at the time it came: told again, it would count twice.
            if at is not None and is_possible(session, began.register_wh + one.register_wh, now):
                yield replace(one, at=at)
        elif not is_possible(session, one.register_wh, now):
            logger.warning("session %s: a register of %s Wh is impossible", session, one.register_wh)
        elif at is not None:
            yield replace(one, at=at)
        elif one.at > now or one.register_wh > began.register_wh:
            strays.append(one)
    # The register is the better clock: the highest one is the newest, and the others keep their distance to it.
    strays.sort(key=lambda one: one.register_wh, reverse=True)
    for one in strays:
        at = now - max(strays[0].at - one.at, timedelta(0))
        if at >= began.at:
            yield replace(one, at=at)


def measure(session: ChargingSession, last: Reading | None = None) -> Measured:
    """Reads what is stored of a session that has started; `last` counts as if it were stored."""
    return _measured(session, *_stored_of([session])[session.pk], last)


def measure_all(sessions: Sequence[ChargingSession]) -> list[Measured]:
    """`measure` of several sessions."""
    stored = _stored_of(sessions)
    return [_measured(session, *stored[session.pk], None) for session in sessions]


Spans = list[tuple[datetime, datetime | None]]


def _stored_of(sessions: Sequence[ChargingSession]) -> dict[int, tuple[list[Reading], Spans]]:
    stored: dict[int, tuple[list[Reading], Spans]] = {session.pk: ([], []) for session in sessions}
    samples = MeterSample.objects.filter(session__in=stored).order_by("session_id", "at")
    columns = ("session_id", "at", "register_wh", "power_w", "is_interval", "context")
    for session_id, *reading in samples.values_list(*columns):
        stored[session_id][0].append(Reading(*reading))
    spans = ParkingSpan.objects.filter(session__in=stored).order_by("session_id", "started_at")
    for session_id, start, end in spans.values_list("session_id", "started_at", "ended_at"):
        stored[session_id][1].append((start, end))
    return stored


def _measured(session: ChargingSession, samples: list[Reading], spans: Spans, last: Reading | None) -> Measured:
    return Measured(
        session,
        tuple(_plausible(session, _as_registers(session, samples) + ([last] if last else []))),
        tuple((start, end) for start, end in spans if end is None or end > start),
    )


def stored_readings(session: ChargingSession) -> list[Reading]:
    """The registers that are stored of a session that has started, in the order of their time."""
    return _as_registers(session, _stored_of([session])[session.pk][0])


def _as_registers(session: ChargingSession, samples: list[Reading]) -> list[Reading]:
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


def has_intervals(session: ChargingSession) -> bool:
    return session.samples.filter(is_interval=True).exists()


def begin_of(session: ChargingSession) -> Reading:
    """The first reading. Raises ValueError for a session that has not started."""
    if session.started_at is None or session.meter_start is None:
        raise ValueError(f"session {session.pk} has not started")
    return Reading(session.started_at, session.meter_start)


def _plausible(session: ChargingSession, samples: Iterable[Reading]) -> Iterable[Reading]:
    """Start, samples and stop in time order, without values that contradict an earlier one or the stop."""
    began = begin_of(session)
    inside = [one for one in samples if one.at >= began.at and (session.ended_at is None or one.at < session.ended_at)]
    before = len(inside) - _count_after_reset(inside, began.register_wh)
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


def is_after_reset(session: ChargingSession, stop: Reading) -> bool:
    """Whether the register at the stop counts from a reset in the session."""
    began = begin_of(session)
    inside = [one for one in [*stored_readings(session), stop] if one.at >= began.at]
    return _count_after_reset(inside, began.register_wh) > 0


def _count_after_reset(samples: Sequence[Reading], start_wh: Decimal) -> int:
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


def price(measured: Measured, end: datetime, *, limit: Decimal | None) -> Priced:
    """The session as if it ended at `end`, for its driver never dearer than `limit` (gross)."""
    session = measured.session
    version, terms = session.tariff_version, session.retail_terms
    tariff = _tariff(session, limit)
    registers = [(reading.at, reading.register_wh) for reading in measured.readings]
    start = measured.readings[0].at
    # A charger's clock may be behind ours.
    reserved_from = None if session.reserved_at is None else min(session.reserved_at, start)
    periods = split_session(
        tariff, registers, measured.parking, start, end, session.time_zone, reserved_from=reserved_from
    )
    cost = price_periods(tariff, periods, end, session.time_zone).published() if version else None
    return Priced(end, tuple(periods), cost, terms)


def _tariff(session: ChargingSession, limit: Decimal | None) -> Tariff:
    """`limit` is the driver's."""
    version, terms = session.tariff_version, session.retail_terms
    if version is None:
        return _free(session.currency)
    return pricing_tariff(version, limit if limit is None or terms is None else terms.wholesale_limit(limit))


def price_unused(session: ChargingSession, end: datetime, *, has_expired: bool) -> Priced:
    """A reservation that ended without charging. Raises ValueError for a session that was not reserved."""
    if session.reserved_at is None:
        raise ValueError(f"session {session.pk} was not reserved")
    version, zone = session.tariff_version, session.time_zone
    tariff = _tariff(session, session.limit)
    periods = split_session(tariff, [(end, ZERO)], [], end, end, zone, reserved_from=session.reserved_at)
    if version is None:
        return Priced(end, tuple(periods), None, session.retail_terms)
    cost = price_periods(tariff, periods, end, zone, reservation_expired=has_expired).published()
    return Priced(end, tuple(periods), cost, session.retail_terms)


def _free(currency: str) -> Tariff:
    """A session without a tariff has periods all the same."""
    element = TariffElement((PriceComponent(Dimension.ENERGY, ZERO),))
    return Tariff(id="none", currency=currency, elements=(element,))


def price_now(measured: Measured, now: datetime) -> Priced:
    """The bill so far. A charger's clock may be ahead of ours: nothing ends before its last reading."""
    return price(measured, max(now, measured.last.at), limit=measured.session.limit)


def price_start(session: ChargingSession) -> Priced:
    """The bill at the first moment: what is charged once per session."""
    began = begin_of(session)
    return price(Measured(session, (began,), ()), began.at, limit=session.limit)


def write_progress(session: ChargingSession, priced: Priced) -> bool:
    """Sets energy, cost and periods on the session; False when nothing that others can see has changed."""
    version = session.tariff_version
    before = (session.kwh, session.total_cost_incl_vat, len(session.charging_periods))
    session.kwh = priced.kwh
    if priced.cost is not None:
        session.total_cost_excl_vat = ocpi_number(priced.cost.total.excl_vat)
        session.total_cost_incl_vat = ocpi_number(priced.cost.total.incl_vat)
        session.retail_total_incl_vat = priced.retail_total
    session.charging_periods = priced.to_ocpi(version.content["id"] if version else None)
    return before != (session.kwh, session.total_cost_incl_vat, len(session.charging_periods))


PROGRESS_FIELDS = (
    "kwh",
    "total_cost_excl_vat",
    "total_cost_incl_vat",
    "retail_total_incl_vat",
    "charging_periods",
    "last_updated",
)


def save_all(sessions: Sequence[ChargingSession], fields: Collection[str]) -> None:
    """Writes these fields of sessions that are there. Needs their locks."""
    if len(sessions) == 1:
        return sessions[0].save(update_fields=fields)
    # Each row is there, so that nothing is inserted: several rows are updated in one statement, which Django puts
    # together much faster than that of `bulk_update`.
    ChargingSession.objects.bulk_create(sessions, update_conflicts=True, unique_fields=["pk"], update_fields=fields)
    return None


def is_parked(measured: Measured) -> bool:
    """Whether the car asks for no power now."""
    return any(end is None for _, end in measured.parking)


def power_w(measured: Measured) -> Decimal:
    """The power to reckon with: what the charger last said, or what its register shows if that is more."""
    if is_parked(measured):
        return ZERO
    return max(measured.last.power_w or ZERO, _slope_w(measured.readings))


def _slope_w(readings: tuple[Reading, ...]) -> Decimal:
    """Over some seconds: the steps of a register are too coarse for less."""
    last = readings[-1]
    older = [reading for reading in readings if last.at - reading.at >= SHORTEST_SLOPE]
    before = older[-1] if older else readings[0]
    seconds = Decimal(str((last.at - before.at).total_seconds()))
    return (last.register_wh - before.register_wh) * HOUR / seconds if seconds >= 1 else ZERO


def meter_interval(measured: Measured) -> timedelta:
    """Time between the last two readings; zero as long as there is only the start."""
    if len(measured.readings) < 2:
        return timedelta(0)
    before, last = measured.readings[-2:]
    return last.at - before.at
