"""Telling platforms: a row per thing to say, claimed, sent outside any transaction, and finished.

State pushes carry the newest state and are given up after a while (the peer pulls); when the platform takes
something again, what was given up is said once more. A push without `give_up_at` is kept until acknowledged.
"""

import logging
import random
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from infrastructure import correlation
from infrastructure.wakeups import wake_task
from roaming.choices import PlatformState, PushState
from roaming.models import Push, RoamingPlatform
from roaming.ocpi.client import Reply
from roaming.ocpi.errors import PeerError
from roaming.ocpi.exchange import Subject
from roaming.ocpi.headers import new_id
from roaming.services.credentials import client_for
from roaming.services.registry import Request, registry

logger = logging.getLogger(__name__)

STATE_LIFETIME = timedelta(minutes=10)
LONGEST_BACKOFF = timedelta(minutes=10)
REFUSED_BACKOFF = timedelta(hours=1)
CLAIM_LIFETIME = timedelta(seconds=90)
KEEP_FINISHED = timedelta(days=30)
DELIVER = "roaming.tasks.deliver_push"

OPEN = (PushState.PENDING, PushState.IN_FLIGHT)


def enqueue(
    platform: RoamingPlatform,
    module: str,
    object_id: str,
    *,
    sequence: str = "",
    method: str = "",
    url: str = "",
    body: Any = None,
    give_up_at: datetime | None = None,
    not_before: datetime | None = None,
) -> None:
    """Makes sure that the platform is told of the object's present state (body None) or sent `body`.

    Five changes become one request: a waiting push of the same object is used again. Needs a transaction: the
    UPDATE of the waiting row keeps a worker from claiming it before this change is committed.
    """
    now = timezone.now()
    waiting = Push.objects.filter(platform=platform, module=module, object_id=object_id, state=PushState.PENDING)
    values = {"sequence": sequence, "method": method, "url": url, "body": body, "give_up_at": give_up_at}
    when = not_before or now
    if not waiting.update(queued_at=now, **values):
        _create(platform, module, object_id, not_before=when, queued_at=now, **values)
    else:
        # Never later than already planned, and never past the backoff after a failure.
        waiting.filter(attempts=0, not_before__gt=when).update(not_before=when)
    for push_id in waiting.filter(not_before__lte=now).values_list("pk", flat=True):
        wake_task(DELIVER, push_id)


def _create(platform: RoamingPlatform, module: str, object_id: str, **values: Any) -> None:
    try:
        with transaction.atomic():
            Push.objects.create(platform=platform, module=module, object_id=object_id, **values)
    except IntegrityError:
        # Somebody else queued it between our look and our insert; their commit may precede ours, so the row is
        # touched again to hold back its claim until our change is visible.
        Push.objects.filter(platform=platform, module=module, object_id=object_id, state=PushState.PENDING).update(
            **values
        )


def enqueue_state(
    platform: RoamingPlatform,
    module: str,
    object_id: str,
    *,
    sequence: str = "",
    not_before: datetime | None = None,
) -> None:
    """Queues the newest state of an object, to be given up after ten minutes of failures."""
    start = not_before or timezone.now()
    enqueue(
        platform,
        module,
        object_id,
        sequence=sequence,
        not_before=not_before,
        give_up_at=start + STATE_LIFETIME,
    )


def deliver(push_id: int) -> None:
    """Sends one push if it is due and nobody else does. Never raises for a failing peer."""
    push = _claim(push_id)
    if push is not None:
        with correlation.correlated(new_id()):
            _deliver(push)


def _deliver(push: Push) -> None:
    sender = registry.senders[push.module]
    try:
        request = sender.build(push)
        reply = None if request is None else _send(push, request)
    except PeerError as error:
        _failed(push, error)
    except Exception as error:
        logger.exception("push %s failed", push)
        _failed(push, PeerError(f"Plugtill could not make or send this message: {error}"))
    else:
        _finished(push, request, reply)


def _claim(push_id: int) -> Push | None:
    now = timezone.now()
    try:
        with transaction.atomic():
            claimed = _claimable(now).filter(pk=push_id).update(state=PushState.IN_FLIGHT, claimed_at=now)
    except IntegrityError:  # another push of the object is in flight; its end wakes this one
        return None
    return Push.objects.select_related("platform").get(pk=push_id) if claimed else None


def _claimable(now: datetime) -> QuerySet[Push]:
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
    of_platform = Push.objects.filter(platform=OuterRef("platform"), state=PushState.IN_FLIGHT)
    in_flight = of_platform.order_by().values("platform").annotate(number=Count("pk")).values("number")
    return Push.objects.annotate(in_flight=Coalesce(Subquery(in_flight), 0)).filter(
        ~Exists(earlier.filter(is_next)),
        # A slow partner takes some of the workers, never all: the others' pushes and our own work go on.
        in_flight__lt=max(1, settings.WORKER_CONCURRENCY // 2),
        state=PushState.PENDING,
        not_before__lte=now,
        platform__state=PlatformState.REGISTERED,
    )


def _send(push: Push, request: Request) -> Reply:
    Push.objects.filter(pk=push.pk).update(method=request.method, url=request.url)
    push.method = request.method
    client = client_for(
        push.platform,
        own_country=request.country_code,
        own_party=request.party_id,
        routing=request.routing,
        subject=Subject(push.module, push.object_id),
    )
    correlation_id = correlation.current()
    with client:
        if request.method == "DELETE":
            return client.delete(request.url, correlation_id=correlation_id)
        verbs = {"PUT": client.put, "PATCH": client.patch, "POST": client.post}
        return verbs[request.method](request.url, request.body, correlation_id=correlation_id)


def _finished(push: Push, request: Request | None, reply: Reply | None) -> None:
    with transaction.atomic():
        if request is not None and reply is not None:
            registry.senders[push.module].acknowledge(push, request, reply)
        Push.objects.filter(pk=push.pk).update(
            state=PushState.DONE,
            attempts=push.attempts + 1,
            finished_at=timezone.now(),
            last_error="",
            needs_operator=False,
        )
        if reply is not None:
            _catch_up(push.platform)
        _wake_followers(push)


def _failed(push: Push, error: PeerError) -> None:
    now = timezone.now()
    with transaction.atomic():
        again_now = error.permanent and registry.senders[push.module].refused(push)
        state, not_before = _after_failure(push, error, now, again_now)
        superseded = (
            Push.objects.filter(
                platform=push.platform, module=push.module, object_id=push.object_id, state=PushState.PENDING
            )
            .exclude(pk=push.pk)
            .exists()
        )
        if superseded:
            state = PushState.SUPERSEDED
        Push.objects.filter(pk=push.pk).update(
            state=state,
            attempts=push.attempts + 1,
            not_before=not_before,
            finished_at=None if state == PushState.PENDING else now,
            last_error=error.detail,
            needs_operator=error.permanent and not again_now and not superseded,
        )
        if again_now and state == PushState.PENDING:
            wake_task(DELIVER, push.pk)
        _wake_followers(push)
    logger.warning("%s: attempt %d failed: %s", push, push.attempts + 1, error.detail)


def _after_failure(push: Push, error: PeerError, now: datetime, again_now: bool) -> tuple[PushState, datetime]:
    if again_now:
        return PushState.PENDING, now
    is_kept = push.give_up_at is None
    if error.permanent:
        # What must arrive stays queued even so: the peer may mend its side, and staff see it in admin.
        return (PushState.PENDING, now + REFUSED_BACKOFF) if is_kept else (PushState.FAILED, now)
    delay = min(timedelta(seconds=2 ** min(push.attempts, 10)), LONGEST_BACKOFF) * random.uniform(0.8, 1.2)
    if error.retry_after is not None:
        delay = max(delay, timedelta(seconds=min(error.retry_after, 3600)))
    if push.give_up_at is not None and now + delay >= push.give_up_at:
        return PushState.DROPPED, now
    return PushState.PENDING, now + delay


def _catch_up(platform: RoamingPlatform) -> None:
    """The platform answers again: the newest state of what was given up meanwhile is said once."""
    dropped = Push.objects.filter(platform=platform, state=PushState.DROPPED, body__isnull=True)
    for module, object_id, sequence in set(dropped.values_list("module", "object_id", "sequence")):
        enqueue_state(platform, module, object_id, sequence=sequence)
    dropped.update(state=PushState.SUPERSEDED)


def _wake_followers(push: Push) -> None:
    """What may have waited for this push: its object, its sequence, or the partner's share of the workers."""
    due = Push.objects.filter(platform=push.platform, state=PushState.PENDING, not_before__lte=timezone.now())
    for push_id in due.order_by("queued_at").values_list("pk", flat=True)[:10]:
        wake_task(DELIVER, push_id)


def sweep() -> None:
    """The guarantee behind the wake-ups: due pushes are woken, claims of dead workers are released."""
    now = timezone.now()
    _release(now - CLAIM_LIFETIME)
    Push.objects.filter(state=PushState.PENDING, give_up_at__lt=now).update(state=PushState.DROPPED, finished_at=now)
    for push_id in _claimable(now).order_by("queued_at").values_list("pk", flat=True)[:500]:
        wake_task(DELIVER, push_id)


def _release(claimed_before: datetime) -> None:
    """Hands pushes whose worker died back to the queue, unless a newer one of the same object waits there."""
    newer = Push.objects.filter(
        platform=OuterRef("platform"),
        module=OuterRef("module"),
        object_id=OuterRef("object_id"),
        state=PushState.PENDING,
    )
    stale = Push.objects.filter(state=PushState.IN_FLIGHT, claimed_at__lt=claimed_before)
    stale.filter(Exists(newer)).update(state=PushState.SUPERSEDED, finished_at=timezone.now())
    stale.update(state=PushState.PENDING)


def release_all() -> None:
    """For the start of a process that is alone: what is in flight lost its worker with the last process."""
    _release(timezone.now())


def send_again(push: Push) -> None:
    """Staff asks for another attempt now. A push that ended is queued anew with the newest state."""
    with transaction.atomic():
        if push.state == PushState.PENDING:
            Push.objects.filter(pk=push.pk).update(not_before=timezone.now())
            wake_task(DELIVER, push.pk)
        elif push.state != PushState.IN_FLIGHT:
            enqueue(
                push.platform,
                push.module,
                push.object_id,
                sequence=push.sequence,
                url=push.url,
                body=push.body,
            )
            Push.objects.filter(pk=push.pk).update(needs_operator=False)


def discard(push: Push) -> None:
    """Staff decides that the platform need not be told."""
    Push.objects.filter(pk=push.pk, state__in=[PushState.PENDING, PushState.FAILED, PushState.DROPPED]).update(
        state=PushState.FAILED, finished_at=timezone.now(), needs_operator=False
    )


def delete_finished() -> None:
    """Forgets pushes that ended a month ago."""
    Push.objects.exclude(state__in=OPEN).filter(finished_at__lt=timezone.now() - KEEP_FINISHED).delete()
