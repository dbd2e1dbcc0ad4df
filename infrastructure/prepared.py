"""Statements that PostgreSQL parses and plans once for each of its connections."""

from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


class _Cursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> "_Cursor":
        return super().execute(query, params, prepare=True, **options)


def prepared_cursor() -> CursorWrapper:
    """For a statement that is asked often and has one best plan, whatever its values.

    Django's own cursors put the values into the text: to the database, that is another statement each time. This is one
    of those on SQLite, without the setting DATABASE_PREPARE, and where statements are logged, with their values.
    """
    if connection.vendor != "postgresql" or connection.queries_logged:
        return connection.cursor()
    connection.ensure_connection()
    cursor: Any = _Cursor(connection.connection)
    return connection.make_cursor(cursor)
