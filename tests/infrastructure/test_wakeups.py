"""Many changes at once need few wake-ups of the task that does all that waits, and none is the last without one."""

import threading

import pytest
from django.db import transaction

from infrastructure import wakeups

NAME = "tests.sweep"


@pytest.fixture
def woken(monkeypatch):
    """Filled as the wake-ups go out."""
    names, later = [], []

    class Timer:
        def __init__(self, seconds, function, args):
            self.start = lambda: later.append(lambda: function(*args))

    monkeypatch.setattr(wakeups, "_send_task", lambda name, args: names.append(name))
    monkeypatch.setattr(wakeups, "_swept_at", {})
    monkeypatch.setattr(wakeups, "_sweeps_ahead", set())
    monkeypatch.setattr(threading, "Timer", Timer)
    return names, later


@pytest.mark.django_db
def test_the_first_goes_at_once_and_all_others_with_one_at_the_end(woken, django_capture_on_commit_callbacks):
    names, later = woken
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(10):
            wakeups.wake_sweep(NAME)
    assert names == [NAME] and len(later) == 1
    later.pop()()
    assert names == [NAME, NAME]
    with django_capture_on_commit_callbacks(execute=True):
        wakeups.wake_sweep(NAME)
    assert len(later) == 1, "what changed after the last wake-up needs another"


@pytest.mark.django_db
def test_nothing_goes_out_for_what_was_rolled_back(woken, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ValueError), transaction.atomic():
        wakeups.wake_sweep(NAME)
        raise ValueError
    assert woken == ([], [])
