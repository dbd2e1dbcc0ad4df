"""Financial advice confirmations: what the PTP captured from the card (DirectPayment v1.9, 5.2)."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chargers.models import ChargingSession
from infrastructure import outbox
from payments import mapping
from payments.models import FinancialAdviceConfirmation, Invoice
from payments.services.invoices import refresh_capture
from roaming.models import RoamingPlatform
from roaming.ocpi.types import parse_datetime

Json = dict[str, Any]


def receive_advice(platform: RoamingPlatform, body: Json) -> tuple[FinancialAdviceConfirmation, bool]:
    """Stores an advice by its id; True when it is new. What is older than known is ignored.

    Never refused for what it says: money was taken from a card, whether or not we know the session.
    """
    now = timezone.now()
    # A PTP's clock that is ahead must not make its next word count as older.
    told_at = min(parse_datetime(body["last_updated"]), now) if body.get("last_updated") else now
    fields = mapping.advice_fields(body) | {"last_updated": told_at}
    with transaction.atomic():
        row, created = FinancialAdviceConfirmation.objects.get_or_create(
            platform=platform, advice_id__iexact=body["id"], defaults=fields | {"advice_id": body["id"]}
        )
        if created:
            outbox.record("advice", row.pk)
            return row, True
        advice = FinancialAdviceConfirmation.objects.select_for_update().get(pk=row.pk)
        if told_at >= advice.last_updated:
            for name, value in fields.items():
                setattr(advice, name, value)
            advice.save()
            outbox.record("advice", advice.pk)
    return advice, False


def match_advice(advice_id: int) -> None:
    """Consumer of "advice": links the session and brings the invoice up to date; parked while there is none."""
    advice = FinancialAdviceConfirmation.objects.select_related("platform").get(pk=advice_id)
    reference = advice.authorization_reference
    advice.session = ChargingSession.objects.filter(
        peer_id=advice.platform.peer_id, authorization_reference__iexact=reference
    ).first()
    advice.save(update_fields=["session"])
    # Also the invoice that held it before the PTP corrected the reference.
    concerned = Q(authorization_reference__iexact=reference) | Q(advice=advice)
    for invoice in Invoice.objects.filter(concerned, platform=advice.platform):
        refresh_capture(invoice)
