"""The circuit breaker of each platform: who does not answer is left alone, and asked again now and then.

Only what concerns the whole platform counts: no answer, no OCPI answer, our token refused, "not now". A platform
that refuses one object, in OCPI and readably, is alive.
"""

import random
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from roaming.choices import PlatformState
from roaming.models import Circuit, RoamingPlatform
from roaming.ocpi.errors import PeerError, PeerGarbage, PeerRefused, PeerUnreachable

OPENS_AFTER = 5
FIRST_PROBE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=10)
# A platform may ask for a longer pause than ours, but not for days.
LONGEST_WISH = timedelta(hours=1)
# A probe whose worker died must not hold the circuit half open.
PROBE_LIFETIME = timedelta(seconds=90)
_OF_ALL = {401, 408, 425, 429, 502, 503, 504}


def closed_or_due(now: datetime) -> Q:
    """On a queryset with a `platform`: those that may be called now."""
    return is_closed() | Q(platform__circuit__probe_at__lte=now)


def is_closed() -> Q:
    """On a queryset with a `platform`: those that wait for no probe."""
    return Q(platform__circuit=None) | Q(platform__circuit__probe_at=None)


def enter(platform_id: int, now: datetime) -> bool:
    """Whether the caller may send now. Of all who ask an open circuit that is due, one gets the probe.

    Who got in tells the outcome: `note_answer`, `note_failure`, or `leave` when the platform was not asked after all.
    """
    circuit = Circuit.objects.filter(platform=platform_id, probe_at__isnull=False)
    if not circuit.exists():
        return True
    due = circuit.filter(probe_at__lte=now)
    return bool(due.update(probe_at=now + PROBE_LIFETIME, probe_started_at=now))


def leave(platform: RoamingPlatform) -> None:
    probing = Circuit.objects.filter(platform=platform, probe_started_at__isnull=False)
    probing.update(probe_at=timezone.now(), probe_started_at=None)


def note_answer(platform: RoamingPlatform) -> bool:
    """The platform answered. True when it was not to be called until now."""
    known = Circuit.objects.filter(platform=platform).exclude(failures=0, probe_at=None)
    found = known.values_list("probe_at").first()
    if found is None:
        return False
    known.update(
        failures=0,
        probes=0,
        opened_at=None,
        probe_at=None,
        probe_started_at=None,
        last_error="",
        last_http_status=None,
    )
    return found[0] is not None


def note_failure(platform: RoamingPlatform, error: PeerError) -> None:
    """Counts one failure of the whole platform; opens its circuit, or plans the next probe."""
    now = timezone.now()
    with transaction.atomic():
        Circuit.objects.get_or_create(platform=platform)
        circuit = Circuit.objects.select_for_update(of=("self",)).get(platform=platform)
        circuit.failures += 1
        circuit.last_error = error.detail
        circuit.last_http_status = error.http_status if isinstance(error, PeerRefused) else None
        _plan(circuit, error.retry_after, now)
        circuit.save()


def _plan(circuit: Circuit, wish: float | None, now: datetime) -> None:
    """Requests that were on their way when it opened are no probes: they change nothing any more."""
    pause = timedelta(0)
    opens = circuit.opened_at is None and circuit.failures >= OPENS_AFTER
    if opens or circuit.probe_started_at is not None:
        pause = min(FIRST_PROBE * 2 ** min(circuit.probes, 10), LONGEST_PAUSE) * random.uniform(0.8, 1.2)
        circuit.probes += 1
        circuit.opened_at = circuit.opened_at or now
        circuit.probe_started_at = None
        circuit.probe_at = now + pause
    if wish is not None:
        asked_for = now + max(pause, min(timedelta(seconds=wish), LONGEST_WISH))
        circuit.probe_at = max(circuit.probe_at or asked_for, asked_for)


def concerns_all(error: PeerError) -> bool:
    """Whether the failure says something of the platform, not only of the object that was sent."""
    if isinstance(error, PeerRefused):
        return error.http_status in _OF_ALL or (error.http_status >= 500 and error.status_code is None)
    return isinstance(error, PeerUnreachable | PeerGarbage)


def try_now(platform: RoamingPlatform) -> bool:
    """Staff wants the next request to go at once. False when the circuit is closed."""
    return bool(Circuit.objects.filter(platform=platform, probe_at__isnull=False).update(probe_at=timezone.now()))


def open_circuits() -> QuerySet[Circuit]:
    return Circuit.objects.filter(opened_at__isnull=False, platform__state=PlatformState.REGISTERED).select_related(
        "platform"
    )


def due_for_probe(now: datetime) -> QuerySet[Circuit]:
    """Also those that asked for a pause and have not failed often enough to be open."""
    circuits = Circuit.objects.filter(probe_at__lte=now, platform__state=PlatformState.REGISTERED)
    return circuits.select_related("platform")
