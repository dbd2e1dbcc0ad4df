"""Each state in which an invoice was shown, and its PDF: made once per language, kept, and never made anew."""

import hashlib
import logging
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from infrastructure.wakeups import wake_task
from payments.choices import RevisionReason
from payments.models import Invoice, InvoicePdf, InvoiceRevision
from payments.services import peers
from payments.sheets import Addendum, addendum_of, sheet_of
from payments.texts import LANGUAGES, known

logger = logging.getLogger(__name__)

Json = dict[str, Any]

BATCH = 50
RENDER = "payments.tasks.render_invoices"


def record_revision(invoice: Invoice, reason: RevisionReason) -> InvoiceRevision:
    """Freezes what `invoice` says now, in the transaction of its change; a task makes the PDF."""
    with transaction.atomic():
        current = Invoice.objects.select_for_update(of=("self",)).select_related("advice", "credit_note")
        locked = current.get(pk=invoice.pk)
        revision = InvoiceRevision.objects.create(
            invoice=locked,
            number=locked.revisions.count() + 1,
            reason=reason,
            facts=_as_json(addendum_of(locked)),
        )
        wake_task(RENDER)
    return revision


def render_due() -> None:
    """Makes the PDFs that are missing, oldest first. One that cannot be made waits for a person, who sees why."""
    due = InvoiceRevision.objects.filter(is_rendered=False, render_error="").order_by("id")
    for revision in due.select_related("invoice__operator__site")[:BATCH]:
        try:
            pdf_of(revision, usual_language(revision.invoice))
        except Exception as error:
            logger.exception("the PDF of invoice %s could not be made", revision)
            reason = f"{type(error).__name__}: {error}"[:255]
            InvoiceRevision.objects.filter(pk=revision.pk).update(render_error=reason)
        else:
            InvoiceRevision.objects.filter(pk=revision.pk).update(is_rendered=True)


def render_again(invoice: Invoice) -> None:
    """Another try for what could not be made; what was made stays."""
    with transaction.atomic():
        invoice.revisions.exclude(render_error="").update(render_error="")
        wake_task(RENDER)


def newest_pdf(invoice: Invoice, language: str) -> InvoicePdf:
    """Of the invoice as it is now; made at once where the task has not come to it yet."""
    newest = invoice.revisions.order_by("-number").first()
    return pdf_of(newest or record_revision(invoice, RevisionReason.ISSUED), language)


def pdf_of(revision: InvoiceRevision, language: str) -> InvoicePdf:
    """The one file of this revision and language. Whoever comes second gets what the first one made."""
    kept = revision.pdfs.filter(language=language).first()
    if kept is not None:
        return kept
    content = _render(revision, language)
    values = {"content": content, "sha256": hashlib.sha256(content).hexdigest()}
    pdf, _ = InvoicePdf.objects.get_or_create(revision=revision, language=language, defaults=values)
    return pdf


def usual_language(invoice: Invoice) -> str:
    """The operator's first: of a driver who says nothing."""
    languages = invoice.operator.languages or invoice.operator.site.languages
    return known(*(tag.strip() for tag in languages.split(",")))


def public_address(invoice: Invoice) -> str:
    """By the reference of the payment; by its number where another invoice has taken or takes the reference."""
    has_reference = not invoice.is_credit_note and invoice.credited_at is None
    name = invoice.authorization_reference if has_reference else invoice.number
    return f"{peers.invoice_base_url(invoice.platform)}{quote(name)}"


def _render(revision: InvoiceRevision, language: str) -> bytes:
    related = ("cdr__session", "platform", "advice", "credits", "replaces")
    invoice = Invoice.objects.select_related(*related).get(pk=revision.invoice_id)
    sheet = sheet_of(invoice, language, _from_json(revision.facts))
    address = public_address(invoice)
    # Only who writes invoices loads what lays them out: a seventh of all that a process would load at its start.
    from payments import invoice_pdf

    return invoice_pdf.render(sheet, LANGUAGES[language], language, address, revision.created_at)


def _as_json(addendum: Addendum) -> Json:
    encoder = DjangoJSONEncoder()
    return {
        name: encoder.default(value) if isinstance(value, datetime | Decimal) else value
        for name, value in asdict(addendum).items()
    }


def _from_json(facts: Json) -> Addendum:
    moments = {name: facts[name] and datetime.fromisoformat(facts[name]) for name in ("enriched_at", "credited_at")}
    captured = facts["captured_gross"]
    return Addendum(**(facts | moments | {"captured_gross": None if captured is None else Decimal(captured)}))
