"""Whose turn it is: a push is sent by the one worker whose UPDATE marked it as in flight.

The name of the worker tells, where it ran itself, at once whether it still lives; elsewhere the age of the claim must.
"""

import logging
import os
import socket
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from roaming.choices import Module, PlatformState, PushState
from roaming.models import Pull, Push, RoamingPlatform
from roaming.services import circuit
from roaming.services.push_queue import wake

logger = logging.getLogger(__name__)

# Longer than any exchange may take (`ocpi.transport.MAX_SECONDS`).
CLAIM_LIFETIME = timedelta(seconds=90)
# Worthless a few seconds later, and to addresses of their own: they do not wait for a probe.
URGENT = (Module.COMMANDS, Module.CHARGINGPROFILES)
# How many of a platform's oldest pushes are looked at for the next ones; more than there are workers.
LOOKED_AT = 50
_UNTOLD = Q(state__in=[PushState.PENDING, PushState.DROPPED], body__isnull=True)


class _NotNow(Exception):
    """The platform is left alone for now."""


def claim_next(platform_id: int) -> Push | None:
    """The push that goes to the platform now, in flight and ours; None when none may go.

    Where others could go at the same time, another worker is woken.
    """
    now = timezone.now()
    due = Push.objects.filter(platform=platform_id, state=PushState.PENDING, not_before__lte=now)
    # Who comes in vain must not hold up those whose turn it is.
    if not due.exists():
        return None
    try:
        with transaction.atomic():
            platform = take_turns(platform_id)
            room = share() - on_their_way(platform_id)
            if room < 1 or platform.state != PlatformState.REGISTERED:
                return None
            probe_at = platform.circuit.probe_at if hasattr(platform, "circuit") else None
            free = _first_of(due, probe_at, now)
            if not free:
                return None
            push = free[0]
            push.platform = platform
            push.state, push.claimed_at, push.claimed_by = PushState.IN_FLIGHT, now, worker_name()
            push.save(update_fields=["state", "claimed_at", "claimed_by"])
            if probe_at is not None and push.module not in URGENT and not circuit.enter(platform_id, now):
                raise _NotNow
            if len(free) > 1 and room > 1:
                wake(platform_id)
    except (IntegrityError, _NotNow):  # another push of the object is in flight; its end wakes this one
        return None
    return push


def _first_of(due: QuerySet[Push], probe_at: datetime | None, now: datetime) -> list[Push]:
    """The first two that may go, the urgent and then the oldest, locked. `probe_at`: of a platform that is away.

    Not what somebody queues anew at this moment, who holds it and maybe what it must wait for: their commit wakes.
    """
    urgent_first = Case(When(module__in=URGENT, then=Value(0)), default=Value(1))
    if probe_at is not None and probe_at > now:
        due = due.filter(module__in=URGENT)
        if not due.exists():
            return []
    may_go = _free_of(due, now)
    if probe_at is not None:
        # While the platform is away, also what is not due or was given up goes first: the first to arrive after an
        # outage must not be a CDR whose session was never heard of.
        may_go = may_go.filter(~Exists(_earlier().filter(_UNTOLD)))
    may_go = may_go.select_for_update(skip_locked=True).order_by(urgent_first, "queued_at", "pk")
    oldest = due.order_by(urgent_first, "queued_at", "pk").values("pk")[:LOOKED_AT]
    # Each that ends asks for the next: what each of them waits for must not be looked up for thousands, unless all of
    # the oldest wait for later ones.
    first = list(may_go.filter(pk__in=oldest)[:2])
    has_more = not first and due.order_by("pk")[LOOKED_AT : LOOKED_AT + 1].exists()
    return list(may_go[:2]) if has_more else first


def _free_of(due: QuerySet[Push], now: datetime) -> QuerySet[Push]:
    """Those that nothing must go before."""
    same = Push.objects.filter(
        platform=OuterRef("platform"), module=OuterRef("module"), object_id=OuterRef("object_id")
    )
    # Until it was tried once, and again whenever it is due: a failing session does not hold up its CDR, but when the
    # peer is back the session arrives before the CDR that refers to it.
    is_next = Q(state=PushState.IN_FLIGHT) | Q(state=PushState.PENDING, attempts=0)
    is_next |= Q(state=PushState.PENDING, not_before__lte=now)
    # A failing location does not hold up others; but while the peer may hold one that names it, a tariff stays.
    is_too_early = Q(method="DELETE") & Exists(_earlier().filter(state=PushState.PENDING))
    return due.filter(
        ~Exists(_earlier().filter(is_next)),
        ~is_too_early,
        ~Exists(_earlier_cdrs()),
        ~Exists(same.filter(state=PushState.IN_FLIGHT)),
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
    """A CDR waits until those written before it were taken, or discarded by staff: whoever hears of the corrected one
    before the credit would charge the card twice."""
    before = Q(platform=OuterRef("platform"), sequence=OuterRef("sequence"), position__lt=OuterRef("position"))
    return (
        Push.objects.filter(before)
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


def take_turns(platform_id: int) -> RoamingPlatform:
    """Until the end of the transaction. Claims made at the same moment would not count each other."""
    platforms = RoamingPlatform.objects.select_related("circuit")
    return platforms.select_for_update(no_key=True, of=("self",)).get(pk=platform_id)


def share() -> int:
    """How many requests may be on their way to one partner: a slow one must never take all workers."""
    threads: int = settings.PEER_CONCURRENCY
    return max(1, threads // 4)


def on_their_way(platform_id: int) -> int:
    """How many pushes and pulls of the platform have begun and not ended."""
    pushes = Push.objects.filter(platform=platform_id, state=PushState.IN_FLIGHT)
    pulls = Pull.objects.filter(platform=platform_id, claimed_at__isnull=False)
    return pushes.count() + pulls.count()


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
    try:
        with transaction.atomic():
            stale.update(state=PushState.PENDING)
    except IntegrityError:  # a newer one came this moment: the next look will find it
        logger.info("some claims are released later")


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
