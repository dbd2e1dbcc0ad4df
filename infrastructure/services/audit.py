"""Who did what when: the histories of all rows and what was done by a button, read as one list."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib import admin
from django.db.models import CharField, Exists, F, JSONField, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast
from django.forms.models import _get_foreign_key
from django.http import HttpRequest
from django.utils import translation

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


def trail(request: HttpRequest, *, label: str = "", **wanted: Any) -> QuerySet[Any, tuple[Any, ...]]:
    """What was done to the rows that who asks may see, newest first, as tuples of Line.

    `wanted`: actor, start, end (exclusive).
    """
    parts = [_of_history(name, table, request) for name, table in histories().items() if label in ("", name)]
    acts = _of_acts(request)
    return _union([_filtered(part, **wanted) for part in (acts.filter(model=label) if label else acts, *parts)])


def trail_of(obj: Model, inlines: Iterable[Any], user: access.User) -> QuerySet[Any, tuple[Any, ...]]:
    """What was done to one row, which `user` may see, and to those that are edited on its page."""
    tables, label = histories(), obj._meta.label_lower
    is_theirs = not _may_be_shared(type(obj)) or access.is_theirs(obj, user)
    acts = _columns(Act.objects.filter(model=label, object_id=str(obj.pk)), _ACT)
    parts = [acts if is_theirs else acts.none()]
    if label in tables:
        rows = tables[label]._default_manager.filter(**{obj._meta.pk.attname: obj.pk})
        parts.append(_columns(rows if is_theirs else rows.filter(_of_fields(type(obj))), _row(label)))
    for inline in inlines:
        name = inline.model._meta.label_lower
        if name in tables:
            key = _get_foreign_key(type(obj), inline.model, fk_name=inline.fk_name)
            parts.append(_columns(tables[name]._default_manager.filter(**{key.attname: obj.pk}), _row(name)))
    return _union(parts)


def _of_history(label: str, table: type[Model], request: HttpRequest) -> QuerySet[Any]:
    model, rows = apps.get_model(label), _columns(table._default_manager.all(), _row(label))
    if _sees_all(request):
        return rows
    pk = f"{model._meta.pk.attname}__in"
    rows = rows.filter(Q(**{pk: _seen(model, request).values("pk")}) | _of_deleted(model, request))
    if _may_be_shared(model):
        rows = rows.filter(_of_fields(model) | Q(**{pk: access.wholly(_rows(label), request.user).values("pk")}))
    return rows


def _of_deleted(model: type[Model], request: HttpRequest) -> Q:
    """Copies of rows that are gone, as far as the copied key to what they belonged to leads to an operator."""
    path = getattr(model, "operator_path", None) or ""
    key = next((field for field in model._meta.concrete_fields if field.name == path.split("__")[0]), None)
    if key is None or not _may_view(model, request):
        return Q(pk__in=[])
    exists = model._base_manager.filter(pk=OuterRef(model._meta.pk.attname))
    return ~Exists(exists) & Q(**{f"{path}__in": access.operators_of(request.user)})


def _of_acts(request: HttpRequest) -> QuerySet[Any]:
    acts = _columns(Act.objects.all(), _ACT)
    if _sees_all(request):
        return acts
    theirs = Q(pk=None)
    for label in Act.objects.order_by().values_list("model", flat=True).distinct():
        model = apps.get_model(label)
        rows = _seen(model, request)
        if _may_be_shared(model):
            rows = access.wholly(rows, request.user)
        theirs |= Q(model=label, object_id__in=rows.values_list(Cast("pk", CharField()), flat=True))
    return acts.filter(theirs)


def _sees_all(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


def _seen(model: type[Model], request: HttpRequest) -> QuerySet[Any]:
    """The rows that the page of the model shows, which may be fewer than those of the operators; where it has no
    page of its own, those of the operators."""
    page = admin.site._registry.get(model)
    if page is not None:
        rows = page.get_queryset(request).order_by()
        return rows if page.has_view_permission(request) else rows.none()
    rows = access.scope(model._base_manager.all(), request.user)
    return rows if _may_view(model, request) else rows.none()


def _may_view(model: type[Model], request: HttpRequest) -> bool:
    return request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")


def _rows(label: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = apps.get_model(label)._base_manager.all()
    return rows


def _may_be_shared(model: type[Model]) -> bool:
    """Who of several operators looks at a row sees its fields. The lists on it name what is others', and buttons are
    for whom all of it belongs to: so is what was done to them."""
    return bool(model._meta.many_to_many)


def _of_fields(model: type[Model]) -> Q:
    """Copies that tell of columns: a change of a list is a copy of its own."""
    with translation.override("en"):
        names = [str(field.verbose_name) for field in model._meta.concrete_fields]
    return Q(changes__0__0__in=names)


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
