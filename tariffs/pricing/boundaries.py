"""Instants at which restrictions on local time can change their answer."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from tariffs.pricing.errors import PricingError
from tariffs.pricing.tariff import Tariff

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# Two changes of offset within one step would go unseen; no zone has them that close.
_OFFSET_STEP = timedelta(hours=6)


def clock_boundaries(tariff: Tariff, begin: datetime, end: datetime, zone: tzinfo) -> set[datetime]:
    """Every UTC instant around begin..end at which a time of day, a date or the UTC offset changes.

    Both occurrences of a repeated local time are given. A skipped one maps to some instant after the gap, which
    does no harm: the change of offset itself is a boundary.
    """
    times = _times_of_day(tariff)
    last = end.astimezone(zone).date() + _DAY
    day = begin.astimezone(zone).date() - _DAY
    instants = set(_offset_changes(begin, end, zone))
    while day <= last:
        instants.update(instant for time_of_day in times for instant in _instants(day, time_of_day, zone))
        day += _DAY
    return instants


def _times_of_day(tariff: Tariff) -> set[time]:
    times: set[time] = set()
    for element in tariff.elements:
        restrictions = element.restrictions
        if restrictions is None:
            continue
        times.update(one for one in (restrictions.start_time, restrictions.end_time) if one is not None)
        if restrictions.start_date or restrictions.end_date or restrictions.day_of_week:
            times.add(time())
    # A window that is open on one side changes at midnight too.
    return times | {time()} if times else times


def _instants(day: date, time_of_day: time, zone: tzinfo) -> Iterator[datetime]:
    local = datetime.combine(day, time_of_day, zone)
    for fold in (0, 1):
        yield local.replace(fold=fold).astimezone(UTC)


def _offset_changes(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
    instant = begin.astimezone(UTC)
    while instant < end:
        following = min(instant + _OFFSET_STEP, end.astimezone(UTC))
        if _offset(instant, zone) != _offset(following, zone):
            yield _change_between(instant, following, zone)
        instant = following


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first whole second with the new offset."""
    before, after = before.replace(microsecond=0), after.replace(microsecond=0)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    return after


def _offset(instant: datetime, zone: tzinfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def to_millisecond(instant: datetime) -> datetime:
    """UTC cut to the milliseconds that are published, so that the published instant is the priced one.

    Raises PricingError for a naive time, which would be taken for that of this machine.
    """
    if instant.tzinfo is None:
        raise PricingError("date_time", f"must carry a time zone: {instant}")
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    # A copy for each sample is what re-pricing a long session would spend most of its time on.
    excess = utc.microsecond % 1000
    return utc.replace(microsecond=utc.microsecond - excess) if excess else utc


def as_seconds(duration: timedelta) -> Decimal:
    return Decimal(duration.days * 86400 + duration.seconds) + Decimal(duration.microseconds) / 1000000
