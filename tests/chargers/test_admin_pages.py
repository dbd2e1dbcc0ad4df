import re

import pytest
from django.urls import reverse
from django.utils import timezone

from chargers.models import ChargerConnection, ConnectorStatus, HeldEvent, OutgoingCall
from chargers.ocpp.auth import admit
from chargers.services.commands import request_stop
from tests.chargers.charger_socket import basic
from tests.chargers.factories import end, make_active, make_connector, make_pending, reread
from tests.infrastructure.factories import make_staff, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_superuser())
    return client


def page_of(client, obj, page="change"):
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{page}", args=[obj.pk])


def text(client, obj, page="change"):
    return client.get(page_of(client, obj, page)).content.decode()


def test_the_status_of_a_session_is_a_badge_with_words(staff):
    page = text(staff, make_active())
    assert "(&#x27;ACTIVE&#x27;" not in page and "('ACTIVE'" not in page
    assert re.search(r"bg-green-100[^>]*>\s*Active\s*<", page)


def test_a_chargers_page_shows_its_connectors_and_what_waits_for_a_session(staff):
    evse = make_connector().evse
    assert "without a session" not in text(staff, evse.charger)
    ConnectorStatus.objects.create(evse=evse, number=2, status="Occupied")
    for seq_no in (0, 1):
        HeldEvent.objects.create(charger=evse.charger, transaction_id="TX-UNCLAIMED", seq_no=seq_no, body={})
    page = text(staff, evse.charger)
    assert re.search(r"<td[^>]*>\s*2\s*</td>\s*<td[^>]*>\s*Occupied", page)
    assert re.search(r"TX-UNCLAIMED\s*</td>\s*<td[^>]*>\s*2\s*</td>", page)


def test_lists_of_cdrs_show_money(staff):
    session = make_active()
    end(session, timezone.now(), 1000)
    cdr = session.cdrs.get()
    rows = staff.get(reverse("admin:chargers_cdr_changelist")).content.decode()
    assert f"{cdr.total_cost_incl_vat:.2f} {cdr.currency}" in rows and "excl_vat" not in rows
    assert page_of(staff, cdr) in text(staff, session)
    assert page_of(staff, session) in text(staff, cdr)


def test_an_invalid_session_says_why(staff):
    assert "The charger is offline." in text(staff, make_pending(make_connector(online=False)))


def test_a_running_session_is_stopped_from_its_page_after_a_question(staff):
    session = make_active()
    assert page_of(staff, session, "stop_now") in text(staff, session)
    assert "Stop charging" in text(staff, session, "stop_now")
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()
    answer = staff.post(page_of(staff, session, "stop_now"), follow=True)
    assert "is asked to stop" in answer.content.decode()
    assert reread(session).stop_requested_by == "STAFF"


def test_a_session_that_is_over_cannot_be_stopped(staff):
    session = make_active()
    end(session, timezone.now(), 1000)
    assert page_of(staff, session, "stop_now") not in text(staff, session)
    for ask in (staff.get, staff.post):
        told = ask(page_of(staff, session, "stop_now"), follow=True).content.decode()
        assert "is over already: there is nothing to stop" in told
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()


def test_a_session_that_ends_before_the_stop_is_written_down_was_not_given_up(staff, monkeypatch):
    """The page still saw it running."""
    session = make_active()
    ended = []

    def late(*args, **kwargs):
        if not ended:
            ended.append(end(session, timezone.now(), 1000))
        return request_stop(*args, **kwargs)

    monkeypatch.setattr("chargers.admin_actions.commands.request_stop", late)
    told = staff.post(page_of(staff, session, "stop_now"), follow=True).content.decode()
    assert "is over already" in told
    assert "given up" not in told


def test_the_second_who_stops_a_session_is_told_that_it_was_asked_already(staff):
    session = make_active()
    for said in ("is asked to stop", "has already been asked to stop"):
        assert said in staff.post(page_of(staff, session, "stop_now"), follow=True).content.decode()
    assert OutgoingCall.objects.filter(action="STOP_TRANSACTION").count() == 1


def test_a_stop_that_the_charger_does_not_follow_is_told_first_on_the_page(staff):
    session = make_active()
    staff.post(page_of(staff, session, "stop_now"))
    first = text(staff, session)[: text(staff, session).index("From tap to invoice")]
    assert "has not answered yet" in first
    call = OutgoingCall.objects.get(action="STOP_TRANSACTION")
    OutgoingCall.objects.filter(pk=call.pk).update(
        state="DONE", result="TIMEOUT", answer={"reason": "The charger did not answer in time."}
    )
    assert "The charger did not stop: The charger did not answer in time." in text(staff, session)


def test_a_stop_at_a_charger_that_is_offline_says_so(staff):
    session = make_active()
    ChargerConnection.objects.update(channel_name="")
    told = staff.post(page_of(staff, session, "stop_now"), follow=True).content.decode()
    assert "runs on: The charger is offline." in told


def test_a_new_password_is_asked_for_shown_once_and_opens_the_door(staff):
    connection = make_active().connector.evse.charger.connection
    address = page_of(staff, connection, "new_password")
    assert address in text(staff, connection.charger)
    assert "has no password yet" in staff.get(address).content.decode()
    assert not ChargerConnection.objects.exclude(password_hash="").exists()
    password = re.search(r'id="password"[^>]*>([^<]+)</code>', staff.post(address).content.decode())[1]
    identity = connection.charger.identity
    assert 16 <= len(password) <= 40
    assert admit(identity, basic(identity, password)) == connection.charger_id
    again = staff.get(address).content.decode()
    assert password not in again and "stops working at once" in again


@pytest.mark.parametrize("password", ["short", "x" * 41, "with a space inside", "mit-Umlaut-öäü-1234"])
def test_a_bad_password_is_refused_with_the_reason(staff, password):
    connection = make_active().connector.evse.charger.connection
    page = staff.post(page_of(staff, connection, "new_password"), {"password": password}).content.decode()
    assert "characters" in page or "ASCII" in page
    assert not ChargerConnection.objects.exclude(password_hash="").exists()


def test_an_own_password_opens_the_door(staff):
    connection = make_active().connector.evse.charger.connection
    staff.post(page_of(staff, connection, "new_password"), {"password": "my-own-password-1"})
    identity = connection.charger.identity
    assert admit(identity, basic(identity, "my-own-password-1")) == connection.charger_id


def test_who_may_only_look_changes_no_password_and_stops_nothing(client):
    session = make_active()
    charger = session.connector.evse.charger
    user = make_staff("viewer", charger.location.operator)
    user.user_permissions.set(user.user_permissions.model.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    assert client.post(page_of(client, session, "stop_now")).status_code == 403
    assert client.post(page_of(client, charger.connection, "new_password")).status_code == 403
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()


def test_others_sessions_and_chargers_are_not_found(client):
    session = make_active()
    client.force_login(make_staff())
    assert client.post(page_of(client, session, "stop_now")).status_code == 404
    assert client.post(page_of(client, session.connector.evse.charger.connection, "new_password")).status_code == 404
