"""Taking an invoice back: credit note, credit CDR, and the corrected invoice in its place."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.urls import reverse

from chargers.models import CDR
from chargers.services.cdrs import credit_cdr
from infrastructure import outbox
from infrastructure.models import OperatorMembership
from payments.choices import InvoiceKind
from payments.models import Invoice, InvoiceSeries
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import credit_invoice, missing_numbers, open_invoice
from roaming.models import Document
from tests.payments import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_cache")]

FIXED = (
    "number",
    "issued_at",
    "seller",
    "place",
    "lines",
    "vat_totals",
    "currency",
    "total_net",
    "total_gross",
    "stop_reason",
    "preauthorised",
)


@pytest.fixture
def invoice(platform: Any, evse: Any) -> Invoice:
    return opened(factories.make_cdr(factories.make_session(platform, evse)))


def opened(cdr: CDR) -> Invoice:
    invoice = open_invoice(cdr.pk)
    assert invoice is not None
    return invoice


def corrected(invoice: Invoice) -> Invoice:
    """What a corrected CDR brings."""
    return opened(factories.make_cdr(invoice.cdr.session, "5.0000", remark="Corrected: The meter was wrong."))


def test_a_credit_note_negates_the_invoice_and_names_it(invoice: Invoice) -> None:
    note = credit_invoice(invoice, "The meter was wrong.")
    invoice.refresh_from_db()
    assert (note.kind, note.credits, note.number[-7:]) == (InvoiceKind.CREDIT_NOTE, invoice, "C000001")
    assert (note.total_gross, note.total_net) == (-invoice.total_gross, -invoice.total_net)
    assert [line["gross"] for line in note.lines] == ["-9.80"]
    assert note.vat_totals == [{"vat": "20", "net": "-8.17", "vat_amount": "-1.63", "gross": "-9.80"}]
    assert (note.seller, note.stop_reason) == (invoice.seller, "The meter was wrong.")
    assert invoice.credited_at == note.issued_at


def test_the_credit_cdr_repeats_the_reference_of_the_invoice(invoice: Invoice) -> None:
    note = credit_invoice(invoice, "Wrong.")
    assert note.cdr.is_credit
    assert note.cdr.credited == invoice.cdr
    assert note.cdr.invoice_reference_id == invoice.number


def test_crediting_the_cdr_alone_brings_the_credit_note(invoice: Invoice) -> None:
    credit = credit_cdr(invoice.cdr, "Wrong.")
    outbox.drain()
    assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).cdr == credit
    assert Document.objects.filter(module="cdrs", source_id=credit.pk).get().body["credit_reference_id"]


def test_crediting_twice_gives_one_credit_note(invoice: Invoice) -> None:
    assert credit_invoice(invoice, "Wrong.") == credit_invoice(invoice, "Again.")
    assert InvoiceSeries.objects.get(kind=InvoiceKind.CREDIT_NOTE).last_number == 1


def test_a_credit_note_cannot_be_credited(invoice: Invoice) -> None:
    with pytest.raises(ValueError, match="cannot be credited"):
        credit_invoice(credit_invoice(invoice, "Wrong."), "No.")


def test_a_credit_that_is_handled_before_its_cdr_brings_both(platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    note = opened(credit_cdr(cdr, "Wrong."))
    cdr.refresh_from_db()
    assert note.credits == cdr.invoice
    assert note.cdr.credited == cdr
    note.cdr.refresh_from_db()
    assert cdr.invoice_reference_id == note.cdr.invoice_reference_id == note.credits.number


def test_where_the_ptp_invoices_there_is_no_credit_note(platform: Any, evse: Any) -> None:
    factories.make_terminal(platform, invoice_creator="PTP").evses.add(evse)
    credit = credit_cdr(factories.make_cdr(factories.make_session(platform, evse)), "Wrong.")
    assert open_invoice(credit.pk) is None
    assert not Invoice.objects.exists()


def test_nothing_of_what_was_invoiced_changes_with_its_credit(invoice: Invoice) -> None:
    invoice.refresh_from_db()
    before = [getattr(invoice, name) for name in FIXED]
    credit_invoice(invoice, "Wrong.")
    corrected(invoice)
    invoice.refresh_from_db()
    assert [getattr(invoice, name) for name in FIXED] == before


def test_the_corrected_invoice_takes_the_place_of_the_credited_one(client: Any, invoice: Invoice) -> None:
    note = credit_invoice(invoice, "Wrong.")
    new = corrected(invoice)
    assert (new.replaces, new.number[-6:], new.total_gross) == (invoice, "000002", Decimal("5.00"))
    page = f"/invoices/terminals-bv/{factories.REFERENCE}"
    assert f"Invoice {new.number}" in client.get(page).content.decode()
    old = client.get(f"/invoices/terminals-bv/{invoice.number}").content.decode()
    assert f"cancelled by credit note {note.number}" in old
    assert f"Invoice {new.number} takes its place." in old
    assert f"/invoices/terminals-bv/{new.number}" in old
    told = client.get(f"/invoices/terminals-bv/{note.number.lower()}").content.decode()
    assert f"Cancels invoice {invoice.number}." in told
    assert "-9.80" in told


def test_a_corrected_cdr_that_is_handled_first_waits_for_no_credit(platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    first = opened(cdr)
    credit_cdr(cdr, "Wrong.")
    assert corrected(first).replaces == first
    assert first.credit_note.number.endswith("C000001")


def test_a_credited_invoice_stays_what_its_reference_shows_until_there_is_another(
    client: Any, invoice: Invoice
) -> None:
    credit_invoice(invoice, "Wrong.")
    html = client.get(f"/invoices/terminals-bv/{factories.REFERENCE}").content.decode()
    assert f"Invoice {invoice.number}" in html and "cancelled by" in html


def test_a_reference_has_one_invoice_that_holds(invoice: Invoice, evse: Any) -> None:
    other = factories.make_cdr(factories.make_session(None, evse))
    values = {name: getattr(invoice, name) for name in FIXED} | {"number": "X"}
    keys = {"operator": invoice.operator, "platform": invoice.platform, "cdr": other}
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.create(**keys, **values, authorization_reference=invoice.authorization_reference.upper())


def test_what_is_captured_after_a_correction_is_on_the_corrected_invoice(platform: Any, invoice: Invoice) -> None:
    credit_invoice(invoice, "Wrong.")
    new = corrected(invoice)
    advice, _ = receive_advice(platform, factories.advice_body(total_costs={"excl_vat": 4, "incl_vat": 5}))
    match_advice(advice.pk)
    new.refresh_from_db()
    invoice.refresh_from_db()
    assert new.captured_gross == Decimal(5)
    assert invoice.captured_gross is None
    assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).advice is None


def test_the_series_says_when_a_number_is_missing(admin_client: Any, invoice: Invoice) -> None:
    credit_invoice(invoice, "Wrong.")
    series = InvoiceSeries.objects.get(kind=InvoiceKind.INVOICE)
    page = reverse("admin:payments_invoiceseries_changelist")
    assert missing_numbers(series) == 0
    assert "complete, 1 to 1" in admin_client.get(page).content.decode()
    series.last_number = 3
    series.save()
    assert "2 of 3 missing" in admin_client.get(page).content.decode()


def test_staff_credit_an_invoice_with_a_reason(admin_client: Any, invoice: Invoice) -> None:
    page = reverse("admin:payments_invoice_credit", args=[invoice.pk])
    change = reverse("admin:payments_invoice_change", args=[invoice.pk])
    assert page in admin_client.get(change).content.decode()
    assert admin_client.post(page, {"reason": ""}).status_code == 200
    assert not CDR.objects.filter(is_credit=True).exists()
    answer = admin_client.post(page, {"reason": "Charged twice."}, follow=True)
    assert "Credit note 20" in answer.content.decode()
    html = admin_client.get(change).content.decode()
    assert page not in html
    assert "Invoice, credited" in html


def test_staff_of_another_operator_and_viewers_cannot_credit(client: Any, invoice: Invoice) -> None:
    page = reverse("admin:payments_invoice_credit", args=[invoice.pk])
    for name, codes, operator in (
        ("viewer", ["view_invoice"], invoice.operator),
        ("stranger", ["view_invoice", "change_cdr"], factories.make_operator("Other")),
    ):
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codes))
        OperatorMembership.objects.create(user=user, operator=operator)
        client.force_login(user)
        assert client.post(page, {"reason": "Mine."}).status_code in (302, 403, 404)
        assert not CDR.objects.filter(is_credit=True).exists()
