"""When a change counts as made: not before partners can see it.

A partner that pulls keeps the time of its pull, or the newest `last_updated` that it saw, and next asks for what
changed since. A change with an earlier time that was committed after that pull would never reach it. So on PostgreSQL
whoever changes what is listed takes a lock per module, then the time, and holds the lock until the commit; who begins
to pull first waits for that commit. Times thereby are in the order of commits, and none is earlier than a pull that
missed its change. SQLite has one writer, whose times are in order anyway; there the end of a write is not waited for.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from roaming.choices import Module
from roaming.ocpi.errors import Busy
from roaming.ocpi.types import parse_datetime

# First key of PostgreSQL's advisory locks; the second is the module.
_LOCKS = 0x0C1
_MODULES = list(Module)
# A writer holds its lock for well under a second; one that hangs must not keep all threads of the server waiting.
PATIENCE_S = 20.0
_PAUSE_S = 0.02


def begin_change(module: Module) -> datetime:
    """The moment at which what is written from here to the end of the transaction changes. Render first: pulls wait."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCKS, _MODULES.index(module)])
    return timezone.now()


def await_changes(module: Module) -> None:
    """Returns when all that began to change before this call can be seen, outside a transaction. Raises Busy."""
    if connection.vendor != "postgresql":
        return
    end = time.monotonic() + PATIENCE_S
    # Tried, not waited for: who waits for a lock keeps later writers waiting, too.
    while not _is_quiet(module):
        if time.monotonic() > end:
            raise Busy(f"{module} are being changed. Ask again.")
        time.sleep(_PAUSE_S)


def _is_quiet(module: Module) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s, %s)", [_LOCKS, _MODULES.index(module)])
        (is_quiet,) = cursor.fetchone()
    return bool(is_quiet)


def told_at(body: Mapping[str, Any]) -> datetime:
    """When a partner changed an object of its own: now at the latest. Of a clock that is ahead the next word, such as
    that a card is lost, would count as older."""
    now, told = timezone.now(), body.get("last_updated")
    return min(parse_datetime(told), now) if told else now
