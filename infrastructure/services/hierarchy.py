"""Which locations an object of the infrastructure belongs to, and what lies directly above it."""

from datetime import datetime

from django.db.models import Model

from infrastructure.models import EVSE, Charger, Connector, Location, Operator, Site


def location_ids(obj: Model) -> set[int]:
    """Locations whose published form contains something of `obj`; none for other models."""
    match obj:
        case Site():
            return set(Location.objects.values_list("pk", flat=True))
        case Operator():
            return set(Location.objects.filter(operator=obj.pk).values_list("pk", flat=True))
        case Location():
            return {obj.pk}
        case Charger():
            return {obj.location_id}
        case EVSE():
            return {obj.charger.location_id}
        case Connector():
            return {obj.evse.charger.location_id}
    return set()


def stored(obj: Model) -> Model | None:
    """The row as it is in the database, before `obj` is written; None for a new one."""
    if obj._state.adding:
        return None
    return type(obj)._base_manager.filter(pk=obj.pk).first()


def touch_parents(obj: Model, now: datetime) -> None:
    """`last_updated` of the EVSEs that contain a changed connector or belong to a changed charger."""
    match obj:
        case Charger():
            EVSE.objects.filter(charger=obj.pk).update(last_updated=now)
        case Connector():
            EVSE.objects.filter(pk=obj.evse_id).update(last_updated=now)
