"""What has grown old goes a few rows at a time, and all of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from infrastructure import batches, outbox
from infrastructure.models import OutboxEvent

pytestmark = pytest.mark.django_db


def test_no_statement_deletes_more_than_a_batch(monkeypatch: Any):
    monkeypatch.setattr(batches, "AT_ONCE", 2)
    long_ago = timezone.now() - outbox.KEEP_PROCESSED - timedelta(minutes=1)
    for number, processed_at in enumerate([long_ago] * 5 + [timezone.now(), None]):
        OutboxEvent.objects.create(topic="session", object_id=number, processed_at=processed_at)
    with CaptureQueriesContext(connection) as queries:
        outbox.delete_processed()
    assert OutboxEvent.objects.count() == 2
    assert sum(one["sql"].startswith("DELETE") for one in queries) == 3
