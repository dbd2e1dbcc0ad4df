"""The way from the event loop to the database: one helper, so that each message is one hop."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")

# Below the size of the connection pool: the rest is for HTTP.
THREADS = 12
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ocpp")
# For work that waits for others, mostly without a connection: it must not hold up the messages of other chargers.
PATIENT_THREADS = 32
_patient_threads = ThreadPoolExecutor(PATIENT_THREADS, thread_name_prefix="ocpp-patient")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a service function off the loop.

    On PostgreSQL in threads of its own, else all chargers would take turns in one; on SQLite in that one,
    which writes one transaction after the other anyway.
    """
    if connection.vendor == "postgresql":
        call = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    else:
        call = database_sync_to_async(function)
    result: T = await call(*args, **kwargs)
    return result


async def run_patiently(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a service function that may wait for a partner; never in the thread that serves every charger."""
    call = database_sync_to_async(function, thread_sensitive=False, executor=_patient_threads)
    result: T = await call(*args, **kwargs)
    return result
