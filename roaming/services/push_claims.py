"""Whose turn it is: a push is sent by the one worker whose UPDATE marked it as in flight.

The name of the worker tells, on its own host, at once whether it still lives; elsewhere the age of the claim must.
"""

import os
import socket
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils import timezone

from roaming.choices import Module, PlatformState, PushState
from roaming.models import Pull, Push, RoamingPlatform
from roaming.services import circuit

# Longer than any exchange may take (`ocpi.transport.MAX_SECONDS`).
CLAIM_LIFETIME = timedelta(seconds=90)
# Worthless a few seconds later, and to addresses of their own: they do not wait for a probe.
URGENT = (Module.COMMANDS, Module.CHARGINGPROFILES)


class _NotNow(Exception):
    """The platform is left alone for now."""


def claim(push_id: int) -> Push | None:
    """The push, in flight and ours; None when it is not due or somebody else's turn."""
    now = timezone.now()
    try:
        with transaction.atomic():
            take_turns(Push.objects.filter(pk=push_id).values("platform"))
            mine = claimable(now).filter(pk=push_id)
            if not mine.update(state=PushState.IN_FLIGHT, claimed_at=now, claimed_by=worker_name()):
                return None
            push = Push.objects.select_related("platform").get(pk=push_id)
            if push.module not in URGENT and not circuit.enter(push.platform_id, now):
                raise _NotNow
    except (IntegrityError, _NotNow):  # another push of the object is in flight; its end wakes this one
        return None
    return push


def claimable(now: datetime) -> QuerySet[Push]:
    earlier = (
        Push.objects.filter(
            platform=OuterRef("platform"), sequence=OuterRef("sequence"), queued_at__lt=OuterRef("queued_at")
        )
        .exclude(module=OuterRef("module"))
        .exclude(sequence="")
    )
    # Until it was tried once, and again whenever it is due: a failing session does not hold up its CDR, but when
    # the peer is back the session arrives before the CDR that refers to it.
    is_next = Q(state=PushState.IN_FLIGHT) | Q(state=PushState.PENDING, attempts=0)
    is_next |= Q(state=PushState.PENDING, not_before__lte=now)
    return Push.objects.annotate(busy=in_flight()).filter(
        ~Exists(earlier.filter(is_next)),
        Q(module__in=URGENT) | circuit.closed_or_due(now),
        busy__lt=share(),
        state=PushState.PENDING,
        not_before__lte=now,
        platform__state=PlatformState.REGISTERED,
    )


def take_turns(platforms: QuerySet[Any, Any]) -> None:
    """Until the end of the transaction. Claims made at the same moment would not count each other."""
    list(RoamingPlatform.objects.select_for_update(no_key=True).filter(pk__in=platforms).values_list("pk"))


def share() -> int:
    """How many requests may be on their way to one partner: a slow one must never take all workers."""
    threads: int = settings.PEER_CONCURRENCY
    return max(1, threads // 4)


def in_flight() -> Combinable:
    """On a queryset with a `platform`: the pushes and pulls that are on their way to it."""
    pushes = Push.objects.filter(platform=OuterRef("platform"), state=PushState.IN_FLIGHT)
    pulls = Pull.objects.filter(platform=OuterRef("platform"), claimed_at__isnull=False)
    counts = [
        Coalesce(Subquery(rows.order_by().values("platform").annotate(number=Count("pk")).values("number")), 0)
        for rows in (pushes, pulls)
    ]
    return counts[0] + counts[1]


def release(stale: QuerySet[Push]) -> None:
    """Hands pushes whose worker died back to the queue, unless a newer one of the same object waits there."""
    newer = Push.objects.filter(
        platform=OuterRef("platform"),
        module=OuterRef("module"),
        object_id=OuterRef("object_id"),
        state=PushState.PENDING,
    )
    stale = stale.filter(state=PushState.IN_FLIGHT)
    stale.filter(Exists(newer)).update(state=PushState.SUPERSEDED, finished_at=timezone.now())
    stale.update(state=PushState.PENDING)


def release_all() -> None:
    """For the start of a process that is alone: what is in flight lost its worker with the last process."""
    release(Push.objects.all())


def release_dead() -> None:
    """What has been in flight for too long, and what a worker of this host took that is no more."""
    flying = Push.objects.filter(state=PushState.IN_FLIGHT)
    gone = [name for name in flying.order_by().values_list("claimed_by", flat=True).distinct() if is_gone(name)]
    release(Push.objects.filter(Q(claimed_at__lt=timezone.now() - CLAIM_LIFETIME) | Q(claimed_by__in=gone)))


def worker_name() -> str:
    """Names this process among all that ever ran on this host."""
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    return f"{socket.gethostname()[:40]}/{pid}/{_started(pid)}"


def is_gone(name: str) -> bool:
    """True when the worker ran on this host and runs no more; False when that cannot be known."""
    host, process, started = ["", "", "", *name.split("/")][-3:]
    if host != socket.gethostname()[:40] or not process.isdigit() or not started:
        return False
    return _started(int(process)) != started


def _started(pid: int) -> str:
    """The start of a process in ticks since the machine's; "" where there is none, or no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name of the program, in brackets, may hold anything.
    values = stat.rpartition(")")[2].split()
    return "" if values[0] == "Z" else values[19]
