"""Status changes on their way to partners, without rendering whole areas (consumer of the event map).

A status moves nothing but itself: not what a platform may see, and not its prices. So it is written into the documents
that name the EVSE, in as many queries for many EVSEs as for one.
"""

from collections.abc import Collection, Iterable
from typing import Any

from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from roaming.choices import Module
from roaming.models import Document
from roaming.ocpi.types import format_datetime
from roaming.services import exposure, push
from roaming.services.documents import INFRASTRUCTURE, moment_after
from roaming.services.moments import begin_change

Json = dict[str, Any]


def tell_statuses(evse_ids: Collection[int]) -> None:
    """Queues what each registered platform sees of the EVSEs' present states.

    An EVSE that a document does not have, or has as REMOVED, is not visible to the platform. Whatever makes it so, or
    gives it another uid, is an event of its area, which is rendered with the newest status.
    """
    by_area: dict[int, dict[str, str]] = {}
    for evse in EVSE.objects.filter(pk__in=evse_ids).select_related("charger"):
        by_area.setdefault(evse.charger.location_id, {})[evse.effective_uid.upper()] = evse.status
    named = Document.objects.filter(module=Module.LOCATIONS, source_id__in=by_area, is_deleted=False)
    documents = list(named.filter(platform__in=exposure.platforms()).order_by("pk"))
    if documents:
        begin_change(Module.LOCATIONS)
    changed = [one for one in documents if _write(one, by_area[one.source_id])]
    Document.objects.bulk_update(changed, ["body", "last_updated"], batch_size=100)
    platforms = {one.pk: one for one in exposure.platforms().filter(pk__in={one.platform_id for one in changed})}
    for pk, platform in sorted(platforms.items()):
        states = [push.NewState(one.path, INFRASTRUCTURE) for one in changed if one.platform_id == pk]
        push.enqueue_states(platform, Module.LOCATIONS, states)


def _write(document: Document, statuses: dict[str, str]) -> bool:
    """True if an EVSE of the document has another status now."""
    evses: list[Json] = document.body.get("evses", [])
    changed = list(_changed(evses, statuses))
    if changed:
        document.last_updated = moment_after(document)
        stamp = format_datetime(document.last_updated)
        for evse, status in changed:
            evse |= {"status": status, "last_updated": stamp}
        document.body["last_updated"] = stamp
    return bool(changed)


def _changed(evses: Iterable[Json], statuses: dict[str, str]) -> Iterable[tuple[Json, str]]:
    for evse in evses:
        status = statuses.get(evse["uid"].upper())
        if status is not None and evse["status"] not in (status, EVSEStatus.REMOVED):
            yield evse, status
