"""Pages of the stored documents as they leave: JSON text from the database, not parsed to be written again."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from roaming.models import Document, RoamingPlatform
from roaming.ocpi.pagination import PageRequest, Place
from roaming.services.callers import Besides
from roaming.services.tokens import Caller, caller_and

# Asked together with whose token it is. By creation, so that new objects only touch the last page.
_CURRENT = "platform_id = (SELECT id FROM caller) AND module = %(module)s AND NOT is_deleted"
_FROM = " AND last_updated >= %(date_from)s"
_TO = " AND last_updated < %(date_to)s"
# One more than the page has, to know whether another follows. The limit is part of the text: how many rows are wanted
# decides how they are looked for.
_PAGE = """page AS (
    SELECT created_at, id, text, row_number() OVER (ORDER BY created_at, id) AS nth
    FROM roaming_document WHERE {place} ORDER BY created_at, id LIMIT {limit} + 1
)"""
# Where the page before ended, or so many rows on. These are passed over in an index alone; with the bodies, a late
# page would read and sort them all.
_AFTER = "{found} AND (created_at, id) > (%(after_at)s, %(after_id)s)"
_OFFSET = """id IN (
    SELECT id FROM roaming_document WHERE {found} ORDER BY created_at, id LIMIT {limit} + 1 OFFSET %(offset)s
)"""
_LISTED = """listed AS (
    SELECT {objects} FILTER (WHERE nth <= {limit}) AS objects,
           max(created_at) FILTER (WHERE nth = {limit}) AS end_at,
           max(id) FILTER (WHERE nth = {limit}) AS end_id,
           count(*) > {limit} AS has_next
    FROM page
)"""
_OBJECTS = {
    "postgresql": "string_agg(text, ', ' ORDER BY nth)",
    "sqlite": "group_concat(text, ', ')",  # takes the rows as the page orders them
}
_TOTAL = "(SELECT count(*) FROM roaming_document WHERE {found})"


class DocumentPage(NamedTuple):
    """`objects` is JSON text without the brackets of the list; `total` counts what matches on all pages; `end` is
    where this page ends, None when no other follows."""

    objects: str
    total: int
    end: Place | None


def current(platform: RoamingPlatform, module: str) -> QuerySet[Document]:
    """What the platform may pull of a module."""
    return Document.objects.filter(platform=platform, module=module, is_deleted=False)


def named(platform: RoamingPlatform, module: str, object_id: str, **owner: str) -> Document | None:
    """One of `current`; ids are CiStrings. An area that moved to another party has two: it is where it was told of
    last."""
    found = current(platform, module).filter(object_id__iexact=object_id, **owner)
    return found.order_by("-last_updated", "-pk").first()


def read_page(authorization: str | None, module: str, page: PageRequest) -> tuple[Caller, DocumentPage]:
    """Who asks, and a page of its `current`, in one query. Raises Unauthorized; the rest is left to check."""
    found = _CURRENT + (_FROM if page.date_from else "") + (_TO if page.date_to else "")
    moment = connection.ops.adapt_datetimefield_value
    values: dict[str, Any] = {
        "module": str(module),
        "date_from": moment(page.date_from),
        "date_to": moment(page.date_to),
        "offset": page.offset,
    }
    if page.after:
        values |= {"after_at": moment(page.after.created_at), "after_id": page.after.id}
    place = (_AFTER if page.after else _OFFSET).format(found=found, limit=page.limit)
    listed = _LISTED.format(objects=_OBJECTS[connection.vendor], limit=page.limit)
    besides = Besides(
        columns=(_TOTAL.format(found=found), "objects", "end_at", "end_id", "has_next"),
        tables=(_PAGE.format(place=place, limit=page.limit), listed),
        joined=("listed",),
        values=values,
        # How much a date leaves over decides which index is read.
        has_one_plan=page.date_from is None and page.date_to is None,
    )
    caller, (total, objects, end_at, end_id, has_next) = caller_and(authorization, besides)
    return caller, DocumentPage(objects or "", total, _place(end_at, end_id) if has_next else None)


def _place(created_at: datetime | str, id: int) -> Place:
    if isinstance(created_at, str):  # SQLite knows no times, and no zones
        created_at = datetime.fromisoformat(created_at).replace(tzinfo=UTC)
    return Place(created_at, id)
