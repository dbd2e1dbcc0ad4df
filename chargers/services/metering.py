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
from chargers.services import clock, registers
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
SHORTEST_SLOPE = timedelta(seconds=5)


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


def _placed(session: ChargingSession, readings: Iterable[Reading], now: datetime) -> Iterator[Reading]:
    """The readings by our clock. Energy that a wrong clock told of counts at the time it came."""
    began, strays = registers.begin_of(session), []
    for one in readings:
        # A fault of the meter; its register may be right.
        if one.power_w is not None and one.power_w > registers.LARGEST_POWER_W:
            one = replace(one, power_w=None)
        at = clock.place(session, one.at, now)
        if one.is_interval:
            # Not at the time it came: told again, it would count twice.
            if at is not None and registers.is_possible(session, began.register_wh + one.register_wh, now):
                yield replace(one, at=at)
        elif not registers.is_possible(session, one.register_wh, now):
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
        tuple(registers.plausible(session, registers.as_registers(session, samples) + ([last] if last else []))),
        tuple((start, end) for start, end in spans if end is None or end > start),
    )


def stored_readings(session: ChargingSession) -> list[Reading]:
    """The registers that are stored of a session that has started, in the order of their time."""
    return registers.as_registers(session, _stored_of([session])[session.pk][0])


def has_intervals(session: ChargingSession) -> bool:
    return session.samples.filter(is_interval=True).exists()


def is_after_reset(session: ChargingSession, stop: Reading) -> bool:
    """Whether the register at the stop counts from a reset in the session."""
    began = registers.begin_of(session)
    inside = [one for one in [*stored_readings(session), stop] if one.at >= began.at]
    return registers.count_after_reset(inside, began.register_wh) > 0


def price(measured: Measured, end: datetime, *, limit: Decimal | None) -> Priced:
    """The session as if it ended at `end`, for its driver never dearer than `limit` (gross)."""
    session = measured.session
    version, terms = session.tariff_version, session.retail_terms
    tariff = _tariff(session, limit)
    counted = [(reading.at, reading.register_wh) for reading in measured.readings]
    start = measured.readings[0].at
    # A charger's clock may be behind ours.
    reserved_from = None if session.reserved_at is None else min(session.reserved_at, start)
    periods = split_session(
        tariff, counted, measured.parking, start, end, session.time_zone, reserved_from=reserved_from
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


def costs_at(measured: Measured, readings: Sequence[Reading]) -> list[Decimal]:
    """What the session cost (gross, wholesale) when each of these readings came; zero without a tariff.

    Reckoned with these readings alone, so that it takes no longer after a night of them.
    """
    costs = []
    for number, last in enumerate(readings, start=1):
        parking = tuple(
            (start, end if end and end < last.at else None) for start, end in measured.parking if start < last.at
        )
        so_far = Measured(measured.session, tuple(readings[:number]), parking)
        priced = price(so_far, last.at, limit=measured.session.limit)
        costs.append(priced.cost.total.incl_vat if priced.cost else ZERO)
    return costs


def price_start(session: ChargingSession) -> Priced:
    """The bill at the first moment: what is charged once per session."""
    began = registers.begin_of(session)
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
