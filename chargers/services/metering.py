"""From meter values to energy, charging periods and cost.

The periods are the ones that partners see, and the cost is the price of exactly those (one pricing path).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from chargers.models import ChargingSession, MeterSample
from chargers.services import clock
from chargers.services.events import Reading
from tariffs.pricing import (
    ChargingPeriod,
    Cost,
    Dimension,
    PriceComponent,
    Tariff,
    TariffElement,
    ocpi_number,
    price_periods,
    split_session,
)
from tariffs.services.versions import pricing_tariff

logger = logging.getLogger(__name__)

ZERO = Decimal(0)
WATT_HOURS_PER_KWH = Decimal(1000)
HOUR = Decimal(3600)
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
    """A session as if it ended at `end`; `cost` is None without a tariff."""

    end: datetime
    periods: tuple[ChargingPeriod, ...]
    cost: Cost | None

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
    samples = [
        MeterSample(session=session, at=one.at, register_wh=one.register_wh, power_w=one.power_w)
        for one in _placed(session, readings, now)
    ]
    MeterSample.objects.bulk_create(samples, ignore_conflicts=True)


def is_possible(session: ChargingSession, register_wh: Decimal, now: datetime) -> bool:
    """Whether a charger can have delivered so much since the session began."""
    began = begin_of(session)
    seconds = max(Decimal(str((now - began.at).total_seconds())), ZERO)
    return register_wh - began.register_wh <= LARGEST_BATTERY_WH + LARGEST_POWER_W * seconds / HOUR


def _placed(session: ChargingSession, readings: Iterable[Reading], now: datetime) -> Iterator[Reading]:
    """The readings by our clock. Energy that a wrong clock told of counts at the time it came."""
    began, strays = begin_of(session), []
    for one in readings:
        if one.power_w is not None and one.power_w > LARGEST_POWER_W:  # a fault of the meter; its register may be right
            one = replace(one, power_w=None)
        at = clock.place(session, one.at, now)
        if not is_possible(session, one.register_wh, now):
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
    rows = session.samples.order_by("at").values_list("at", "register_wh", "power_w")
    samples = [Reading(*row) for row in rows] + ([last] if last else [])
    spans = session.parking_spans.order_by("started_at").values_list("started_at", "ended_at")
    return Measured(
        session,
        tuple(_plausible(session, samples)),
        tuple((start, end) for start, end in spans if end is None or end > start),
    )


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
        yield from _run_on(register, inside[before:])


def _count_after_reset(samples: Sequence[Reading], start_wh: Decimal) -> int:
    """How many of the last values lie below the start: the register was reset, or it rolled over.

    A single value that fell is forgotten as soon as a higher one follows.
    """
    after = 0
    while after < len(samples) and samples[-1 - after].register_wh < start_wh:
        after += 1
    return after


def _run_on(register_wh: Decimal, samples: Iterable[Reading]) -> Iterator[Reading]:
    """What a meter counted after its reset, on top of what it had counted before; the step between is not billed."""
    lowest = highest = None
    for one in samples:
        if lowest is None or highest is None:
            lowest = highest = one.register_wh
        if one.register_wh >= highest:
            highest = one.register_wh
            yield replace(one, register_wh=register_wh + highest - lowest)


def price(measured: Measured, end: datetime, *, limit: Decimal | None) -> Priced:
    """The session as if it ended at `end`, never dearer than `limit` (gross)."""
    session = measured.session
    version = session.tariff_version
    tariff = pricing_tariff(version, limit) if version else _free(session.currency)
    registers = [(reading.at, reading.register_wh) for reading in measured.readings]
    start = measured.readings[0].at
    # A charger's clock may be behind ours.
    reserved_from = None if session.reserved_at is None else min(session.reserved_at, start)
    periods = split_session(
        tariff, registers, measured.parking, start, end, session.time_zone, reserved_from=reserved_from
    )
    cost = price_periods(tariff, periods, end, session.time_zone) if version else None
    return Priced(end, tuple(periods), cost)


def price_unused(session: ChargingSession, end: datetime, *, has_expired: bool) -> Priced:
    """A reservation that ended without charging. Raises ValueError for a session that was not reserved."""
    if session.reserved_at is None:
        raise ValueError(f"session {session.pk} was not reserved")
    version, zone = session.tariff_version, session.time_zone
    tariff = pricing_tariff(version, session.limit) if version else _free(session.currency)
    periods = split_session(tariff, [(end, ZERO)], [], end, end, zone, reserved_from=session.reserved_at)
    cost = price_periods(tariff, periods, end, zone, reservation_expired=has_expired) if version else None
    return Priced(end, tuple(periods), cost)


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
    session.charging_periods = priced.to_ocpi(version.content["id"] if version else None)
    return before != (session.kwh, session.total_cost_incl_vat, len(session.charging_periods))


PROGRESS_FIELDS = ("kwh", "total_cost_excl_vat", "total_cost_incl_vat", "charging_periods", "last_updated")


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
