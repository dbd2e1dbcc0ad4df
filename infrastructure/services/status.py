from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Charger, Location


def set_evse_status(evse_id: int, status: EVSEStatus, *, among: QuerySet[EVSE] | None = None) -> bool:
    """Writes a status change and tells of it. False when the EVSE has it already or is not there, or not `among`."""
    evses = EVSE.objects.all() if among is None else among
    with transaction.atomic(savepoint=False):
        # The condition is in the UPDATE: of two equal reports at once only one counts as a change.
        is_changed = evses.filter(pk=evse_id).exclude(status=status).update(status=status, last_updated=timezone.now())
        if is_changed:
            Location.objects.filter(chargers__evses=evse_id).update(last_updated=timezone.now())
            outbox.record("status", evse_id)
    return bool(is_changed)


def set_evse_statuses(statuses: Mapping[int, EVSEStatus]) -> None:
    """`set_evse_status` of several, by id. Rows are locked in their order: two of these must not block each other."""
    with transaction.atomic(savepoint=False):
        rows = EVSE.objects.select_for_update(no_key=True).filter(pk__in=statuses).order_by("pk")
        changed = [pk for pk, status in rows.values_list("pk", "status") if status != statuses[pk]]
        if not changed:
            return
        now = timezone.now()
        for status in {statuses[pk] for pk in changed}:
            those = EVSE.objects.filter(pk__in=[pk for pk in changed if statuses[pk] == status])
            those.update(status=status, last_updated=now)
        areas = Location.objects.filter(pk__in=Charger.objects.filter(evses__in=changed).values("location"))
        locked = list(areas.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        Location.objects.filter(pk__in=locked).update(last_updated=now)
        outbox.record("status", *changed)
