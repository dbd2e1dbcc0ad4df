"""The outbox: a change and the event that tells of it are one transaction (DESIGN: outbox and event map).

`settings.OUTBOX_CONSUMERS` maps a topic to the ordered dotted paths of its consumers. A consumer takes the
object's id, runs inside the event's transaction and only writes rows.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from infrastructure.models import OutboxEvent
from infrastructure.wakeups import wake_task

logger = logging.getLogger(__name__)

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=10)
KEEP_PROCESSED = timedelta(days=7)


def record(topic: str, object_id: int) -> None:
    """Notes that `object_id` changed. Raises RuntimeError outside a transaction or for an unknown topic."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"outbox.record({topic!r}) needs the transaction of the change that it reports")
    if topic not in settings.OUTBOX_CONSUMERS:
        raise RuntimeError(f"outbox topic {topic!r} is not in settings.OUTBOX_CONSUMERS")
    OutboxEvent.objects.create(topic=topic, object_id=object_id)
    wake_task("infrastructure.tasks.drain_outbox")


@cache
def consumers(topic: str) -> tuple[Callable[[int], None], ...]:
    return tuple(import_string(path) for path in settings.OUTBOX_CONSUMERS[topic])


def drain(limit: int = 1000) -> int:
    """Hands waiting events to their consumers, oldest first, each in a transaction of its own."""
    handled = 0
    while handled < limit and _process_next():
        handled += 1
    return handled


def _process_next() -> bool:
    """True while there may be more.

    Two drains at once meet at the row lock of the oldest event and so take turns: the order of events holds.
    """
    with transaction.atomic():
        waiting = OutboxEvent.objects.filter(processed_at=None, not_before__lte=timezone.now())
        event = waiting.select_for_update().first()
        if event is None:
            return waiting.exists()
        try:
            with transaction.atomic():
                for consume in consumers(event.topic):
                    consume(event.object_id)
        except Exception as error:
            _postpone(event, error)
        else:
            event.processed_at = timezone.now()
            event.last_error = ""
            event.save(update_fields=["processed_at", "last_error"])
    return True


def _postpone(event: OutboxEvent, error: Exception) -> None:
    """A failing event must not hold up the others: it waits longer each time and shows in admin."""
    logger.exception("outbox event %s failed", event)
    event.attempts += 1
    event.not_before = timezone.now() + min(FIRST_RETRY * 2 ** min(event.attempts, 10), LONGEST_RETRY)
    event.last_error = f"{type(error).__name__}: {error}"
    event.save(update_fields=["attempts", "not_before", "last_error"])


def delete_processed() -> None:
    """Forgets events handled more than a week ago."""
    OutboxEvent.objects.filter(processed_at__lt=timezone.now() - KEEP_PROCESSED).delete()
