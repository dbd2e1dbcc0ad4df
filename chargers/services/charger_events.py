"""What a charger tells of itself beside charging, kept for staff to see."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from chargers.choices import ChargerEventKind
from chargers.models import ChargerEvent
from chargers.services.numbers import is_number
from infrastructure.batches import delete_in_batches

# Of a text of the charger: a certificate signing request has 5,500 characters at most (security whitepaper, 6.16).
LONGEST_INFO = 8_000


def record_event(
    charger_id: int,
    kind: ChargerEventKind,
    name: str,
    *,
    info: str = "",
    evse_number: int | None = None,
    request_id: int | None = None,
    severity: int | None = None,
    at: datetime | None = None,
) -> ChargerEvent:
    """`at` is by the charger's clock; None: now. An EVSE that cannot be is left out."""
    return ChargerEvent.objects.create(
        charger_id=charger_id,
        kind=kind,
        name=name[:60],
        info=info[:LONGEST_INFO].replace("\0", ""),
        evse_number=evse_number if evse_number is not None and is_number(evse_number) else None,
        request_id=request_id,
        severity=severity,
        at=at or timezone.now(),
    )


def delete_old_events() -> None:
    """Forgets what is older than the installation keeps it."""
    limit = timezone.now() - timedelta(days=settings.CHARGER_EVENT_DAYS)
    delete_in_batches(ChargerEvent.objects.filter(received_at__lt=limit))
