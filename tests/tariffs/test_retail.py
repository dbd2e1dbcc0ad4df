"""The driver's price at a partner with a wholesale tariff: factor and surcharge on the CDR's total, rounded once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargers.services.cdrs import cost_as_json
from payments.invoices import content
from tariffs.pricing import ChargingPeriod, Cost, RetailTerms, Tariff, max_limit, money, price_periods
from tariffs.services.details import prices_of

START = datetime(2026, 2, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)

VATS = st.sampled_from([None, "0", "7", "19", "20", "21", "25.5"])
CENTS = st.integers(0, 3000).map(lambda value: Decimal(value) / 100)
TERMS = st.builds(
    RetailTerms,
    factor=st.integers(1, 40_000).map(lambda value: Decimal(value) / 10_000),
    surcharge=st.integers(0, 500).map(lambda value: Decimal(value) / 100),
    surcharge_vat=VATS.map(lambda vat: vat and Decimal(vat)),
)


def tariff(prices: dict[str, tuple[Decimal, str | None]], limit: Decimal | None = None, least: str = "0") -> Tariff:
    components = [
        {"type": kind, "price": price, "step_size": 1} | ({} if vat is None else {"vat": Decimal(vat)})
        for kind, (price, vat) in prices.items()
    ]
    raw: dict[str, Any] = {"id": "T", "currency": "EUR", "elements": [{"price_components": components}]}
    if Decimal(least):
        raw["min_price"] = dict.fromkeys(("excl_vat", "incl_vat"), Decimal(least))
    read = Tariff.from_ocpi(raw)
    return read if limit is None else replace(read, max_price=max_limit(limit, prices_of(read.elements)))


def charged(priced_by: Tariff, kwh: Decimal, hours: Decimal = Decimal(0), parked: Decimal = Decimal(0)) -> Cost:
    return price_periods(priced_by, [ChargingPeriod(START, kwh, hours, parked)], START + HOUR, None)


ENERGY_AND_FEE = tariff({"ENERGY": (Decimal("0.40"), "20"), "FLAT": (Decimal("1.00"), "10")})
TERMS_15 = RetailTerms(Decimal("1.15"), Decimal("0.35"), Decimal(25))


def test_the_factor_acts_on_every_line_and_the_surcharge_is_a_line_of_its_own() -> None:
    cost = TERMS_15.cost(charged(ENERGY_AND_FEE, Decimal(10)))
    # By hand: 4.00 x 1.15 = 4.60 net, 5.52 gross; 1.00 x 1.15 = 1.15 net, 1.265 gross; 0.35 gross, 0.28 net.
    assert [(line.dimension, line.excl_vat, line.incl_vat, line.vat) for line in cost.lines] == [
        ("FLAT", Decimal("1.15"), Decimal("1.265"), Decimal(10)),
        ("ENERGY", Decimal("4.60"), Decimal("5.52"), Decimal(20)),
        ("SURCHARGE", Decimal("0.28"), Decimal("0.35"), Decimal(25)),
    ]
    assert (cost.total.excl_vat, cost.total.incl_vat, cost.gross) == (
        Decimal("6.03"),
        Decimal("7.135"),
        Decimal("7.14"),
    )
    rates = [(one.rate, one.net, one.vat, one.gross) for one in cost.vat_totals()]
    assert rates == [
        (Decimal(10), Decimal("1.15"), Decimal("0.12"), Decimal("1.27")),
        (Decimal(20), Decimal("4.60"), Decimal("0.92"), Decimal("5.52")),
        (Decimal(25), Decimal("0.28"), Decimal("0.07"), Decimal("0.35")),
    ]


def test_nothing_but_the_total_is_rounded_before_the_end() -> None:
    # 0.4083 x 1.2 x 1.15 = 0.563454 per kWh: rounding the price first would make 281.75 of 500 kWh.
    cost = RetailTerms(Decimal("1.15")).cost(charged(tariff({"ENERGY": (Decimal("0.4083"), "20")}), Decimal(500)))
    assert cost.gross == Decimal("281.73")


def test_what_costs_the_partner_nothing_costs_the_driver_nothing() -> None:
    cost = TERMS_15.cost(charged(tariff({"ENERGY": (Decimal("0.40"), "20")}), Decimal(0)))
    assert (cost.gross, cost.lines) == (Decimal(0), ())


def test_a_minimum_price_is_raised_by_the_factor_and_keeps_its_vat() -> None:
    priced_by = tariff({"ENERGY": (Decimal("0.40"), "20")}, least="2.00")
    cost = TERMS_15.cost(charged(priced_by, Decimal(1)))
    assert cost.gross == Decimal("2.65")  # 2.00 x 1.15 + 0.35
    assert [(one.rate, one.gross) for one in cost.vat_totals()] == [
        (Decimal(20), Decimal("2.30")),
        (Decimal(25), Decimal("0.35")),
    ]


def test_the_amount_to_block_is_whole_cents_and_never_too_little() -> None:
    terms = RetailTerms(Decimal("1.1111"), Decimal("0.30"))
    assert terms.preauthorised(Decimal(25), "EUR") == Decimal("28.08")  # 28.0775
    assert terms.preauthorised(Decimal(25), "JPY") == Decimal(29)
    assert RetailTerms().preauthorised(Decimal(25), "EUR") == Decimal(25)


@pytest.mark.parametrize("limit", ["0", "0.20", "0.35"])
def test_a_limit_below_the_surcharge_leaves_nothing_to_charge(limit: str) -> None:
    most = TERMS_15.wholesale_limit(Decimal(limit))
    capped = tariff({"ENERGY": (Decimal("0.40"), "20")}, limit=most)
    assert (most, TERMS_15.cost(charged(capped, Decimal(10))).gross) == (0, 0)


def test_terms_are_kept_as_text_and_read_back() -> None:
    for terms in (TERMS_15, RetailTerms(), RetailTerms(Decimal("0.5"), Decimal(1))):
        assert RetailTerms.from_json(terms.to_json()) == terms
    assert all(not isinstance(value, float) for value in TERMS_15.to_json().values())


@settings(max_examples=60, deadline=None)
@given(
    terms=TERMS,
    prices=st.fixed_dictionaries({kind: st.tuples(CENTS, VATS) for kind in ("ENERGY", "TIME", "PARKING_TIME", "FLAT")}),
    kwh=st.integers(0, 200_000).map(lambda value: Decimal(value) / 1000),
    hours=CENTS,
    preauthorisation=st.integers(1, 10_000).map(lambda value: Decimal(value) / 100),
)
def test_lines_rates_and_totals_agree_and_the_bill_never_exceeds_what_was_blocked(
    terms: RetailTerms, prices: dict[str, Any], kwh: Decimal, hours: Decimal, preauthorisation: Decimal
) -> None:
    blocked = terms.preauthorised(preauthorisation, "EUR")
    wholesale = charged(tariff(prices, limit=terms.wholesale_limit(blocked)), kwh, hours, hours / 3)
    cost = terms.cost(wholesale)
    published = Decimal(str(wholesale.to_ocpi()["total_cost"]["incl_vat"]))
    assert cost.gross == money(published * terms.factor + terms.surcharge if published else published, "EUR")
    assert cost.total.incl_vat == terms.gross(wholesale.total.incl_vat) <= blocked
    assert cost.gross <= blocked
    written = content(cost_as_json(cost), cost.total.incl_vat, "EUR")
    assert written.total_gross == cost.gross == money(cost.total.incl_vat, "EUR")
    assert sum(Decimal(line["gross"]) for line in written.lines) == written.total_gross
    assert sum(Decimal(entry["gross"]) for entry in written.vat_totals) == written.total_gross
    for entry in written.vat_totals:
        assert Decimal(entry["net"]) + Decimal(entry["vat_amount"]) == Decimal(entry["gross"])
        assert Decimal(entry["net"]) >= 0
        assert Decimal(entry["vat_amount"]) >= 0


@settings(max_examples=40, deadline=None)
@given(
    prices=st.fixed_dictionaries({kind: st.tuples(CENTS, VATS) for kind in ("ENERGY", "TIME", "FLAT")}),
    kwh=st.integers(0, 200_000).map(lambda value: Decimal(value) / 1000),
    limit=st.one_of(st.none(), st.integers(1, 10_000).map(lambda value: Decimal(value) / 100)),
)
def test_factor_1_without_a_surcharge_changes_nothing(
    prices: dict[str, Any], kwh: Decimal, limit: Decimal | None
) -> None:
    terms = RetailTerms()
    priced_by = tariff(prices, limit=None if limit is None else terms.wholesale_limit(limit))
    wholesale = charged(priced_by, kwh, Decimal(1))
    assert priced_by == tariff(prices, limit=limit)
    plain = wholesale.published()
    written = [content(cost_as_json(one), one.total.incl_vat, "EUR") for one in (plain, terms.cost(wholesale))]
    assert written[0] == written[1]
    assert cost_as_json(terms.cost(wholesale)) == cost_as_json(plain)
