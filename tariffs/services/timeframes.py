"""When a tariff detail applies, in the form in which a driver would say it, and in the words of a language."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tariffs.choices import Recurrence
from tariffs.pricing import DayOfWeek, Detail
from tariffs.services.wording import Wording

_MIDNIGHT = time()
_DAY = timedelta(days=1)
_MINUTES_PER_DAY = 24 * 60
_MINUTES_PER_WEEK = 7 * _MINUTES_PER_DAY
_WEEK = tuple(DayOfWeek)


@dataclass(frozen=True, slots=True)
class Span:
    """Without interruption from `start` to `stop` (exclusive); an open side has no end."""

    start: datetime | None = None
    stop: datetime | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """The same hours on every one of `weekdays` (0 is Monday) on which they begin, first to last date inclusive.

    `closes` at or before `opens` is on the next day; 00:00 to 00:00 is the whole day.
    """

    opens: time
    closes: time
    weekdays: tuple[int, ...]  # never empty
    first: date | None = None
    last: date | None = None

    @property
    def is_overnight(self) -> bool:
        return self.closes <= self.opens

    @property
    def span(self) -> Span:
        """From the first opening to the last close."""
        start = datetime.combine(self.first, self.opens) if self.first else None
        stop = datetime.combine(self.last + _DAY * self.is_overnight, self.closes) if self.last else None
        return Span(start, stop)

    def minutes_of_week(self) -> set[int]:
        opens, closes = _minutes(self.opens), _minutes(self.closes)
        length = closes - opens + _MINUTES_PER_DAY * self.is_overnight
        starts = [day * _MINUTES_PER_DAY + opens for day in self.weekdays]
        return {minute % _MINUTES_PER_WEEK for start in starts for minute in range(start, start + length)}


TimeFrame = Span | Windows
ALWAYS = Span()


def frame_of(detail: Detail, past: datetime | None = None) -> TimeFrame:
    """The hours of a detail; a beginning that lies before `past` (local time) is not worth a word."""
    start, stop = detail.start, detail.stop
    has_begun = start is not None and past is not None and start <= past
    opens, closes = _time_of(start), _time_of(stop)
    days = tuple(sorted({_WEEK.index(day) for day in detail.weekdays}))
    is_daily = detail.recurrence == Recurrence.DAILY
    if not is_daily or (opens == closes and len(days) in (0, len(_WEEK))):
        return Span(None if has_begun else start, stop)
    is_overnight = closes <= opens
    return Windows(
        opens,
        closes,
        days or tuple(range(len(_WEEK))),
        None if has_begun or start is None else start.date(),
        None if stop is None else stop.date() - _DAY * is_overnight,
    )


def may_overlap(one: TimeFrame, other: TimeFrame) -> bool:
    """False only where no instant can be in both."""
    first, second = _span_of(one), _span_of(other)
    if _is_before(first, second) or _is_before(second, first):
        return False
    if isinstance(one, Windows) and isinstance(other, Windows):
        return not one.minutes_of_week().isdisjoint(other.minutes_of_week())
    return True


def cover_all_time(frames: Iterable[TimeFrame]) -> bool:
    """True where it is certain that at every instant one of the frames applies."""
    minutes: set[int] = set()
    for frame in frames:
        if frame == ALWAYS:
            return True
        if isinstance(frame, Windows) and frame.span == ALWAYS:
            minutes |= frame.minutes_of_week()
    return len(minutes) == _MINUTES_PER_WEEK


def written(frame: TimeFrame, wording: Wording) -> str:
    """For example "Sat, Sun 08:00–20:00 from 1 May 2026"; not for what applies always."""
    if isinstance(frame, Span):
        return _written_span(frame, wording)
    return " ".join(filter(None, (_hours(frame, wording), _dates(frame.first, frame.last, wording))))


def _hours(windows: Windows, wording: Wording) -> str:
    times, numbers = wording.times, wording.numbers
    is_each_day = len(windows.weekdays) == len(_WEEK)
    is_one_day = windows.first is not None and windows.first == windows.last
    days = times.daily if is_each_day else _days(windows.weekdays, numbers.weekdays)
    if windows.opens == windows.closes == _MIDNIGHT:
        return days
    pattern = times.whole_day_window if windows.opens == windows.closes else times.window
    hours = pattern.format(numbers.time_of_day(windows.opens), numbers.time_of_day(windows.closes, is_end=True))
    return hours if is_each_day and is_one_day else f"{days} {hours}"


def _days(days: Sequence[int], names: Sequence[str]) -> str:
    """Runs of three days or more as a range: "Mon–Thu, Sat"."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = [
        f"{names[run[0]]}–{names[run[-1]]}" if len(run) > 2 else ", ".join(names[day] for day in run) for run in runs
    ]
    return ", ".join(parts)


def _written_span(span: Span, wording: Wording) -> str:
    start, stop = span.start, span.stop
    if all(moment is None or moment.time() == _MIDNIGHT for moment in (start, stop)):
        return _dates(start.date() if start else None, stop.date() - _DAY if stop else None, wording)
    times = wording.times
    if start and stop and start.date() == (stop - timedelta(minutes=1)).date():
        hours = times.window.format(_clock(start, wording), _clock(stop, wording, is_end=True))
        return f"{times.on_day.format(wording.numbers.day(start.date()))} {hours}"
    if start and stop:
        return times.moments.format(_moment(start, wording), _moment(stop, wording, is_end=True))
    if start:
        return times.from_moment.format(_moment(start, wording))
    return times.until_moment.format(_moment(stop, wording, is_end=True)) if stop else ""


def _dates(first: date | None, last: date | None, wording: Wording) -> str:
    times, day = wording.times, wording.numbers.day
    if first and last:
        return times.on_day.format(day(first)) if first == last else times.days.format(day(first), day(last))
    if first:
        return times.from_day.format(day(first))
    return times.until_day.format(day(last)) if last else ""


def _moment(value: datetime, wording: Wording, *, is_end: bool = False) -> str:
    is_midnight_end = is_end and value.time() == _MIDNIGHT
    day = value.date() - _DAY * is_midnight_end
    return wording.times.moment.format(day=wording.numbers.day(day), time=_clock(value, wording, is_end=is_end))


def _clock(value: datetime, wording: Wording, *, is_end: bool = False) -> str:
    return wording.numbers.time_of_day(value.time(), is_end=is_end)


def _time_of(moment: datetime | None) -> time:
    return _MIDNIGHT if moment is None else moment.time()


def _minutes(value: time) -> int:
    return value.hour * 60 + value.minute


def _span_of(frame: TimeFrame) -> Span:
    return frame if isinstance(frame, Span) else frame.span


def _is_before(one: Span, other: Span) -> bool:
    return one.stop is not None and other.start is not None and one.stop <= other.start
