"""Whose turn it is in the outbox: lanes, batches, and one thread of a process at a time in each lane."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from infrastructure import outbox
from infrastructure.models import OutboxEvent


def record(*ids: int, topic: str = "session") -> None:
    with transaction.atomic():
        outbox.record(topic, *ids)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Topics and what their consumers got."""
    seen: list[tuple[str, Any]] = []
    monkeypatch.setattr(outbox, "consumers", lambda topic: [lambda wanted: seen.append((topic, wanted))])
    return seen


@pytest.mark.django_db
def test_an_object_that_changed_several_times_is_looked_at_once(seen: list[tuple[str, Any]]) -> None:
    record(1, 2, 1, 1, 3, 2)
    outbox.drain()
    assert seen == [("session", 1), ("session", 2), ("session", 3)]
    assert not OutboxEvent.objects.filter(processed_at=None).exists()


@pytest.mark.django_db
def test_what_changes_while_it_is_looked_at_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def consume(object_id: int) -> None:
        seen.append(object_id)
        if len(seen) == 1:
            record(1)

    monkeypatch.setattr(outbox, "consumers", lambda topic: [consume])
    record(1)
    outbox.drain()
    assert seen == [1, 1]


@pytest.mark.django_db
def test_who_asks_while_another_thread_drains_is_served_by_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    drained: list[int] = []

    def process_next(lane: object) -> int:
        if not drained:
            asking = threading.Thread(target=lambda: drained.append(outbox.drain()))
            asking.start()
            asking.join()
        looks.append(1)
        return 0

    looks: list[int] = []
    monkeypatch.setattr(outbox, "_process_next", process_next)
    monkeypatch.setattr(outbox, "_lanes", outbox._lanes[:1])
    outbox.drain()
    assert (drained, len(looks)) == ([0], 2)


@pytest.mark.django_db
def test_sessions_never_wait_behind_areas_and_tariffs_go_before_them(seen: list[tuple[str, Any]]) -> None:
    record(1, 2, topic="location")
    record(7, topic="tariff")
    record(3, 4, topic="progress")
    record(5, topic="session")
    record(6, topic="cdr")
    outbox.drain()
    assert [one for one in seen if one[0] not in ("tariff", "location")] == [
        ("session", 5),
        ("cdr", 6),
        ("progress", [3, 4]),
    ]
    assert [one for one in seen if one[0] in ("tariff", "location")] == [("tariff", 7), ("location", [1, 2])]


@pytest.mark.django_db
def test_one_of_a_batch_that_fails_holds_up_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def tell(ids: list[int]) -> None:
        if 2 in ids:
            raise ValueError("boom")
        told.extend(ids)

    monkeypatch.setattr(outbox, "consumers", lambda topic: [tell])
    record(1, 2, 3, topic="status")
    outbox.drain()
    assert told == [1, 3]
    left = OutboxEvent.objects.get(processed_at=None)
    assert (left.object_id, left.attempts, left.last_error) == (2, 1, "ValueError: boom")


@pytest.mark.django_db
def test_many_events_need_as_many_queries_as_one(seen: list[tuple[str, Any]]) -> None:
    counts = []
    for number in (1, 50):
        record(*range(number), topic="status")
        with CaptureQueriesContext(connection) as queries:
            outbox.drain()
        counts.append(len(queries))
    assert [len(ids) for _, ids in seen] == [1, 50]
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_what_waits_is_found_without_passing_over_what_was_handled() -> None:
    now = timezone.now()
    OutboxEvent.objects.bulk_create(
        OutboxEvent(topic="session", object_id=number, processed_at=now - timedelta(seconds=number))
        for number in range(2000)
    )
    record(2, topic="session")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    (lane, _) = outbox._lanes
    # SQLite may take either index of ours, PostgreSQL must not sort what was handled out row by row.
    wanted = "outbox_waiting" if connection.vendor == "postgresql" else " USING INDEX outbox_"
    assert wanted in lane.waiting()[:1].explain()
