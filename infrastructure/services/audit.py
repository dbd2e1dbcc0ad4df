"""Who did what when: the histories of all rows and what was done by a button, read as one list."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.apps import apps
from django.db.models import CharField, F, JSONField, Model, Q, QuerySet, Value
from django.db.models.functions import Cast
from django.forms.models import _get_foreign_key

from infrastructure import access
from infrastructure.models import Act

# The columns of all parts, in the order of Line; a union goes by position.
COLUMNS = (
    "history_date",
    "history_id",
    "actor",
    "history_type",
    "label",
    "object_pk",
    "object_text",
    "what",
    "changes",
    "outcome",
)


class Line(NamedTuple):
    """`kind` is + ~ - for a row that was added, changed, deleted; empty for a button. `changes`: [name, from, to]."""

    at: datetime
    number: int
    actor: str
    kind: str
    label: str
    object_id: str
    object_text: str
    what: str
    changes: list[list[str]]
    outcome: str

    @property
    def model_name(self) -> str:
        return str(apps.get_model(self.label)._meta.verbose_name)


def histories() -> dict[str, type[Model]]:
    """The table of copies of each model that has one, by the label of the model."""
    models = [model for model in apps.get_models() if hasattr(model._meta, "simple_history_manager_attribute")]
    return {model._meta.label_lower: model.history.model for model in models}  # type: ignore[attr-defined]


def trail(user: access.User, *, label: str = "", **wanted: Any) -> QuerySet[Any, tuple[Any, ...]]:
    """What of the rows of `user` was done, newest first, as tuples of Line. `wanted`: actor, start, end (exclusive)."""
    parts = [
        _filtered(_of_history(name, table, user), **wanted)
        for name, table in histories().items()
        if label in ("", name) and _may_see(name, user)
    ]
    acts = _of_acts(user)
    return _union([_filtered(acts.filter(model=label) if label else acts, **wanted), *parts])


def trail_of(obj: Model, inlines: Iterable[Any] = ()) -> QuerySet[Any, tuple[Any, ...]]:
    """What was done to one row and to those that are edited on its page."""
    tables, label = histories(), obj._meta.label_lower
    parts = [_columns(Act.objects.filter(model=label, object_id=str(obj.pk)), _ACT)]
    if label in tables:
        parts.append(_columns(tables[label]._default_manager.filter(**{obj._meta.pk.attname: obj.pk}), _row(label)))
    for inline in inlines:
        name = inline.model._meta.label_lower
        if name in tables:
            key = _get_foreign_key(type(obj), inline.model, fk_name=inline.fk_name)
            parts.append(_columns(tables[name]._default_manager.filter(**{key.attname: obj.pk}), _row(name)))
    return _union(parts)


def _may_see(label: str, user: access.User) -> bool:
    """Users and groups are of the installation: superusers only."""
    return bool(getattr(user, "is_superuser", False)) or not label.startswith("auth.")


def _of_history(label: str, table: type[Model], user: access.User) -> QuerySet[Any]:
    model = apps.get_model(label)
    rows = _columns(table._default_manager.all(), _row(label))
    if getattr(user, "is_superuser", False):
        return rows
    return rows.filter(**{f"{model._meta.pk.attname}__in": access.scope(model._base_manager.all(), user).values("pk")})


def _of_acts(user: access.User) -> QuerySet[Any]:
    acts = _columns(Act.objects.all(), _ACT)
    if getattr(user, "is_superuser", False):
        return acts
    theirs = Q(pk=None)
    for label in Act.objects.order_by().values_list("model", flat=True).distinct():
        if _may_see(label, user):
            rows = access.scope(apps.get_model(label)._base_manager.all(), user)
            theirs |= Q(model=label, object_id__in=rows.values_list(Cast("pk", CharField()), flat=True))
    return acts.filter(theirs)


_ACT: Mapping[str, Any] = {
    "history_date": F("at"),
    "history_id": F("pk"),
    "history_type": Value(""),
    "label": F("model"),
    "object_pk": F("object_id"),
    "changes": Value([], JSONField()),
}


def _row(label: str) -> dict[str, Any]:
    pk = apps.get_model(label)._meta.pk.attname
    return {"label": Value(label), "object_pk": Cast(pk, CharField()), "what": Value(""), "outcome": Value("")}


def _columns(rows: QuerySet[Any], columns: Mapping[str, Any]) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.order_by().annotate(**columns)
    return found


def _filtered(
    rows: QuerySet[Any], *, actor: str = "", start: datetime | None = None, end: datetime | None = None
) -> QuerySet[Any]:
    if actor:
        rows = rows.filter(actor__icontains=actor)
    if start:
        rows = rows.filter(history_date__gte=start)
    return rows.filter(history_date__lt=end) if end else rows


def _union(parts: list[QuerySet[Any]]) -> QuerySet[Any, tuple[Any, ...]]:
    first, *others = [part.values_list(*COLUMNS) for part in parts]
    found: QuerySet[Any, tuple[Any, ...]] = first.union(*others, all=True).order_by("-history_date", "-history_id")
    return found
