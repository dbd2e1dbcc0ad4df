"""Reading of OCPI JSON values with errors that name the field."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from tariffs.pricing.errors import PricingError
from tariffs.pricing.rounding import ocpi_number

_LARGEST = Decimal(10) ** 12
_MISSING = "is missing"

# The standard library reads more forms than OCPI has: week dates, dates without a time, other digits.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_INSTANT = re.compile(rf"{_DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?")
_LOCAL = re.compile(rf"{_DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}(:00)?")

Choice = TypeVar("Choice", bound=StrEnum)


def read_mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PricingError(field, _MISSING if value is None else "must be an object")
    return value


def read_list(value: Any, field: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise PricingError(field, _MISSING if value is None else "must be a list")
    return value


def read_text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise PricingError(field, _MISSING if value is None else "must be a text")
    return value


def read_number(value: Any, field: str) -> Decimal:
    """An OCPI number as Decimal with four decimals; floats are read as they are printed."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PricingError(field, _MISSING if value is None else f"must be a number, not {value!r}")
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) > _LARGEST:
        raise PricingError(field, f"is out of range: {value}")
    rounded = ocpi_number(number)
    return number if number == rounded else rounded


def read_amount(value: Any, field: str) -> Decimal:
    """A number that is not negative."""
    number = read_number(value, field)
    if number < 0:
        raise PricingError(field, f"must not be negative: {value}")
    return number


def read_integer(value: Any, field: str) -> int:
    number = read_number(value, field)
    whole = int(number)
    if number != whole:
        raise PricingError(field, f"must be a whole number, not {value}")
    return whole


def read_count(value: Any, field: str) -> int:
    """A whole number that is not negative."""
    number = read_integer(value, field)
    if number < 0:
        raise PricingError(field, f"must not be negative: {number}")
    return number


def read_choice(value: Any, choices: type[Choice], field: str) -> Choice:
    try:
        return choices(value)
    except ValueError:
        raise PricingError(field, _MISSING if value is None else f"unknown value {value!r}") from None


def read_instant(value: Any, field: str) -> datetime:
    """An OCPI DateTime as aware UTC; without a designator it is UTC (2.2.1 types, DateTime)."""
    text = read_text(value, field)
    try:
        instant = datetime.fromisoformat(text if _INSTANT.fullmatch(text) else "")
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PricingError(field, f"is no date and time: {value!r}") from None


def read_local(value: Any, field: str) -> datetime:
    """A wall-clock time in whole minutes, without a zone."""
    text = read_text(value, field)
    try:
        return datetime.fromisoformat(text if _LOCAL.fullmatch(text) else "")
    except ValueError:
        raise PricingError(field, f"is no local date and time YYYY-MM-DDTHH:MM: {text!r}") from None


def read_time(value: Any, field: str) -> time:
    text = read_text(value, field)
    match = _TIME.fullmatch(text)
    hour, minute = map(int, match.groups()) if match else (24, 0)
    if hour > 23 or minute > 59:
        raise PricingError(field, f"is no time of day HH:MM: {text!r}")
    return time(hour, minute)


def read_date(value: Any, field: str) -> date:
    text = read_text(value, field)
    try:
        return date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError:
        raise PricingError(field, f"is no date: {text!r}") from None
