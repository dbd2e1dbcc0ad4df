"""Starting work elsewhere by name: Celery tasks, and messages to the consumers of the channel layer.

A wake-up is only a hint. The truth is a row, and a periodic sweep finds what a lost wake-up left behind.
"""

import asyncio
import logging
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


def wake_group(group: str, message: dict[str, Any]) -> None:
    """Sends `message` to a group of the channel layer once the current transaction has committed."""
    transaction.on_commit(lambda: _send_group(group, message))


def _send_group(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    try:
        if _event_loop is not None and _event_loop.is_running():
            asyncio.run_coroutine_threadsafe(layer.group_send(group, message), _event_loop)
        else:
            async_to_sync(layer.group_send)(group, message)
    except Exception:
        logger.warning("wake-up of group %s failed, its sweep will do the work", group, exc_info=True)
