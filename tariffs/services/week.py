"""Which detail of a tariff applies when, in one week of local time: what the week view draws and says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from tariffs.pricing import Detail, DetailPrice, Dimension, PriceComponent, Tariff, TariffElement, emit_elements
from tariffs.pricing.boundaries import clock_boundaries
from tariffs.pricing.restrictions import Moment, active_components

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
MINUTES_PER_DAY = 24 * 60
_SECOND = timedelta(seconds=1)


class Timetable:
    """Tells the detail that applies at an instant, from the elements that are published and the engine that prices.

    It is a tariff with the hours of the details in which the FLAT price is the number of the detail: whichever
    FLAT the engine finds active names the winner, and the zero of the free fallback names none.
    """

    def __init__(self, details: Sequence[Detail]) -> None:
        self._details = tuple(details)
        numbered = [
            replace(detail, flat=DetailPrice(Decimal(number)), reservation_time=DetailPrice())
            for number, detail in enumerate(self._details, start=1)
        ]
        self.tariff = Tariff(id="hours", currency="XXX", elements=tuple(emit_elements(numbered)))

    def detail_at(self, instant: datetime, zone: tzinfo) -> Detail | None:
        """None where no detail applies: charging is free."""
        moment = Moment(instant.astimezone(zone), kwh=Decimal(0), elapsed=timedelta())
        flat = active_components(self.tariff.session_elements, moment).flat
        number = int(flat.price) if flat else 0
        return self._details[number - 1] if number else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a day with one winner: `since` and `until` in UTC, and wall-clock minutes after 00:00.

    `passing` is 1 and 2 in an hour that the clocks repeat, else 0.
    """

    since: datetime
    until: datetime
    first_minute: int
    last_minute: int
    detail: Detail | None
    passing: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One local day; `skipped` are the wall-clock minutes that the clocks leave out."""

    date: date
    hours: Decimal
    stretches: tuple[Stretch, ...]
    skipped: tuple[tuple[int, int], ...] = ()

    @property
    def has_repeated(self) -> bool:
        return any(stretch.passing for stretch in self.stretches)


@dataclass(frozen=True, slots=True)
class _Shift:
    """A change of the clocks at `at`: the wall time jumps from one minute of the day to another."""

    at: datetime
    before: int
    after: int

    @property
    def length(self) -> timedelta:
        return abs(self.after - self.before) * MINUTE

    def passing(self, instant: datetime) -> int:
        """1 or 2 within the repeated time."""
        if self.after < self.before and self.at - self.length <= instant < self.at + self.length:
            return 1 if instant < self.at else 2
        return 0


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def week_of(details: Sequence[Detail], day: date, zone: tzinfo) -> tuple[Day, ...]:
    """The seven days, from Monday, of the week in which `day` lies. Raises PricingError."""
    timetable = Timetable(details)
    monday = monday_of(day)
    return tuple(_day(timetable, monday + number * DAY, zone) for number in range(7))


def clock_changes(begin: datetime, end: datetime, zone: tzinfo) -> list[datetime]:
    """The instants from `begin` until before `end` at which the clocks change."""
    found = clock_boundaries(_ALWAYS_FREE, begin - _SECOND, end - _SECOND, zone)
    return sorted(instant for instant in found if begin <= instant < end)


# A tariff without hours: the only boundaries that are left are those of the clocks.
_ALWAYS_FREE = Tariff("free", "XXX", (TariffElement((PriceComponent(Dimension.ENERGY, Decimal(0)),)),))


def _day(timetable: Timetable, day: date, zone: tzinfo) -> Day:
    begin, end = _midnight(day, zone), _midnight(day + DAY, zone)
    shifts = [_shift(instant, day, zone) for instant in clock_changes(begin, end, zone)]
    cuts = clock_boundaries(timetable.tariff, begin, end, zone) | {begin}
    for shift in shifts:
        cuts |= {shift.at - shift.length, shift.at, shift.at + shift.length}
    inside = sorted(cut for cut in cuts if begin <= cut < end)
    pieces = [
        _piece(timetable, since, until, shifts, day, zone)
        for since, until in zip(inside, [*inside[1:], end], strict=True)
    ]
    skipped = tuple((shift.before, shift.after) for shift in shifts if shift.before < shift.after)
    return Day(day, Decimal((end - begin) // MINUTE) / 60, _joined(pieces), skipped)


def _piece(
    timetable: Timetable, since: datetime, until: datetime, shifts: Iterable[_Shift], day: date, zone: tzinfo
) -> Stretch:
    first = _minute_of(since.astimezone(zone), day)
    return Stretch(
        since,
        until,
        first,
        first + (until - since) // MINUTE,
        timetable.detail_at(since, zone),
        max((shift.passing(since) for shift in shifts), default=0),
    )


def _joined(pieces: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Neighbours with one winner become one, unless the clocks change between them."""
    joined: list[Stretch] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and _continues(last, piece):
            joined[-1] = replace(last, until=piece.until, last_minute=piece.last_minute)
        else:
            joined.append(piece)
    return tuple(joined)


def _continues(last: Stretch, piece: Stretch) -> bool:
    is_same = (last.detail, last.passing) == (piece.detail, piece.passing)
    return is_same and last.last_minute == piece.first_minute


def _shift(instant: datetime, day: date, zone: tzinfo) -> _Shift:
    before = (instant - _SECOND).astimezone(zone).replace(tzinfo=None) + _SECOND
    return _Shift(instant, _minute_of(before, day), _minute_of(instant.astimezone(zone), day))


def _midnight(day: date, zone: tzinfo) -> datetime:
    """The first instant of a local day; where the clocks skip 00:00, the instant of the change."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _minute_of(local: datetime, day: date) -> int:
    return (local.replace(tzinfo=None) - datetime.combine(day, time())) // MINUTE
