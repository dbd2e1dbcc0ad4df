"""The rows of what platforms must be told: at most one waiting per object, however often it changes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from infrastructure.wakeups import wake_sweep
from roaming.choices import Module, PushState
from roaming.models import Push, RoamingPlatform

# What others refer to leaves before them.
ORDER = (Module.TARIFFS, Module.LOCATIONS, Module.SESSIONS, Module.CDRS)
STATE_LIFETIME = timedelta(minutes=10)
DELIVER = "roaming.tasks.deliver_pushes"


@dataclass(frozen=True, slots=True)
class NewState:
    """An object that has changed; its `sequence` is the same each time. Told at once, or not before an instant."""

    object_id: str
    sequence: str = ""
    not_before: datetime | None = None


def enqueue(
    platform: RoamingPlatform,
    module: str,
    object_id: str,
    *,
    sequence: str = "",
    method: str = "",
    url: str = "",
    body: Any = None,
    correlation_id: str = "",
    give_up_at: datetime | None = None,
    not_before: datetime | None = None,
    position: int = 0,
) -> None:
    """Makes sure that the platform is told of the object's present state (body None) or sent `body`.

    `position`: of a CDR, among those of its sequence.
    Five changes become one request: a waiting push of the same object is used again. Needs a transaction: the
    UPDATE of the waiting row keeps a worker from claiming it before this change is committed.
    """
    values = {"method": method, "url": url, "body": body, "give_up_at": give_up_at, "correlation_id": correlation_id}
    values["position"] = position
    _enqueue(platform, module, [NewState(object_id, sequence, not_before)], False, **values)


def enqueue_state(
    platform: RoamingPlatform,
    module: str,
    object_id: str,
    *,
    sequence: str = "",
    not_before: datetime | None = None,
    keeps_place: bool = False,
) -> None:
    """Queues the newest state of an object, to be given up after ten minutes of failures.

    For what others refer to: with `keeps_place` it stays where it waits already.
    """
    enqueue_states(platform, module, [NewState(object_id, sequence, not_before)], keeps_place=keeps_place)


def enqueue_states(
    platform: RoamingPlatform,
    module: str,
    states: Collection[NewState],
    *,
    keeps_place: bool = False,
    since: datetime | None = None,
) -> None:
    """As `enqueue_state` for many objects, in as many queries as for one; `since` is where they stood once."""
    if not states:
        return
    latest = max(state.not_before or timezone.now() for state in states)
    values = {"method": "", "url": "", "body": None, "give_up_at": latest + STATE_LIFETIME, "correlation_id": ""}
    _enqueue(platform, module, states, keeps_place, **values)
    if since is not None:
        ids = [state.object_id for state in states]
        waiting = Push.objects.filter(platform=platform, module=module, object_id__in=ids, state=PushState.PENDING)
        waiting.filter(queued_at__gt=since).update(queued_at=since)


def _enqueue(
    platform: RoamingPlatform, module: str, states: Collection[NewState], keeps_place: bool, **values: Any
) -> None:
    now = timezone.now()
    when = {state.object_id: state.not_before or now for state in states}
    waiting = _lock_waiting(platform, module, when)
    # Of what somebody else queues at this moment the row is theirs, and a worker may have taken it before we hold it:
    # it may not know of our change, so that another one must wait.
    while missing := [state for state in states if state.object_id not in waiting]:
        rows = (
            Push(
                platform=platform,
                module=module,
                object_id=state.object_id,
                sequence=state.sequence,
                not_before=when[state.object_id],
                queued_at=now,
                **values,
            )
            for state in missing
        )
        Push.objects.bulk_create(rows, ignore_conflicts=True)
        waiting |= _lock_waiting(platform, module, [state.object_id for state in missing])
    held = Push.objects.filter(pk__in=[row.pk for row in waiting.values()])
    held.update(**values if keeps_place else {"queued_at": now, **values})
    # Never later than already planned, and never past the backoff after a failure.
    sooner = [row for row in waiting.values() if not row.attempts and row.not_before > when[row.object_id]]
    for row in sooner:
        row.not_before = when[row.object_id]
    Push.objects.bulk_update(sooner, ["not_before"])
    if any(row.not_before <= now for row in waiting.values()):
        wake(platform.pk)


def wake(platform_id: int) -> None:
    """Has a worker look for what the platform must be told, once the current transaction has committed."""
    wake_sweep(DELIVER, platform_id)


def _lock_waiting(platform: RoamingPlatform, module: str, object_ids: Iterable[str]) -> dict[str, Push]:
    """By object. Until the end of the transaction no worker claims them."""
    rows = Push.objects.filter(platform=platform, module=module, object_id__in=object_ids, state=PushState.PENDING)
    locked = rows.select_for_update().only("object_id", "attempts", "not_before").order_by("pk")
    return {row.object_id: row for row in locked}
