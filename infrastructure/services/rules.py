"""What may not change (identifiers that partners have seen), two EVSEs with one uid, places outside the Earth."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.utils.translation import gettext_lazy as _

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


def check_power(obj: Model) -> None:
    """Raises ValidationError at the field: 22 for 22 kW, or 22 million for it in milliwatts."""
    if not isinstance(obj, Connector):
        return
    errors = {}
    for name, (least, most, unit, example) in POWER.items():
        value = getattr(obj, name)
        if value is not None and not least <= value <= most:
            text = TOO_MUCH if value > most else TOO_LITTLE
            limit = most if value > most else least
            errors[name] = f"{text % {'value': value, 'limit': limit}} {unit % example}"
    if errors:
        raise ValidationError(errors)


TOO_MUCH, TOO_LITTLE = _("%(value)d is more than %(limit)d."), _("%(value)d is less than %(limit)d.")
# Least, most (a megawatt charger has 1250 V and 3000 A), unit, example.
POWER = {
    "max_voltage": (1, 1500, _("Give volts, for example %d."), 230),
    "max_amperage": (1, 4000, _("Give amperes, for example %d."), 32),
    "max_electric_power": (500, 5_000_000, _("Give watts, for example %d."), 22000),
}


def check_coordinates(obj: Model) -> None:
    """Raises ValidationError at the field: WGS 84 degrees, and an EVSE has both or none."""
    if not isinstance(obj, Location | EVSE):
        return
    errors: dict[str, str] = {}
    for name in _DEGREES:
        value = getattr(obj, name)
        try:
            if value is not None:
                check_degrees(name, Decimal(value))
        except ValidationError as error:
            errors[name] = str(error.message)
    if (obj.latitude is None) != (obj.longitude is None):
        errors["longitude" if obj.longitude is None else "latitude"] = str(
            _("Enter both latitude and longitude, or neither.")
        )
    if errors:
        raise ValidationError(errors)


def check_degrees(name: str, value: Decimal) -> None:
    """`name`: latitude or longitude."""
    limit, text = _DEGREES[name]
    if not -limit <= value <= limit:
        raise ValidationError(str(text))


_DEGREES = {
    "latitude": (90, _("A latitude is between -90 and 90 degrees, for example 48.208490.")),
    "longitude": (180, _("A longitude is between -180 and 180 degrees, for example 16.372080.")),
}


def _check_unchanged(before: Any, obj: Model) -> None:
    match obj:
        case EVSE():
            _refuse_if_changed(before, "uid", before.effective_uid, obj.effective_uid)
        case Connector():
            _refuse_if_changed(before, "roaming_id", before.roaming_id, obj.roaming_id)
            if before.evse_id != obj.evse_id:
                text = _("Partners know this connector at EVSE %(evse)s. Add a new connector instead.")
                raise ValidationError({"evse": text % {"evse": before.evse}})
        case Location() | Charger():
            _refuse_if_changed(before, "roaming_id", before.roaming_id, obj.roaming_id)


def _refuse_if_changed(before: Any, field: str, old: str, new: str) -> None:
    if old != new:
        text = _(
            "Partners know this %(kind)s as %(old)s since %(date)s: sessions and terminals refer to it, so it cannot "
            "become %(new)s. To replace it, add a new %(kind)s."
        )
        date = f"{before.first_exposed_at:%Y-%m-%d}"
        named = {"kind": before._meta.verbose_name, "old": old, "date": date, "new": new or _("empty")}
        raise ValidationError({field: text % named})


def _check_uids_free(obj: Charger | EVSE) -> None:
    """The default uid of one EVSE may equal the uid that was typed for another."""
    evses = [obj] if isinstance(obj, EVSE) else list(obj.evses.all()) if obj.pk else []
    for evse in evses:
        if isinstance(obj, Charger):
            evse.charger = obj
        uid = evse.effective_uid
        if uid and _is_taken(uid, evse):
            raise ValidationError(
                _("Another EVSE has the uid %(uid)s. Choose another roaming id or uid.") % {"uid": uid}
            )


def _is_taken(uid: str, evse: EVSE) -> bool:
    same = Q(uid__iexact=uid)
    start, _, number = uid.rpartition("-")
    if number.isdecimal():
        same |= Q(uid="", charger__roaming_id__iexact=start, number=int(number))
    return EVSE.objects.filter(same).exclude(pk=evse.pk).exists()
