"""A row of every model that admin shows, of operator A and of operator B. A new model is covered by itself."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils import timezone

from infrastructure.models import Operator, Site
from tariffs.models import SessionSettings

MARKS = {"A": "Antilope", "B": "Bluebird"}
# Whose pages lead to the operator, though `operator_path` does not.
LEADS: dict[Any, str] = {SessionSettings: "operator"}
# Where any text would be none.
PRICE = {"type": "ENERGY", "price": 0.4, "vat": 20, "step_size": 1}
PLAIN: dict[str, Any] = {
    "time_zone": "Europe/Vienna",
    "currency": "EUR",
    "lines": [],
    "seller": {"time_zone": "Europe/Vienna"},
    "vat_totals": [],
    "body": {"id": "T", "currency": "EUR", "type": "AD_HOC_PAYMENT", "elements": [{"price_components": [PRICE]}]},
}


def path_of(model: Any) -> str:
    return getattr(model, "operator_path", None) or LEADS.get(model, "")


class Rows:
    """`rows.of("B", Charger)` is B's charger, made with all that it needs when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, type[models.Model]], Any] = {}
        site = Site.objects.get_or_create(pk=1, defaults={"name": "Plugtill"})[0]
        for letter, mark in MARKS.items():
            operator = Operator.objects.create(site=site, name=f"{mark} {letter}")
            self._made |= {(letter, Operator): operator, (letter, Site): site}

    def of(self, letter: str, model: type[models.Model]) -> Any:
        made = self._made.get((letter, model))
        return made if made is not None else self._make(letter, model)

    def _make(self, letter: str, model: type[models.Model]) -> Any:
        first = path_of(model).split("__")[0]
        values = {}
        for field in model._meta.concrete_fields:
            is_needed = not (field.has_default() or field.null or field.blank or field.generated)
            if field.primary_key and not isinstance(field, models.ForeignKey):
                continue
            if isinstance(field, models.ForeignKey):
                if is_needed or field.name == first or field.name == getattr(model, "owned_through", ""):
                    values[field.name] = self.of(letter, field.related_model)  # type: ignore[arg-type]
            elif is_needed or field.name == "name":
                values[field.name] = _value(field, MARKS[letter], letter)
        row = model._base_manager.create(**values)
        self._made[letter, model] = row
        for field in model._meta.many_to_many:
            if field.name == first:
                getattr(row, field.name).add(self.of(letter, field.related_model))  # type: ignore[arg-type]
        return row


def _value(field: Any, mark: str, letter: str) -> Any:
    if field.name in PLAIN:
        return PLAIN[field.name]
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.JSONField):
        return {}
    if isinstance(field, models.DateTimeField):
        return timezone.now() + timedelta(hours=1)
    if isinstance(field, models.DateField):
        return timezone.now().date()
    if isinstance(field, models.DecimalField):
        return Decimal(1)
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.IntegerField):
        return 1
    if isinstance(field, models.DurationField):
        return timedelta(1)
    text = f"https://{mark}.example/" if isinstance(field, models.URLField) else f"{mark}{letter}"
    return text if (field.max_length or 99) >= len(text) else letter * field.max_length
