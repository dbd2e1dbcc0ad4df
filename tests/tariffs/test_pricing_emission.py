"""Details become windows that no receiver can read in two ways."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tariffs.choices import Recurrence
from tariffs.pricing import DayOfWeek, Detail, DetailPrice, PricingError, emit_elements

pytestmark = pytest.mark.any_database

PRICE = DetailPrice(Decimal("0.4"))


def windows(start, stop, recurrence="DAILY", weekdays=()):
    """The restrictions of one detail, without those of the fallback."""
    detail = Detail("d", 1, recurrence, read(start), read(stop), weekdays, energy=PRICE)
    elements = [one.to_ocpi() for one in emit_elements([detail])]
    assert "restrictions" not in elements[-1]
    return [one.get("restrictions", {}) for one in elements[:-1]]


def read(text):
    return datetime.fromisoformat(text) if text else None


def window(start_date=None, end_date=None, start_time=None, end_time=None, days=None):
    fields = {
        "start_time": start_time,
        "end_time": end_time,
        "start_date": start_date,
        "end_date": end_date,
        "day_of_week": days,
    }
    return {name: value for name, value in fields.items() if value}


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (None, None, [{}]),
        ("2026-05-01T18:00", "2026-05-01T20:00", [window("2026-05-01", "2026-05-02", "18:00", "20:00")]),
        ("2026-05-01T00:00", "2026-05-01T20:00", [window("2026-05-01", "2026-05-02", None, "20:00")]),
        ("2026-05-01T18:00", "2026-05-02T00:00", [window("2026-05-01", "2026-05-02", "18:00")]),
        (
            "2026-05-01T18:00",
            "2026-05-02T08:00",
            [
                window("2026-05-01", "2026-05-02", "18:00"),
                window("2026-05-02", "2026-05-03", None, "08:00"),
            ],
        ),
        ("2026-05-01T00:00", "2026-05-04T00:00", [window("2026-05-01", "2026-05-04")]),
        (
            "2026-05-01T18:00",
            None,
            [window("2026-05-01", "2026-05-02", "18:00"), window("2026-05-02")],
        ),
        (
            None,
            "2026-05-04T08:00",
            [window(None, "2026-05-04"), window("2026-05-04", "2026-05-05", None, "08:00")],
        ),
        ("2026-05-04T08:00", "2026-05-01T18:00", []),
        ("2026-05-01T18:00", "2026-05-01T18:00", []),
    ],
)
def test_one_time_windows(start, stop, expected):
    assert windows(start, stop, Recurrence.ONE_TIME) == expected
    assert windows(start, stop, "ONE_TIME", (DayOfWeek.MONDAY,)) == expected


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        ("2026-01-01T00:00", "2026-12-31T06:00", [window("2026-01-01", "2027-01-01", None, "06:00")]),
        ("2026-01-01T22:00", "2026-12-31T00:00", [window("2026-01-01", "2026-12-31", "22:00")]),
        ("2026-01-01T00:00", "2026-12-31T00:00", [window("2026-01-01", "2026-12-31")]),
        (
            "2026-01-01T09:00",
            "2026-12-31T09:00",
            [
                window("2026-01-01", "2026-12-31", "09:00"),
                window("2026-01-02", "2027-01-01", None, "09:00"),
            ],
        ),
        ("2026-01-01T08:00", None, [window("2026-01-01", None, "08:00")]),
        (None, "2026-12-31T20:00", [window(None, "2027-01-01", None, "20:00")]),
        ("2026-01-01T08:00", "2026-01-01T08:00", []),
        ("2026-01-02T08:00", "2026-01-01T20:00", []),
        ("2026-01-01T22:00", "2026-01-01T06:00", []),
    ],
)
def test_daily_windows(start, stop, expected):
    assert windows(start, stop) == expected
    assert windows(start, stop, weekdays=tuple(DayOfWeek)) == expected


def test_weekdays_shift_with_the_morning_and_come_in_week_order():
    days = (DayOfWeek.SUNDAY, DayOfWeek.FRIDAY)
    evening, morning = windows("2026-01-01T22:00", "2026-12-31T06:00", weekdays=days)
    assert evening["day_of_week"] == ["FRIDAY", "SUNDAY"]
    assert morning["day_of_week"] == ["MONDAY", "SATURDAY"]
    assert windows(None, None, weekdays=days) == [{"day_of_week": ["FRIDAY", "SUNDAY"]}]


def test_highest_priority_comes_first_and_equal_ones_by_id():
    details = [Detail(id_, 1, energy=DetailPrice(Decimal(id_))) for id_ in (10, 9)]
    details.append(Detail(11, 2, energy=DetailPrice(Decimal(11))))
    prices = [element.energy.price for element in emit_elements(details)]
    assert prices == [11, 9, 10, 0]


def test_reservation_elements_only_if_reserving_costs_something():
    free = Detail(1, reservation_time=DetailPrice(Decimal(0)))
    assert [element.reservation for element in emit_elements([free])] == [None, None]
    paid = Detail(2, 5, reservation_time=DetailPrice(Decimal(3), Decimal(20), 60))
    elements = emit_elements([free, paid])
    assert [element.reservation for element in elements[:4]] == ["RESERVATION", "RESERVATION_EXPIRES"] * 2
    assert [element.time.price for element in elements[:4]] == [3, 3, 0, 0]
    assert elements[0].time.step_size == 60


def test_prices_are_published_with_four_decimals_rounded_half_up():
    (element, _) = emit_elements([Detail(1, energy=DetailPrice(Decimal("0.40835"), Decimal(0)))])
    assert element.energy.price == Decimal("0.4084")  # what is priced is what is published
    assert element.to_ocpi()["price_components"][1] == {
        "type": "ENERGY",
        "price": 0.4084,
        "step_size": 1,
        "vat": 0.0,
    }


@pytest.mark.parametrize("start", [datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 8, 0, 30)])
def test_boundaries_are_local_whole_minutes(start):
    with pytest.raises(PricingError) as refused:
        Detail(1, start=start)
    assert refused.value.field == "details.start"
