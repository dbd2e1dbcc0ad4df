"""A sign of life of the background: beat sends it, a worker takes it. Lost with the cache, and soon there again."""

from datetime import datetime, timedelta

from django.core.cache import cache
from django.utils import timezone

EVERY = timedelta(seconds=10)
LATE = timedelta(seconds=60)
_KEY = "background-pulse"


def note_pulse() -> None:
    cache.set(_KEY, timezone.now(), timeout=24 * 3600)


def last_pulse() -> datetime | None:
    at: datetime | None = cache.get(_KEY)
    return at
