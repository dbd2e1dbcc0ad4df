"""Signs of life of the background: beat sends one through each queue, its worker takes it.

Lost with the cache, and soon there again.
"""

from datetime import datetime, timedelta

from django.core.cache import cache
from django.utils import timezone

EVERY = timedelta(seconds=10)
LATE = timedelta(seconds=60)
# As the settings name them: our own work, and what waits for partners.
WORK, PEERS = QUEUES = ("work", "peers")


def note_pulse(queue: str) -> None:
    cache.set(_key(queue), timezone.now(), timeout=24 * 3600)


def last_pulse(queue: str) -> datetime | None:
    at: datetime | None = cache.get(_key(queue))
    return at


def _key(queue: str) -> str:
    return f"pulse-{queue}"
