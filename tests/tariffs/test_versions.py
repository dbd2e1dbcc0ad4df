from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tariffs.choices import TariffType
from tariffs.pricing import PriceLimit, Tariff
from tariffs.services.publish import publish_tariff
from tariffs.services.versions import ocpi_tariff, preauthorisation, pricing_tariff
from tests.tariffs.factories import DetailFactory, TariffFactory, make_version

pytestmark = pytest.mark.django_db


def ocpi(version, for_terminals):
    return ocpi_tariff(
        version,
        country_code="AT",
        party_id="PLG",
        last_updated=datetime(2026, 5, 1, 12, tzinfo=UTC),
        for_terminals=for_terminals,
    )


def test_ocpi_tariff_is_complete_and_says_nothing_that_is_not_set():
    tariff = ocpi(make_version(code="ADHOC"), for_terminals=False)
    assert {name: tariff[name] for name in ("country_code", "party_id", "id", "currency", "type", "last_updated")} == {
        "country_code": "AT",
        "party_id": "PLG",
        "id": "ADHOC",
        "currency": "EUR",
        "type": "AD_HOC_PAYMENT",
        "last_updated": "2026-05-01T12:00:00Z",
    }
    assert set(tariff) == {
        *("country_code", "party_id", "id", "currency", "type", "last_updated", "elements", "tariff_alt_text")
    }


def test_untyped_tariff_has_no_type():
    assert "type" not in ocpi(make_version(type=""), for_terminals=True)


def test_terminals_see_the_amount_to_block_and_others_the_cap():
    version = make_version(preauthorisation=Decimal(50), max_price=Decimal(60))
    assert ocpi(version, for_terminals=True)["max_price"] == {"excl_vat": 41.6667, "incl_vat": 50.0}
    assert ocpi(version, for_terminals=False)["max_price"] == {"excl_vat": 50.0, "incl_vat": 60.0}


def test_only_terminals_read_of_a_blocked_amount():
    version = make_version(preauthorisation=Decimal(50), max_price=Decimal(60))
    assert "€50.00 is blocked" in ocpi(version, for_terminals=True)["tariff_alt_text"][0]["text"]
    text = ocpi(version, for_terminals=False)["tariff_alt_text"][0]["text"]
    assert "blocked" not in text and "At most €60.00" in text


def test_versions_published_with_one_text_for_all_keep_it():
    version = make_version()
    del version.content["roaming_alt_text"]
    texts = ocpi(version, for_terminals=True)["tariff_alt_text"]
    assert ocpi(version, for_terminals=False)["tariff_alt_text"] == texts


def test_terminals_without_preauthorisation_see_the_cap():
    version = make_version(preauthorisation=None, max_price=Decimal(60))
    assert preauthorisation(version) is None
    assert ocpi(version, for_terminals=True)["max_price"]["incl_vat"] == 60.0


@pytest.mark.parametrize("max_price", [None, Decimal(50), Decimal(60)])
def test_sessions_are_priced_from_what_the_terminal_sees(max_price):
    version = make_version(preauthorisation=Decimal(50), max_price=max_price)
    assert pricing_tariff(version, preauthorisation(version)) == Tariff.from_ocpi(ocpi(version, for_terminals=True))
    assert pricing_tariff(version, None) == Tariff.from_ocpi(ocpi(version, for_terminals=False))


def test_session_limit_binds_when_it_is_lower_than_the_cap():
    version = make_version(preauthorisation=None, max_price=Decimal(24))
    assert pricing_tariff(version, Decimal(12)).max_price == PriceLimit(Decimal("10.0000"), Decimal("12.0000"))
    assert pricing_tariff(version, Decimal(36)).max_price == PriceLimit(Decimal("20.0000"), Decimal("24.0000"))


def test_limit_is_net_at_the_lowest_rate_that_is_charged():
    tariff = TariffFactory()
    DetailFactory(tariff=tariff, park_time_price=Decimal(6), park_time_vat=None)
    limit = pricing_tariff(publish_tariff(tariff), Decimal(50)).max_price
    assert limit == PriceLimit(Decimal("50.0000"), Decimal("50.0000"))


def test_pricing_tariff_is_read_once_per_version_and_limit(django_assert_num_queries):
    version = make_version()
    first = pricing_tariff(version, Decimal(50))
    same = type(version).objects.get(pk=version.pk)
    assert pricing_tariff(same, Decimal(50)) is first
    assert pricing_tariff(same, Decimal(40)) is not first


def test_regular_tariff_keeps_its_type():
    assert ocpi(make_version(type=TariffType.REGULAR), for_terminals=False)["type"] == "REGULAR"
