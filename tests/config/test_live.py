"""What a page costs that refreshes itself every five seconds in every tab that somebody leaves open."""

import pytest
from django.apps import apps
from django.contrib import messages
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from infrastructure.live import KeepMessagesMiddleware
from tests.chargers.factories import make_active
from tests.infrastructure.factories import make_superuser

pytestmark = pytest.mark.django_db
LIVE = {"X-Requested-With": "live"}


@pytest.fixture
def desk(client):
    client.force_login(make_superuser())
    ContentType.objects.get_for_models(*apps.get_models())
    return client


def queries(desk, address, **headers):
    with CaptureQueriesContext(connection) as captured:
        assert desk.get(address, headers=headers).status_code == 200
    return len(captured)


def test_a_refresh_of_home_leaves_out_what_does_not_change_in_seconds(desk):
    make_active()
    desk.get("/admin/")
    assert queries(desk, "/admin/", **LIVE) <= queries(desk, "/admin/") - 2
    page = desk.get("/admin/", headers=LIVE)
    assert page.context["charts"] == page.context["steps"] == []


def test_a_refresh_leaves_messages_to_the_page_that_somebody_reads(desk):
    session = make_active()
    page = reverse("admin:chargers_chargingsession_change", args=[session.pk])
    desk.post(reverse("admin:chargers_chargingsession_stop_now", args=[session.pk]))
    assert "is asked to stop session" in desk.get(page, headers=LIVE).content.decode()
    assert "is asked to stop session" in desk.get(page).content.decode()
    assert "is asked to stop session" not in desk.get(page).content.decode()


def test_what_a_refresh_says_is_not_kept_to_be_read_as_often_as_it_came(rf):
    request = rf.get("/admin/", headers=LIVE)
    request._messages = CookieStorage(request)

    def answer(_):
        messages.info(request, "Only the newest are shown.")
        assert len(list(request._messages)) == 1
        return HttpResponse()

    response = KeepMessagesMiddleware(answer)(request)
    request._messages.update(response)
    assert not response.cookies


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("index", 20),
        ("chargers_chargingsession_changelist", 7),
        ("chargers_chargerconnection_changelist", 9),
        ("infrastructure_evse_changelist", 8),
        ("chargers_chargingsession_change", 18),
        ("infrastructure_charger_change", 24),
        ("infrastructure_location_change", 18),
        ("infrastructure_evse_change", 12),
        ("roaming_push_changelist", 9),
    ],
)
def test_a_refresh_asks_no_more_than_so_often(desk, name, most):
    session = make_active()
    evse = session.connector.evse
    keys = {
        "chargers_chargingsession_change": session.pk,
        "infrastructure_charger_change": evse.charger_id,
        "infrastructure_location_change": evse.charger.location_id,
        "infrastructure_evse_change": evse.pk,
    }
    address = reverse(f"admin:{name}", args=[keys[name]] if name in keys else [])
    assert queries(desk, address, **LIVE) <= most
