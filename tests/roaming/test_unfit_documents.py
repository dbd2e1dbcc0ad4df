"""What OCPI does not allow is not sent: staff read why, correct it, and it goes out."""

from typing import Any

import pytest
from django.utils import timezone

from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.models import Location
from roaming.choices import Module, PlatformState, PushState
from roaming.models import Document, Push, RoamingPlatform
from roaming.ocpi.types import format_datetime
from roaming.services import documents, rendering, session_documents, watch
from roaming.services.document_lists import current
from tests.payments.factories import make_area, make_cdr, make_evse, make_operator, make_platform, make_session

pytestmark = pytest.mark.django_db

AREA = "VIE-CITY"
ODD_HOURS: dict[str, Any] = {"twentyfourseven": "always"}


@pytest.fixture
def demo() -> DemoData:
    demo = data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    return demo


def set_hours(hours: Any) -> None:
    """Past all checks of what staff enter, as an import of old could have done."""
    Location.objects.filter(roaming_id=AREA).update(opening_times=hours)


def refresh() -> Document:
    documents.refresh_locations([Location.objects.get(roaming_id=AREA).pk])
    return Document.objects.get(module=Module.LOCATIONS, object_id=AREA)


def waiting() -> int:
    return Push.objects.filter(module=Module.LOCATIONS, object_id__endswith=AREA, state=PushState.PENDING).count()


def test_what_was_never_fit_is_neither_listed_nor_pushed(demo: DemoData) -> None:
    set_hours(ODD_HOURS)
    document = refresh()
    assert document.problem == "Location: opening_times.twentyfourseven: must be true or false"
    assert document not in current(demo.platform, Module.LOCATIONS)
    assert waiting() == 0


def test_a_partner_keeps_the_last_fit_state(demo: DemoData) -> None:
    fit = refresh()
    Push.objects.update(state=PushState.DONE)
    set_hours(ODD_HOURS)
    unfit = refresh()
    assert unfit.problem
    assert (unfit.body, unfit.last_updated) == (fit.body, fit.last_updated)
    assert unfit in current(demo.platform, Module.LOCATIONS)
    assert waiting() == 0


def test_once_corrected_it_goes_out(demo: DemoData) -> None:
    set_hours(ODD_HOURS)
    unfit = refresh()
    set_hours(None)
    documents.render_again(unfit)
    outbox.drain()
    unfit.refresh_from_db()
    assert unfit.problem == ""
    assert unfit in current(demo.platform, Module.LOCATIONS)
    assert waiting() == 1


def test_going_back_to_what_the_partner_has_says_nothing(demo: DemoData) -> None:
    fit = refresh()
    Push.objects.update(state=PushState.DONE)
    set_hours(ODD_HOURS)
    refresh()
    set_hours(None)
    again = refresh()
    assert (again.problem, again.last_updated) == ("", fit.last_updated)
    assert waiting() == 0


def test_staff_are_alerted_and_find_the_way(demo: DemoData, admin_client: Any) -> None:
    set_hours(ODD_HOURS)
    document = refresh()
    (finding,) = watch._unfit()
    assert "1 locations cannot be sent to Simulated terminals" in finding.title
    assert "opening_times.twentyfourseven" in finding.text
    assert AREA in admin_client.get(finding.path).content.decode()
    page = admin_client.get(f"/admin/roaming/document/{document.pk}/change/").content.decode()
    assert "cannot be sent" in page and "must be true or false" in page
    set_hours(None)
    chosen = {"action": "render_again", "_selected_action": [document.pk], "confirmed": "yes"}
    admin_client.post("/admin/roaming/document/", chosen, follow=True)
    outbox.drain()
    assert list(watch._unfit()) == []


def test_all_that_the_demo_offers_is_fit(demo: DemoData) -> None:
    documents.refresh_platform(demo.platform.pk)
    assert {document.problem for document in Document.objects.all()} == {""}
    assert {document.module for document in Document.objects.all()} == {Module.LOCATIONS, Module.TARIFFS}


def test_an_unfit_cdr_waits_until_it_can_be_rendered(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = make_operator()
    platform = make_platform(operator)
    record = make_cdr(make_session(platform, make_evse(make_area(operator))))
    monkeypatch.setattr(session_documents, "problem_of", lambda module, body: f"{module}: unfit")
    session_documents.freeze_cdr(record.pk)
    document = Document.objects.get(module=Module.CDRS)
    assert (document.problem, document.is_deleted) == ("cdrs: unfit", True)
    assert not Push.objects.exists()
    monkeypatch.setattr(session_documents, "problem_of", lambda module, body: "")
    corrected = timezone.now()
    session_documents.freeze_cdr(record.pk)
    document.refresh_from_db()
    assert (document.problem, document.is_deleted) == ("", False)
    # A partner that has pulled meanwhile asks for what changed since.
    assert document.last_updated >= corrected
    assert document.body["last_updated"] == format_datetime(document.last_updated)
    assert Push.objects.filter(module=Module.CDRS, state=PushState.PENDING).count() == 1


def test_a_frozen_cdr_is_not_looked_at_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = make_operator()
    record = make_cdr(make_session(make_platform(operator), make_evse(make_area(operator))))
    monkeypatch.setattr(session_documents, "problem_of", lambda module, body: "")
    session_documents.freeze_cdr(record.pk)
    monkeypatch.setattr(rendering, "cdr", lambda *args, **names: 1 / 0)
    session_documents.freeze_cdr(record.pk)
