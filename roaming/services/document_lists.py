"""Pages of the stored documents as they leave: JSON text from the database, not parsed to be written again."""

from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from roaming.models import Document, RoamingPlatform
from roaming.ocpi.pagination import PageRequest
from roaming.services.callers import Besides
from roaming.services.tokens import Caller, caller_and

# Asked together with whose token it is. Rows before the page are passed over in an index alone; with the bodies, a
# late page would read and sort them all. By creation, so that new objects only touch the last page.
_TOTAL = "(SELECT count(*) FROM roaming_document WHERE {found})"
_OBJECTS = """(
    SELECT {join} FROM (
        SELECT created_at, id, text FROM roaming_document
        WHERE id IN (
            SELECT id FROM roaming_document WHERE {found} ORDER BY created_at, id LIMIT %(limit)s OFFSET %(offset)s
        )
        ORDER BY created_at, id
    ) listed
)"""
_JOIN = {
    "postgresql": "string_agg(text, ', ' ORDER BY created_at, id)",
    "sqlite": "group_concat(text, ', ')",  # takes the rows as the subquery orders them
}
_CURRENT = "platform_id = caller.id AND module = %(module)s AND NOT is_deleted"
_FROM = " AND last_updated >= %(date_from)s"
_TO = " AND last_updated < %(date_to)s"


class DocumentPage(NamedTuple):
    """`objects` is JSON text without the brackets of the list; `total` counts what matches on all pages."""

    objects: str
    total: int


def current(platform: RoamingPlatform, module: str) -> QuerySet[Document]:
    """What the platform may pull of a module."""
    return Document.objects.filter(platform=platform, module=module, is_deleted=False)


def read_page(authorization: str | None, module: str, page: PageRequest) -> tuple[Caller, DocumentPage]:
    """Who asks, and a page of its `current`, in one query. Raises Unauthorized; the rest is left to check."""
    found = _CURRENT + (_FROM if page.date_from else "") + (_TO if page.date_to else "")
    values: dict[str, Any] = {
        "module": str(module),
        "date_from": connection.ops.adapt_datetimefield_value(page.date_from),
        "date_to": connection.ops.adapt_datetimefield_value(page.date_to),
        "limit": page.limit,
        "offset": page.offset,
    }
    columns = _TOTAL.format(found=found), _OBJECTS.format(found=found, join=_JOIN[connection.vendor])
    caller, (total, objects) = caller_and(authorization, Besides(columns, values))
    return caller, DocumentPage(objects or "", total)
