"""What may not change (identifiers that partners have seen), two EVSEs with one uid, places outside the Earth."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q

from infrastructure.models import EVSE, Charger, Connector, Location
from infrastructure.services import hierarchy


def check_exposed_ids(obj: Model) -> None:
    """Raises ValidationError with the reason, at the field to correct."""
    if not isinstance(obj, Location | Charger | EVSE | Connector):
        return
    before: Any = hierarchy.stored(obj)
    if before is not None and before.first_exposed_at:
        _check_unchanged(before, obj)
    if isinstance(obj, Charger | EVSE):
        _check_uids_free(obj)


def check_coordinates(obj: Model) -> None:
    """Raises ValidationError at the field: WGS 84 degrees, and an EVSE has both or none."""
    if not isinstance(obj, Location | EVSE):
        return
    errors = {}
    for name, limit in (("latitude", 90), ("longitude", 180)):
        value = getattr(obj, name)
        if value is not None and not -limit <= Decimal(value) <= limit:
            errors[name] = f"A {name} is between -{limit} and {limit} degrees, for example {_EXAMPLES[name]}."
    if (obj.latitude is None) != (obj.longitude is None):
        errors["longitude" if obj.longitude is None else "latitude"] = "Enter both latitude and longitude, or neither."
    if errors:
        raise ValidationError(errors)


_EXAMPLES = {"latitude": "48.208490", "longitude": "16.372080"}


def _check_unchanged(before: Any, obj: Model) -> None:
    match obj:
        case EVSE():
            _refuse_if_changed(before, "uid", before.effective_uid, obj.effective_uid)
        case Connector():
            _refuse_if_changed(before, "roaming_id", before.roaming_id, obj.roaming_id)
            if before.evse_id != obj.evse_id:
                raise ValidationError(
                    {"evse": f"Partners know this connector at EVSE {before.evse}. Add a new connector instead."}
                )
        case Location() | Charger():
            _refuse_if_changed(before, "roaming_id", before.roaming_id, obj.roaming_id)


def _refuse_if_changed(before: Any, field: str, old: str, new: str) -> None:
    if old != new:
        raise ValidationError(
            {
                field: f"Partners know this {before._meta.verbose_name} as {old} since "
                f"{before.first_exposed_at:%Y-%m-%d}: sessions and terminals refer to it, so it cannot "
                f"become {new or 'empty'}. To replace it, add a new {before._meta.verbose_name}."
            }
        )


def _check_uids_free(obj: Charger | EVSE) -> None:
    """The default uid of one EVSE may equal the uid that was typed for another."""
    evses = [obj] if isinstance(obj, EVSE) else list(obj.evses.all()) if obj.pk else []
    for evse in evses:
        if isinstance(obj, Charger):
            evse.charger = obj
        uid = evse.effective_uid
        if uid and _is_taken(uid, evse):
            raise ValidationError(f"Another EVSE has the uid {uid}. Choose another roaming id or uid.")


def _is_taken(uid: str, evse: EVSE) -> bool:
    same = Q(uid__iexact=uid)
    start, _, number = uid.rpartition("-")
    if number.isdecimal():
        same |= Q(uid="", charger__roaming_id__iexact=start, number=int(number))
    return EVSE.objects.filter(same).exclude(pk=evse.pk).exists()
