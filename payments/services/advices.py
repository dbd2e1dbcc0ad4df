"""Financial advice confirmations: what the PTP captured from the card (DirectPayment v1.9, 5.2)."""

from typing import Any

from django.db import transaction
from django.db.models import Q

from chargers.models import ChargingSession
from infrastructure import outbox
from payments import mapping
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Invoice
from payments.services import worklist
from payments.services.invoices import refresh_capture
from roaming.models import RoamingPlatform
from roaming.services import moments

Json = dict[str, Any]


def receive_advice(platform: RoamingPlatform, body: Json) -> tuple[FinancialAdviceConfirmation, bool]:
    """Stores an advice by its id; True when it is new. What is older than known is ignored.

    Never refused for what it says: money was taken from a card, whether or not we know the session.
    """
    told_at = moments.told_at(body)
    fields = mapping.advice_fields(body) | {"last_updated": told_at}
    with transaction.atomic():
        row, created = FinancialAdviceConfirmation.objects.get_or_create(
            platform=platform, advice_id__iexact=body["id"], defaults=fields | {"advice_id": body["id"]}
        )
        if created:
            outbox.record("advice", row.pk)
            return row, True
        advice = FinancialAdviceConfirmation.objects.select_for_update().get(pk=row.pk)
        is_other = _is_other_money(advice, fields)
        # Two contents of one instant: nobody can say which is meant, so the first one stays.
        is_newer = told_at > advice.last_updated or (told_at == advice.last_updated and not is_other)
        if is_other:
            worklist.note_duplicate(advice, body, is_applied=is_newer)
        if is_newer:
            for name, value in fields.items():
                setattr(advice, name, value)
            advice.save()
            outbox.record("advice", advice.pk)
    return advice, False


def _is_other_money(advice: FinancialAdviceConfirmation, fields: Json) -> bool:
    """Whether the same id now tells of another payment. A capture that succeeds after all is progress."""
    if any(getattr(advice, name) != fields[name] for name in ("currency", "total_gross")):
        return True
    if advice.authorization_reference.casefold() != fields["authorization_reference"].casefold():
        return True
    is_taken_back = advice.capture_status_code == CaptureStatusCode.SUCCESS
    return is_taken_back and fields["capture_status_code"] != CaptureStatusCode.SUCCESS


def match_advice(advice_id: int) -> None:
    """Consumer of "advice": links the session and brings the invoice up to date; parked while there is none."""
    advice = FinancialAdviceConfirmation.objects.select_related("platform").get(pk=advice_id)
    reference = advice.authorization_reference
    if advice.assigned_at is None:
        # References are optional in OCPI; without one the session's own id is what the invoice is called by.
        named = Q(authorization_reference__iexact=reference) | Q(authorization_reference="", uid__iexact=reference)
        advice.session = ChargingSession.objects.filter(named, peer_id=advice.platform.peer_id).first()
        advice.save(update_fields=["session"])
    # Also the invoice that held it before the PTP corrected the reference, and that of a person's choice.
    concerned = Q(authorization_reference__iexact=reference) | Q(advice=advice)
    if advice.session is not None:
        concerned |= Q(cdr__session=advice.session)
    for invoice in Invoice.objects.filter(concerned, platform=advice.platform):
        refresh_capture(invoice)
