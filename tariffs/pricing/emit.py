"""Tariff details as staff enter them, written as OCPI tariff elements that every receiver prices alike.

OCPI looks up each dimension for itself, so every element carries all four components, zeros included; a detail's
hours become windows that never wrap over midnight, because receivers read wrapped windows differently.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from tariffs.choices import Recurrence
from tariffs.pricing.errors import PricingError
from tariffs.pricing.rounding import ocpi_number
from tariffs.pricing.tariff import (
    WEEK,
    DayOfWeek,
    Dimension,
    Price,
    PriceComponent,
    ReservationRestriction,
    Restrictions,
    TariffElement,
)

_DAY = timedelta(days=1)
_MIDNIGHT = time()
_ALWAYS = Restrictions()


@dataclass(frozen=True, slots=True)
class DetailPrice:
    """Net price per kWh, hour or session; None is zero. `vat` in percent, `step_size` in Wh or seconds."""

    price: Decimal | None = None
    vat: Decimal | None = None
    step_size: int = 1


_EMPTY = DetailPrice()


@dataclass(frozen=True, slots=True)
class Detail:
    """Prices for some hours, in naive local time of the Location: start inclusive, stop exclusive.

    ONE_TIME lasts from start to stop. DAILY takes the window from the times of day and the range from the dates,
    and the part of a window after midnight belongs to the day on which the window started. An open side has no
    end. No weekdays means every day.
    """

    id: int | str
    priority: int = 0
    recurrence: Recurrence = Recurrence.DAILY
    start: datetime | None = None
    stop: datetime | None = None
    weekdays: tuple[DayOfWeek, ...] = ()
    energy: DetailPrice = _EMPTY
    charge_time: DetailPrice = _EMPTY
    park_time: DetailPrice = _EMPTY
    flat: DetailPrice = _EMPTY
    reservation_time: DetailPrice = _EMPTY

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            value = getattr(self, name)
            if value is not None and value.tzinfo is not None:
                raise PricingError(f"details.{name}", "must be local time without a zone")
            if value is not None and (value.second or value.microsecond):
                raise PricingError(f"details.{name}", "must be a whole minute")
            if value is not None and value.year == date.max.year:
                raise PricingError(f"details.{name}", f"lies too far ahead: {value}. Leave it empty for no end")

    @property
    def prices(self) -> tuple[DetailPrice, ...]:
        return (self.energy, self.charge_time, self.park_time, self.flat, self.reservation_time)


def emit_elements(details: Iterable[Detail]) -> list[TariffElement]:
    """The `elements` of the OCPI Tariff: reservations, details by priority, and a free fallback.

    The fallback makes uncovered time free and settles FLAT at the start of the session. Reservation elements are
    left out where nothing is charged for them: receivers that ignore `reservation` would misprice charging.
    """
    ordered = sorted(details, key=_rank)
    windows = [(detail, window) for detail in ordered for window in _windows(detail)]
    elements: list[TariffElement] = []
    if any(detail.reservation_time.price for detail in ordered):
        elements += [
            _reservation_element(detail, window, kind) for detail, window in windows for kind in ReservationRestriction
        ]
    elements += [_element(detail, window) for detail, window in windows]
    return [*elements, _element(Detail(id=""), _ALWAYS)]


def max_limit(gross: Decimal, details: Iterable[Detail]) -> Price:
    """A gross maximum as OCPI Price whose gross side is the one that binds: net at the lowest VAT rate in use."""
    return _limit(gross, min(_rates(details), default=Decimal(0)))


def min_limit(gross: Decimal, details: Iterable[Detail]) -> Price:
    """A gross minimum likewise: net at the highest rate, which no session stays below that reaches the gross."""
    return _limit(gross, max(_rates(details), default=Decimal(0)))


def _rates(details: Iterable[Detail]) -> Iterator[Decimal]:
    return (price.vat or Decimal(0) for detail in details for price in detail.prices if price.price)


def _limit(gross: Decimal, rate: Decimal) -> Price:
    return Price(ocpi_number(gross / (1 + rate / 100)), ocpi_number(gross))


def _rank(detail: Detail) -> tuple[int, int, str]:
    """Highest priority first; equal priorities by id, numbers as numbers."""
    return (-detail.priority, detail.id if isinstance(detail.id, int) else 0, str(detail.id))


def _element(detail: Detail, window: Restrictions) -> TariffElement:
    components = (
        _component(Dimension.FLAT, detail.flat),
        _component(Dimension.ENERGY, detail.energy),
        _component(Dimension.TIME, detail.charge_time),
        _component(Dimension.PARKING_TIME, detail.park_time),
    )
    return TariffElement(components, None if window == _ALWAYS else window)


def _reservation_element(detail: Detail, window: Restrictions, kind: ReservationRestriction) -> TariffElement:
    component = _component(Dimension.TIME, detail.reservation_time)
    return TariffElement((component,), replace(window, reservation=kind))


def _component(kind: Dimension, price: DetailPrice) -> PriceComponent:
    # Rounded here so that what is priced is what is published.
    vat = None if price.vat is None else ocpi_number(price.vat)
    return PriceComponent(kind, ocpi_number(price.price or Decimal(0)), vat, price.step_size)


def _windows(detail: Detail) -> Iterator[Restrictions]:
    """The detail's hours as restrictions that neither wrap over midnight nor contain 00:00."""
    is_once = detail.recurrence == Recurrence.ONE_TIME
    windows = _one_time_windows(detail) if is_once else _daily_windows(detail)
    return (window for window in windows if not _is_empty(window))


def _is_empty(window: Restrictions) -> bool:
    """A window on no date or, within its day, at no time."""
    if window.start_date and window.end_date and window.start_date >= window.end_date:
        return True
    return bool(window.start_time and window.end_time and window.start_time >= window.end_time)


def _one_time_windows(detail: Detail) -> Iterator[Restrictions]:
    start, stop = detail.start, detail.stop
    if start and stop and start >= stop:
        return
    first, opens = _date_and_time(start)
    last, closes = _date_and_time(stop)
    if first and first == last:
        yield Restrictions(opens, closes, first, first + _DAY)
        return
    middle = first
    if first and opens:
        middle = first + _DAY
        yield Restrictions(opens, None, first, middle)
    yield Restrictions(None, None, middle, last)
    if last and closes:
        yield Restrictions(None, closes, last, last + _DAY)


def _daily_windows(detail: Detail) -> Iterator[Restrictions]:
    first, opens = _date_and_time(detail.start)
    last, closes = _date_and_time(detail.stop)
    days = _in_week_order(detail.weekdays)
    if closes is None:
        # Until midnight: the stop's own date has no window any more.
        yield Restrictions(opens, None, first, last, day_of_week=days)
    elif opens is None or opens < closes:
        yield Restrictions(opens, closes, first, _next(last), day_of_week=days)
    else:
        yield Restrictions(opens, None, first, last, day_of_week=days)
        shifted = _in_week_order([WEEK[(WEEK.index(day) + 1) % 7] for day in days])
        yield Restrictions(None, closes, _next(first), _next(last), day_of_week=shifted)


def _date_and_time(instant: datetime | None) -> tuple[date | None, time | None]:
    """Date and time of day; 00:00 is None, since it is never written."""
    if instant is None:
        return None, None
    return instant.date(), None if instant.time() == _MIDNIGHT else instant.time()


def _next(day: date | None) -> date | None:
    return None if day is None else day + _DAY


def _in_week_order(days: Sequence[DayOfWeek]) -> tuple[DayOfWeek, ...]:
    """Monday first; empty where every day is meant."""
    return () if len(set(days)) == len(WEEK) else tuple(day for day in WEEK if day in days)
