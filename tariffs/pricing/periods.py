"""Charging periods: read from OCPI, and cut from a session so that every price change starts one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

from tariffs.pricing.boundaries import as_seconds, clock_boundaries, to_millisecond
from tariffs.pricing.errors import PricingError
from tariffs.pricing.meter import Meter, Reading
from tariffs.pricing.reading import read_choice, read_instant, read_list, read_mapping, read_number
from tariffs.pricing.restrictions import ANY_POWER, ActiveComponents, Moment, PowerBounds, active_components, zone_of
from tariffs.pricing.rounding import json_number, truncated_hours, whole_watt_hours
from tariffs.pricing.tariff import Tariff

ZERO = Decimal(0)
WATT_HOURS_PER_KWH = Decimal(1000)

ParkingSpan = tuple[datetime, datetime | None]
"""From when to when the EV requests no power; None: it still does not."""


class CdrDimension(StrEnum):
    """OCPI CdrDimensionType; the ones without a price are read and passed over."""

    CURRENT = "CURRENT"
    ENERGY = "ENERGY"
    ENERGY_EXPORT = "ENERGY_EXPORT"
    ENERGY_IMPORT = "ENERGY_IMPORT"
    MAX_CURRENT = "MAX_CURRENT"
    MIN_CURRENT = "MIN_CURRENT"
    MAX_POWER = "MAX_POWER"
    MIN_POWER = "MIN_POWER"
    PARKING_TIME = "PARKING_TIME"
    POWER = "POWER"
    RESERVATION_TIME = "RESERVATION_TIME"
    STATE_OF_CHARGE = "STATE_OF_CHARGE"
    TIME = "TIME"


_PRICED = (CdrDimension.ENERGY, CdrDimension.TIME, CdrDimension.PARKING_TIME, CdrDimension.RESERVATION_TIME)


@dataclass(frozen=True, slots=True)
class ChargingPeriod:
    """One OCPI ChargingPeriod: kWh and hours as published; it ends where the next one starts."""

    start: datetime
    energy_kwh: Decimal = ZERO
    time_h: Decimal = ZERO
    parking_h: Decimal = ZERO
    reservation_h: Decimal = ZERO
    power: PowerBounds = ANY_POWER

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise PricingError("charging_periods.start_date_time", "must carry a time zone")
        if self.energy_kwh < 0 or self.time_h < 0 or self.parking_h < 0 or self.reservation_h < 0:
            raise PricingError("charging_periods.dimensions", "energy and times must not be negative")

    @property
    def is_reservation(self) -> bool:
        """Reserved time only: the EVSE is not yet in use."""
        return bool(self.reservation_h) and not (self.energy_kwh or self.time_h or self.parking_h)

    @classmethod
    def from_ocpi(cls, value: Any, path: str = "charging_periods") -> "ChargingPeriod":
        raw = read_mapping(value, path)
        volume = _volumes(read_list(raw.get("dimensions"), f"{path}.dimensions"), f"{path}.dimensions")
        return cls(
            read_instant(raw.get("start_date_time"), f"{path}.start_date_time"),
            volume.get(CdrDimension.ENERGY, ZERO),
            volume.get(CdrDimension.TIME, ZERO),
            volume.get(CdrDimension.PARKING_TIME, ZERO),
            volume.get(CdrDimension.RESERVATION_TIME, ZERO),
            PowerBounds(
                volume.get(CdrDimension.MIN_POWER),
                volume.get(CdrDimension.MAX_POWER),
                volume.get(CdrDimension.MIN_CURRENT),
                volume.get(CdrDimension.MAX_CURRENT),
            ),
        )

    def to_ocpi(self, tariff_id: str | None = None) -> dict[str, Any]:
        """Energy and its time are always written, even if they cost nothing."""
        if self.is_reservation:
            volumes = {CdrDimension.RESERVATION_TIME: self.reservation_h}
        elif self.parking_h:
            volumes = {CdrDimension.ENERGY: self.energy_kwh, CdrDimension.PARKING_TIME: self.parking_h}
        else:
            volumes = {CdrDimension.ENERGY: self.energy_kwh, CdrDimension.TIME: self.time_h}
        period: dict[str, Any] = {
            "start_date_time": written_instant(self.start),
            "dimensions": [{"type": kind.value, "volume": json_number(v)} for kind, v in volumes.items()],
        }
        if tariff_id is not None:
            period["tariff_id"] = tariff_id
        return period


def read_periods(value: Any) -> list[ChargingPeriod]:
    """The `charging_periods` of an OCPI Session or CDR."""
    raw = read_list(value, "charging_periods")
    return [ChargingPeriod.from_ocpi(one, f"charging_periods[{index}]") for index, one in enumerate(raw)]


def _volumes(dimensions: Iterable[Any], path: str) -> Mapping[CdrDimension, Decimal]:
    volumes: dict[CdrDimension, Decimal] = {}
    for index, value in enumerate(dimensions):
        at = f"{path}[{index}]"
        raw = read_mapping(value, at)
        kind = read_choice(raw.get("type"), CdrDimension, f"{at}.type")
        if kind in volumes:
            raise PricingError(f"{at}.type", f"{kind} is given twice in one period")
        volume = read_number(raw.get("volume"), f"{at}.volume")
        if volume < 0 and kind in _PRICED:
            raise PricingError(f"{at}.volume", f"{kind} must not be negative: {volume}")
        volumes[kind] = volume
    return volumes


def written_instant(instant: datetime) -> str:
    utc = instant.astimezone(UTC)
    precision = "milliseconds" if utc.microsecond else "seconds"
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


class _Phase(StrEnum):
    RESERVED = "RESERVED"
    CHARGING = "CHARGING"
    PARKED = "PARKED"


@dataclass(frozen=True, slots=True)
class _Session:
    """A session to be cut: every instant is UTC in whole milliseconds."""

    tariff: Tariff
    zone: tzinfo | None
    meter: Meter
    parked: Sequence[tuple[datetime, datetime]]
    begin: datetime
    start: datetime
    end: datetime

    def points(self) -> list[tuple[datetime, Decimal]]:
        """Instants at which a price may change, with the kWh to be published up to there."""
        instants = {self.begin, self.start, *(edge for span in self.parked for edge in span)}
        instants |= {self.begin + timedelta(seconds=one) for one in _thresholds(self.tariff, "duration")}
        if self.zone is not None:
            instants |= clock_boundaries(self.tariff, self.begin, self.end, self.zone)
        points = {(instant, self.kwh_at(instant)) for instant in instants}
        for kwh in _thresholds(self.tariff, "kwh"):
            reached = self.meter.reached_at(kwh * WATT_HOURS_PER_KWH)
            if reached is not None:
                points.add((reached, Decimal(kwh)))
        inside = sorted(point for point in points if self.begin <= point[0] < self.end)
        return inside or [(self.begin, ZERO)]

    def kwh_at(self, instant: datetime) -> Decimal:
        return whole_watt_hours(self.meter.consumed_before(instant)) / WATT_HOURS_PER_KWH

    @property
    def total_kwh(self) -> Decimal:
        return whole_watt_hours(self.meter.consumed_until(self.end)) / WATT_HOURS_PER_KWH

    def phase_at(self, instant: datetime) -> _Phase:
        if instant < self.start:
            return _Phase.RESERVED
        is_parked = any(since <= instant < until for since, until in self.parked)
        return _Phase.PARKED if is_parked else _Phase.CHARGING

    def active_at(self, instant: datetime, kwh: Decimal) -> tuple[ActiveComponents, ...]:
        moment = Moment(instant.astimezone(self.zone) if self.zone else None, kwh, instant - self.begin)
        if instant >= self.start:
            return (active_components(self.tariff.session_elements, moment),)
        # Whether the reservation will expire is not known yet.
        lists = (self.tariff.reservation_elements, self.tariff.expiry_elements)
        return tuple(active_components(elements, moment) for elements in lists)


def split_session(
    tariff: Tariff,
    readings: Iterable[Reading],
    parking_spans: Iterable[ParkingSpan],
    start: datetime,
    end: datetime,
    time_zone: tzinfo | str | None,
    *,
    reserved_from: datetime | None = None,
) -> list[ChargingPeriod]:
    """Cut a session wherever an active price component changes (2.2.1 mod_cdrs, ChargingPeriod).

    Readings are (instant, register in Wh) in order. Volumes are the ones to publish: energy in whole Wh, hours
    cut to four decimals cumulatively, so that a receiver who adds them up finds the same totals. A session that
    was reserved and never started has `end` equal to `start`. Raises PricingError.
    """
    if tariff.has_power:
        raise PricingError("elements.restrictions", "power and current cannot be told from register readings")
    first, last = to_millisecond(start), to_millisecond(end)
    begin = first if reserved_from is None else to_millisecond(reserved_from)
    if not begin <= first <= last:
        raise PricingError("end_date_time", "reservation, start and end must be in order")
    meter = Meter([(to_millisecond(instant), register) for instant, register in readings], first)
    parked = list(_parked(parking_spans, first, last))
    session = _Session(tariff, zone_of(tariff, time_zone), meter, parked, begin, first, last)
    return _periods(_steps(session), session)


@dataclass(frozen=True, slots=True)
class _Step:
    start: datetime
    kwh: Decimal
    phase: _Phase


def _steps(session: _Session) -> list[_Step]:
    """The points at which the phase or a component changes; the others would only make the CDR longer."""
    steps: list[_Step] = []
    kwh, previous = ZERO, None
    for instant, reached in session.points():
        kwh = max(kwh, reached)
        phase = session.phase_at(instant)
        state = (phase, session.active_at(instant, kwh))
        if state != previous:
            steps.append(_Step(instant, kwh, phase))
        previous = state
    return steps


def _periods(steps: list[_Step], session: _Session) -> list[ChargingPeriod]:
    final = _Step(session.end, max(steps[-1].kwh, session.total_kwh), steps[-1].phase)
    seconds = dict.fromkeys(_Phase, ZERO)
    periods = []
    for step, following in pairwise([*steps, final]):
        before = truncated_hours(seconds[step.phase])
        seconds[step.phase] += as_seconds(following.start - step.start)
        hours = truncated_hours(seconds[step.phase]) - before
        periods.append(
            ChargingPeriod(
                step.start,
                following.kwh - step.kwh,
                hours if step.phase is _Phase.CHARGING else ZERO,
                hours if step.phase is _Phase.PARKED else ZERO,
                hours if step.phase is _Phase.RESERVED else ZERO,
            )
        )
    return periods


def _thresholds(tariff: Tariff, unit: str) -> set[Any]:
    """The `min_` and `max_` values of all elements in "kwh" or seconds of "duration"."""
    values = (
        getattr(element.restrictions, f"{bound}_{unit}", None)
        for element in tariff.elements
        for bound in ("min", "max")
    )
    return {value for value in values if value is not None}


def _parked(spans: Iterable[ParkingSpan], start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    for since, until in spans:
        if until is not None and until < since:
            raise PricingError("parking_spans", f"ends before it begins: {since}")
        last = end if until is None else min(to_millisecond(until), end)
        yield max(to_millisecond(since), start), last
