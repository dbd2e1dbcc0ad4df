"""The price of charging periods under one tariff (2.2.1 mod_tariffs and mod_cdrs, step_size)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal

from tariffs.pricing.cost import ZERO, Cost, CostDimension, CostLine
from tariffs.pricing.errors import PricingError
from tariffs.pricing.meter import Reading
from tariffs.pricing.periods import ChargingPeriod, ParkingSpan, split_session
from tariffs.pricing.restrictions import ActiveComponents, Moment, active_components, zone_of
from tariffs.pricing.rounding import SECONDS_PER_HOUR
from tariffs.pricing.tariff import Price, PriceComponent, PriceLimit, Tariff

_ONE = Decimal(1)
_NOTHING = Price(ZERO, ZERO)
_WATT_HOURS_PER_KWH = Decimal(1000)

Used = list[tuple[PriceComponent, Decimal, int]]
"""Component, amount and the number of the period, in time order."""


@dataclass(slots=True)
class _Usage:
    """Priced volumes in time order: energy in Wh, times in seconds."""

    flat: Used = field(default_factory=list)
    reservation_flat: Used = field(default_factory=list)
    energy: Used = field(default_factory=list)
    time: Used = field(default_factory=list)
    parking: Used = field(default_factory=list)
    reservation: Used = field(default_factory=list)

    def add_session(self, index: int, period: ChargingPeriod, active: ActiveComponents) -> None:
        # A FLAT of zero settles the matter as well.
        if active.flat is not None and not self.flat:
            self.flat.append((active.flat, _ONE, index))
        if active.energy is not None and period.energy_kwh:
            self.energy.append((active.energy, period.energy_kwh * _WATT_HOURS_PER_KWH, index))
        if active.time is not None and period.time_h:
            self.time.append((active.time, period.time_h * SECONDS_PER_HOUR, index))
        if active.parking is not None and period.parking_h:
            self.parking.append((active.parking, period.parking_h * SECONDS_PER_HOUR, index))

    def add_reservation(self, index: int, period: ChargingPeriod, active: ActiveComponents) -> None:
        if active.flat is not None and not self.reservation_flat:
            self.reservation_flat.append((active.flat, _ONE, index))
        if active.time is not None:
            self.reservation.append((active.time, period.reservation_h * SECONDS_PER_HOUR, index))

    def round_to_steps(self) -> None:
        """Once for energy and once for the time of the session: parking if any was priced, else charging."""
        _round_up(self.energy)
        _round_up(self.parking or self.time)
        _round_up(self.reservation)


def price_periods(
    tariff: Tariff,
    periods: Sequence[ChargingPeriod],
    end: datetime,
    time_zone: tzinfo | str | None,
    *,
    reservation_expired: bool | None = None,
) -> Cost:
    """Price periods in time order that last until `end`, in the local time of the Location.

    Restrictions are evaluated once, at the start of each period. A reservation counts as expired if no charging
    follows; say so otherwise for one that still runs. Raises PricingError.
    """
    return _cost(tariff, _usage(tariff, periods, end, time_zone, reservation_expired))


def price_each_period(
    tariff: Tariff,
    periods: Sequence[ChargingPeriod],
    end: datetime,
    time_zone: tzinfo | str | None,
    *,
    reservation_expired: bool | None = None,
) -> tuple[Cost, list[list[CostLine]]]:
    """The cost as `price_periods` gives it, and for each period what is billed for it, free lines included.

    The last use of a dimension carries what its step_size adds; price limits act on the total only.
    """
    usage = _usage(tariff, periods, end, time_zone, reservation_expired)
    lines: list[list[CostLine]] = [[] for _ in periods]
    for dimension, used in _by_dimension(usage):
        for component, amount, index in used:
            excl = component.price * amount * _WEIGHTS[dimension]
            lines[index].append(_line(dimension, component, amount, excl, excl * component.vat_factor))
    return _cost(tariff, usage), lines


def cost_now(
    tariff: Tariff,
    readings: Iterable[Reading],
    parking_spans: Iterable[ParkingSpan],
    start: datetime,
    now: datetime,
    time_zone: tzinfo | str | None,
) -> Cost:
    """Price a running session as if it ended now."""
    periods = split_session(tariff, readings, parking_spans, start, now, time_zone)
    return price_periods(tariff, periods, now, time_zone)


def _check_order(periods: Sequence[ChargingPeriod], end: datetime) -> None:
    if not periods:
        raise PricingError("charging_periods", "must hold at least one period")
    previous = periods[0].start
    for index, period in enumerate(periods):
        if period.start < previous:
            field = f"charging_periods[{index}].start_date_time"
            raise PricingError(field, f"out of order: {period.start} after {previous}")
        previous = period.start
    if end.tzinfo is None:
        raise PricingError("end_date_time", "must carry a time zone")
    if end < previous:
        raise PricingError("end_date_time", f"lies before the last period, {previous}")


def _usage(
    tariff: Tariff,
    periods: Sequence[ChargingPeriod],
    end: datetime,
    time_zone: tzinfo | str | None,
    reservation_expired: bool | None,
) -> _Usage:
    _check_order(periods, end)
    if reservation_expired is None:
        reservation_expired = all(period.is_reservation for period in periods)
    usage = _Usage()
    zone = zone_of(tariff, time_zone)
    reserved = tariff.expiry_elements if reservation_expired else tariff.reservation_elements
    begin, kwh = periods[0].start, ZERO
    for index, period in enumerate(periods):
        start = period.start
        moment = Moment(start.astimezone(zone) if zone else None, kwh, start - begin, period.power)
        if period.reservation_h:
            usage.add_reservation(index, period, active_components(reserved, moment))
        if not (period.reservation_h and period.is_reservation):
            usage.add_session(index, period, active_components(tariff.session_elements, moment))
        kwh += period.energy_kwh
    usage.round_to_steps()
    return usage


def _round_up(used: Used) -> None:
    """Round the priced total up to the step of the last component, which also prices the difference."""
    if not used:
        return
    component, last, index = used[-1]
    if component.step_size:
        excess = sum([amount for _, amount, _ in used], ZERO) % component.step_size
        if excess:
            used[-1] = (component, last + component.step_size - excess, index)


# Sums are kept in price x seconds and divided once at the end: thirds of an hour then add up exactly, and a
# total that lies on half a cent is seen as such.
_UNITS = {
    CostDimension.FLAT: _ONE,
    CostDimension.ENERGY: _WATT_HOURS_PER_KWH,
    CostDimension.TIME: SECONDS_PER_HOUR,
    CostDimension.PARKING_TIME: SECONDS_PER_HOUR,
    CostDimension.RESERVATION_FLAT: _ONE,
    CostDimension.RESERVATION_TIME: SECONDS_PER_HOUR,
}
_WEIGHTS = {dimension: SECONDS_PER_HOUR / unit for dimension, unit in _UNITS.items()}


def _cost(tariff: Tariff, usage: _Usage) -> Cost:
    lines: list[CostLine] = []
    parts: dict[CostDimension, Price] = {}
    rates: dict[Decimal | None, Decimal] = {}
    total_excl = total_incl = ZERO
    for dimension, used in _by_dimension(usage):
        weight = _WEIGHTS[dimension]
        part_excl = part_incl = ZERO
        for component, amount in _merged(used):
            excl = component.price * amount * weight
            incl = excl * component.vat_factor
            part_excl, part_incl = part_excl + excl, part_incl + incl
            rates[component.vat] = rates.get(component.vat, ZERO) + incl
            lines.append(_line(dimension, component, amount, excl, incl))
        total_excl, total_incl = total_excl + part_excl, total_incl + part_incl
        parts[dimension] = _price(part_excl, part_incl)
    subtotal = _price(total_excl, total_incl)
    return Cost(
        tariff.currency,
        tuple(lines),
        fixed=parts.get(CostDimension.FLAT, _NOTHING),
        energy=parts.get(CostDimension.ENERGY, _NOTHING),
        time=parts.get(CostDimension.TIME, _NOTHING),
        parking=parts.get(CostDimension.PARKING_TIME, _NOTHING),
        reservation=_reservation(parts),
        subtotal=subtotal,
        total=_limited(subtotal, tariff.min_price, tariff.max_price),
        gross_by_rate=tuple((rate, amount / SECONDS_PER_HOUR) for rate, amount in rates.items()),
    )


def _by_dimension(usage: _Usage) -> Iterator[tuple[CostDimension, Used]]:
    """What was used, in the order of a bill."""
    if usage.reservation_flat:
        yield CostDimension.RESERVATION_FLAT, usage.reservation_flat
    if usage.reservation:
        yield CostDimension.RESERVATION_TIME, usage.reservation
    if usage.flat:
        yield CostDimension.FLAT, usage.flat
    if usage.energy:
        yield CostDimension.ENERGY, usage.energy
    if usage.time:
        yield CostDimension.TIME, usage.time
    if usage.parking:
        yield CostDimension.PARKING_TIME, usage.parking


def _merged(used: Used) -> list[tuple[PriceComponent, Decimal]]:
    """One entry per price and VAT; what is free needs no line."""
    merged: list[tuple[PriceComponent, Decimal]] = []
    for component, amount, _ in used:
        if not component.price:
            continue
        for index, (known, total) in enumerate(merged):
            # There are few: comparing decimals is faster than hashing them.
            if known is component or (known.price == component.price and known.vat == component.vat):
                merged[index] = (known, total + amount)
                break
        else:
            merged.append((component, amount))
    return merged


def _line(
    dimension: CostDimension, component: PriceComponent, amount: Decimal, excl: Decimal, incl: Decimal
) -> CostLine:
    quantity = amount / _UNITS[dimension]
    hour = SECONDS_PER_HOUR
    return CostLine(dimension, component.price, component.vat, quantity, excl / hour, incl / hour)


def _reservation(parts: Mapping[CostDimension, Price]) -> Price:
    fee = parts.get(CostDimension.RESERVATION_FLAT, _NOTHING)
    time = parts.get(CostDimension.RESERVATION_TIME, _NOTHING)
    return fee if time is _NOTHING else Price(fee.excl_vat + time.excl_vat, fee.incl_vat + time.incl_vat)


def _price(excl: Decimal, incl: Decimal) -> Price:
    return Price(excl / SECONDS_PER_HOUR, incl / SECONDS_PER_HOUR)


def _limited(price: Price, least: PriceLimit | None, most: PriceLimit | None) -> Price:
    """Net and gross are limited each for itself (2.2.1 mod_tariffs, notes on min_price and max_price)."""
    if least is None and most is None:
        return price
    excl, incl = price.excl_vat, price.incl_vat
    if least is not None:
        excl = max(excl, least.excl_vat)
        incl = incl if least.incl_vat is None else max(incl, least.incl_vat)
    if most is not None:
        excl = min(excl, most.excl_vat)
        incl = incl if most.incl_vat is None else min(incl, most.incl_vat)
    return Price(excl, incl)
