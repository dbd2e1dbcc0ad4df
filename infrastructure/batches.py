"""Deleting what has grown old: in small transactions, so that nobody waits for a large one."""

from typing import Any

from django.db.models import QuerySet

AT_ONCE = 1000


def delete_in_batches(rows: QuerySet[Any]) -> None:
    while rows.model._base_manager.filter(pk__in=list(rows.values_list("pk", flat=True)[:AT_ONCE])).delete()[0]:
        pass
