"""Which price components are active at one instant of a session."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from tariffs.pricing.errors import PricingError
from tariffs.pricing.reading import read_text
from tariffs.pricing.tariff import WEEK, PriceComponent, Restrictions, Tariff, TariffElement

_MIDNIGHT = time()

Bound = TypeVar("Bound", Decimal, timedelta)


class PowerBounds(NamedTuple):
    """Least and greatest power (kW) and current (A, all phases) of a period; None restricts nothing."""

    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None


ANY_POWER = PowerBounds()


class Moment(NamedTuple):
    """The start of a period: wall time at the Location, kWh consumed and time elapsed before it."""

    local: datetime | None
    kwh: Decimal
    elapsed: timedelta
    power: PowerBounds = ANY_POWER


class ActiveComponents(NamedTuple):
    flat: PriceComponent | None
    energy: PriceComponent | None
    time: PriceComponent | None
    parking: PriceComponent | None


def active_components(elements: Iterable[TariffElement], moment: Moment) -> ActiveComponents:
    """Per dimension the component of the first matching element that has one (2.2.1 mod_tariffs, Tariff)."""
    flat = energy = time_ = parking = None
    for element in elements:
        if element.restrictions is not None and not matches(element.restrictions, moment):
            continue
        flat = flat or element.flat
        energy = energy or element.energy
        time_ = time_ or element.time
        parking = parking or element.parking
        if flat and energy and time_ and parking:
            break
    return ActiveComponents(flat, energy, time_, parking)


def matches(restrictions: Restrictions, moment: Moment) -> bool:
    """Whether all restrictions hold at the moment; lower bounds are inclusive, upper ones exclusive."""
    if restrictions.has_clock and not _clock_matches(restrictions, moment.local):
        return False
    if restrictions.has_amount and not _amounts_match(restrictions, moment):
        return False
    return not restrictions.has_power or _power_matches(restrictions, moment.power)


def _clock_matches(restrictions: Restrictions, local: datetime | None) -> bool:
    if local is None:
        raise PricingError("time_zone", "is needed: the tariff depends on local time")
    today = local.date()
    if restrictions.start_date is not None and today < restrictions.start_date:
        return False
    if restrictions.end_date is not None and today >= restrictions.end_date:
        return False
    if restrictions.day_of_week and WEEK[today.weekday()] not in restrictions.day_of_week:
        return False
    return _is_in_window(restrictions.start_time, restrictions.end_time, local.time())


def _is_in_window(start: time | None, end: time | None, now: time) -> bool:
    """Equal start and end match never; an end of 00:00 is the end of the day."""
    if end is None or end == _MIDNIGHT:
        return start is None or now >= start
    if start is None or start <= end:
        return (start is None or now >= start) and now < end
    return now >= start or now < end


def _amounts_match(restrictions: Restrictions, moment: Moment) -> bool:
    return _is_within(moment.kwh, restrictions.min_kwh, restrictions.max_kwh) and _is_within(
        moment.elapsed, _seconds(restrictions.min_duration), _seconds(restrictions.max_duration)
    )


def _power_matches(restrictions: Restrictions, power: PowerBounds) -> bool:
    return (
        _is_within(power.min_power, restrictions.min_power, None)
        and _is_within(power.max_power, None, restrictions.max_power)
        and _is_within(power.min_current, restrictions.min_current, None)
        and _is_within(power.max_current, None, restrictions.max_current)
    )


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


def _is_within(value: Bound | None, least: Bound | None, limit: Bound | None) -> bool:
    if value is None:
        return True
    return (least is None or value >= least) and (limit is None or value < limit)


def zone_of(tariff: Tariff, time_zone: tzinfo | str | None) -> tzinfo | None:
    """The zone to read restrictions in, or None where the tariff does not depend on local time."""
    if not tariff.has_clock:
        return None
    if not time_zone:
        raise PricingError("time_zone", "is needed: the tariff depends on local time")
    return time_zone if isinstance(time_zone, tzinfo) else read_time_zone(time_zone)


def read_time_zone(value: Any) -> tzinfo:
    """An IANA time zone by its name."""
    name = read_text(value, "time_zone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise PricingError("time_zone", f"is no IANA time zone: {name!r}") from None
