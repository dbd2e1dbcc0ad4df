"""The rows of what platforms must be told: at most one waiting per object, however often it changes."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from infrastructure.wakeups import wake_task
from roaming.choices import PushState
from roaming.models import Push, RoamingPlatform

STATE_LIFETIME = timedelta(minutes=10)
DELIVER = "roaming.tasks.deliver_push"


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
