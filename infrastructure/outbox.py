"""The outbox: a change and the event that tells of it are one transaction (DESIGN: outbox and event map).

`settings.OUTBOX_CONSUMERS` maps a topic to the ordered dotted paths of its consumers. A consumer takes the
object's id, or those of many (`OUTBOX_IN_BATCHES`), runs inside the event's transaction and only writes rows.

There are two lanes, so that what drivers wait for never waits behind thousands of areas: `OUTBOX_RENDERING` names the
topics of the second in the order of their turns, all others are worked through as they were recorded, those of
`OUTBOX_LAST` when no other waits. Within a lane nothing happens at once, not even in two processes: a consumer may read
a document and write it.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Case, QuerySet, Value, When
from django.utils import timezone
from django.utils.module_loading import import_string

from infrastructure.batches import delete_in_batches
from infrastructure.models import OutboxEvent
from infrastructure.wakeups import wake_sweep

logger = logging.getLogger(__name__)

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=10)
KEEP_PROCESSED = timedelta(days=7)

BATCH = 200
# First key of PostgreSQL's advisory locks; the second is the lane.
_LOCKS = 0x0B0


@dataclass(eq=False, slots=True)
class _Lane:
    """Threads of one process that drain together only wait for each other: one does it, for all who ask meanwhile."""

    number: int
    turn: threading.Lock = field(default_factory=threading.Lock)
    asked: threading.Event = field(default_factory=threading.Event)

    def waiting(self) -> QuerySet[OutboxEvent]:
        """What is due, in the order in which it is worked through."""
        due = OutboxEvent.objects.filter(processed_at=None, not_before__lte=timezone.now())
        topics: list[str] = settings.OUTBOX_RENDERING
        if self.number == 0:
            return due.exclude(topic__in=topics).order_by(_turn(settings.OUTBOX_LAST), "pk")
        return due.filter(topic__in=topics).order_by(_turn(topics), "pk")

    def enter(self) -> None:
        """Until the end of the transaction; SQLite has one writer anyway."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCKS, self.number])


def _turn(topics: Sequence[str]) -> Case:
    """In the order of these topics, after all others."""
    return Case(*(When(topic=topic, then=Value(turn)) for turn, topic in enumerate(topics)), default=Value(-1))


_lanes = (_Lane(0), _Lane(1))

_author: ContextVar[Any] = ContextVar("outbox_author", default=None)


@contextmanager
def written_by(author: object) -> Iterator[None]:
    """What is recorded inside has this author, and so has all that its consumers record; only users count."""
    token = _author.set(author if isinstance(author, AbstractBaseUser) else None)
    try:
        yield
    finally:
        _author.reset(token)


def current_author() -> Any:
    """The user whose change is being made or consumed; None for programs, partners and the clock."""
    return _author.get()


def record(topic: str, *object_ids: int) -> None:
    """Notes that these objects changed. Raises RuntimeError outside a transaction or for an unknown topic."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"outbox.record({topic!r}) needs the transaction of the change that it reports")
    if topic not in settings.OUTBOX_CONSUMERS:
        raise RuntimeError(f"outbox topic {topic!r} is not in settings.OUTBOX_CONSUMERS")
    author = current_author()
    events = (OutboxEvent(topic=topic, object_id=object_id, author=author) for object_id in object_ids)
    OutboxEvent.objects.bulk_create(events)
    wake_sweep("infrastructure.tasks.drain_outbox")


@cache
def consumers(topic: str) -> tuple[Callable[[Any], None], ...]:
    return tuple(import_string(path) for path in settings.OUTBOX_CONSUMERS[topic])


def drain(limit: int = 1000) -> int:
    """Hands waiting events to their consumers; how many. What fails is tried again later, without the others.

    Nothing to do in a lane while another thread of this process is at it: that one looks once more before it ends.
    """
    handled = 0
    while handled < limit and (done := sum(_drain(lane, limit) for lane in _lanes)):
        handled += done
    return handled


def _drain(lane: _Lane, limit: int) -> int:
    handled = 0
    lane.asked.set()
    while lane.asked.is_set() and lane.turn.acquire(blocking=False):
        try:
            lane.asked.clear()
            while handled < limit and (done := _process_next(lane)):
                handled += done
        finally:
            lane.turn.release()
    return handled


def _process_next(lane: _Lane) -> int:
    """How many events were worked through, in one transaction."""
    with transaction.atomic():
        lane.enter()
        waiting = lane.waiting()
        first = waiting.select_related("author").first()
        if first is None:
            return 0
        # What was asked for several times by now is done once: consumers read the newest state.
        same = waiting.filter(topic=first.topic, author=first.author_id)
        is_batch = first.topic in settings.OUTBOX_IN_BATCHES
        events = list(same[:BATCH] if is_batch else same.filter(object_id=first.object_id))
        with written_by(first.author):
            if is_batch and not _succeeds(events):
                for event in events:
                    _succeeds([event], postpone=True)
            elif not is_batch:
                _succeeds(events, postpone=True)
    return len(events)


def _succeeds(events: Sequence[OutboxEvent], *, postpone: bool = False) -> bool:
    """Has events of one topic consumed; what fails leaves no trace but, if `postpone`, at the first of them."""
    topic = events[0].topic
    ids = list(dict.fromkeys(event.object_id for event in events))
    try:
        with transaction.atomic():
            for consume in consumers(topic):
                consume(ids if topic in settings.OUTBOX_IN_BATCHES else ids[0])
    except Exception as error:
        if postpone:
            _postpone(events[0], error)
        return False
    done = OutboxEvent.objects.filter(pk__in=[event.pk for event in events])
    done.update(processed_at=timezone.now(), last_error="")
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
    delete_in_batches(OutboxEvent.objects.filter(processed_at__lt=timezone.now() - KEEP_PROCESSED))
