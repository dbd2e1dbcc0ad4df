"""A connection that the server has closed does not leave the pool; one that lives is not asked."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from infrastructure.postgresql.base import check_connection


def test_only_a_connection_with_something_to_read_is_tried() -> None:
    ours, servers = socket.socketpair()
    tried = []
    pooled: Any = SimpleNamespace(pgconn=SimpleNamespace(socket=ours.fileno()), autocommit=True, execute=tried.append)
    with ours:
        check_connection(pooled)
        assert tried == []
        servers.close()
        check_connection(pooled)
        assert len(tried) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no server and no pool")
def test_after_a_restart_of_the_server_no_query_fails() -> None:
    pooled: Any = connection.copy("pooled")
    pooled.settings_dict["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "timeout": 15}

    def process() -> int:
        with pooled.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    try:
        before = process()
        pooled.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
        assert process() != before
    finally:
        pooled.close()
        pooled.close_pool()
