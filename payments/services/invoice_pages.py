"""What the public address of an invoice has to show, from the first minute of the session on."""

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import F, Q

from chargers.choices import SessionStatus
from chargers.models import ChargingSession
from payments.choices import InvoiceCreator, InvoiceKind
from payments.models import Invoice
from payments.services.invoices import invoice_creator
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform


class Progress(StrEnum):
    UNKNOWN = "UNKNOWN"
    CHARGING = "CHARGING"
    PREPARING = "PREPARING"
    NOTHING_CHARGED = "NOTHING_CHARGED"
    MADE_BY_PARTNER = "MADE_BY_PARTNER"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Found:
    """`is_by_number`: not by the reference of the payment, but by a number that is easily guessed."""

    progress: Progress
    invoice: Invoice | None = None
    is_by_number: bool = False


def find(code: str, reference: str) -> Found:
    """The invoice of a platform's authorization reference (a CiString), or why there is none.

    Of several, the one that holds. Invoices and credit notes are also found by their number or their CDR's id
    (DirectPayment v1.9: a partner may only know the CDR and its `invoice_reference_id`).
    """
    platform = RoamingPlatform.objects.filter(code__iexact=code, type=PlatformType.PTP).first()
    if platform is None:
        return Found(Progress.UNKNOWN)
    related = ("cdr__session", "advice", "platform", "operator__site", "credits", "credit_note", "replaces")
    invoices = Invoice.objects.filter(platform=platform).select_related(*related)
    named = invoices.filter(authorization_reference__iexact=reference, kind=InvoiceKind.INVOICE)
    invoice = named.order_by(F("credited_at").desc(nulls_first=True), "-pk").first()
    if invoice is not None:
        return Found(Progress.DONE, invoice)
    progress = _progress(platform, reference)
    if progress == Progress.UNKNOWN:
        invoice = invoices.filter(Q(number=reference.upper()) | Q(cdr__uid=reference)).first()
        if invoice is not None:
            return Found(Progress.DONE, invoice, is_by_number=True)
    return Found(progress)


def replacement_of(invoice: Invoice) -> Invoice | None:
    """The invoice that stands in the place of a credited one."""
    return invoice.replacements.order_by("-pk").first() if invoice.credited_at else None


def _progress(platform: RoamingPlatform, reference: str) -> Progress:
    named = Q(authorization_reference__iexact=reference) | Q(authorization_reference="", uid__iexact=reference)
    session = ChargingSession.objects.filter(named, peer_id=platform.peer_id).first()
    if session is None:
        return Progress.UNKNOWN
    is_unused = session.status == SessionStatus.COMPLETED and not session.cdrs.exists()
    if session.status == SessionStatus.INVALID or is_unused:  # reserved in vain and free of charge
        return Progress.NOTHING_CHARGED
    if session.status != SessionStatus.COMPLETED:
        return Progress.CHARGING
    if invoice_creator(session, platform) == InvoiceCreator.PTP:
        return Progress.MADE_BY_PARTNER
    return Progress.PREPARING
