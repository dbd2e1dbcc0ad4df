from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.models import Connector
from tariffs.choices import TariffStatus, TariffType
from tariffs.services.resolution import Resolver, resolve
from tests.infrastructure.factories import ConnectorFactory, SiteFactory
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory, make_published

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def connector():
    return ConnectorFactory()


def test_charger_wins_over_operator_and_operator_over_site(connector):
    at_site, at_operator, at_charger = make_published(), make_published(), make_published()
    charger = connector.evse.charger
    SettingsFactory(site=SiteFactory(), tariffs=[at_site])
    SettingsFactory(operator=charger.location.operator, tariffs=[at_operator])
    SettingsFactory(charger=charger, tariffs=[at_charger])

    assert resolve(connector, NOW, [at_site.pk, at_operator.pk, at_charger.pk]) == at_charger
    assert resolve(connector, NOW, [at_site.pk, at_operator.pk]) == at_operator
    assert resolve(connector, NOW, [at_site.pk]) == at_site
    assert resolve(connector, NOW, []) is None


def test_settings_of_others_do_not_count(connector):
    tariff = make_published()
    other = ConnectorFactory().evse.charger
    SettingsFactory(charger=other, tariffs=[tariff])
    SettingsFactory(operator=other.location.operator, tariffs=[tariff])
    assert resolve(connector, NOW, [tariff.pk]) is None


@pytest.mark.parametrize(
    ("fields", "applies"),
    [
        ({"valid_from": NOW}, True),
        ({"valid_from": NOW + timedelta(seconds=1)}, False),
        ({"valid_until": NOW + timedelta(seconds=1)}, True),
        ({"valid_until": NOW}, False),
        ({"status": TariffStatus.INACTIVE}, False),
        ({"status": TariffStatus.DRAFT}, False),
    ],
)
def test_tariff_must_be_active_and_valid_at_that_instant(connector, fields, applies):
    tariff = make_published(**fields)
    SettingsFactory(site=SiteFactory(), tariffs=[tariff])
    assert (resolve(connector, NOW, [tariff.pk]) is not None) == applies


def test_tariff_without_published_prices_does_not_apply(connector):
    tariff = DetailFactory(tariff=TariffFactory()).tariff
    SettingsFactory(site=SiteFactory(), tariffs=[tariff])
    assert resolve(connector, NOW, [tariff.pk]) is None


@pytest.mark.parametrize(
    ("type_", "applies"),
    [("", True), (TariffType.AD_HOC_PAYMENT, True), (TariffType.REGULAR, False), (TariffType.PROFILE_FAST, False)],
)
def test_terminals_get_ad_hoc_and_untyped_tariffs_only(connector, type_, applies):
    tariff = make_published(type=type_)
    SettingsFactory(site=SiteFactory(), tariffs=[tariff])
    assert (resolve(connector, NOW, [tariff.pk], for_terminals=True) is not None) == applies
    assert resolve(connector, NOW, [tariff.pk]) == tariff


def test_level_above_helps_where_the_nearer_one_does_not_apply(connector):
    regular, ad_hoc = make_published(type=TariffType.REGULAR), make_published()
    SettingsFactory(charger=connector.evse.charger, tariffs=[regular])
    SettingsFactory(site=SiteFactory(), tariffs=[ad_hoc])
    assert resolve(connector, NOW, [regular.pk, ad_hoc.pk], for_terminals=True) == ad_hoc


def test_tie_goes_to_the_newest_validity_then_to_the_newest_tariff(connector):
    newest = make_published(valid_from=NOW - timedelta(days=1))
    older, oldest = make_published(valid_from=NOW - timedelta(days=2)), make_published()
    SettingsFactory(site=SiteFactory(), tariffs=[newest, older, oldest])
    ids = [newest.pk, older.pk, oldest.pk]
    assert resolve(connector, NOW, ids) == newest
    newest.valid_from = older.valid_from
    newest.save()
    assert resolve(connector, NOW, ids) == older


def test_many_connectors_cost_two_queries(django_assert_num_queries):
    tariff = make_published()
    SettingsFactory(site=SiteFactory(), tariffs=[tariff])
    for _ in range(4):
        ConnectorFactory()
    connectors = list(Connector.objects.select_related("evse__charger__location"))
    with django_assert_num_queries(2):
        resolver = Resolver([tariff.pk], NOW, for_terminals=True)
        assert [resolver.tariff_for(connector) for connector in connectors] == [tariff] * 4
