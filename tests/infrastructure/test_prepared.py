"""Statements that PostgreSQL keeps a plan of."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from infrastructure.prepared import prepared_cursor

pytestmark = pytest.mark.django_db
ASK = "SELECT name FROM django_migrations WHERE app = %(app)s AND id > %(id)s ORDER BY id LIMIT 1"


def asked(app: str) -> str:
    with prepared_cursor() as cursor:
        cursor.execute(ASK, {"app": app, "id": 0})
        found: str = cursor.fetchone()[0]
    return found


def test_it_answers_like_any_other_and_is_seen_with_its_values() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert asked("roaming").startswith("0001")
    assert "roaming" in captured.captured_queries[0]["sql"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans in no time")
def test_values_make_no_new_statement_and_no_new_plan() -> None:
    for app in ("roaming", "tariffs", "payments"):
        assert asked(app)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%django_migrations%'"
        )
        assert cursor.fetchall() == [(3, 0)]
