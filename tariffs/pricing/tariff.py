"""An OCPI 2.2.1 Tariff as values: read once, checked once, priced many times."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from tariffs.pricing.errors import PricingError
from tariffs.pricing.reading import (
    read_amount,
    read_choice,
    read_count,
    read_date,
    read_instant,
    read_list,
    read_mapping,
    read_text,
    read_time,
)
from tariffs.pricing.rounding import json_number


class Dimension(StrEnum):
    """OCPI TariffDimensionType."""

    ENERGY = "ENERGY"
    FLAT = "FLAT"
    PARKING_TIME = "PARKING_TIME"
    TIME = "TIME"


class DayOfWeek(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReservationRestriction(StrEnum):
    """OCPI ReservationRestrictionType."""

    RESERVATION = "RESERVATION"
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"


WEEK = tuple(DayOfWeek)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """A minimum or maximum of a session; without `incl_vat` only the net total is limited."""

    excl_vat: Decimal
    incl_vat: Decimal | None = None

    @classmethod
    def from_ocpi(cls, value: Any, path: str) -> "PriceLimit":
        raw = read_mapping(value, path)
        incl_vat = raw.get("incl_vat")
        return cls(
            read_amount(raw.get("excl_vat"), f"{path}.excl_vat"),
            None if incl_vat is None else read_amount(incl_vat, f"{path}.incl_vat"),
        )

    def to_ocpi(self) -> dict[str, float]:
        limit = {"excl_vat": json_number(self.excl_vat)}
        if self.incl_vat is not None:
            limit["incl_vat"] = json_number(self.incl_vat)
        return limit


@dataclass(frozen=True, slots=True)
class Price(PriceLimit):
    """An amount without and with VAT, unrounded unless it says otherwise."""

    incl_vat: Decimal


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """Net price per kWh, hour or session; `step_size` in Wh or seconds, 0 rounds nothing."""

    type: Dimension
    price: Decimal
    vat: Decimal | None = None
    step_size: int = 1
    vat_factor: Decimal = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("price", "vat", "step_size"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise PricingError(f"price_components.{name}", f"must not be negative: {value}")
        object.__setattr__(self, "vat_factor", 1 + (self.vat or Decimal(0)) / 100)

    @classmethod
    def from_ocpi(cls, value: Any, path: str) -> "PriceComponent":
        raw = read_mapping(value, path)
        vat = raw.get("vat")
        return cls(
            read_choice(raw.get("type"), Dimension, f"{path}.type"),
            read_amount(raw.get("price"), f"{path}.price"),
            None if vat is None else read_amount(vat, f"{path}.vat"),
            read_count(raw.get("step_size", 1), f"{path}.step_size"),
        )

    def to_ocpi(self) -> dict[str, Any]:
        component = {"type": self.type.value, "price": json_number(self.price), "step_size": self.step_size}
        if self.vat is not None:
            component["vat"] = json_number(self.vat)
        return component


@dataclass(frozen=True, slots=True)
class Restrictions:
    """OCPI TariffRestrictions: local wall time, kWh, A, kW, seconds; all that are set must match."""

    start_time: time | None = None
    end_time: time | None = None
    start_date: date | None = None
    end_date: date | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: tuple[DayOfWeek, ...] = ()
    reservation: ReservationRestriction | None = None
    has_clock: bool = field(init=False, repr=False, compare=False)
    has_amount: bool = field(init=False, repr=False, compare=False)
    has_power: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        clock = (self.start_time, self.end_time, self.start_date, self.end_date)
        amount = (self.min_kwh, self.max_kwh, self.min_duration, self.max_duration)
        power = (self.min_current, self.max_current, self.min_power, self.max_power)
        object.__setattr__(self, "has_clock", bool(self.day_of_week) or _any_set(clock))
        object.__setattr__(self, "has_amount", _any_set(amount))
        object.__setattr__(self, "has_power", _any_set(power))

    @classmethod
    def from_ocpi(cls, value: Any, path: str) -> "Restrictions":
        read: dict[str, Any] = {}
        for name, one in read_mapping(value, path).items():
            # A condition that is not understood cannot be left out: the price would be another one.
            if name not in _RESTRICTION_READERS:
                raise PricingError(f"{path}.{name}", "unknown restriction")
            if one is not None:
                read[name] = _RESTRICTION_READERS[name](one, f"{path}.{name}")
        return cls(**read)

    def to_ocpi(self) -> dict[str, Any]:
        """The fields that are set, in the order of the specification."""
        written = {name: _written(getattr(self, name)) for name in _RESTRICTION_READERS}
        return {name: value for name, value in written.items() if value is not None}


def _read_days(value: Any, path: str) -> tuple[DayOfWeek, ...]:
    return tuple(read_choice(day, DayOfWeek, path) for day in read_list(value, path))


def _read_reservation(value: Any, path: str) -> ReservationRestriction:
    return read_choice(value, ReservationRestriction, path)


_RESTRICTION_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("start_time", "end_time"), read_time),
    **dict.fromkeys(("start_date", "end_date"), read_date),
    **dict.fromkeys(("min_kwh", "max_kwh", "min_current", "max_current"), read_amount),
    **dict.fromkeys(("min_power", "max_power"), read_amount),
    **dict.fromkeys(("min_duration", "max_duration"), read_count),
    "day_of_week": _read_days,
    "reservation": _read_reservation,
}


def _any_set(values: Iterable[object]) -> bool:
    return any(value is not None for value in values)


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [day.value for day in value] or None
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return json_number(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True)
class TariffElement:
    """Price components under one set of restrictions; of several of one type the first counts."""

    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions | None = None
    flat: PriceComponent | None = field(init=False, repr=False, compare=False)
    energy: PriceComponent | None = field(init=False, repr=False, compare=False)
    time: PriceComponent | None = field(init=False, repr=False, compare=False)
    parking: PriceComponent | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        first = {component.type: component for component in reversed(self.price_components)}
        object.__setattr__(self, "flat", first.get(Dimension.FLAT))
        object.__setattr__(self, "energy", first.get(Dimension.ENERGY))
        object.__setattr__(self, "time", first.get(Dimension.TIME))
        object.__setattr__(self, "parking", first.get(Dimension.PARKING_TIME))

    @property
    def reservation(self) -> ReservationRestriction | None:
        return self.restrictions.reservation if self.restrictions else None

    @classmethod
    def from_ocpi(cls, value: Any, path: str) -> "TariffElement":
        raw = read_mapping(value, path)
        components = read_list(raw.get("price_components"), f"{path}.price_components")
        if not components:
            raise PricingError(f"{path}.price_components", "must hold at least one component")
        restrictions = raw.get("restrictions")
        return cls(
            tuple(
                PriceComponent.from_ocpi(component, f"{path}.price_components[{index}]")
                for index, component in enumerate(components)
            ),
            None if restrictions in (None, {}) else Restrictions.from_ocpi(restrictions, f"{path}.restrictions"),
        )

    def to_ocpi(self) -> dict[str, Any]:
        element: dict[str, Any] = {"price_components": [component.to_ocpi() for component in self.price_components]}
        if self.restrictions is not None:
            element["restrictions"] = self.restrictions.to_ocpi()
        return element


@dataclass(frozen=True, slots=True)
class Tariff:
    """What is needed of an OCPI Tariff to price a session. Validity is UTC, start inclusive, end exclusive."""

    id: str
    currency: str
    elements: tuple[TariffElement, ...]
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    session_elements: tuple[TariffElement, ...] = field(init=False, repr=False, compare=False)
    reservation_elements: tuple[TariffElement, ...] = field(init=False, repr=False, compare=False)
    expiry_elements: tuple[TariffElement, ...] = field(init=False, repr=False, compare=False)
    has_clock: bool = field(init=False, repr=False, compare=False)
    has_power: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.elements:
            raise PricingError("elements", "must hold at least one element")
        kinds: dict[ReservationRestriction | None, list[TariffElement]] = {}
        for element in self.elements:
            kinds.setdefault(element.reservation, []).append(element)
        reserved = kinds.get(ReservationRestriction.RESERVATION, [])
        expired = kinds.get(ReservationRestriction.RESERVATION_EXPIRES, [])
        restrictions = [element.restrictions for element in self.elements if element.restrictions]
        object.__setattr__(self, "session_elements", tuple(kinds.get(None, ())))
        object.__setattr__(self, "reservation_elements", tuple(reserved))
        # An expired reservation keeps the prices of the reservation where no expiry price replaces them
        # (2.2.1 mod_tariffs, example 17: 4.00 flat for the expiry plus the reserved hour).
        object.__setattr__(self, "expiry_elements", (*expired, *reserved))
        object.__setattr__(self, "has_clock", any(one.has_clock for one in restrictions))
        object.__setattr__(self, "has_power", any(one.has_power for one in restrictions))

    @classmethod
    def from_ocpi(cls, value: Any) -> "Tariff":
        """Read an OCPI 2.2.1 Tariff; numbers are read with four decimals. Raises PricingError."""
        raw = read_mapping(value, "tariff")
        elements = read_list(raw.get("elements"), "elements")
        return cls(
            id=read_text(raw.get("id"), "id"),
            currency=read_text(raw.get("currency"), "currency"),
            elements=tuple(
                TariffElement.from_ocpi(element, f"elements[{index}]") for index, element in enumerate(elements)
            ),
            min_price=_if_set(PriceLimit.from_ocpi, raw, "min_price"),
            max_price=_if_set(PriceLimit.from_ocpi, raw, "max_price"),
            start_date_time=_if_set(read_instant, raw, "start_date_time"),
            end_date_time=_if_set(read_instant, raw, "end_date_time"),
        )

    def is_valid_at(self, instant: datetime) -> bool:
        """A session keeps the tariff that is valid when it starts."""
        return (self.start_date_time is None or self.start_date_time <= instant) and (
            self.end_date_time is None or instant < self.end_date_time
        )


def _if_set(read: Callable[[Any, str], Value], raw: Mapping[str, Any], name: str) -> Value | None:
    return None if raw.get(name) is None else read(raw[name], name)
