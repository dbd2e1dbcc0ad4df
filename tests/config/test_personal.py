"""After the legal time a driver can be found in no record of money; amounts, times and references stay."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import ChargingSession, Token
from config import personal
from payments.models import FinancialAdviceConfirmation, Invoice, InvoicePdf, InvoiceRevision, PaymentIssue
from roaming.choices import Module
from roaming.models import Document
from roaming.services import driver_tokens
from tests.payments.factories import make_area, make_cdr, make_evse, make_operator, make_platform, make_session
from tests.roaming.factories import DocumentFactory

pytestmark = pytest.mark.django_db
NOW = timezone.now()
CARD, UID = "**** **** **** 1234", "DRIVER-0815"
TOKEN = {"country_code": "DE", "party_id": "EMA", "uid": UID, "type": "RFID", "contract_id": f"C-{UID}"}


def sold(days: int, number: int = 1) -> Invoice:
    """All that a session so many days ago has left."""
    at, reference = NOW - timedelta(days=days), f"REF-{days}-{number}"
    operator = make_operator(f"Operator {reference}")
    platform = make_platform(operator, code=f"p-{days}-{number}", party=("AT", f"P{number}{days % 10}"))
    evse = make_evse(make_area(operator, reference))
    session = make_session(platform, evse, reference, cdr_token=TOKEN, id_tag=UID, created_at=at, ended_at=at)
    cdr = make_cdr(session)
    for module in (Module.SESSIONS, Module.CDRS):
        content = {"id": reference, "cdr_token": TOKEN, "total_cost": {"incl_vat": 9.8}}
        made = DocumentFactory(
            platform=platform, module=module, object_id=reference, body=content, acknowledged=content
        )
        Document.objects.filter(pk=made.pk).update(created_at=at)
    money = {"currency": "EUR", "total_gross": "9.80", "eft_data": [CARD], "authorization_reference": reference}
    advice = FinancialAdviceConfirmation.objects.create(
        platform=platform, advice_id=reference, session=session, raw={"eft_data": [CARD]}, last_updated=at, **money
    )
    FinancialAdviceConfirmation.objects.filter(pk=advice.pk).update(created_at=at)
    invoice = Invoice.objects.create(
        operator=operator,
        platform=platform,
        cdr=cdr,
        number=reference,
        issued_at=at,
        seller={},
        place={},
        lines=[],
        vat_totals=[],
        total_net="8.17",
        **money,
    )
    revision = InvoiceRevision.objects.create(invoice=invoice, number=1, facts={"eft_data": [CARD]})
    InvoicePdf.objects.create(revision=revision, language="en", content=CARD.encode(), sha256="0")
    return invoice


def left() -> str:
    models = (ChargingSession, Document, FinancialAdviceConfirmation, Invoice, InvoiceRevision, InvoicePdf)
    return " ".join(str(list(model.objects.values())) for model in models)


def test_nothing_of_the_driver_is_left_after_the_legal_time(monkeypatch):
    monkeypatch.setattr(personal, "AT_ONCE", 1)
    invoices = [sold(4000, number) for number in (1, 2)]
    assert UID in left() and CARD in left()
    personal.erase_old(NOW)
    assert UID not in left() and CARD not in left()
    for invoice in invoices:
        invoice.refresh_from_db()
        assert str(invoice.total_gross) == "9.8000" and invoice.cdr.session.authorization_reference
    document = Document.objects.filter(module=Module.CDRS).first()
    assert document.body["total_cost"] == {"incl_vat": 9.8}
    assert document.body["cdr_token"]["uid"] == document.body["cdr_token"]["contract_id"] == personal.ERASED


def test_a_start_that_came_to_nothing_forgets_its_driver_too():
    sold(4000)
    ChargingSession.objects.update(ended_at=None, status="INVALID", last_updated=NOW - timedelta(days=4000))
    personal.erase_old(NOW)
    assert ChargingSession.objects.get().id_tag == personal.ERASED


def test_a_card_that_only_an_earlier_revision_names_is_erased():
    sold(4000)
    Invoice.objects.update(eft_data=[])
    personal.erase_old(NOW)
    assert CARD not in left()


def test_messages_kept_as_evidence_of_an_issue_are_erased():
    told = [{"received": {"eft_data": [CARD]}}]
    issue = PaymentIssue.objects.create(
        kind="DUPLICATE_ID", subject="advice:1", reason="Twice.", evidence=told, opened_at=NOW - timedelta(days=4000)
    )
    personal.erase_old(NOW)
    issue.refresh_from_db()
    assert issue.evidence == []


def test_the_driver_stays_as_long_as_the_law_asks():
    sold(3600)
    before = left()
    personal.erase_old(NOW)
    assert left() == before


def test_zero_keeps_the_driver_for_ever(settings):
    settings.PERSONAL_DATA_DAYS = 0
    sold(4000)
    before = left()
    personal.erase_old(NOW)
    assert left() == before


def test_a_second_night_writes_nothing(django_assert_num_queries):
    sold(4000)
    personal.erase_old(NOW)
    with django_assert_num_queries(len(personal.ERASURES) + 1):
        personal.erase_old(NOW)


def test_tokens_go_a_year_after_they_became_invalid():
    def token(uid: str, days: int, *, is_valid: bool) -> None:
        at = NOW - timedelta(days=days)
        values = {"peer_id": "p", "country_code": "DE", "party_id": "EMA", "type": "RFID", "whitelist": "NEVER"}
        Token.objects.create(uid=uid, is_valid=is_valid, body={}, last_updated=at, received_at=at, **values)

    token("old-invalid", 400, is_valid=False)
    token("old-valid", 400, is_valid=True)
    token("young-invalid", 10, is_valid=False)
    personal.erase_old(NOW)
    assert set(Token.objects.values_list("uid", flat=True)) == {"old-valid", "young-invalid"}


def test_a_token_that_left_its_list_today_is_kept_from_today_on():
    platform = make_platform(make_operator("Operator"), code="p", party=("AT", "P1"))
    long_ago = NOW - timedelta(days=400)
    values = {"peer_id": platform.peer_id, "country_code": "DE", "party_id": "EMA", "type": "RFID", "uid": UID}
    Token.objects.create(
        **values, whitelist="NEVER", is_valid=True, body={}, last_updated=long_ago, received_at=long_ago
    )
    assert driver_tokens.retire_unlisted(platform, NOW) == 1
    personal.erase_old(NOW)
    assert not Token.objects.get().is_valid
    personal.erase_old(NOW + timedelta(days=400))
    assert not Token.objects.exists()
