"""The page that explains a price: what it shows, who may see it, and where it is linked."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from infrastructure.models import Charger
from payments.models import Terminal
from roaming.models import RoamingPlatform
from tariffs.services.publish import publish_tariff
from tests.infrastructure.factories import ChargerFactory, ConnectorFactory, make_staff, make_superuser
from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory
from tests.tariffs.factories import DetailFactory, SettingsFactory, make_published

pytestmark = pytest.mark.django_db

MAY_LOOK = ["view_roamingplatform", "view_connector", "view_roamingtariff"]


@pytest.fixture
def connector():
    return ConnectorFactory()


@pytest.fixture
def operator(connector):
    return connector.evse.charger.location.operator


@pytest.fixture
def tariff(operator):
    """€0.48 per kWh at the operator."""
    tariff = make_published(prices_include_vat=False)
    SettingsFactory(operator=operator, tariffs=[tariff])
    return tariff


@pytest.fixture
def platform(operator, tariff):
    platform = RegisteredPlatformFactory(profiles=[ProfileFactory(operators=[operator])])
    platform.tariffs.add(tariff)
    return platform


@pytest.fixture
def root(client):
    client.force_login(make_superuser())
    return client


def page(**query):
    return reverse("admin:roaming_price", query=query)


def change(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def test_page_tells_price_level_and_blocked_amount(root, platform, connector, tariff):
    shown = root.get(page(platform=platform.pk, connector=connector.pk, at="2026-06-10T12:00"))
    html = shown.content.decode()
    assert "€0.48 per kWh" in html and "€50.00; charging stops" in html
    assert f"version 1, from the session settings of operator {connector.evse.charger.location.operator}" in html
    assert "Wednesday 10 June 2026, 12:00 (Europe/Vienna)" in html
    assert "Applies" in html and change(tariff) in html
    assert "cannot start here" not in html


def test_instant_is_local_time_of_the_area(root, platform, connector, tariff):
    happy_hour = {"start": datetime(2026, 1, 1, 17, tzinfo=UTC), "stop": datetime(2100, 1, 1, 18, tzinfo=UTC)}
    DetailFactory(tariff=tariff, priority=5, energy_price=Decimal("0.1"), **happy_hour)
    publish_tariff(tariff)
    prices = {
        time: root.get(page(platform=platform.pk, connector=connector.pk, at=f"2099-06-10T{time}")).context["sheet"]
        for time in ("16:59", "17:00", "18:00")
    }
    assert [sheet.prices for sheet in prices.values()] == ["€0.48 per kWh", "€0.12 per kWh", "€0.48 per kWh"]
    assert (
        prices["17:00"].detail == "Detail with priority 5: daily 17:00–18:00 from 1 Jan 2026 to 1 Jan 2100 inclusive."
    )
    assert prices["17:00"].week_url.endswith("?week=2099-06-10&zone=Europe%2FVienna#week")


def test_no_price_is_said_with_all_reasons(root, platform, connector, tariff):
    platform.tariffs.clear()
    html = root.get(page(platform=platform.pk, connector=connector.pk)).content.decode()
    assert "No price" in html and f"Not assigned to {platform}." in html
    assert "does not see this connector" in html and "no tariff of" in html


def test_nothing_at_all_is_said_too(root, platform, connector, tariff):
    tariff.session_settings.all().delete()
    platform.tariffs.clear()
    assert (
        "None: no tariff is assigned" in root.get(page(platform=platform.pk, connector=connector.pk)).content.decode()
    )


def test_only_platform_is_chosen_already(root, platform, connector):
    assert root.get(page(connector=connector.pk)).context["sheet"].platform == platform
    RegisteredPlatformFactory()
    assert "sheet" not in root.get(page(connector=connector.pk)).context
    assert "sheet" not in root.get(page()).context


@pytest.mark.parametrize("at", ["soon", "2026-99-99T00:00", "9999-12-31T23:59", "0001-01-01T00:00"])
def test_impossible_instant_is_refused(root, platform, connector, at):
    shown = root.get(page(platform=platform.pk, connector=connector.pk, at=at))
    assert list(shown.context["form"].errors) == ["at"]


def test_staff_choose_among_platforms_and_connectors_of_their_operator(client, platform, connector, operator):
    foreign = ConnectorFactory()
    theirs = RegisteredPlatformFactory(profiles=[ProfileFactory(operators=[foreign.evse.charger.location.operator])])
    client.force_login(make_staff("ada", operator))
    assert client.get(page(platform=platform.pk, connector=connector.pk)).context["sheet"]
    for query, field in (
        ({"platform": platform.pk, "connector": foreign.pk}, "connector"),
        ({"platform": theirs.pk, "connector": connector.pk}, "platform"),
    ):
        shown = client.get(page(**query))
        assert list(shown.context["form"].errors) == [field] and "sheet" not in shown.context
    assert str(theirs) not in client.get(page()).content.decode()


def test_settings_of_the_site_are_named_and_not_linked_for_staff(client, platform, connector, operator, tariff):
    tariff.session_settings.all().delete()
    of_site = SettingsFactory(site=operator.site, tariffs=[tariff])
    client.force_login(make_staff("ada", operator))
    html = client.get(page(platform=platform.pk, connector=connector.pk)).content.decode()
    assert f"site {operator.site}" in html and change(of_site) not in html


def test_who_may_look_needs_no_right_to_change(client, platform, connector, operator):
    viewer = make_staff("viewer", operator)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=MAY_LOOK))
    client.force_login(viewer)
    assert client.get(page(platform=platform.pk, connector=connector.pk)).context["sheet"]
    assert page() in client.get(change(connector)).content.decode()


@pytest.mark.parametrize("missing", MAY_LOOK)
def test_who_may_not_look_at_a_part_may_not_ask(client, platform, connector, operator, missing):
    user = make_staff("ada", operator)
    user.user_permissions.set(Permission.objects.filter(codename__in=set(MAY_LOOK) - {missing}))
    client.force_login(user)
    assert client.get(page(platform=platform.pk, connector=connector.pk)).status_code == 403


def test_login_is_required(client):
    assert client.get(page()).url.startswith("/admin/login/")


def test_connector_platform_terminal_and_tariff_lead_to_the_page(root, platform, connector, tariff):
    link = page(platform=platform.pk, connector=connector.pk).replace("&", "&amp;")
    assert link in root.get(change(connector)).content.decode()
    button = reverse("admin:roaming_roamingplatform_which_price", args=[platform.pk])
    assert button in root.get(change(platform)).content.decode()
    assert root.get(button).url == page(platform=platform.pk)
    terminal = Terminal.objects.create(platform=platform, terminal_id="T-1")
    terminal.evses.add(connector.evse)
    shown = root.get(change(terminal)).content.decode()
    assert link in shown and str(tariff) in shown
    assert page() in root.get(change(tariff)).content.decode()


def test_tariff_says_where_it_applies(client, platform, operator, tariff):
    other = RegisteredPlatformFactory(name="Someone else")
    other.tariffs.add(tariff)
    of_site = SettingsFactory(site=operator.site, tariffs=[tariff])
    client.force_login(make_staff("ada", operator))
    html = client.get(change(tariff)).content.decode()
    assert change(platform) in html and change(tariff.session_settings.get(operator=operator)) in html
    assert "Someone else" not in html and change(of_site) not in html


def test_tariff_says_at_how_many_chargers_and_what_drivers_of_a_partner_pay_instead(root, platform, operator, tariff):
    RoamingPlatform.objects.filter(pk=platform.pk).update(retail_factor="1.15", retail_surcharge="0.35")
    count = Charger.objects.filter(location__operator=operator).count()
    html = root.get(change(tariff)).content.decode()
    assert "its drivers pay these prices times 1.15, plus €0.35 once" in html
    assert f"{count} charger" in html and count
    ChargerFactory()
    assert f"{count} charger" in root.get(change(tariff)).content.decode()


def test_page_costs_a_constant_number_of_queries(root, platform, connector):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert root.get(page(platform=platform.pk, connector=connector.pk)).context["sheet"].offer
        return len(queries)

    count()
    before = count()
    for _ in range(5):
        ConnectorFactory()
        platform.tariffs.add(make_published())
        RegisteredPlatformFactory()
    assert count() == before
