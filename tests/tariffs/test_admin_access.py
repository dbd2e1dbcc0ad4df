"""Who may change a tariff: those who see every operator at which it applies."""

import pytest
from django.urls import reverse

from tariffs.models import RoamingTariff, SessionSettings
from tests.infrastructure.factories import ChargerFactory, OperatorFactory, make_staff, make_superuser

pytestmark = pytest.mark.django_db


def make_tariff(**level):
    tariff = RoamingTariff.objects.create(name="City", code="CITY")
    if level:
        SessionSettings.objects.create(**level).tariffs.add(tariff)
    return tariff


def may_change(client, user, tariff):
    client.force_login(user)
    page = client.get(reverse("admin:tariffs_roamingtariff_change", args=[tariff.pk]))
    assert page.status_code == 200
    delete = client.get(reverse("admin:tariffs_roamingtariff_delete", args=[tariff.pk])).status_code
    assert (delete == 200) == page.context["has_change_permission"]
    return page.context["has_change_permission"]


def test_staff_change_tariffs_of_their_operators_only(client):
    mine, other = OperatorFactory(), OperatorFactory()
    ada, eve, root = make_staff("ada", mine), make_staff("eve", other), make_superuser()
    tariff = make_tariff(operator=mine)
    assert [may_change(client, user, tariff) for user in (ada, eve, root)] == [True, False, True]


def test_a_tariff_of_a_charger_belongs_to_its_operator(client):
    charger = ChargerFactory()
    ada, eve = make_staff("ada", charger.location.operator), make_staff("eve", OperatorFactory())
    tariff = make_tariff(charger=charger)
    assert [may_change(client, user, tariff) for user in (ada, eve)] == [True, False]


def test_a_tariff_of_the_site_concerns_every_operator(client):
    mine, other = OperatorFactory(), OperatorFactory()
    ada, both = make_staff("ada", mine), make_staff("both", mine, other)
    tariff = make_tariff(site=mine.site)
    assert [may_change(client, user, tariff) for user in (ada, both)] == [False, True]


def test_a_tariff_that_applies_nowhere_may_be_changed_by_all(client):
    assert may_change(client, make_staff("ada", OperatorFactory()), make_tariff())


def test_a_forbidden_change_is_refused(client):
    tariff = make_tariff(operator=OperatorFactory())
    client.force_login(make_staff("eve", OperatorFactory()))
    assert client.post(reverse("admin:tariffs_roamingtariff_change", args=[tariff.pk]), {}).status_code == 403
