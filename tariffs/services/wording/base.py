from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Numbers:
    """How amounts, dates and times of day are written."""

    decimal_comma: bool
    with_symbol: str  # {symbol}, {number}
    with_code: str  # {code}, {number}
    percent: str
    date_format: str  # {day}, {month}, {year}
    clock: str  # {hour}, {minute}
    weekdays: tuple[str, ...]  # Monday first
    months: tuple[str, ...] = ()  # numbers where empty

    def number(self, value: Decimal) -> str:
        text = f"{value:f}"
        return text.replace(".", ",") if self.decimal_comma else text

    def plain(self, value: Decimal) -> str:
        """Without trailing zeros."""
        return self.number(value.normalize())

    def day(self, value: date) -> str:
        month = self.months[value.month - 1] if self.months else value.month
        return self.date_format.format(day=value.day, month=month, year=value.year)

    def time_of_day(self, value: time, *, is_end: bool = False) -> str:
        """Midnight at the end of a span is 24:00."""
        hour = 24 if is_end and value == time() else value.hour
        return self.clock.format(hour=hour, minute=value.minute)


@dataclass(frozen=True, slots=True)
class Prices:
    """`{}` is an amount, or "low to high" where the price varies."""

    between: str
    energy: str
    per_minute: str
    per_hour: str
    parked_per_minute: str
    parked_per_hour: str
    reserved_per_minute: str
    reserved_per_hour: str
    start_fee: str
    all_free: str  # a sentence
    free: str  # after a colon


@dataclass(frozen=True, slots=True)
class Times:
    """When a price applies. Moments are exclusive at their end, days (whole dates) inclusive.

    Units are abbreviated ("min", "kWh"): no numeral ever asks for a plural or a dual.
    """

    window: str  # from one time of day to another
    whole_day_window: str  # to the same time on the next day
    daily: str
    moment: str  # {day}, {time}
    moments: str
    from_moment: str
    until_moment: str
    days: str
    from_day: str
    until_day: str
    on_day: str
    and_: str
    otherwise: str
    always: str


@dataclass(frozen=True, slots=True)
class Sentences:
    varies: str
    full_list: str
    start_fee_rule: str
    overlap: str
    steps: str
    at_least: str
    at_least_with_surcharge: str
    at_most: str
    surcharge: str  # in the words of the invoice's line
    blocked: str
    with_vat: str


@dataclass(frozen=True, slots=True)
class Wording:
    """One language; full stops and capitals at the beginning are added to what is a sentence."""

    numbers: Numbers
    prices: Prices
    times: Times
    sentences: Sentences
    colon: str = ": "
