"""Telling platforms: a row per thing to say, claimed, sent outside any transaction, and finished.

State pushes carry the newest state and are given up after a while (the peer pulls); when the platform takes
something again, what was given up is said once more. A push without `give_up_at` is kept until acknowledged.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from infrastructure import correlation
from infrastructure.wakeups import wake_task
from roaming.choices import PlatformState, PushState
from roaming.models import Push, RoamingPlatform
from roaming.ocpi.client import Reply
from roaming.ocpi.errors import PeerError, PeerRefused
from roaming.ocpi.exchange import Subject
from roaming.ocpi.headers import new_id
from roaming.services import circuit
from roaming.services.peers import client_for, release_connection
from roaming.services.push_claims import (
    CLAIM_LIFETIME,
    best_probe,
    claim_next,
    release_all,
    release_dead,
)
from roaming.services.push_outcomes import Clock, failed, finished, platform_answered
from roaming.services.push_queue import STATE_LIFETIME, NewState, enqueue, enqueue_state, enqueue_states, wake
from roaming.services.registry import Request, registry

__all__ = [
    "CLAIM_LIFETIME",
    "STATE_LIFETIME",
    "NewState",
    "claim_next",
    "deliver_next",
    "deliver_waiting",
    "discard",
    "enqueue",
    "enqueue_state",
    "enqueue_states",
    "probe",
    "release_all",
    "send_again",
    "sweep",
    "try_now",
]

logger = logging.getLogger(__name__)

# Then it is another platform's turn: who always has something to be told must not keep its workers.
TURN_S = 1.0

# Staff asks for a message whose time is over: it gets this long.
LAST_CHANCE = timedelta(minutes=1)
KEEP_FINISHED = timedelta(days=30)
# No pause is longer (`REFUSED_BACKOFF`, `circuit.LONGEST_WISH`): who waits longer waits for a clock that was set back.
LONGEST_PLAN = timedelta(minutes=90)
PROBE = "roaming.tasks.probe_platform"
_DELETE_AT_ONCE = 1_000

OPEN = (PushState.PENDING, PushState.IN_FLIGHT)


def deliver_waiting(platform_id: int) -> None:
    """Sends one push after the other while any may go; other workers may be at it, too."""
    end = time.monotonic() + TURN_S
    while deliver_next(platform_id):
        if time.monotonic() > end:
            wake(platform_id)
            break


def deliver_next(platform_id: int) -> bool:
    """Sends the push whose turn it is; False when it is none's. Never raises for a failing peer."""
    push = claim_next(platform_id)
    if push is None:
        return False
    with correlation.correlated(push.correlation_id or new_id()):
        _deliver(push)
    return True


def _deliver(push: Push) -> None:
    clock = Clock()
    try:
        request = registry.senders[push.module].build(push)
        reply = None if request is None else _send(push, request)
    except PeerError as error:
        failed(push, error, clock)
    except Exception as error:
        logger.exception("push %s failed", push)
        failed(push, PeerError(f"Plugtill could not make or send this message: {error}"), clock)
    else:
        finished(push, request, reply, clock)


def _send(push: Push, request: Request) -> Reply:
    Push.objects.filter(pk=push.pk).update(method=request.method, url=request.url)
    push.method, push.url = request.method, request.url
    client = client_for(
        push.platform,
        own_country=request.country_code,
        own_party=request.party_id,
        routing=request.routing,
        addressee=request.addressee,
        subject=Subject(push.module, push.object_id),
    )
    correlation_id = correlation.current()
    release_connection()
    with client:
        if request.method == "DELETE":
            return client.delete(request.url, correlation_id=correlation_id)
        verbs = {"PUT": client.put, "PATCH": client.patch, "POST": client.post}
        return verbs[request.method](request.url, request.body, correlation_id=correlation_id)


def sweep() -> None:
    """The guarantee behind the wake-ups: due pushes are woken, claims of dead workers are released."""
    now = timezone.now()
    release_dead()
    Push.objects.filter(state=PushState.PENDING, not_before__gt=now + LONGEST_PLAN).update(not_before=now)
    circuit.open_circuits().filter(probe_at__gt=now + LONGEST_PLAN).update(probe_at=now)
    Push.objects.filter(state=PushState.PENDING, give_up_at__lt=now).update(state=PushState.DROPPED, finished_at=now)
    due = Push.objects.filter(state=PushState.PENDING, not_before__lte=now, platform__state=PlatformState.REGISTERED)
    for platform_id in due.order_by().values_list("platform", flat=True).distinct():
        wake(platform_id)
    for open_circuit in circuit.due_for_probe(now):
        _begin_probe(open_circuit.platform, now)


# The circuit of a platform


def _begin_probe(platform: RoamingPlatform, now: datetime) -> None:
    """Something that waits is the best probe; where nothing does, its versions are read."""
    first = best_probe(platform)
    if first is None:
        wake_task(PROBE, platform.pk)
    elif first.not_before > now:
        Push.objects.filter(pk=first.pk, state=PushState.PENDING).update(not_before=now)
        wake(platform.pk)


def probe(platform_id: int) -> None:
    """Reads the versions of a platform whose circuit is open, if that is due."""
    platform = RoamingPlatform.objects.get(pk=platform_id)
    if not circuit.due_for_probe(timezone.now()).filter(platform=platform).exists():
        return
    if not circuit.enter(platform.pk, timezone.now()):
        return
    try:
        with client_for(platform, routing=False) as client:
            client.get(platform.url)
    except PeerError as error:
        if not isinstance(error, PeerRefused) or circuit.concerns_all(error):
            circuit.note_failure(platform, error)
            return
    platform_answered(platform)


def try_now(platform: RoamingPlatform) -> bool:
    """Staff wants an open circuit to be probed at once. False when it is closed."""
    if not circuit.try_now(platform):
        return False
    with transaction.atomic():
        _begin_probe(platform, timezone.now())
        wake(platform.pk)
    return True


# Staff


def send_again(push: Push) -> None:
    """Staff asks for another attempt now. A push that ended is queued anew with the newest state."""
    with transaction.atomic():
        if push.state == PushState.PENDING:
            Push.objects.filter(pk=push.pk).update(not_before=timezone.now())
            wake(push.platform_id)
        elif push.state != PushState.IN_FLIGHT:
            enqueue(
                push.platform,
                push.module,
                push.object_id,
                sequence=push.sequence,
                # Of a state the way to tell it is found anew.
                method=push.method if push.body is not None else "",
                url=push.url,
                body=push.body,
                correlation_id=push.correlation_id,
                give_up_at=_new_end(push),
                position=push.position,
            )
            Push.objects.filter(pk=push.pk).update(needs_operator=False)
        # Last, as workers do: the push, then the circuit.
        circuit.try_now(push.platform)


def _new_end(push: Push) -> datetime | None:
    """What may be given up remains so: a command's result is of no use an hour later."""
    if push.give_up_at is None:
        return None
    now = timezone.now()
    return now + STATE_LIFETIME if push.body is None else max(push.give_up_at, now + LAST_CHANCE)


def discard(push: Push) -> bool:
    """Staff decides that the platform need not be told. False for one that is on its way or has ended otherwise."""
    waiting = Push.objects.filter(pk=push.pk, state__in=[PushState.PENDING, PushState.FAILED, PushState.DROPPED])
    return bool(waiting.update(state=PushState.DISCARDED, finished_at=timezone.now(), needs_operator=False))


def delete_finished() -> None:
    """Forgets pushes that ended a month ago, in small transactions."""
    limit = timezone.now() - KEEP_FINISHED
    old = Push.objects.exclude(state__in=OPEN).filter(finished_at__lt=limit, needs_operator=False)
    while Push.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_DELETE_AT_ONCE])).delete()[0]:
        pass
