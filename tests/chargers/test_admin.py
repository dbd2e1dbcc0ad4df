from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from chargers.models import ChargerConnection, OutgoingCall
from tests.chargers.factories import end, make_active, make_pending, reread
from tests.infrastructure.factories import make_staff, make_superuser

pytestmark = pytest.mark.django_db
MODELS = ("chargingsession", "cdr", "outgoingcall", "chargerconnection")


@pytest.fixture
def staff(client):
    client.force_login(make_superuser())
    return client


def act(client, model, name, *objects):
    """Runs an action of the list on these rows; gives the page that follows."""
    data = {"action": name, "_selected_action": [obj.pk for obj in objects], "confirmed": "yes"}
    return client.post(reverse(f"admin:chargers_{model}_changelist"), data, follow=True).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_pages_open_and_can_be_searched(staff, model):
    session = make_active()
    end(session, timezone.now(), 1000)
    rows = {
        "chargingsession": session,
        "cdr": session.cdrs.get(),
        "outgoingcall": session.calls.get(),
        "chargerconnection": session.connector.evse.charger.connection,
    }
    identity = session.connector.evse.charger.identity
    page = staff.get(reverse(f"admin:chargers_{model}_changelist"), {"q": identity})
    assert page.status_code == 200 and identity in page.content.decode()
    page = staff.get(reverse(f"admin:chargers_{model}_change", args=[rows[model].pk]))
    assert page.status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_staff_see_their_operators_rows_only(client, model):
    session = make_active()
    end(session, timezone.now(), 1000)
    identity = session.connector.evse.charger.identity
    client.force_login(make_staff())
    assert identity not in client.get(reverse(f"admin:chargers_{model}_changelist")).content.decode()
    client.force_login(make_staff("other", session.connector.evse.charger.location.operator))
    assert identity in client.get(reverse(f"admin:chargers_{model}_changelist")).content.decode()


def test_staff_stop_a_running_session(staff):
    session = make_active()
    assert "Stop charging: done for 1 row." in act(staff, "chargingsession", "stop_charging", session)
    assert OutgoingCall.objects.get(action="STOP_TRANSACTION").session == session
    assert reread(session).stop_requested_by == "STAFF"


def test_staff_give_up_a_session_without_its_car(staff):
    session = make_pending()
    assert "Stop charging: done for 1 row." in act(staff, "chargingsession", "stop_charging", session)
    assert reread(session).status == "INVALID"


def test_staff_learn_that_an_offline_charger_cannot_be_stopped(staff):
    session = make_active()
    ChargerConnection.objects.update(channel_name="")
    assert "The charger is offline." in act(staff, "chargingsession", "stop_charging", session)


def test_who_may_only_look_can_do_nothing(client):
    session = make_active()
    user = make_staff("viewer", session.connector.evse.charger.location.operator)
    user.user_permissions.set(user.user_permissions.model.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    act(client, "chargingsession", "stop_charging", session)
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()


def test_the_page_of_a_charger_shows_its_connection_and_session(staff):
    session = make_active()
    ChargerConnection.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    charger = session.connector.evse.charger
    page = staff.get(reverse("admin:infrastructure_charger_change", args=[charger.pk])).content.decode()
    assert f"/ocpp/{charger.identity}" in page and str(session) in page and "online" in page
