"""The examples whose totals OCPI 2.2.1 states (mod_tariffs, mod_cdrs step_size), typed anew."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tariffs.pricing import ChargingPeriod, Tariff, price_periods
from tariffs.pricing.restrictions import PowerBounds

pytestmark = pytest.mark.any_database

MONDAY = datetime(2026, 2, 2, tzinfo=UTC)
SATURDAY = datetime(2026, 2, 7, tzinfo=UTC)


def component(kind, price, vat=None, step=1):
    return {"type": kind, "price": price, "step_size": step} | ({} if vat is None else {"vat": vat})


def element(*components, **restrictions):
    return {"price_components": list(components)} | ({"restrictions": restrictions} if restrictions else {})


def tariff(*elements, **fields):
    return Tariff.from_ocpi({"id": "T", "currency": "EUR", "elements": list(elements)} | fields)


def priced(tariff, *pieces, start=MONDAY, power=None):
    """Pieces are (kind, minutes, kWh); times are in UTC, which is the location's zone here."""
    periods, at = [], start
    for kind, minutes, kwh in pieces:
        hours = Decimal(minutes) / 60
        bounds = {} if power is None else {"power": power}
        periods.append(ChargingPeriod(at, Decimal(str(kwh)), **{kind: hours}, **bounds))
        at += timedelta(minutes=minutes)
    return price_periods(tariff, periods, at, "UTC").to_ocpi()["total_cost"]


def price(excl, incl):
    return {"excl_vat": excl, "incl_vat": incl}


FLAT = component("FLAT", 0.5, 20.0)
ENERGY = component("ENERGY", 0.25, 10.0)


@pytest.mark.parametrize(
    ("example", "pieces", "expected"),
    [
        pytest.param(tariff(element(ENERGY)), [("time_h", 60, 20)], price(5.0, 5.5), id="energy"),
        pytest.param(tariff(element(FLAT, ENERGY)), [("time_h", 60, 20)], price(5.5, 6.1), id="start fee"),
        pytest.param(
            tariff(element(ENERGY), min_price=price(0.5, 0.55)),
            [("time_h", 9, 1.9)],
            price(0.5, 0.55),
            id="minimum",
        ),
        pytest.param(
            tariff(element(FLAT, ENERGY, component("PARKING_TIME", 2.0, 20.0, 900))),
            [("time_h", 60, 20), ("parking_h", 40, 0)],
            price(7.0, 7.9),
            id="parking in quarters of an hour",
        ),
        pytest.param(
            tariff(element(FLAT, ENERGY), max_price=price(10.0, 11.0)),
            [("time_h", 60, 50)],
            price(10.0, 11.0),
            id="maximum",
        ),
        pytest.param(
            tariff(element(FLAT, ENERGY), max_price=price(10.0, 11.0)),
            [("time_h", 60, 30)],
            price(8.0, 8.85),
            id="below the maximum",
        ),
        pytest.param(
            tariff(element(component("TIME", 2.0, 10.0, 60))), [("time_h", 150, 9)], price(5.0, 5.5), id="time"
        ),
        pytest.param(
            tariff(element(component("TIME", 3.0, 10.0, 60), component("PARKING_TIME", 5.0, 20.0, 300))),
            [("time_h", 150, 9), ("parking_h", 42, 0)],
            price(11.25, 12.75),
            id="time and parking",
        ),
        pytest.param(
            tariff(element(component("TIME", 1.9, 5.2, 300))),
            [("time_h", 150, 9)],
            price(4.75, 4.997),
            id="VAT of 5.2 percent",
        ),
        pytest.param(
            tariff(element(FLAT, component("ENERGY", 0.25, 10.0, 100))),
            [("time_h", 60, 20.45)],
            price(5.625, 6.2375),
            id="energy in steps of 100 Wh",
        ),
        pytest.param(
            tariff(element(component("FLAT", 0.0, None, 0))), [("time_h", 60, 20)], price(0.0, 0.0), id="free"
        ),
        pytest.param(
            tariff(element(component("ENERGY", 0.25, None, 0))),
            [("time_h", 60, 0.1152)],
            price(0.0288, 0.0288),
            id="step 0 rounds nothing",
        ),
        pytest.param(
            tariff(element(component("ENERGY", 0.25))),
            [("time_h", 60, 0.1152)],
            price(0.029, 0.029),
            id="115.2 Wh bill 116 Wh",
        ),
    ],
)
def test_simple_examples(example, pieces, expected):
    assert priced(example, *pieces) == expected


STEPS = tariff(
    element(
        component("TIME", 1.2, None, 1800),
        component("PARKING_TIME", 1.0, None, 900),
        start_time="00:00",
        end_time="17:00",
    ),
    element(
        component("TIME", 2.4, None, 900),
        component("PARKING_TIME", 1.0, None, 900),
        start_time="17:00",
        end_time="20:00",
    ),
    element(component("TIME", 2.4, None, 900), start_time="20:00", end_time="00:00"),
)


@pytest.mark.parametrize(
    ("begin", "pieces", "net"),
    [
        (timedelta(hours=16, minutes=55), [("time_h", 5, 0), ("time_h", 5, 0), ("parking_h", 2, 0)], 0.55),
        (timedelta(hours=16, minutes=35), [("time_h", 25, 0), ("time_h", 10, 0)], 1.30),
        (timedelta(hours=19, minutes=40), [("time_h", 12, 0), ("parking_h", 8, 0), ("parking_h", 12, 0)], 0.73),
    ],
    ids=["parking absorbs the step", "last step counts for the total", "free parking does not count"],
)
def test_example_14_step_size_across_elements(begin, pieces, net):
    assert priced(STEPS, *pieces, start=MONDAY + begin) == price(net, net)


def test_step_of_500_wh_rounds_the_sum_of_both_prices():
    example = tariff(
        element(component("ENERGY", 0.2, None, 500), end_time="17:00"),
        element(component("ENERGY", 0.27, None, 500)),
    )
    total = priced(example, ("time_h", 60, 4.3), ("time_h", 60, 1.1), start=MONDAY + timedelta(hours=16))
    assert total == price(1.184, 1.184)  # 4.3 x 0.20 + 1.2 x 0.27


COMPLEX = tariff(
    element(component("FLAT", 2.5, 15.0)),
    element(component("TIME", 1.0, 20.0, 900), max_current=32.0),
    element(
        component("TIME", 2.0, 20.0, 600),
        min_current=32.0,
        day_of_week=["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"],
    ),
    element(component("TIME", 1.25, 20.0, 600), min_current=32.0, day_of_week=["SATURDAY", "SUNDAY"]),
    element(
        component("PARKING_TIME", 5.0, 10.0, 300),
        start_time="09:00",
        end_time="18:00",
        day_of_week=["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"],
    ),
    element(
        component("PARKING_TIME", 6.0, 10.0, 300),
        start_time="10:00",
        end_time="17:00",
        day_of_week=["SATURDAY"],
    ),
)


def test_complex_example_on_monday():
    power = PowerBounds(min_current=Decimal(16), max_current=Decimal(16))
    begin = MONDAY + timedelta(hours=9, minutes=30)
    total = priced(COMPLEX, ("time_h", 165, 9), ("parking_h", 42, 0), start=begin, power=power)
    assert total == price(9.0, 10.3)


def test_complex_example_on_saturday():
    """The text prints 12.28/13.861: it bills 114 minutes at 1.20 instead of 1.25."""
    power = PowerBounds(min_current=Decimal(43), max_current=Decimal(43))
    begin = SATURDAY + timedelta(hours=13, minutes=30)
    total = priced(COMPLEX, ("time_h", 114, 9), ("parking_h", 71, 0), start=begin, power=power)
    assert total == price(12.375, 13.975)


SESSION = element(FLAT, ENERGY)
RESERVED_15 = element(component("TIME", 5.0, 20.0, 60), reservation="RESERVATION")
RESERVED_16 = element(component("FLAT", 2.0, 20.0), component("TIME", 5.0, 20.0, 300), reservation="RESERVATION")
EXPIRES_17 = element(component("FLAT", 4.0, 20.0), reservation="RESERVATION_EXPIRES")
RESERVED_17 = element(component("TIME", 2.0, 20.0, 600), reservation="RESERVATION")
EXPIRES_18 = element(component("TIME", 6.0, 20.0, 600), reservation="RESERVATION_EXPIRES")
RESERVED_18 = element(component("TIME", 3.0, 20.0, 600), reservation="RESERVATION")
EXAMPLE_17 = tariff(EXPIRES_17, RESERVED_17, SESSION)
EXAMPLE_18 = tariff(EXPIRES_18, RESERVED_18, SESSION)
CHARGED = ("time_h", 60, 20)


@pytest.mark.parametrize(
    ("example", "pieces", "expected"),
    [
        (tariff(RESERVED_15, SESSION), [("reservation_h", 15, 0), CHARGED], price(6.75, 7.6)),
        (tariff(RESERVED_16, SESSION), [("reservation_h", 13, 0), CHARGED], price(8.75, 10.0)),
        (EXAMPLE_17, [("reservation_h", 22, 0), CHARGED], price(6.5, 7.3)),
        (EXAMPLE_17, [("reservation_h", 60, 0)], price(6.0, 7.2)),
        (EXAMPLE_18, [("reservation_h", 22, 0), CHARGED], price(7.0, 7.9)),
        (EXAMPLE_18, [("reservation_h", 90, 0)], price(9.0, 10.8)),
    ],
    ids=["15", "16", "17 used", "17 expired", "18 used", "18 expired"],
)
def test_reservation_examples(example, pieces, expected):
    assert priced(example, *pieces) == expected


def test_max_power_of_16_kw_is_exclusive():
    example = tariff(
        element(component("ENERGY", 0.2), max_power=16.0),
        element(component("ENERGY", 0.35), max_power=32.0),
        element(component("ENERGY", 0.5)),
    )
    at_16 = PowerBounds(min_power=Decimal(16), max_power=Decimal(16))
    below = PowerBounds(min_power=Decimal("15.9"), max_power=Decimal("15.9"))
    assert priced(example, ("time_h", 60, 10), power=at_16) == price(3.5, 3.5)
    assert priced(example, ("time_h", 60, 10), power=below) == price(2.0, 2.0)
    assert priced(example, ("time_h", 60, 10)) == price(2.0, 2.0)


def test_lower_bound_looks_at_the_least_power_of_the_period():
    example = tariff(element(component("ENERGY", 0.5), min_power=16.0), element(component("ENERGY", 0.2)))
    varying = PowerBounds(min_power=Decimal(11), max_power=Decimal(22))
    assert priced(example, ("time_h", 60, 10), power=varying) == price(2.0, 2.0)
