"""Periodic tasks go on when the clock is set back: what they sweep up waits for nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config import beat
from config.celery import app

pytestmark = pytest.mark.django_db


@pytest.fixture
def scheduler(monkeypatch: Any, settings: Any) -> beat.Scheduler:
    """Of two sweeps; `sent` on it names what was sent."""
    monkeypatch.setattr(beat.Scheduler, "setup_schedule", lambda self: None)
    every = IntervalSchedule.objects.create(every=2, period=IntervalSchedule.SECONDS)
    ahead = timezone.now() + timedelta(hours=2)
    for name in ("one", "two"):
        PeriodicTask.objects.create(name=name, task=name, interval=every, last_run_at=ahead)
    made = beat.Scheduler(app=app, lazy=True)
    made.sent = []
    monkeypatch.setattr(made, "apply_entry", lambda entry, producer=None: made.sent.append(entry.name))
    monkeypatch.setattr(beat.Scheduler, "producer", None)
    for name in ("schedule_changed", "sync"):  # they close the connection of the test
        monkeypatch.setattr(beat.Scheduler, name, lambda self: False)
    return made


def test_a_run_in_the_future_is_none(scheduler: Any):
    assert {entry.is_due().next <= 2 for entry in scheduler.all_as_schedule().values()} == {True}


def test_the_tasks_after_a_jump_back_are_those_of_now(scheduler: Any):
    scheduler.tick()
    # As they were sorted two hours from now.
    scheduler._heap = [event._replace(time=event.time + 7200) for event in scheduler._heap]
    scheduler._latest += 7200
    for entry in scheduler.schedule.values():
        entry.last_run_at = timezone.now() - timedelta(minutes=1)
    for _ in range(4):
        scheduler.tick()
    assert {"one", "two"} <= set(scheduler.sent)
