"""The scalar types of OCPI (2.2.1 types.asciidoc)."""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

# `+00:00` is not allowed by the specification but means the same as Z, and peers send it.
_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|\+00:00)?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,2})?", re.ASCII)
_FOUR_DECIMALS = Decimal("0.0001")


def parse_datetime(text: str) -> datetime:
    """Aware UTC time of an OCPI DateTime; no zone means UTC. ValueError for every other zone or form."""
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a DateTime in UTC such as 2025-01-31T12:00:00Z")
    *parts, fraction = match.groups()
    year, month, day, hour, minute, second = (int(part) for part in parts)
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a DateTime: {error}") from None


def format_datetime(value: datetime) -> str:
    """`…Z` in whole seconds, or milliseconds where there are any. ValueError for a naive time."""
    if value.tzinfo is None:
        raise ValueError("A time without a zone cannot be sent")
    moment = value.astimezone(UTC).replace(tzinfo=None)
    # Cut, not rounded: a peer that asks for date_from=<what it saw> must get the object again.
    return moment.isoformat(timespec="milliseconds").removesuffix(".000") + "Z"


def number(value: Decimal) -> int | float:
    """JSON number with at most four decimals, half up."""
    if not value.is_finite():
        raise ValueError(f"{value} cannot be sent as a number")
    rounded = value.quantize(_FOUR_DECIMALS, rounding=ROUND_HALF_UP)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def parse_number(value: object) -> Decimal:
    """Exact value of a JSON number or of a numeric string (2.1.1 style). ValueError for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            # Through the text: Decimal(0.1) would carry the binary error along.
            result = Decimal(str(value))
        except (InvalidOperation, ValueError):  # an int of more than 4300 digits has no text
            raise ValueError("is too long for a number") from None
        if result.is_finite():
            return result
    raise ValueError(f"{str(value)[:40]!r} is not a number")


def ci_equal(a: str, b: str) -> bool:
    """Equality of two CiStrings."""
    return a.casefold() == b.casefold()
