"""Each state of an invoice and its PDF: made once per language, kept, and shown verbatim."""

import hashlib
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from infrastructure.models import OperatorMembership
from payments import invoice_pdf
from payments.choices import RevisionReason
from payments.models import Invoice, InvoicePdf
from payments.services import revisions
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import credit_invoice, open_invoice
from tests.payments import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_cache")]

PAGE = f"/invoices/terminals-bv/{factories.REFERENCE}"


@pytest.fixture
def invoice(platform: Any, evse: Any) -> Invoice:
    invoice = open_invoice(factories.make_cdr(factories.make_session(platform, evse)).pk)
    assert invoice is not None
    return invoice


def capture(platform: Any, **fields: Any) -> None:
    advice, _ = receive_advice(platform, factories.advice_body(**fields))
    match_advice(advice.pk)


def _noting(draw: Any, texts: list[str]) -> Any:
    def drawing(self: Any, w: Any, h: Any, text: str = "", **options: Any) -> Any:
        texts.append(text)
        return draw(self, w, h, text, **options)

    return drawing


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is put on paper."""
    texts: list[str] = []
    for name in ("cell", "multi_cell"):
        monkeypatch.setattr(invoice_pdf._Paper, name, _noting(getattr(invoice_pdf._Paper, name), texts))
    return texts


def test_an_invoice_begins_with_a_revision_and_the_task_makes_its_pdf(invoice: Invoice) -> None:
    revision = invoice.revisions.get()
    assert (revision.number, revision.reason, revision.is_rendered) == (1, RevisionReason.ISSUED, False)
    revisions.render_due()
    revision.refresh_from_db()
    pdf = revision.pdfs.get()
    assert revision.is_rendered
    assert bytes(pdf.content).startswith(b"%PDF-")
    assert pdf.sha256 == hashlib.sha256(bytes(pdf.content)).hexdigest()


def test_card_data_is_a_new_revision_and_the_old_pdf_stays(platform: Any, invoice: Invoice) -> None:
    revisions.render_due()
    before = InvoicePdf.objects.get()
    capture(platform)
    revisions.render_due()
    assert [one.reason for one in invoice.revisions.all()] == [RevisionReason.ISSUED, RevisionReason.CARD_DATA]
    kept = InvoicePdf.objects.get(pk=before.pk)
    assert (bytes(kept.content), kept.sha256) == (bytes(before.content), before.sha256)
    assert InvoicePdf.objects.get(revision__number=2).sha256 != before.sha256


def test_an_advice_that_says_nothing_new_makes_no_revision(platform: Any, invoice: Invoice) -> None:
    capture(platform)
    capture(platform)
    assert invoice.revisions.count() == 2


def test_a_late_pdf_of_an_old_revision_says_what_held_then(platform: Any, invoice: Invoice, drawn: list[str]) -> None:
    capture(platform)
    credit_invoice(invoice, "Wrong.")
    revisions.pdf_of(invoice.revisions.get(number=1), "en")
    assert "Not yet captured" in drawn
    assert "DEBIT\N{NO-BREAK SPACE}MASTERCARD" not in drawn
    drawn.clear()
    revisions.pdf_of(invoice.revisions.get(number=3), "en")
    assert "Paid by card" in drawn
    assert any("cancelled by credit note" in one for one in drawn)


def test_the_same_revision_is_the_same_bytes(invoice: Invoice) -> None:
    revision = invoice.revisions.get()
    assert revisions._render(revision, "en") == revisions._render(revision, "en")


def test_the_pdf_says_all_that_an_invoice_must(platform: Any, invoice: Invoice, drawn: list[str], evse: Any) -> None:
    capture(platform, eft_data=["  VISA   ****1234", "Größe: 5 ½", "x" * 300])
    revisions.newest_pdf(invoice, "en")
    paper = "\n".join(drawn).replace("\N{NO-BREAK SPACE}", " ")
    assert "x" * 300 in "".join(drawn)
    for text in (
        f"Invoice {invoice.number}",
        "Acme Charging GmbH",
        "ATU12345678",
        evse.evse_id,
        "1 March 2024, 10:00 – 11:30 CET",
        "20 kWh × 0.49 EUR/kWh",
        "8.17",
        "9.80 EUR",
        "50.00 EUR",
        "Ended by you",
        "Paid by card",
        "  VISA   ****1234",
        "Größe: 5 ½",
    ):
        assert text in paper


def test_the_pdf_is_where_the_page_says(client: Any, invoice: Invoice) -> None:
    assert '?format=pdf&amp;lang=en"' in client.get(PAGE).content.decode()
    for path in (f"{PAGE}.pdf", f"{PAGE}.PDF", f"{PAGE}?format=pdf", f"/invoices/terminals-bv//{invoice.number}.pdf"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert "no-store" in answer.headers["Cache-Control"]
        assert f'{invoice.number}.pdf"' in answer.headers["Content-Disposition"]
    assert InvoicePdf.objects.count() == 1


def test_each_language_has_a_file_of_its_own(client: Any, invoice: Invoice) -> None:
    german = client.get(f"{PAGE}.pdf", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    english = client.get(f"{PAGE}.pdf")
    assert german.content != english.content
    assert set(InvoicePdf.objects.values_list("language", flat=True)) == {"de", "en"}
    assert client.get(f"{PAGE}.pdf?lang=de").content == german.content


def test_before_there_is_an_invoice_there_is_no_pdf(client: Any, platform: Any, evse: Any) -> None:
    factories.make_session(platform, evse, status="ACTIVE")
    page = client.get(f"{PAGE}.pdf")
    assert "being prepared" in page.content.decode()
    assert client.get("/invoices/terminals-bv/nothing.pdf").status_code == 404


def test_a_pdf_that_cannot_be_made_is_said_and_tried_again_on_demand(
    admin_client: Any, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(invoice_pdf, "render", lambda *args: 1 / 0)
        revisions.render_due()
    revisions.render_due()
    change = reverse("admin:payments_invoice_change", args=[invoice.pk])
    again = reverse("admin:payments_invoice_render_again", args=[invoice.pk])
    html = admin_client.get(change).content.decode()
    assert "could not be made" in html and "ZeroDivisionError" in html and again in html
    admin_client.post(again)
    revisions.render_due()
    html = admin_client.get(change).content.decode()
    assert "could not be made" not in html and again not in html


def test_staff_see_the_very_file_that_the_driver_got(admin_client: Any, client: Any, invoice: Invoice) -> None:
    driver = client.get(f"{PAGE}.pdf").content
    address = reverse("admin:payments_invoice_pdf", args=[invoice.pk, InvoicePdf.objects.get().pk])
    html = admin_client.get(reverse("admin:payments_invoice_change", args=[invoice.pk])).content.decode()
    assert address in html and InvoicePdf.objects.get().sha256 in html
    assert admin_client.get(address).content == driver
    stranger = User.objects.create_user("stranger", is_staff=True)
    stranger.user_permissions.set(Permission.objects.filter(content_type__app_label="payments"))
    OperatorMembership.objects.create(user=stranger, operator=factories.make_operator("Other"))
    client.force_login(stranger)
    assert client.get(address).status_code == 404
