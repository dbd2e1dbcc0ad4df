from datetime import UTC, datetime
from decimal import Decimal

import pytest

from infrastructure.services import masterdata
from tariffs.models import RoamingTariff
from tariffs.pricing import ChargingPeriod, money, price_periods
from tariffs.services.details import net_price, to_pricing
from tariffs.services.outcomes import outcomes, surprises
from tariffs.services.publish import current_version, publish_tariff
from tariffs.services.versions import pricing_tariff
from tests.tariffs.factories import DetailFactory, TariffFactory


def make_detail(price, vat="20", *, is_gross=True, **fields):
    """Not stored."""
    tariff = TariffFactory.build(code="ADHOC", prices_include_vat=is_gross)
    vat = None if vat is None else Decimal(vat)
    return DetailFactory.build(tariff=tariff, energy_price=Decimal(price), energy_vat=vat, **fields)


@pytest.mark.parametrize(
    ("gross", "vat", "net"),
    [
        ("0.49", "20", "0.4083"),
        ("0.54", "20", "0.4500"),
        ("0.49", None, "0.4900"),
        ("0.49", "0", "0.4900"),
        ("0.55", "22", "0.4508"),
        ("0.0001", "20", "0.0001"),
    ],
)
def test_gross_price_becomes_net_with_four_decimals(gross, vat, net):
    vat = None if vat is None else Decimal(vat)
    assert net_price(Decimal(gross), vat, is_gross=True) == Decimal(net)


def test_net_price_stays_as_it_was_entered():
    assert net_price(Decimal("0.4083"), Decimal(20), is_gross=False) == Decimal("0.4083")
    assert net_price(None, Decimal(20), is_gross=True) is None


def test_every_price_of_a_detail_is_converted_at_its_own_rate():
    detail = DetailFactory.build(
        tariff=TariffFactory.build(prices_include_vat=True),
        energy_price=Decimal("1.20"),
        energy_vat=Decimal(20),
        charge_time_price=Decimal("1.10"),
        charge_time_vat=Decimal(10),
        park_time_price=Decimal("1.13"),
        park_time_vat=Decimal(13),
        flat_price=Decimal(1),
        reservation_time_price=Decimal("1.25"),
        reservation_time_vat=Decimal(25),
    )
    assert [price.price for price in to_pricing(detail).prices] == [1, 1, 1, 1, 1]


def test_new_tariffs_are_entered_with_vat():
    assert RoamingTariff().prices_include_vat is True


@pytest.mark.django_db
def test_published_net_price_is_what_is_billed():
    detail = DetailFactory(tariff__prices_include_vat=True, energy_price=Decimal("0.49"))
    version = publish_tariff(detail.tariff)
    assert version.content["elements"][0]["price_components"][1]["price"] == 0.4083
    start, end = datetime(2026, 5, 1, 8, tzinfo=UTC), datetime(2026, 5, 1, 9, tzinfo=UTC)
    period = ChargingPeriod(start=start, energy_kwh=Decimal(100))
    total = price_periods(pricing_tariff(version, None), [period], end, "Europe/Vienna").total
    (outcome,) = outcomes(detail)
    assert total.incl_vat == 100 * outcome.gross == Decimal("48.996")
    assert money(total.incl_vat, "EUR") == outcome.billed


@pytest.mark.django_db
def test_switching_between_net_and_gross_is_published():
    detail = DetailFactory(energy_price=Decimal("0.48"))
    publish_tariff(detail.tariff)
    detail.tariff.prices_include_vat = True
    masterdata.save(detail.tariff)
    version = current_version(detail.tariff)
    assert version.number == 2
    assert version.content["elements"][0]["price_components"][1]["price"] == 0.4


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        (
            make_detail("0.49"),
            "0.4083 net is published, 0.48996 with 20 % VAT results; 100 kWh cost 49.00 EUR",
        ),
        (
            make_detail("0.65", "22"),
            "0.5328 net is published, 0.650016 with 22 % VAT results; 100 kWh cost 65.00 EUR",
        ),
        (
            make_detail("0.55", "22"),
            "0.4508 net is published, 0.549976 with 22 % VAT results; 100 kWh cost 55.00 EUR",
        ),
        (
            make_detail("0.4083", is_gross=False),
            "0.4083 net is published, 0.48996 with 20 % VAT results; 100 kWh cost 49.00 EUR",
        ),
        (make_detail("0.49", None), "0.4900 net is published, 0.49 with no VAT results; 100 kWh cost 49.00 EUR"),
    ],
)
def test_what_results_is_said(detail, words):
    (outcome,) = outcomes(detail)
    assert str(outcome) == words
    assert not outcome.is_surprising


def test_every_price_that_is_not_zero_has_an_outcome():
    detail = make_detail("0.54", flat_price=Decimal("0.60"), park_time_price=Decimal(0))
    assert [outcome.name for outcome in outcomes(detail)] == ["Energy price", "Flat price"]


@pytest.mark.django_db
def test_rounding_that_a_bill_of_100_units_shows_is_a_surprise():
    tariff = TariffFactory(code="ADHOC", prices_include_vat=True)
    DetailFactory(tariff=tariff, energy_price=Decimal("0.59"), energy_vat=Decimal(22), flat_price=Decimal("0.5"))
    DetailFactory(tariff=tariff, priority=1, energy_price=Decimal("0.60"))
    assert surprises(tariff) == []
    tariff.details.filter(priority=0).update(energy_price=Decimal("0.75"))
    (sentence,) = surprises(tariff)
    assert sentence.startswith("ADHOC priority 0: Energy price 0.75 cannot be published exactly.")
    assert sentence.endswith("100 kWh cost 75.01 EUR, not 75.00.")
