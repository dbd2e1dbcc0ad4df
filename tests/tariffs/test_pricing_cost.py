"""Selection at the edges, itemised costs, VAT totals, rounding and bad input."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.pricing import (
    ChargingPeriod,
    Detail,
    DetailPrice,
    PricingError,
    Tariff,
    VatTotal,
    min_limit,
    money,
    ocpi_number,
    price_periods,
)
from tariffs.pricing.restrictions import Moment, matches
from tariffs.pricing.tariff import Restrictions

pytestmark = pytest.mark.any_database

START = datetime(2026, 2, 2, 9, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)


def component(kind, price, vat=None):
    return {"type": kind, "price": price, "step_size": 1} | ({} if vat is None else {"vat": vat})


def content(*components, **fields):
    return {"id": "T", "currency": "EUR", "elements": [{"price_components": list(components)}]} | fields


def charged(raw, kwh=0, hours=0, parked=0):
    period = ChargingPeriod(START, Decimal(str(kwh)), Decimal(str(hours)), Decimal(str(parked)))
    return price_periods(Tariff.from_ocpi(raw), [period], START + HOUR, None)


@pytest.mark.parametrize(
    ("restrictions", "at", "expected"),
    [
        ({"start_time": "09:00"}, "09:00:00", True),
        ({"start_time": "09:00"}, "08:59:59", False),
        ({"end_time": "09:00"}, "08:59:59", True),
        ({"end_time": "09:00"}, "09:00:00", False),
        ({"start_time": "22:00", "end_time": "06:00"}, "21:59:59", False),
        ({"start_time": "22:00", "end_time": "06:00"}, "22:00:00", True),
        ({"start_time": "22:00", "end_time": "06:00"}, "23:00:00", True),
        ({"start_time": "22:00", "end_time": "06:00"}, "05:59:59", True),
        ({"start_time": "22:00", "end_time": "06:00"}, "06:00:00", False),
        ({"start_time": "20:00", "end_time": "00:00"}, "23:59:59", True),
        ({"start_time": "20:00", "end_time": "00:00"}, "19:59:59", False),
        ({"end_time": "00:00"}, "12:00:00", True),
        ({"start_time": "09:00", "end_time": "09:00"}, "09:00:00", False),
        ({"start_date": "2026-02-02", "end_date": "2026-02-03"}, "23:59:59", True),
        ({"start_date": "2026-02-03"}, "23:59:59", False),
        ({"end_date": "2026-02-02"}, "00:00:00", False),
        ({"day_of_week": ["MONDAY"], "start_time": "22:00", "end_time": "06:00"}, "05:00:00", True),
        ({"day_of_week": ["SUNDAY"], "start_time": "22:00", "end_time": "06:00"}, "05:00:00", False),
    ],
)
def test_clock_restrictions(restrictions, at, expected):
    moment = Moment(datetime.fromisoformat(f"2026-02-02T{at}"), Decimal(0), timedelta())
    assert matches(Restrictions.from_ocpi(restrictions, "restrictions"), moment) is expected


@pytest.mark.parametrize(
    ("restrictions", "expected"),
    [
        ({"min_kwh": 10}, True),
        ({"max_kwh": 10}, False),
        ({"min_kwh": 10.0001}, False),
        ({"min_duration": 600}, True),
        ({"max_duration": 600}, False),
        ({"max_duration": 601, "min_kwh": 11}, False),
    ],
)
def test_amounts_at_their_edge(restrictions, expected):
    moment = Moment(None, Decimal(10), timedelta(seconds=600))
    assert matches(Restrictions.from_ocpi(restrictions, "restrictions"), moment) is expected


def test_lines_are_merged_by_price_and_vat_and_free_ones_left_out():
    raw = content(component("ENERGY", 0.4, 20), component("TIME", 6, 20), component("PARKING_TIME", 0))
    periods = [
        ChargingPeriod(START, Decimal(5), Decimal("0.25")),
        ChargingPeriod(START + HOUR / 4, Decimal(1), Decimal(0), Decimal("0.25")),
        ChargingPeriod(START + HOUR / 2, Decimal(5), Decimal("0.5")),
    ]
    lines = price_periods(Tariff.from_ocpi(raw), periods, START + HOUR, None).lines
    assert [(line.dimension, line.quantity, line.excl_vat, line.incl_vat) for line in lines] == [
        ("ENERGY", 11, Decimal("4.4"), Decimal("5.28")),
        ("TIME", Decimal("0.75"), Decimal("4.5"), Decimal("5.4")),
    ]


def test_first_component_of_a_type_counts():
    assert charged(content(component("ENERGY", 1), component("ENERGY", 2)), kwh=1).net == Decimal("1.00")


def test_one_price_with_two_steps_is_one_line():
    raw = content(component("ENERGY", 0.4, 20))
    raw["elements"][0]["restrictions"] = {"max_kwh": 1}
    stepped = component("ENERGY", 0.4, 20) | {"step_size": 100}
    raw["elements"].append({"price_components": [stepped]})
    periods = [ChargingPeriod(START, Decimal(1)), ChargingPeriod(START + HOUR / 2, Decimal("0.55"))]
    lines = price_periods(Tariff.from_ocpi(raw), periods, START + HOUR, None).lines
    assert [line.quantity for line in lines] == [Decimal("1.6")]


def test_thirds_of_an_hour_add_up_to_the_half_cent():
    """Each rounded for itself would make 1.00499999... and 1.00."""
    raw = content(component("TIME", 1.005), component("PARKING_TIME", 1.005))
    assert charged(raw, hours="0.3333", parked="0.6666").total.excl_vat == Decimal("1.004966500")
    periods = [ChargingPeriod(START, Decimal(0), Decimal(1200) / 3600, Decimal(2400) / 3600)]
    assert price_periods(Tariff.from_ocpi(raw), periods, START + HOUR, None).net == Decimal("1.01")


def test_vat_that_is_absent_is_not_zero_percent():
    rows = charged(content(component("ENERGY", 1), component("TIME", 2, 0)), kwh=3, hours=1).vat_totals()
    assert rows == (
        VatTotal(None, Decimal("3.00"), Decimal("0.00"), Decimal("3.00")),
        VatTotal(Decimal(0), Decimal("2.00"), Decimal("0.00"), Decimal("2.00")),
    )


def test_capped_total_is_spread_over_the_rates_and_adds_up():
    limit = {"excl_vat": 10.0, "incl_vat": 10.0}
    raw = content(component("ENERGY", 0.5, 20), component("TIME", 5, 7), component("FLAT", 1), max_price=limit)
    cost = charged(raw, kwh=12, hours=1)
    assert (cost.gross, cost.subtotal.incl_vat) == (Decimal("10.00"), Decimal("13.55"))
    rows = cost.vat_totals()
    assert [(row.rate, row.gross) for row in rows] == [
        (None, Decimal("0.74")),
        (7, Decimal("3.95")),
        (20, Decimal("5.31")),
    ]
    assert all(row.net + row.vat == row.gross and row.vat >= 0 for row in rows)


def test_cents_lost_in_rounding_are_given_to_the_largest_remainders():
    raw = content(component("ENERGY", 0.0059, 1), component("TIME", 0.006, 20))
    rows = charged(raw, kwh=1, hours=1).vat_totals()
    assert rows == (
        VatTotal(Decimal(1), Decimal("0.00"), Decimal("0.00"), Decimal("0.00")),
        VatTotal(Decimal(20), Decimal("0.01"), Decimal("0.00"), Decimal("0.01")),
    )


def test_minimum_for_a_session_in_which_nothing_was_used():
    raw = content(component("ENERGY", 0.4, 20), min_price={"excl_vat": 1.0, "incl_vat": 1.2})
    assert charged(raw).vat_totals() == (VatTotal(Decimal(20), Decimal("1.00"), Decimal("0.20"), Decimal("1.20")),)


@pytest.mark.parametrize("vat", ["7", "7.7", "19", "20", "25.5"])
@pytest.mark.parametrize("least", ["0.50", "0.70", "1.00", "4.99"])
def test_minimum_for_nothing_used_has_the_rate_of_the_tariff(vat, least):
    limit = min_limit(Decimal(least), [Detail(1, energy=DetailPrice(Decimal("0.40"), Decimal(vat)))])
    (row,) = charged(content(component("ENERGY", 0.4, 20), min_price=limit.to_ocpi())).vat_totals()
    assert (str(row.rate), row.gross) == (vat, Decimal(least))


@pytest.mark.parametrize(
    ("priced", "kwh", "hours"),
    [(component("ENERGY", 0.01, 20), "0.004", 0), (component("TIME", 0.15, 20), 0, "0.0002")],
)
def test_minimum_for_a_session_of_next_to_nothing(priced, kwh, hours):
    """0.000048 and 0.00005, published as 0.0000 and 0.0001: the shares count as they are."""
    raw = content(priced, min_price={"excl_vat": 0.8333, "incl_vat": 1.0})
    rows = charged(raw, kwh, hours).published().vat_totals()
    assert rows == (VatTotal(Decimal(20), Decimal("0.83"), Decimal("0.17"), Decimal("1.00")),)


def tiny_or_huge(most):
    return st.one_of(st.just(0), st.integers(1, 9), st.integers(10, most)).map(lambda value: Decimal(value) / 10_000)


LIMITS = st.one_of(st.none(), tiny_or_huge(10**10))


@settings(max_examples=200, deadline=None)
@given(
    prices=st.fixed_dictionaries(
        {
            kind: st.tuples(tiny_or_huge(10**8), st.sampled_from([None, 0, 7, 20, 25.5]))
            for kind in ("ENERGY", "TIME", "PARKING_TIME", "FLAT")
        }
    ),
    used=st.tuples(*(tiny_or_huge(10**8) for _ in range(3))),
    least=LIMITS,
    most=LIMITS,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_totals_of_the_rates_add_up_to_the_total(prices, used, least, most, currency):
    limits = {
        name: {"excl_vat": gross, "incl_vat": gross}
        for name, gross in (("min_price", least), ("max_price", most))
        if gross is not None
    }
    components = [component(kind, *price) for kind, price in prices.items()]
    exact = charged(content(*components, **limits) | {"currency": currency}, *used)
    for cost in (exact, exact.published()):
        rows = cost.vat_totals()
        assert sum(row.gross for row in rows) == cost.gross
        assert all(row.net + row.vat == row.gross and row.net >= 0 and row.vat >= 0 for row in rows)


def test_limit_without_gross_limits_the_net_only():
    cost = charged(content(component("ENERGY", 1, 20), max_price={"excl_vat": 5}), kwh=10)
    assert (cost.net, cost.gross) == (Decimal("5.00"), Decimal("12.00"))


def test_parts_of_a_cdr_add_up():
    raw = content(component("FLAT", 1, 20), component("ENERGY", 0.4, 20), component("TIME", 3, 20))
    costs = charged(raw, kwh=10, hours=1).to_ocpi()
    assert costs["total_cost"] == {"excl_vat": 8.0, "incl_vat": 9.6}
    assert [cost["excl_vat"] for cost in costs.values()] == [8.0, 1.0, 4.0, 3.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("5.625", "EUR", "5.63"), ("6.2375", "EUR", "6.24"), ("0.5", "JPY", "1"), ("1.2345", "KWD", "1.235")],
)
def test_money_is_rounded_half_up(amount, currency, expected):
    assert str(money(Decimal(amount), currency)) == expected


def test_ocpi_numbers_are_rounded_half_up():
    assert str(ocpi_number(Decimal("0.00005"))) == "0.0001"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"elements": []}, "elements"),
        ({"elements": None}, "elements"),
        ({"elements": [{"price_components": []}]}, "elements[0].price_components"),
        ({"elements": [{"price_components": [{"type": "POWER", "price": 1}]}]}, "elements[0].price_components[0].type"),
        (
            {"elements": [{"price_components": [{"type": "FLAT", "price": "1"}]}]},
            "elements[0].price_components[0].price",
        ),
        (
            {"elements": [{"price_components": [{"type": "FLAT", "price": -1}]}]},
            "elements[0].price_components[0].price",
        ),
        (
            {"elements": [{"price_components": [{"type": "FLAT", "price": float("nan")}]}]},
            "elements[0].price_components[0].price",
        ),
        ({"max_price": {"incl_vat": 5}}, "max_price.excl_vat"),
        ({"currency": None}, "currency"),
        ({"end_date_time": "soon"}, "end_date_time"),
    ],
)
def test_bad_tariffs_are_refused_by_field(change, field):
    with pytest.raises(PricingError) as refused:
        Tariff.from_ocpi(content(component("FLAT", 1)) | change)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "restrictions",
    [{"start_time": "24:00"}, {"start_date": "2026-02-30"}, {"day_of_week": ["FUNDAY"]}, {"min_duration": 1.5}],
)
def test_bad_restrictions_are_refused(restrictions):
    with pytest.raises(PricingError, match=next(iter(restrictions))):
        Restrictions.from_ocpi(restrictions, "restrictions")


def period(start, *dimensions):
    return {
        "start_date_time": start,
        "dimensions": [{"type": kind, "volume": volume} for kind, volume in dimensions],
    }


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (period("2026-02-02T09:00:00Z", ("ENERGY", -1)), "charging_periods.dimensions[0].volume"),
        (period("2026-02-02T09:00:00Z", ("FLAT", 1)), "charging_periods.dimensions[0].type"),
        (period("2026-02-02T09:00:00Z", ("TIME", 1), ("TIME", 1)), "charging_periods.dimensions[1].type"),
        (period("2026-02-02T09:00:00Z", ("TIME", None)), "charging_periods.dimensions[0].volume"),
        (period("9 o'clock", ("TIME", 1)), "charging_periods.start_date_time"),
        ({"start_date_time": "2026-02-02T09:00:00Z"}, "charging_periods.dimensions"),
    ],
)
def test_bad_periods_are_refused_by_field(raw, field):
    with pytest.raises(PricingError) as refused:
        ChargingPeriod.from_ocpi(raw)
    assert refused.value.field == field


def test_session_dimensions_without_a_price_are_passed_over():
    read = ChargingPeriod.from_ocpi(period("2026-02-02T09:00:00", ("STATE_OF_CHARGE", 80), ("ENERGY", 1)))
    assert (read.start, read.energy_kwh) == (START, 1)


@pytest.mark.parametrize(
    ("starts", "end", "field"),
    [
        ([], START, "charging_periods"),
        ([START + HOUR, START], START + 2 * HOUR, "charging_periods[1].start_date_time"),
        ([START], START - HOUR, "end_date_time"),
        ([START], datetime(2026, 2, 2, 10), "end_date_time"),
    ],
)
def test_periods_out_of_order_are_refused(starts, end, field):
    periods = [ChargingPeriod(start) for start in starts]
    with pytest.raises(PricingError) as refused:
        price_periods(Tariff.from_ocpi(content(component("FLAT", 1))), periods, end, None)
    assert refused.value.field == field


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../etc/passwd"])
def test_local_times_need_a_known_zone(zone):
    raw = content(component("FLAT", 1))
    raw["elements"][0]["restrictions"] = {"start_time": "08:00"}
    with pytest.raises(PricingError) as refused:
        price_periods(Tariff.from_ocpi(raw), [ChargingPeriod(START)], START, zone)
    assert refused.value.field == "time_zone"


def test_period_with_reserved_time_and_energy_is_priced_for_both():
    raw = content(component("ENERGY", 0.5), component("TIME", 9))
    reserved = {"price_components": [component("TIME", 2)], "restrictions": {"reservation": "RESERVATION"}}
    raw["elements"].insert(0, reserved)
    both = ChargingPeriod(START, Decimal(10), reservation_h=Decimal("0.5"))
    cost = price_periods(Tariff.from_ocpi(raw), [both], START + HOUR, None)
    assert (cost.energy.excl_vat, cost.reservation.excl_vat) == (5, 1)


def test_written_period_names_the_tariff_if_there_is_one():
    assert "tariff_id" not in ChargingPeriod(START).to_ocpi()
    assert ChargingPeriod(START).to_ocpi("T") == period("2026-02-02T09:00:00Z", ("ENERGY", 0), ("TIME", 0)) | {
        "tariff_id": "T"
    }


@pytest.mark.parametrize("name", ["energy_kwh", "time_h", "parking_h", "reservation_h"])
def test_period_is_never_negative(name):
    with pytest.raises(PricingError, match="negative"):
        ChargingPeriod(START, **{name: Decimal("-0.001")})


def test_period_needs_a_zone():
    with pytest.raises(PricingError):
        ChargingPeriod(datetime(2026, 2, 2, 9))
