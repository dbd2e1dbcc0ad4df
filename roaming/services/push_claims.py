"""Whose turn it is: a push is sent by the one worker whose UPDATE marked it as in flight.

The name of the worker tells, where it ran itself, at once whether it still lives; elsewhere the age of the claim must.
"""

import os
import socket
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
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
# How many of a platform's oldest pushes are looked at for the next ones; more than there are workers.
LOOKED_AT = 50
_UNTOLD = Q(state__in=[PushState.PENDING, PushState.DROPPED], body__isnull=True)


class _NotNow(Exception):
    """The platform is left alone for now."""


def claim(push_id: int) -> Push | None:
    """The push, in flight and ours; None when it is not due or somebody else's turn."""
    now = timezone.now()
    # Most wake-ups find that it is not their turn: they must not hold up those whose turn it is.
    if not claimable(now).filter(pk=push_id).exists():
        return None
    try:
        with transaction.atomic():
            take_turns(Push.objects.filter(pk=push_id).values("platform"))
            # Who queues it at this moment holds it, and maybe what it must wait for: their commit wakes it again.
            free = Push.objects.select_for_update(skip_locked=True).filter(pk=push_id, state=PushState.PENDING)
            if not list(free.values_list("pk")):
                return None
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
    same = Push.objects.filter(
        platform=OuterRef("platform"), module=OuterRef("module"), object_id=OuterRef("object_id")
    )
    # Until it was tried once, and again whenever it is due: a failing session does not hold up its CDR, but when the
    # peer is back the session arrives before the CDR that refers to it.
    is_next = Q(state=PushState.IN_FLIGHT) | Q(state=PushState.PENDING, attempts=0)
    is_next |= Q(state=PushState.PENDING, not_before__lte=now)
    return Push.objects.annotate(busy=in_flight()).filter(
        ~Exists(_earlier().filter(is_next)),
        ~Exists(_earlier_cdrs()),
        ~Exists(same.filter(state=PushState.IN_FLIGHT)),
        Q(module__in=URGENT) | circuit.closed_or_due(now),
        # While the platform is away, also what is not due or was given up goes first: the first to arrive after an
        # outage must not be a CDR whose session was never heard of.
        circuit.is_closed() | ~Exists(_earlier().filter(_UNTOLD)),
        busy__lt=share(),
        state=PushState.PENDING,
        not_before__lte=now,
        platform__state=PlatformState.REGISTERED,
    )


def _earlier() -> QuerySet[Push]:
    """What a push may have to wait for: a session goes before its CDR even if it was queued again later, and never
    waits for it."""
    return (
        Push.objects.filter(platform=OuterRef("platform"), sequence=OuterRef("sequence"))
        .filter(Q(module=Module.SESSIONS) | Q(queued_at__lt=OuterRef("queued_at")))
        .exclude(module=Module.CDRS)
        .exclude(module=OuterRef("module"))
        .exclude(sequence="")
    )


def _earlier_cdrs() -> QuerySet[Push]:
    """A CDR waits until those before it were taken, or discarded by staff: whoever hears of the corrected one before
    the credit would charge the card twice."""
    return (
        Push.objects.filter(platform=OuterRef("platform"), sequence=OuterRef("sequence"), pk__lt=OuterRef("pk"))
        .filter(module=Module.CDRS, state__in=[PushState.PENDING, PushState.IN_FLIGHT])
        .filter(module=OuterRef("module"))
        .exclude(sequence="")
    )


def best_probe(platform: RoamingPlatform) -> Push | None:
    """The oldest that waits, due or not, and that nothing must go before. None also where that was given up."""
    waiting = Push.objects.filter(platform=platform, state=PushState.PENDING, needs_operator=False)
    free = waiting.exclude(module__in=URGENT)
    free = free.filter(~Exists(_earlier().filter(_UNTOLD)), ~Exists(_earlier_cdrs()))
    return free.order_by("queued_at", "pk").first()


def next_of(platform_id: int) -> list[int]:
    """The pushes that may go to the platform now, the urgent and then the oldest, no more than its share of the workers
    has room for."""
    urgent_first = Case(When(module__in=URGENT, then=Value(0)), default=Value(1))
    now = timezone.now()
    mine = Push.objects.filter(platform=platform_id, state=PushState.PENDING, not_before__lte=now)
    oldest = mine.order_by(urgent_first, "queued_at", "pk").values("pk")[:LOOKED_AT]
    may_go = claimable(now).filter(platform=platform_id).order_by(urgent_first, "queued_at", "pk")
    # Each that ends asks for the next: what each of them waits for must not be looked up for thousands, unless all of
    # the oldest wait for later ones.
    for rows in (may_go.filter(pk__in=oldest), may_go):
        if found := list(rows.values_list("pk", "busy")[: share()]):  # type: ignore[misc]  # annotated by claimable
            return [pk for pk, _ in found[: share() - found[0][1]]]
    return []


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
    """What has been in flight for too long, and what a worker of this house took that is no more."""
    flying = Push.objects.filter(state=PushState.IN_FLIGHT)
    gone = [name for name in flying.order_by().values_list("claimed_by", flat=True).distinct() if is_gone(name)]
    release(Push.objects.filter(Q(claimed_at__lt=timezone.now() - CLAIM_LIFETIME) | Q(claimed_by__in=gone)))


def worker_name() -> str:
    """Names this process among all that ever ran: the house it lives in, its number there, and when it began."""
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    return f"{_house()}/{pid}/{_started(pid)}"


def _house() -> str:
    """Where a process number means one process: containers may share a name, and machines may as well.

    As name, running kernel and process namespace; the last two are "" where there is no /proc.
    """
    try:
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        kernel = namespace = ""
    return f"{socket.gethostname()[:30]}/{kernel}/{namespace}"


def is_gone(name: str) -> bool:
    """True when the worker ran where we run and runs no more; False when that cannot be known."""
    house, process, started = ["", "", *name.rsplit("/", 2)][-3:]
    if house != _house() or house.endswith("/") or not process.isdigit() or not started:
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
