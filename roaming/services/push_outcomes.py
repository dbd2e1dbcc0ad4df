"""What follows an attempt to send a push: acknowledged, tried again, given up, or a decision of staff."""

import logging
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from infrastructure import correlation
from roaming.choices import Module, PushState
from roaming.models import Document, Push, PushAttempt, RoamingPlatform
from roaming.ocpi.client import Reply
from roaming.ocpi.errors import PeerError, PeerRefused
from roaming.services import circuit
from roaming.services.moments import begin_change
from roaming.services.push_claims import URGENT
from roaming.services.push_queue import ORDER, NewState, enqueue_states, wake
from roaming.services.registry import Request, registry

# The name under which staff and tests look for what became of a push.
logger = logging.getLogger("roaming.services.push")

LONGEST_BACKOFF = timedelta(minutes=10)
REFUSED_BACKOFF = timedelta(hours=1)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Clock:
    """When an attempt began."""

    at: datetime = field(default_factory=timezone.now)
    ticks: float = field(default_factory=time.monotonic)

    @property
    def milliseconds(self) -> int:
        return round((time.monotonic() - self.ticks) * 1000)


def finished(push: Push, request: Request | None, reply: Reply | None, clock: Clock) -> None:
    with transaction.atomic():
        if request is not None and reply is not None:
            registry.senders[push.module].acknowledge(push, request, reply)
            _record(push, clock, reply.http_status, "")
        _still_ours(push).update(
            state=PushState.DONE,
            attempts=push.attempts + 1,
            finished_at=timezone.now(),
            last_error="",
            needs_operator=False,
        )
    if push.module in URGENT:
        return  # an address of its own, which says nothing of the platform
    if reply is None:
        circuit.leave(push.platform)
    else:
        platform_answered(push.platform)


def _still_ours(push: Push) -> QuerySet[Push]:
    """None when the claim was released meanwhile: then the row is of others, and may stand for something newer."""
    return Push.objects.filter(
        pk=push.pk, state=PushState.IN_FLIGHT, claimed_at=push.claimed_at, claimed_by=push.claimed_by
    )


def platform_answered(platform: RoamingPlatform) -> None:
    """It takes something again: what was given up is said once more, what waits after failures goes at once."""
    # Not in one transaction: a worker that claims the next probe holds its push and then asks for the circuit.
    if circuit.note_answer(platform):
        waiting = Push.objects.filter(platform=platform, state=PushState.PENDING, needs_operator=False)
        waiting.filter(attempts__gt=0, not_before__gt=timezone.now()).update(not_before=timezone.now())
        wake(platform.pk)
    _catch_up(platform)


def _catch_up(platform: RoamingPlatform) -> None:
    dropped = list(
        Push.objects.filter(platform=platform, state=PushState.DROPPED, body__isnull=True).order_by("queued_at", "pk")
    )
    if dropped:
        with transaction.atomic():
            _say_again(platform, dropped)


def _say_again(platform: RoamingPlatform, dropped: list[Push]) -> None:
    # In turn with changes: two that queue the same objects crosswise would wait for each other.
    for listed in ORDER:
        if any(push.module == listed for push in dropped):
            begin_change(listed)
    tariffs = Document.objects.filter(platform=platform, module=Module.TARIFFS, is_deleted=False)
    offered = {document.path for document in tariffs.only("country_code", "party_id", "object_id")}
    # What others refer to comes first, a tariff that is offered no more last: the locations that named it go before.
    groups: dict[tuple[int, str], list[Push]] = {}
    for push in dropped:
        is_withdrawn = push.module == Module.TARIFFS and push.object_id not in offered
        place = len(ORDER) if is_withdrawn or push.module not in ORDER else ORDER.index(Module(push.module))
        groups.setdefault((place, push.module), []).append(push)
    for (place, module), pushes in sorted(groups.items()):
        # Also before locations that were not given up, and wait.
        since = pushes[0].queued_at if place == ORDER.index(Module.TARIFFS) else None
        enqueue_states(platform, module, [NewState(push.object_id, push.sequence) for push in pushes], since=since)
    # Only these: what is given up at this moment is for the next answer.
    Push.objects.filter(pk__in=[push.pk for push in dropped]).update(state=PushState.SUPERSEDED)


def failed(push: Push, error: PeerError, clock: Clock) -> None:
    now = timezone.now()
    with transaction.atomic():
        again_now = error.permanent and registry.senders[push.module].refused(push)
        state, not_before = _after_failure(push, error, now, again_now)
        _record(push, clock, error.http_status if isinstance(error, PeerRefused) else None, error.detail)
        values = {
            "state": state,
            "attempts": push.attempts + 1,
            "not_before": not_before,
            "finished_at": None if state == PushState.PENDING else now,
            "last_error": error.detail,
            "needs_operator": state == PushState.FAILED or (error.permanent and not again_now),
        }
        if _has_newer(push) or not _stored(push, values):
            _still_ours(push).update(
                **{**values, "state": PushState.SUPERSEDED, "finished_at": now, "needs_operator": False}
            )
    _tell_circuit(push, error)
    logger.warning("%s: attempt %d failed: %s", push, push.attempts + 1, error.detail)


def _has_newer(push: Push) -> bool:
    same = Push.objects.filter(platform=push.platform, module=push.module, object_id=push.object_id)
    return same.filter(state=PushState.PENDING).exclude(pk=push.pk).exists()


def _stored(push: Push, values: dict[str, Any]) -> bool:
    """False when a newer push of the object, which nobody could see yet, waits by now: only one may."""
    try:
        with transaction.atomic():
            _still_ours(push).update(**values)
    except IntegrityError:
        return False
    return True


def _tell_circuit(push: Push, error: PeerError) -> None:
    if push.module in URGENT:
        return
    if circuit.concerns_all(error):
        circuit.note_failure(push.platform, error)
    elif _is_of_object(error):
        platform_answered(push.platform)
    else:
        circuit.leave(push.platform)


def _is_of_object(error: PeerError) -> bool:
    return isinstance(error, PeerRefused) and not circuit.concerns_all(error)


def _record(push: Push, clock: Clock, http_status: int | None, error: str) -> None:
    PushAttempt.objects.create(
        push=push,
        number=push.attempts + 1,
        started_at=clock.at,
        duration_ms=clock.milliseconds,
        method=push.method,
        url=push.url,
        http_status=http_status,
        error=error,
        correlation_id=correlation.current(),
    )


def _after_failure(push: Push, error: PeerError, now: datetime, again_now: bool) -> tuple[PushState, datetime]:
    if again_now:
        return PushState.PENDING, now
    is_kept = push.give_up_at is None
    if error.permanent:
        # What must arrive stays queued even so: the peer may mend its side, and staff see it in admin.
        return (PushState.PENDING, now + REFUSED_BACKOFF) if is_kept else (PushState.FAILED, now)
    delay = pause_after(push.attempts)
    if error.retry_after is not None:
        delay = max(delay, min(timedelta(seconds=error.retry_after), circuit.LONGEST_WISH))
    if push.give_up_at is not None and now + delay >= push.give_up_at:
        # Who answers, and to this in vain, would be asked again and again.
        return PushState.FAILED if _is_of_object(error) else PushState.DROPPED, now
    return PushState.PENDING, now + delay


def pause_after(attempts: int) -> timedelta:
    """1, 2, 4 ... seconds, ten minutes at most; each a little off, so that what failed together is spread out."""
    longest = min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_BACKOFF)
    return longest * random.uniform(1 - JITTER, 1 + JITTER)
