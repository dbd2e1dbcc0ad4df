"""What the public address of an invoice has to show, from the first minute of the session on."""

from enum import StrEnum

from django.db.models import Q

from chargers.choices import SessionStatus
from chargers.models import ChargingSession
from payments.choices import InvoiceCreator
from payments.models import Invoice
from payments.services.invoices import invoice_creator
from payments.sheets import Sheet, sheet_of
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform


class Progress(StrEnum):
    UNKNOWN = "UNKNOWN"
    CHARGING = "CHARGING"
    PREPARING = "PREPARING"
    NOTHING_CHARGED = "NOTHING_CHARGED"
    MADE_BY_PARTNER = "MADE_BY_PARTNER"
    DONE = "DONE"


def find(code: str, reference: str) -> tuple[Sheet | None, Progress]:
    """The invoice of a platform's authorization reference (a CiString), or why there is none."""
    platform = RoamingPlatform.objects.filter(code__iexact=code, type=PlatformType.PTP).first()
    if platform is None:
        return None, Progress.UNKNOWN
    invoice = (
        Invoice.objects.filter(platform=platform, authorization_reference__iexact=reference)
        .select_related("cdr__session", "advice")
        .first()
    )
    if invoice is not None:
        return sheet_of(invoice), Progress.DONE
    return None, _progress(platform, reference)


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
