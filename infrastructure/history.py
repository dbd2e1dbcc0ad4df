"""The audit trail: what people change, from what to what, and what they do by a button.

Rows are copied by django-simple-history. Programs leave none: a status, a heartbeat or a handshake costs nothing here.
Kept in English, whoever acts; the page that shows it looks the names of the fields up in the language of its reader.
"""

import json
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models import Field, Model
from django.utils import timezone, translation
from simple_history.models import HistoricalRecords

# A text that staff typed may be long; the copied row has all of it.
LONGEST = 200


class Actor(NamedTuple):
    """`user` is None where a program acts with a key of its own."""

    user: User | None
    name: str


def actor() -> Actor | None:
    """Who is behind the request that is being answered; None for partners, chargers and background work."""
    request = getattr(HistoricalRecords.context, "request", None)
    user = getattr(request, "user", None)
    if isinstance(user, User) and user.is_authenticated:
        return Actor(user, user.get_username())
    key = getattr(request, "auth", None)
    return Actor(None, f"API token {key}") if isinstance(key, Model) else None


def actor_name() -> str:
    """Kept beside the user, so that a history still names who is gone."""
    acting = actor()
    return acting.name[:LONGEST] if acting else ""


class Entry(models.Model):
    """What every copied row says beside its fields. `changes`: [name, from, to] each, as staff read them."""

    actor = models.CharField(max_length=LONGEST, default=actor_name)
    object_text = models.CharField(max_length=LONGEST)
    changes = models.JSONField(default=list)

    class Meta:
        abstract = True


class History(HistoricalRecords):
    """Copies a row when a person has changed it. Fields that no form may edit (live data, secrets) are left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(bases=[Entry], **options)

    def finalize(self, sender: type[Model], **kwargs: Any) -> None:
        super().finalize(sender, **kwargs)
        if sender is self.cls:
            models.signals.pre_save.connect(self.pre_save, sender=sender, weak=False)

    def fields_included(self, model: type[Model]) -> list[Any]:
        fields: list[Any] = super().fields_included(model)
        return [field for field in fields if field.editable or field.primary_key]

    def pre_save(self, instance: Any, raw: bool = False, **kwargs: Any) -> None:
        if not raw and not instance._state.adding and actor() is not None:
            instance._before = type(instance)._base_manager.filter(pk=instance.pk).first()

    def post_save(self, instance: Any, created: bool, using: str | None = None, **kwargs: Any) -> None:
        if kwargs.get("raw") or actor() is None:
            return
        before, written = instance.__dict__.pop("_before", None), kwargs.get("update_fields")
        fields = [field for field in self._told(instance) if written is None or field.name in written]
        with translation.override("en"):
            changes = [change for field in fields for change in _change(field, before, instance)]
            self._record(instance, "+" if created else "~", changes)

    def post_delete(self, instance: Any, using: str | None = None, **kwargs: Any) -> None:
        if actor() is None:
            return
        with translation.override("en"):
            changes = [change for field in self._told(instance) for change in _change(field, instance, None)]
            self._record(instance, "-", changes)

    def m2m_changed(self, instance: Any, action: str, attr: str, pk_set: Any, reverse: bool, **kwargs: Any) -> None:
        if actor() is None or reverse:
            return
        if action.startswith("pre_"):
            instance._names_before = _names(instance, attr)
        elif action in ("post_add", "post_remove", "post_clear"):
            before, after = instance.__dict__.pop("_names_before", ""), _names(instance, attr)
            with translation.override("en"):
                name = str(type(instance)._meta.get_field(attr).verbose_name)
                self._record(instance, "~", [[name, before, after]] if before != after else [])

    def _told(self, instance: Any) -> list[Any]:
        return [field for field in self.fields_included(instance) if not field.primary_key]

    def _record(self, instance: Any, kind: str, changes: list[list[str]]) -> None:
        if kind == "~" and not changes:
            return
        acting = actor()
        row = getattr(instance, self.manager_name).model(
            history_date=timezone.now(),
            history_type=kind,
            history_user=acting and acting.user,
            object_text=str(instance)[:LONGEST],
            changes=changes,
            **{field.attname: getattr(instance, field.attname) for field in self.fields_included(instance)},
        )
        row.save()
        self.create_historical_record_m2ms(row, instance)


def _change(field: Any, before: Model | None, after: Model | None) -> list[list[str]]:
    """[name, from, to], or nothing where nothing is to tell. Rows are asked for by name only where they differ."""
    values = [row and field.to_python(getattr(row, field.attname)) for row in (before, after)]
    if values[0] == values[1]:
        return []
    texts = [_text(row, field) if row else "" for row in (before, after)]
    return [[str(field.verbose_name), *texts]] if texts[0] != texts[1] else []


def _text(instance: Model, field: "Field[Any, Any]") -> str:
    """As staff read it; the same for a value out of a form and for the one that the database made of it."""
    try:
        value = getattr(instance, field.name)
    except ObjectDoesNotExist:  # deleted together
        return ""
    if value is None or value == "":
        return ""
    if field.choices:
        return str(getattr(instance, f"get_{field.name}_display")())
    if isinstance(field, models.DecimalField):
        return f"{field.to_python(value).quantize(Decimal(1).scaleb(-field.decimal_places)):f}"
    if isinstance(field, models.DateTimeField):
        return timezone.localtime(value).isoformat(" ", "seconds")
    if isinstance(field, models.JSONField):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _names(instance: Model, attr: str) -> str:
    return ", ".join(sorted(str(row) for row in getattr(instance, attr).all()))
