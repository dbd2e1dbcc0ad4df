"""Handshakes of known chargers that were refused, so that staff see why a charger does not come online."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from chargers.models import ChargerConnection

WRITE_EVERY = timedelta(seconds=30)


def record_refusal(identity: str, reason: str) -> None:
    """Seldom written: anyone can knock in a charger's name."""
    now = timezone.now()
    known = ChargerConnection.objects.filter(charger__identity=identity)
    is_due = Q(refused_at=None) | Q(refused_at__lt=now - WRITE_EVERY)
    known.filter(is_due).update(refused_at=now, refusal=reason[:200])
