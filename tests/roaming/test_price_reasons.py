"""Which price a driver would pay, on each level of assignment, and every reason why another tariff does not apply."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from infrastructure.models import Connector
from roaming.choices import PlatformState, PlatformType
from roaming.models import RoamingPlatform
from roaming.services.price_reasons import Level, explain
from tariffs.choices import TariffStatus, TariffType
from tariffs.models import RoamingTariff
from tariffs.services.gross_prices import prices_in_words
from tariffs.services.publish import publish_tariff
from tests.infrastructure.factories import ConnectorFactory
from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory, make_published

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 10, tzinfo=UTC)  # noon in Vienna


@pytest.fixture
def connector():
    """Complete for roaming, in Vienna."""
    made = ConnectorFactory(evse__charger__location__operator__site__time_zone="Europe/Vienna")
    return Connector.objects.select_related("evse__charger__location__operator__site").get(pk=made.pk)


@pytest.fixture
def platform(connector):
    """A registered terminal provider with the connector's operator."""
    profile = ProfileFactory(operators=[connector.evse.charger.location.operator])
    return RegisteredPlatformFactory(profiles=[profile])


def at_charger(connector, *tariffs):
    return SettingsFactory(charger=connector.evse.charger, tariffs=tariffs)


def at_operator(connector, *tariffs):
    return SettingsFactory(operator=connector.evse.charger.location.operator, tariffs=tariffs)


def at_site(connector, *tariffs):
    return SettingsFactory(site=connector.evse.charger.location.operator.site, tariffs=tariffs)


LEVELS = {Level.CHARGER: at_charger, Level.OPERATOR: at_operator, Level.SITE: at_site}


def reasons_of(answer, tariff):
    (candidate,) = [one for one in answer.candidates if one.tariff == tariff]
    return list(candidate.reasons)


@pytest.mark.parametrize("level", Level)
def test_tariff_applies_from_each_level(platform, connector, level):
    tariff = make_published()
    platform.tariffs.add(tariff)
    settings = LEVELS[level](connector, tariff)
    offer = explain(platform, connector, NOW).offer
    assert (offer.candidate.tariff, offer.candidate.place.level) == (tariff, level)
    assert offer.candidate.place.settings == settings
    charger = connector.evse.charger
    names = {
        Level.CHARGER: f"charger {charger}",
        Level.OPERATOR: f"operator {charger.location.operator}",
        Level.SITE: "site Plugtill test",
    }
    assert str(offer.candidate.place) == names[level]


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [(Level.CHARGER, Level.OPERATOR), (Level.CHARGER, Level.SITE), (Level.OPERATOR, Level.SITE)],
)
def test_nearer_level_wins(platform, connector, nearer, farther):
    near, far = make_published(), make_published()
    platform.tariffs.set([near, far])
    LEVELS[farther](connector, far)
    LEVELS[nearer](connector, near)
    answer = explain(platform, connector, NOW)
    place = answer.offer.candidate.place
    assert (answer.offer.candidate.tariff, place.level) == (near, nearer)
    assert reasons_of(answer, far) == [f"The session settings of {place} are nearer, and {near} of them applies."]
    assert [one.tariff for one in answer.candidates] == [near, far]


def test_tariff_on_two_levels_applies_from_the_nearer_one(platform, connector):
    tariff = make_published()
    platform.tariffs.add(tariff)
    at_operator(connector, tariff)
    at_charger(connector, tariff)
    first, second = explain(platform, connector, NOW).candidates
    assert first.is_winner and first.place.level is Level.CHARGER
    assert not second.is_winner and "nearer" in second.reasons[0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": TariffStatus.DRAFT}, "Its status is draft, not active."),
        ({"status": TariffStatus.INACTIVE}, "Its status is inactive, not active."),
        ({"valid_from": NOW + timedelta(hours=1)}, "Valid only from 2026-06-10 13:00 CEST."),
        ({"valid_until": NOW}, "No longer valid since 2026-06-10 12:00 CEST."),
        (
            {"type": TariffType.REGULAR},
            "Its type is regular: terminals get ad hoc and untyped tariffs only.",
        ),
    ],
    ids=["draft", "inactive", "not yet", "no longer", "type"],
)
def test_reason_of_the_tariff_itself(platform, connector, fields, reason):
    tariff = make_published()
    RoamingTariff.objects.filter(pk=tariff.pk).update(**fields)
    platform.tariffs.add(tariff)
    at_charger(connector, tariff)
    answer = explain(platform, connector, NOW)
    assert answer.offer is None
    assert reasons_of(answer, tariff) == [reason]


def test_validity_includes_its_start_and_not_its_end(platform, connector):
    tariff = make_published(valid_from=NOW, valid_until=NOW + timedelta(hours=1))
    platform.tariffs.add(tariff)
    at_charger(connector, tariff)
    assert explain(platform, connector, NOW).offer
    assert explain(platform, connector, NOW + timedelta(minutes=59)).offer
    assert not explain(platform, connector, NOW + timedelta(hours=1)).offer


def test_not_assigned_to_the_platform(platform, connector):
    tariff = make_published()
    RegisteredPlatformFactory().tariffs.add(tariff)
    at_charger(connector, tariff)
    answer = explain(platform, connector, NOW)
    assert answer.offer is None
    assert reasons_of(answer, tariff) == [f"Not assigned to {platform}."]


def test_never_published(platform, connector):
    tariff = TariffFactory()
    platform.tariffs.add(tariff)
    at_charger(connector, tariff)
    answer = explain(platform, connector, NOW)
    assert answer.offer is None
    assert reasons_of(answer, tariff) == ["Never published: there is no version with prices."]


def test_in_no_session_settings(platform, connector):
    tariff = make_published()
    platform.tariffs.add(tariff)
    SettingsFactory(charger=ConnectorFactory().evse.charger, tariffs=[tariff])
    answer = explain(platform, connector, NOW)
    assert answer.offer is None
    assert reasons_of(answer, tariff) == ["In none of the session settings here: charger, operator and site."]
    assert answer.candidates[0].place is None


def test_newer_validity_wins_within_one_level(platform, connector):
    old, new = make_published(), make_published(valid_from=NOW - timedelta(days=1))
    platform.tariffs.set([old, new])
    at_charger(connector, old, new)
    answer = explain(platform, connector, NOW)
    assert answer.offer.candidate.tariff == new
    assert reasons_of(answer, old) == [f"Two tariffs of these session settings apply; {new} has the newer validity."]


def test_all_reasons_are_told_at_once(platform, connector):
    winner, loser = make_published(), TariffFactory(status=TariffStatus.DRAFT)
    platform.tariffs.add(winner)
    at_charger(connector, winner)
    at_site(connector, loser)
    reasons = reasons_of(explain(platform, connector, NOW), loser)
    assert len(reasons) == 4
    assert [reason.split()[0] for reason in reasons] == ["Not", "Its", "Never", "The"]


def test_contract_tariff_is_for_others_than_terminals(platform, connector):
    tariff = make_published(type=TariffType.REGULAR)
    RoamingPlatform.objects.filter(pk=platform.pk).update(type=PlatformType.EMSP)
    platform.refresh_from_db()
    platform.tariffs.add(tariff)
    at_charger(connector, tariff)
    offer = explain(platform, connector, NOW).offer
    assert offer.candidate.tariff == tariff and offer.blocked is None


def test_price_is_the_one_of_the_detail_that_wins_then(platform, connector):
    tariff = TariffFactory(prices_include_vat=True, preauthorisation=Decimal(40))
    day = DetailFactory(
        tariff=tariff,
        start=datetime(2026, 1, 1, 6, tzinfo=UTC),
        stop=datetime(2027, 1, 1, 22, tzinfo=UTC),
        energy_price=Decimal("0.48"),
    )
    noon = DetailFactory(
        tariff=tariff,
        priority=5,
        start=datetime(2026, 1, 1, 12, tzinfo=UTC),
        stop=datetime(2027, 1, 1, 13, tzinfo=UTC),
        energy_price=Decimal("0.36"),
        flat_price=Decimal("1.20"),
        flat_vat=Decimal(20),
    )
    publish_tariff(tariff)
    platform.tariffs.add(tariff)
    at_operator(connector, tariff)

    def offer(hour):
        return explain(platform, connector, NOW.replace(hour=hour)).offer

    assert (offer(9).detail, prices_in_words(offer(9).prices, "EUR")) == (day, "€0.48 per kWh")
    assert (offer(10).detail, prices_in_words(offer(10).prices, "EUR")) == (noon, "€0.36 per kWh, €1.20 start fee")
    assert (offer(11).detail, offer(11).blocked) == (day, 40)
    night = offer(22)
    assert (night.detail, night.is_covered, prices_in_words(night.prices, "EUR")) == (None, False, "free")


def test_price_is_the_published_one_of_that_time(platform, connector):
    tariff = make_published()
    platform.tariffs.add(tariff)
    at_charger(connector, tariff)
    first = tariff.versions.get()
    tariff.details.update(energy_price=Decimal("0.6"))
    edited = explain(platform, connector, timezone.now()).offer
    assert edited.version == first and edited.prices.energy.price == first_price(first)
    assert (edited.detail, edited.is_covered) == (None, True)
    second = publish_tariff(tariff)
    assert explain(platform, connector, timezone.now()).offer.version == second
    assert explain(platform, connector, first.created_at).offer.version == first
    assert explain(platform, connector, NOW.replace(year=2020)).offer.version == first


def first_price(version):
    (energy,) = [one for one in version.content["elements"][0]["price_components"] if one["type"] == "ENERGY"]
    return Decimal(str(energy["price"]))


def test_visible_connector_hides_nothing(platform, connector):
    tariff = make_published()
    platform.tariffs.add(tariff)
    at_charger(connector, tariff)
    ConnectorFactory(evse__charger=connector.evse.charger, roaming_id="")
    assert explain(platform, connector, NOW).hidden == ()


def test_reasons_why_the_platform_does_not_see_the_connector(platform, connector):
    platform.profiles.clear()
    RoamingPlatform.objects.update(state=PlatformState.INVALIDATED)
    Connector.objects.update(roaming_id="")
    platform.refresh_from_db()
    assert explain(platform, connector, NOW).hidden == (
        f"{platform} is not registered: it sees nothing yet.",
        f"Operator {connector.evse.charger.location.operator} is in no roaming profile of {platform}.",
        f"Connector {connector} has no roaming id.",
        f"{connector}: no tariff of {platform} applies. Assign one to the platform and to the session settings of "
        "the charger, its operator or the site.",
    )


def test_answer_costs_a_constant_number_of_queries(platform, connector):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert explain(platform, fresh(connector), NOW).offer
        return len(queries)

    tariff = make_published()
    platform.tariffs.add(tariff)
    settings = [at_charger(connector, tariff), at_operator(connector), at_site(connector)]
    before = count()
    for one in settings:
        for _ in range(3):
            other = make_published()
            DetailFactory(tariff=other, priority=7)
            one.tariffs.add(other)
            platform.tariffs.add(make_published(), other)
    for _ in range(3):
        platform.profiles.add(ProfileFactory(operators=[ConnectorFactory().evse.charger.location.operator]))
        ConnectorFactory(evse__charger=connector.evse.charger)
        DetailFactory(tariff=tariff, priority=tariff.details.count() + 1)
    assert count() == before == 15


def fresh(connector):
    return Connector.objects.select_related("evse__charger__location__operator__site").get(pk=connector.pk)
