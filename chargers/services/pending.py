"""Identities that knock and that nobody has configured: kept for staff, bounded in number and rate."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone

from chargers.choices import SecurityProfile
from chargers.models import ChargerConnection, PendingCharger
from chargers.services.lifecycle import PASSWORD_PURPOSE
from infrastructure import ids, secrets
from infrastructure.models import EVSE, Charger, Location
from infrastructure.services import masterdata

# Anyone can knock with any name: neither the table nor the database's work may grow with that.
MAX_PENDING = 200
NEW_PER_MINUTE = 20
WRITE_SEEN_EVERY = timedelta(seconds=10)
# Who has not come back for so long makes room.
FORGET_AFTER = timedelta(days=7)


class MinuteBudget:
    """At most `size` in each minute."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock = size, clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self._minute, self._left = -1, 0

    def take(self) -> bool:
        with self._lock:
            minute = int(self._clock() // 60)
            if minute != self._minute:
                self._minute, self._left = minute, self._size
            self._left -= 1
            return self._left >= 0


budget = MinuteBudget(NEW_PER_MINUTE)


def record_unknown(identity: str, password: str | None, address: str, protocols: str) -> bool:
    """Notes an attempt where the installation allows it. Returns whether the identity waits for staff now."""
    if not settings.PENDING_CHARGERS or not _is_identity(identity):
        return False
    known = PendingCharger.objects.filter(identity=identity).first()
    if known is not None:
        _note_attempt(known, password, address, protocols)
        return True
    if not budget.take() or PendingCharger.objects.count() >= MAX_PENDING:
        return False
    password_hash = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE) if password else ""
    first = {"password_hash": password_hash, "address": address[:64], "protocols": protocols[:120]}
    PendingCharger.objects.get_or_create(identity=identity, defaults=first)
    return True


def _note_attempt(known: PendingCharger, password: str | None, address: str, protocols: str) -> None:
    """The first password counts: a stranger who comes later must not be let in with theirs."""
    is_same = secrets.is_hash_of(password or "", known.password_hash, purpose=PASSWORD_PURPOSE)
    is_conflict = not is_same and bool(password or known.password_hash)
    if is_conflict and not known.has_conflict:
        PendingCharger.objects.filter(pk=known.pk).update(has_conflict=True)
    now = timezone.now()
    seen = {"last_seen_at": now, "attempts": F("attempts") + 1, "address": address[:64], "protocols": protocols[:120]}
    if is_same and password:
        # With the key of now.
        seen["password_hash"] = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE)
    PendingCharger.objects.filter(pk=known.pk, last_seen_at__lt=now - WRITE_SEEN_EVERY).update(**seen)


def _is_identity(identity: str) -> bool:
    try:
        ids.identity_validator(identity)
    except ValidationError:
        return False
    return len(identity) <= 48


def accept(pending: PendingCharger, location: Location, *, name: str = "", evses: int = 1) -> Charger:
    """Makes a charger of it that is let in with the password it showed. Raises ValidationError."""
    charger = Charger(identity=pending.identity, location=location, name=name)
    with masterdata.one_change():
        charger.full_clean()
        masterdata.save(charger)
        for number in range(1, evses + 1):
            masterdata.save(EVSE(charger=charger, number=number))
        masterdata.settle()
        # After two passwords nobody knows whose is right: staff set a new one.
        password_hash = "" if pending.has_conflict else pending.password_hash
        profile = SecurityProfile.PASSWORD.value
        ChargerConnection.objects.filter(charger=charger).update(password_hash=password_hash, security_profile=profile)
        PendingCharger.objects.filter(pk=pending.pk).delete()
    return charger


def discard(pending: PendingCharger) -> None:
    """Forgets it; it comes back with its next attempt."""
    PendingCharger.objects.filter(pk=pending.pk).delete()


def delete_old_pending() -> None:
    PendingCharger.objects.filter(last_seen_at__lt=timezone.now() - FORGET_AFTER).delete()
