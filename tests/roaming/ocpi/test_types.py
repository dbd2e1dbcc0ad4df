from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from roaming.ocpi.types import ci_equal, format_datetime, number, parse_datetime, parse_number

NOON = datetime(2025, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-01-31T12:00:00Z", NOON),
        ("2025-01-31T12:00:00", NOON),
        ("2025-01-31T12:00:00+00:00", NOON),
        ("2025-01-31T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2025-01-31T12:00:00.123", NOON.replace(microsecond=123_000)),
        ("2025-01-31T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
    ],
)
def test_a_datetime_is_read_as_utc(text: str, expected: datetime) -> None:
    assert parse_datetime(text) == expected
    assert parse_datetime(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-31T12:00:00+02:00",
        "2025-01-31T12:00:00-00:30",
        "2025-01-31 12:00:00Z",
        "2025-01-31",
        "2019-01-9T12:00:00",
        "1970-1-1T00:00:00Z",
        "2025-02-30T12:00:00Z",
        "2025-01-31T24:00:00Z",
        "2025-01-31T12:00:00Z\n",
        "2025-01-31T12:00:00.Z",
        "٢٠٢٥-01-31T12:00:00Z",
        "yesterday",
        "",
    ],
)
def test_another_zone_or_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_datetime(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOON, "2025-01-31T12:00:00Z"),
        (NOON.replace(microsecond=120_000), "2025-01-31T12:00:00.120Z"),
        (NOON.replace(microsecond=999_999), "2025-01-31T12:00:00.999Z"),
        (NOON.replace(microsecond=999), "2025-01-31T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=5))), "2025-01-31T12:00:00Z"),
        (datetime(987, 1, 1, tzinfo=UTC), "0987-01-01T00:00:00Z"),
    ],
)
def test_a_time_is_sent_in_utc_with_z_and_at_most_milliseconds(value: datetime, expected: str) -> None:
    assert format_datetime(value) == expected
    assert len(expected) <= 25


def test_a_time_without_zone_is_never_sent() -> None:
    with pytest.raises(ValueError):
        format_datetime(datetime(2025, 1, 31))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4.40", 4.4),
        ("0.00005", 0.0001),
        ("0.00004999", 0),
        ("12.34565", 12.3457),
        ("-0.00005", -0.0001),
        ("5.000", 5),
        ("1E+3", 1000),
    ],
)
def test_numbers_leave_with_four_decimals_half_up(value: str, expected: float) -> None:
    assert number(Decimal(value)) == expected


def test_a_whole_number_leaves_as_int_and_nan_never_leaves() -> None:
    assert repr(number(Decimal("-0.00001"))) == "0"
    assert isinstance(number(Decimal("5.0000")), int)
    with pytest.raises(ValueError):
        number(Decimal("NaN"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, "0.1"), ("2.00", "2.00"), (3, "3"), ("-1.5", "-1.5"), ("1e2", "1e2"), (Decimal("7.7"), "7.7")],
)
def test_numbers_are_read_exactly(value: object, expected: str) -> None:
    assert parse_number(value) == Decimal(expected)


@pytest.mark.parametrize(
    "value", [True, None, "", "1,5", " 1", "NaN", "Infinity", float("nan"), float("inf"), [], "1_000", "٣"]
)
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_number(value)


def test_ci_strings_compare_without_case() -> None:
    assert ci_equal("Be-BEC-1", "BE-bec-1")
    assert not ci_equal("a", "b")
