"""Django's PostgreSQL with a cheaper look at each connection that leaves the pool."""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        pool: ConnectionPool[Any] | None = super().pool
        if pool is not None and self.settings_dict["CONN_HEALTH_CHECKS"]:
            # Django asks the server each time, which takes as long as many a query; psycopg has no other way to say so.
            pool._check = check_connection
        return pool


def check_connection(connection: "psycopg.Connection[Any]") -> None:
    """Raises psycopg.Error for one that the server has closed, so that another is taken.

    To a connection that nobody uses the server says nothing but that it ends: only one with something to read is tried.
    """
    waiting = select.poll()
    waiting.register(connection.pgconn.socket, select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)
