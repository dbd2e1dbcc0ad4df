"""The scheduler of periodic tasks, on a clock that may be set back."""

import time
from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry


class Entry(ModelEntry):
    last_run_at: Any

    def is_due(self) -> Any:
        # A run in the future was one by a wrong clock: without this the task would wait for that moment.
        self.last_run_at = min(self.last_run_at, self._default_now())
        return super().is_due()


class Scheduler(DatabaseScheduler):
    """Sweeps are the guarantee behind every wake-up: they must not pause for as long as a clock was wrong."""

    Entry = Entry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._latest = time.time()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        now = time.time()
        if now < self._latest:
            # What comes next is sorted by the moments of the clock of before.
            self._heap = None
        self._latest = now
        return super().tick(*args, **kwargs)
