"""Starting work elsewhere by name: Celery tasks, and messages to the consumers of the channel layer.

A wake-up is only a hint. The truth is a row, and a periodic sweep finds what a lost wake-up left behind.
"""

import asyncio
import logging
import threading
import time
from typing import Any

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)

_event_loop: asyncio.AbstractEventLoop | None = None


def set_event_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Names the loop that serves the websockets of this process.

    The in-memory channel layer is not thread-safe: worker threads of the same process must hand their
    messages to that loop. None (other processes, tests) sends from the calling thread.
    """
    global _event_loop
    _event_loop = loop


def wake_task(name: str, *args: Any) -> None:
    """Starts the Celery task `name` once the current transaction has committed."""
    transaction.on_commit(lambda: _send_task(name, args))


def _send_task(name: str, args: tuple[Any, ...]) -> None:
    try:
        current_app.send_task(name, args=args)
    except Exception:  # the broker is away: the row is written, the sweep will find it
        logger.warning("wake-up of task %s failed, its sweep will do the work", name, exc_info=True)


# Seconds between two wake-ups of a task that does all that waits.
SWEEP_EVERY = 0.05
_Sweep = tuple[str, tuple[Any, ...]]
_sweeps_lock = threading.Lock()
_swept_at: dict[_Sweep, float] = {}
_sweeps_ahead: set[_Sweep] = set()


def wake_sweep(name: str, *args: Any) -> None:
    """As `wake_task`, for a task that does all that waits (for `args`): many changes at once need few wake-ups.

    The first goes out at once, what follows within `SWEEP_EVERY` seconds with the one at their end.
    """
    transaction.on_commit(lambda: _wake_sweep((name, args)))


def _wake_sweep(sweep: _Sweep) -> None:
    with _sweeps_lock:
        if sweep in _sweeps_ahead:
            return
        now = time.monotonic()
        seconds = _swept_at.get(sweep, float("-inf")) + SWEEP_EVERY - now
        if seconds > 0:
            _sweeps_ahead.add(sweep)
        else:
            _swept_at[sweep] = now
    if seconds > 0:
        later = threading.Timer(seconds, _send_sweep, (sweep,))
        later.daemon = True
        later.start()
    else:
        _send_task(*sweep)


def _send_sweep(sweep: _Sweep) -> None:
    with _sweeps_lock:
        _sweeps_ahead.discard(sweep)
        _swept_at[sweep] = time.monotonic()
    _send_task(*sweep)


def wake_group(group: str, message: dict[str, Any]) -> None:
    """Sends `message` to a group of the channel layer once the current transaction has committed."""
    transaction.on_commit(lambda: _send(f"group {group}", "group_send", group, message))


def wake_channel(channel: str, message: dict[str, Any]) -> None:
    """Sends `message` to one consumer once the current transaction has committed.

    Unlike a group, which the channel layer keeps in Redis, the name of a channel is known even if Redis forgot all.
    """
    transaction.on_commit(lambda: _send(f"channel {channel}", "send", channel, message))


def _send(target: str, method: str, name: str, message: dict[str, Any]) -> None:
    send = getattr(get_channel_layer(), method)
    try:
        if _event_loop is not None and _event_loop.is_running():
            asyncio.run_coroutine_threadsafe(send(name, message), _event_loop)
        else:
            async_to_sync(send)(name, message)
    except Exception:
        logger.warning("wake-up of %s failed, its sweep will do the work", target, exc_info=True)
