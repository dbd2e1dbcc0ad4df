"""What a driver wishes for a session (OCPI 2.2.1 mod_sessions, 9.3.2)."""

from typing import Any

from django.db import transaction

from chargers.choices import SessionStatus
from chargers.models import ChargingSession
from chargers.services.lock_order import lock_session

OPEN = (SessionStatus.PENDING, SessionStatus.ACTIVE)


def record_preferences(session: ChargingSession, preferences: dict[str, Any]) -> bool:
    """Keeps the newest wish; False for a session that is over."""
    with transaction.atomic():
        current = lock_session(session.pk)
        if current is None or current.status not in OPEN:
            return False
        current.charging_preferences = preferences
        current.save(update_fields=["charging_preferences"])
    return True
