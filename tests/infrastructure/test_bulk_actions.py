"""What is done to many rows at once is explained and asked for first, and its outcome is told in one message."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse

from chargers.models import ChargingSession, OutgoingCall
from infrastructure import bulk_actions
from payments.choices import IssueKind, IssueState
from payments.models import PaymentIssue
from tests.chargers.factories import make_active, make_pending, reread
from tests.infrastructure.factories import make_superuser

pytestmark = pytest.mark.django_db
SESSIONS = "admin:chargers_chargingsession_changelist"


@pytest.fixture
def staff(client: Any) -> Any:
    client.force_login(make_superuser())
    return client


def sent(client: Any, page: str, action: str, *rows: Any, **more: Any) -> str:
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return str(client.post(reverse(page), data, follow=True).content.decode())


def told(page: str) -> list[str]:
    return [message.strip() for message in re.findall(r"Stop charging: [^<]*(?:done)[^<]*", page)]


def test_nothing_is_done_before_it_is_confirmed(staff: Any) -> None:
    sessions = [make_active(), make_active()]
    page = sent(staff, SESSIONS, "stop_charging", *sessions)
    assert "Stop charging: 2 Charging sessions" in page and "each session is billed up to then" in page
    assert all(str(session) in page for session in sessions)
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()


def test_what_the_page_asks_for_is_what_is_done(staff: Any) -> None:
    """Also where all rows of the list were chosen: none that came meanwhile."""
    chosen = [make_active(), make_active()]
    page = sent(staff, SESSIONS, "stop_charging", chosen[0], select_across="1")
    form = page[page.index('name="confirmed"') :]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    late = make_active()
    data: dict[str, Any] = {"confirmed": "yes"}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    staff.post(reverse(SESSIONS), data)
    assert [reread(one).stop_requested_by for one in chosen] == ["STAFF", "STAFF"]
    assert not reread(late).stop_requested_by


def test_one_message_counts_what_was_done_and_says_why_the_rest_was_not(staff: Any) -> None:
    running, over = make_active(), make_pending()
    ChargingSession.objects.filter(pk=over.pk).update(status="COMPLETED")
    page = sent(staff, SESSIONS, "stop_charging", running, over, confirmed="yes")
    assert told(page) == [f"Stop charging: done for 1 of 2. Not for {over}: It is not running."]


def test_each_row_is_asked_for_by_itself(staff: Any, monkeypatch: Any) -> None:
    mine, theirs = make_active(), make_active()
    page = type(admin.site._registry[ChargingSession])
    monkeypatch.setattr(page, "has_operate_permission", lambda self, request, obj=None: obj != theirs)
    assert "You may not do this." in sent(staff, SESSIONS, "stop_charging", mine, theirs, confirmed="yes")
    assert (reread(mine).stop_requested_by, reread(theirs).stop_requested_by) == ("STAFF", "")


def test_too_many_rows_are_refused(staff: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(bulk_actions, "MOST", 1)
    sessions = [make_active(), make_active()]
    assert "Choose at most 1 rows at once." in sent(staff, SESSIONS, "stop_charging", *sessions, confirmed="yes")
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()


def test_issues_are_accepted_with_one_note(staff: Any) -> None:
    page, kind = "admin:payments_paymentissue_changelist", IssueKind.LATE_STOP
    issues = [PaymentIssue.objects.create(kind=kind, subject=f"session:{n}", reason="Late.") for n in (1, 2)]
    assert "This field is required." in sent(staff, page, "accept_chosen", *issues, confirmed="yes", text=" ")
    assert not PaymentIssue.objects.exclude(state=IssueState.OPEN).exists()
    sent(staff, page, "accept_chosen", *issues, confirmed="yes", text="Agreed by phone.")
    assert set(PaymentIssue.objects.values_list("state", "note")) == {(IssueState.ACCEPTED, "Agreed by phone.")}
