"""Whole sessions: details are published, the session is cut, and the published periods are priced."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.choices import Recurrence
from tariffs.pricing import (
    DayOfWeek,
    Detail,
    DetailPrice,
    Tariff,
    cost_now,
    emit_elements,
    max_limit,
    min_limit,
    price_periods,
    read_periods,
    split_session,
)

pytestmark = pytest.mark.any_database

VIENNA = "Europe/Vienna"
NIGHT = {"start": datetime(2026, 1, 1, 22), "stop": datetime(2026, 12, 31, 6)}


def per(price, vat=20, step_size=1):
    return DetailPrice(Decimal(str(price)), None if vat is None else Decimal(vat), step_size)


def published(*details, **limits):
    """The tariff as a partner reads it."""
    content = {"id": "T", "currency": "EUR", "elements": [one.to_ocpi() for one in emit_elements(details)]}
    return Tariff.from_ocpi(content | limits)


def at(text):
    """A local time in Vienna as UTC; a trailing + is the second one of a repeated hour."""
    local = datetime.fromisoformat(text.removesuffix("+")).replace(tzinfo=ZoneInfo(VIENNA))
    return local.replace(fold=1 if text.endswith("+") else 0).astimezone(UTC)


def priced(tariff, start, *pieces):
    """Pieces are (minutes, kWh) or (minutes, kWh, True) while parked; priced from the published JSON."""
    instant = at(start)
    readings, parked = [(instant, Decimal(0))], []
    for minutes, kwh, *is_parked in pieces:
        following = instant + timedelta(minutes=minutes)
        readings.append((following, readings[-1][1] + Decimal(str(kwh)) * 1000))
        if is_parked:
            parked.append((instant, following))
        instant = following
    periods = split_session(tariff, readings, parked, readings[0][0], instant, VIENNA)
    received = read_periods([period.to_ocpi(tariff.id) for period in periods])
    assert received == periods
    total = price_periods(tariff, received, instant, VIENNA).to_ocpi()["total_cost"]
    return total["excl_vat"], total["incl_vat"]


def test_night_of_the_day_that_is_not_selected():
    friday = Detail("fri", 5, weekdays=(DayOfWeek.FRIDAY,), energy=per("0.20"), **NIGHT)
    tariff = published(Detail("day", energy=per("0.50")), friday)
    assert priced(tariff, "2026-02-06T05:00", (60, 8)) == (4.00, 4.80)  # still Thursday's night
    assert priced(tariff, "2026-02-07T05:00", (120, 16)) == (5.60, 6.72)


@pytest.mark.parametrize(("start", "hours", "net"), [("2026-03-28T21:00", 9, 11), ("2026-10-24T21:00", 11, 13)])
def test_night_with_clock_change(start, hours, net):
    tariff = published(Detail("day", charge_time=per(2)), Detail("night", 5, charge_time=per(1), **NIGHT))
    assert priced(tariff, start, (hours * 60, 10)) == (net, float(Decimal(net) * Decimal("1.2")))


def test_boundary_in_repeated_and_in_skipped_hour():
    window = {"start": datetime(2026, 1, 1, 2, 30), "stop": datetime(2026, 12, 31, 5)}
    tariff = published(Detail("base", energy=per("0.40")), Detail("w", 5, energy=per("0.60"), **window))
    assert priced(tariff, "2026-10-25T02:00", (120, 20)) == (10.00, 12.00)
    assert priced(tariff, "2026-03-29T01:30", (30, 5), (30, 5)) == (5.00, 6.00)


def test_one_time_detail_over_a_weekend():
    weekend = Detail(
        "weekend",
        9,
        Recurrence.ONE_TIME,
        datetime(2026, 5, 1, 18),
        datetime(2026, 5, 4, 8),
        energy=per("0.20"),
    )
    tariff = published(Detail("base", energy=per("0.45")), weekend)
    assert priced(tariff, "2026-05-02T10:00", (120, 20)) == (4.00, 4.80)
    assert priced(tariff, "2026-05-04T07:00", (120, 20)) == (6.50, 7.80)
    assert priced(tariff, "2026-05-01T17:30", (60, 6)) == (1.95, 2.34)


def test_first_and_last_morning_of_a_nightly_range():
    nightly = {"start": datetime(2026, 3, 1, 22), "stop": datetime(2026, 3, 31, 6)}
    tariff = published(Detail("base", energy=per("0.50")), Detail("night", 5, energy=per("0.20"), **nightly))
    assert priced(tariff, "2026-03-01T05:00", (60, 10)) == (5.00, 6.00)
    assert priced(tariff, "2026-03-31T05:00", (120, 20)) == (7.00, 8.40)


def test_maximum_limits_net_and_gross_each_for_itself():
    tariff = published(
        Detail("base", energy=per("0.50"), park_time=per(5, 0)),
        max_price={"excl_vat": 20.0, "incl_vat": 24.0},
    )
    assert priced(tariff, "2026-02-02T09:00", (60, 12), (180, 0, True)) == (20.00, 22.20)


def test_minimum():
    tariff = published(Detail("base", energy=per("0.40")), min_price={"excl_vat": 1.0, "incl_vat": 1.2})
    assert priced(tariff, "2026-02-02T09:00", (10, 1)) == (1.00, 1.20)


def test_steps_of_time_and_of_parking_in_a_free_detail():
    stepped = published(Detail("base", charge_time=per(3, 20, 900), park_time=per(6, 20, 300)))
    assert priced(stepped, "2026-02-02T10:00", (50, 0)) == (3.00, 3.60)
    free = Detail("free", 5, start=datetime(2026, 1, 1, 12), stop=datetime(2026, 12, 31, 14))
    with_free = published(Detail("base", charge_time=per(3, 20, 900), park_time=per(6, 20, 300)), free)
    assert priced(with_free, "2026-02-02T11:10", (50, 0), (17, 0, True)) == (2.4999, 2.9999)


def test_four_vat_rates():
    detail = Detail("base", flat=per(1, 0), energy=per("0.45"), charge_time=per("0.30", 13), park_time=per("1.50", 10))
    assert priced(published(detail), "2026-02-02T09:00", (60, 10), (60, 0, True)) == (7.30, 8.389)


def test_flat_is_settled_in_a_gap_at_the_start():
    day = {"start": datetime(2026, 1, 1, 8), "stop": datetime(2026, 12, 31, 20)}
    tariff = published(Detail("day", energy=per("0.40"), flat=per(1), **day))
    assert priced(tariff, "2026-02-02T07:00", (60, 5), (60, 5)) == (2.00, 2.40)


def test_tariff_valid_at_the_start_is_the_one_chosen():
    tariff = published(Detail("old", energy=per("0.40")), end_date_time="2026-02-02T08:05:00Z")
    assert tariff.is_valid_at(at("2026-02-02T09:00"))
    assert not tariff.is_valid_at(at("2026-02-02T09:05"))
    assert priced(tariff, "2026-02-02T09:00", (60, 20)) == (8.00, 9.60)  # kept for the whole session


def test_running_session_costs_as_if_it_ended_now():
    start = at("2026-02-02T09:00")
    readings = [(start, Decimal(1000)), (start + timedelta(minutes=10), Decimal(3000))]
    tariff = published(Detail("base", energy=per("0.40"), charge_time=per(6), flat=per("0.50")))
    assert cost_now(tariff, readings, [], start, start, None).net == Decimal("0.50")
    now = start + timedelta(minutes=20)
    assert cost_now(tariff, readings, [], start, now, None).net == Decimal("3.30")
    parked = [(start + timedelta(minutes=10), None)]
    assert cost_now(tariff, readings, parked, start, now, None).net == Decimal("2.30")


def test_expired_reservation_without_session():
    tariff = published(Detail("base", energy=per("0.40"), flat=per(1), reservation_time=per(3)))
    begin, end = at("2026-02-02T09:00"), at("2026-02-02T09:20")
    periods = split_session(tariff, [], [], end, end, VIENNA, reserved_from=begin)
    assert [str(period.reservation_h) for period in periods] == ["0.3333"]
    assert price_periods(tariff, periods, end, VIENNA).gross == Decimal("1.20")


def test_gross_limit_is_the_one_that_binds():
    details = [Detail(1, energy=per("0.50"), park_time=per(5, 0)), Detail(2, flat=per(0, None))]
    assert max_limit(Decimal(24), details).to_ocpi() == {"excl_vat": 24.0, "incl_vat": 24.0}
    assert max_limit(Decimal(50), details[1:]).to_ocpi() == {"excl_vat": 50.0, "incl_vat": 50.0}
    one_rate = [Detail(1, energy=per("0.50", 19))]
    assert max_limit(Decimal(50), one_rate).to_ocpi() == {"excl_vat": 42.0168, "incl_vat": 50.0}


MIXED = Detail(1, energy=per("0.50"), flat=per("0.50", None))


def test_gross_minimum_that_is_exceeded_leaves_net_alone():
    least = min_limit(Decimal(5), [MIXED]).to_ocpi()
    assert least == {"excl_vat": 4.1667, "incl_vat": 5.0}
    assert priced(published(MIXED, min_price=least), "2026-02-02T09:00", (60, 8)) == (4.50, 5.30)


def test_gross_minimum_that_acts_is_spread_over_the_rates():
    """The total is what every receiver of the tariff computes; net and VAT of the rates follow from their gross."""
    tariff = published(MIXED, min_price=min_limit(Decimal(5), [MIXED]).to_ocpi())
    assert priced(tariff, "2026-02-02T09:00", (60, 4)) == (4.1667, 5.00)
    begin = at("2026-02-02T09:00")
    readings = [(begin, Decimal(0)), (begin + timedelta(hours=1), Decimal(4000))]
    rows = cost_now(tariff, readings, [], begin, begin + timedelta(hours=1), None).published().vat_totals()
    # Of 0.50 and 2.40 gross.
    assert [(row.rate, str(row.net), str(row.vat), str(row.gross)) for row in rows] == [
        (None, "0.86", "0.00", "0.86"),
        (20, "3.45", "0.69", "4.14"),
    ]


AMOUNTS = st.integers(0, 60_000).map(lambda value: Decimal(value) / 10_000)
PRICES = st.builds(DetailPrice, AMOUNTS, st.sampled_from([None, *map(Decimal, ("0", "7", "20", "25.5"))]))


@settings(max_examples=100, deadline=None)
@given(energy=PRICES, flat=PRICES, kwh=st.integers(0, 9), share=st.integers(50, 100))
def test_gross_limit_that_does_not_act_leaves_net_alone(energy, flat, kwh, share):
    detail = Detail(1, energy=energy, flat=flat)
    total = priced(published(detail), "2026-02-02T09:00", (60, kwh))
    gross = Decimal(str(total[1]))
    limits = {
        "min_price": min_limit(gross * share / 100, [detail]).to_ocpi(),
        "max_price": max_limit(gross * 100 / share, [detail]).to_ocpi(),
    }
    assert priced(published(detail, **limits), "2026-02-02T09:00", (60, kwh)) == total
