"""The energy register of a session: readings, and straight lines between them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from tariffs.pricing.errors import PricingError

Reading = tuple[datetime, Decimal]
"""Instant and register in Wh."""

_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = 1000


class Meter:
    """Energy since `start`; before the first reading and after the last one the register stands still.

    Two registers at one instant are a jump: what it adds belongs to the time after it, or to the end.
    """

    __slots__ = ("_base", "_instants", "_registers")

    def __init__(self, readings: Sequence[Reading], start: datetime) -> None:
        _check(readings)
        self._instants = [instant for instant, _ in readings]
        self._registers = [register for _, register in readings]
        self._base = self._register_before(start)

    def consumed_until(self, instant: datetime) -> Decimal:
        """Wh since the start, unrounded, with a jump at this instant."""
        return self._register_at(instant) - self._base

    def consumed_before(self, instant: datetime) -> Decimal:
        """Wh since the start, unrounded, without a jump at this instant."""
        return self._register_before(instant) - self._base

    def reached_at(self, watt_hours: Decimal) -> datetime | None:
        """The first millisecond at which so many Wh are consumed; None if they never are."""
        register = self._base + watt_hours
        after = bisect_left(self._registers, register)
        if after == len(self._registers) or after == 0:
            return None
        before = after - 1
        share = (register - self._registers[before]) / (self._registers[after] - self._registers[before])
        span = (self._instants[after] - self._instants[before]) // _MICROSECOND
        milliseconds = -(-int(span * share) // _MILLISECOND)
        return self._instants[before] + timedelta(milliseconds=milliseconds)

    def _register_before(self, instant: datetime) -> Decimal:
        """The first of several registers of this instant."""
        first = bisect_left(self._instants, instant)
        is_read = first < len(self._instants) and self._instants[first] == instant
        return self._registers[first] if is_read else self._register_at(instant)

    def _register_at(self, instant: datetime) -> Decimal:
        if not self._instants:
            return Decimal(0)
        after = bisect_right(self._instants, instant)
        if after == 0 or after == len(self._instants):
            return self._registers[max(after - 1, 0)]
        before = after - 1
        passed = (instant - self._instants[before]) // _MICROSECOND
        span = (self._instants[after] - self._instants[before]) // _MICROSECOND
        return self._registers[before] + (self._registers[after] - self._registers[before]) * passed / span


def _check(readings: Iterable[Reading]) -> None:
    for (earlier, lower), (later, higher) in pairwise(readings):
        if later < earlier:
            raise PricingError("readings", f"out of order: {later} after {earlier}")
        if higher < lower:
            raise PricingError("readings", f"the register falls from {lower} to {higher} Wh")
