"""The week of a tariff as a picture: what templates/tariffs/week.html needs to draw, colour and say it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tariffs.pricing import Detail
from tariffs.services import gross_prices
from tariffs.services.week import DAY, MINUTES_PER_DAY, Day, Stretch, clock_changes, monday_of, week_of

HOUR_HEIGHT = 17  # pixels
GUTTER = 8.0  # percent, for the hours at the left
COLUMN = (100 - GUTTER) / 7
COLOURS = 8
LEAST_LABEL = 13  # pixels, below which no text fits
_YEAR = timedelta(days=366)
_FREE = "free"  # as a colour
_DAY = "d M Y"
_DAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A detail in the legend; `week` is another week in which to look for one that is not in this."""

    letter: str
    colour: str
    hours: str
    prices: str
    short: str
    priority: int
    remark: str
    week: date | None = None


def free() -> Entry:
    """Of time that no detail covers."""
    return Entry("", _FREE, "", gross_prices.free(), gross_prices.free(), 0, "")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch as a rectangle: `top` and `height` in pixels, `left` and `width` in percent of its day."""

    entry: Entry
    top: float
    height: float
    left: int
    width: int
    period: str

    @property
    def has_label(self) -> bool:
        return self.height >= LEAST_LABEL

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    @property
    def centre(self) -> float:
        return self.left + self.width / 2


@dataclass(frozen=True, slots=True)
class Column:
    """One day of the picture; `skipped` are (top, height) of time that does not exist."""

    left: str
    date: date
    name: str
    is_today: bool
    blocks: tuple[Block, ...]
    skipped: tuple[tuple[float, float], ...]
    remark: str
    length: str


@dataclass(frozen=True, slots=True)
class WeekPicture:
    monday: date
    zone: str
    columns: tuple[Column, ...]
    legend: tuple[Entry, ...]
    has_gaps: bool
    now: float | None
    this_monday: date
    clock_change: date | None

    height = 24 * HOUR_HEIGHT
    width = f"{COLUMN:.4f}%"
    hours = tuple((hour * HOUR_HEIGHT, hour) for hour in range(25))

    @property
    def sunday(self) -> date:
        return self.monday + 6 * DAY

    @property
    def previous(self) -> date:
        return self.monday - 7 * DAY

    @property
    def following(self) -> date:
        return self.monday + 7 * DAY

    @property
    def clock_remarks(self) -> list[str]:
        return [column.remark for column in self.columns if column.remark]


def picture_of(details: Sequence[Detail], currency: str, day: date, zone: ZoneInfo, now: datetime) -> WeekPicture:
    """The week in which `day` lies, in local time of `zone`; details in the order of their priority."""
    days = week_of(details, day, zone)
    entries = {detail.id: _entry(detail, details, currency, days) for detail in details}
    local = now.astimezone(zone)
    changes = clock_changes(now, now + _YEAR, zone)
    stretches = [stretch for one in days for stretch in one.stretches]
    return WeekPicture(
        monday=days[0].date,
        zone=zone.key,
        columns=tuple(_column(number, one, entries, local.date()) for number, one in enumerate(days)),
        legend=tuple(entries.values()),
        has_gaps=any(stretch.detail is None for stretch in stretches),
        now=_pixels(local.hour * 60 + local.minute) if days[0].date <= local.date() <= days[-1].date else None,
        this_monday=monday_of(local.date()),
        clock_change=changes[0].astimezone(zone).date() if changes else None,
    )


def mark_of(detail: Detail | None, details: Sequence[Detail]) -> tuple[str, str]:
    """Letter (A to Z, then A2, B2, ...) and colour of one of `details`; no letter for free time."""
    if detail is None:
        return "", _FREE
    number = details.index(detail)
    letter = chr(ord("A") + number % 26) + (str(number // 26 + 1) if number >= 26 else "")
    return letter, str(number % COLOURS)


def _entry(detail: Detail, details: Sequence[Detail], currency: str, days: Sequence[Day]) -> Entry:
    letter, colour = mark_of(detail, details)
    remark, week = _presence(detail, days)
    return Entry(
        letter=letter,
        colour=colour,
        hours=gross_prices.hours_in_words(detail),
        prices=gross_prices.prices_in_words(detail, currency),
        short=gross_prices.short_price(detail, currency),
        priority=detail.priority,
        remark=remark,
        week=week,
    )


def _presence(detail: Detail, days: Sequence[Day]) -> tuple[str, date | None]:
    """How long the detail applies in this week; if not at all, why, and a week in which to look."""
    applies = [
        stretch for day in days for stretch in day.stretches if stretch.detail and stretch.detail.id == detail.id
    ]
    if applies:
        hours = sum((one.until - one.since for one in applies), timedelta()) / timedelta(hours=1)
        return gettext("%(hours)s this week") % {"hours": f"{hours:g} h"}, None
    if detail.start and detail.start.date() > days[-1].date:
        return gettext("begins on %(day)s") % {"day": date_format(detail.start, _DAY)}, detail.start.date()
    if detail.stop and detail.stop.date() < days[0].date:
        return gettext("ended on %(day)s") % {"day": date_format(detail.stop, _DAY)}, detail.stop.date()
    return gettext("does not apply this week"), None


def _column(number: int, day: Day, entries: dict[int | str, Entry], today: date) -> Column:
    return Column(
        left=f"{GUTTER + number * COLUMN:.4f}%",
        date=day.date,
        name=str(_DAYS[number]),
        is_today=day.date == today,
        blocks=tuple(_block(one, entries) for one in day.stretches),
        skipped=tuple((_pixels(first), _pixels(last - first)) for first, last in day.skipped),
        remark=_clock_remark(day),
        length="" if day.hours == 24 else f"{day.hours.normalize():f} h",
    )


def _block(stretch: Stretch, entries: dict[int | str, Entry]) -> Block:
    patterns = ("%(span)s", gettext("%(span)s, first time"), gettext("%(span)s, second time"))
    return Block(
        entry=entries[stretch.detail.id] if stretch.detail else free(),
        top=_pixels(stretch.first_minute),
        height=_pixels(stretch.last_minute - stretch.first_minute),
        left=50 if stretch.passing == 2 else 0,
        width=50 if stretch.passing else 100,
        period=patterns[stretch.passing] % {"span": _span(stretch.first_minute, stretch.last_minute)},
    )


def _clock_remark(day: Day) -> str:
    """Why the day has not 24 hours, "" if it has."""
    if not day.skipped and not day.has_repeated:
        return ""
    facts = {"day": date_format(day.date, "l d F"), "hours": f"{day.hours.normalize():f}"}
    if day.skipped:
        text = gettext("%(day)s has %(hours)s hours: the clocks skip %(span)s.")
        return text % (facts | {"span": _span(*day.skipped[0])})
    repeated = [stretch for stretch in day.stretches if stretch.passing == 1]
    text = gettext(
        "%(day)s has %(hours)s hours: %(span)s comes twice, the first time at the left, the second at the right."
    )
    return text % (facts | {"span": _span(repeated[0].first_minute, repeated[-1].last_minute)})


def _span(first: int, last: int) -> str:
    return gettext("%(start)s to %(end)s") % {"start": _clock(first), "end": _clock(last)}


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _pixels(minutes: int) -> float:
    return round(minutes * HOUR_HEIGHT * 24 / MINUTES_PER_DAY, 2)
