"""The log of all frames of all chargers, in both directions.

The socket only hands over what it has in hand; reading, masking and writing happen in a thread of their own.
"""

import json
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from chargers.choices import Direction, FrameKind
from chargers.models import ChargerMessage
from chargers.services.masking import masked
from infrastructure import correlation
from infrastructure.background import BackgroundWriter
from infrastructure.models import Charger

# Characters kept of a frame.
MAX_FRAME = 16 * 1024
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 32 * 1024 * 1024
_DELETE_AT_ONCE = 2_000
# Answers do not name their action: requests that may still be answered, over all chargers of this process.
_MAX_OPEN = 20_000
_KINDS = {2: FrameKind.CALL, 3: FrameKind.CALLRESULT, 4: FrameKind.CALLERROR}


class _Item(NamedTuple):
    charger_id: int
    direction: Direction
    frame: str
    at: datetime
    correlation_id: str = ""


class _OpenRequests:
    """Which action, and for whom, a message id stands for, until it is answered. Used by one thread at a time."""

    def __init__(self) -> None:
        self._actions: OrderedDict[tuple[int, Direction, str], tuple[str, str]] = OrderedDict()

    def opened(self, item: _Item, unique_id: str, action: str) -> None:
        self._actions[item.charger_id, item.direction, unique_id] = action, item.correlation_id
        if len(self._actions) > _MAX_OPEN:
            self._actions.popitem(last=False)

    def answered(self, item: _Item, unique_id: str) -> tuple[str, str]:
        asked = Direction.OUT if item.direction == Direction.IN else Direction.IN
        return self._actions.pop((item.charger_id, asked, unique_id), ("", ""))


def record(charger_id: int, direction: Direction, frame: str) -> None:
    """No query, no waiting."""
    if settings.CHARGER_MESSAGE_LOG_DAYS > 0:
        _put(_Item(charger_id, direction, frame, timezone.now(), correlation.current()))


def _put(item: _Item) -> None:
    writer.put(item, 500 + len(item.frame))


def _write(items: list[_Item]) -> None:
    rows = [row for item in items if (row := _row(item)) is not None]
    try:
        with transaction.atomic():
            ChargerMessage.objects.bulk_create(rows)
    except IntegrityError:  # a charger was deleted meanwhile
        known = set(Charger.objects.values_list("pk", flat=True))
        left = [row for row in rows if row.charger_id in known]
        for row in left:
            row.pk = None
        ChargerMessage.objects.bulk_create(left)


def _row(item: _Item) -> ChargerMessage | None:
    """None for heartbeats and their answers."""
    kind, unique_id, action, correlation_id = _read(item)
    if action == "Heartbeat" and not settings.CHARGER_MESSAGE_LOG_HEARTBEATS and kind != FrameKind.CALLERROR:
        return None
    return ChargerMessage(
        charger_id=item.charger_id,
        at=item.at,
        direction=item.direction,
        kind=kind,
        action=_clean(action)[:50],
        unique_id=_clean(unique_id)[:64],
        correlation_id=correlation_id,
        frame=masked(_clean(item.frame))[:MAX_FRAME],
        size=len(item.frame),
    )


def _read(item: _Item) -> tuple[FrameKind, str, str, str]:
    """What a frame is, its message id, its action and for whom, as far as they can be told."""
    try:
        parts = json.loads(item.frame)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or len(parts) < 3 or not isinstance(parts[1], str):
        return FrameKind.UNREADABLE, "", "", ""
    kind = _KINDS.get(parts[0], FrameKind.UNREADABLE) if isinstance(parts[0], int) else FrameKind.UNREADABLE
    if kind == FrameKind.CALL:
        action = str(parts[2])
        _open_requests.opened(item, parts[1], action)
        return kind, parts[1], action, item.correlation_id
    return kind, parts[1], *_open_requests.answered(item, parts[1])


def _clean(text: str) -> str:
    """Fit for a column: what a charger sends can hold what no database takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def delete_old_messages() -> None:
    """Forgets frames older than the installation keeps them, in small transactions."""
    limit = timezone.now() - timedelta(days=settings.CHARGER_MESSAGE_LOG_DAYS)
    old = ChargerMessage.objects.filter(at__lt=limit).order_by("at")
    while ChargerMessage.objects.filter(pk__in=old.values("pk")[:_DELETE_AT_ONCE]).delete()[0]:
        pass


_open_requests = _OpenRequests()
writer: BackgroundWriter[_Item] = BackgroundWriter(_write, max_items=MAX_WAITING, max_bytes=MAX_WAITING_BYTES)
flush = writer.flush
