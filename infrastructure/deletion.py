"""What a page that asks before a deletion says: how many rows of each kind go along, and the first few of them.

Django names every row, which takes a minute and a page of megabytes where a charger has told a hundred thousand things.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib.admin.sites import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import CASCADE, PROTECT, RESTRICT, Count, Model, Q, QuerySet, Value
from django.db.models.deletion import get_candidate_relations_to_delete
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext

NAMED = 5
Deletion = tuple[list[Any], dict[str, int], set[str], list[Any]]


def deleted_with(rows: Sequence[Model], request: HttpRequest, site: AdminSite) -> Deletion:
    """As `ModelAdmin.get_deleted_objects` has it: what goes, how much of it, what rights lack, and what forbids it.

    Two queries and one for each kind of rows that there are.
    """
    found = _found(rows)
    model = type(rows[0])
    named = [_name(row, site) for row in rows[:NAMED]] + _more(model, len(rows))
    counts = {str(model._meta.verbose_name_plural): len(rows)}
    lacking = {name for row in rows for name in _lacking(row, request, site)}
    going, forbidding = [], []
    for other, is_forbidding, kind, count in found:
        first = list(kind.select_related()[:NAMED])
        lines = [_name(row, site) for row in first] + _more(other, count)
        lacking |= {name for row in first for name in _lacking(row, request, site)}
        if is_forbidding:
            forbidding += lines
        else:
            going += lines
            counts[str(other._meta.verbose_name_plural)] = count
    return [*named, going] if going else named, counts, lacking, forbidding


def _found(rows: Sequence[Model]) -> list[tuple[type[Model], bool, QuerySet[Any], int]]:
    """Of each kind whether it forbids the deletion, the rows, and their number; kinds without a row are left out."""
    ways: dict[tuple[type[Model], bool], Q] = {}
    for model, is_forbidding, lookup in _ways(type(rows[0])):
        if not model._meta.auto_created:
            way = Q(**{f"{lookup}__in": rows})
            ways[model, is_forbidding] = ways.get((model, is_forbidding), Q()) | way
    kinds = [(*key, key[0]._base_manager.filter(way).order_by()) for key, way in ways.items()]
    counted = [rows.values(_nth=Value(nth)).annotate(_rows=Count("pk")) for nth, (_, _, rows) in enumerate(kinds)]
    if not counted:
        return []
    counts = {row["_nth"]: row["_rows"] for row in counted[0].union(*counted[1:], all=True)}
    return [(*kind, counts[nth]) for nth, kind in enumerate(kinds) if counts.get(nth)]


def _ways(
    model: type[Model], end: str = "", above: frozenset[type[Model]] = frozenset()
) -> Iterator[tuple[Any, bool, str]]:
    """Models whose rows go with those of `model` or forbid that they go, each with the lookup that leads back."""
    above |= {model}
    relations: Iterable[Any] = get_candidate_relations_to_delete(model._meta)
    for relation in relations:
        other, rule, lookup = relation.related_model, relation.on_delete, relation.field.name + end
        if rule in (PROTECT, RESTRICT):
            yield other, True, lookup
        elif rule is CASCADE and other not in above:
            yield other, False, lookup
            yield from _ways(other, f"__{lookup}", above)


def _lacking(row: Model, request: HttpRequest, site: AdminSite) -> Iterator[str]:
    page = site._registry.get(type(row))
    if page is not None and not page.has_delete_permission(request, row):
        yield str(row._meta.verbose_name)


def _name(row: Model, site: AdminSite) -> str:
    kind = capfirst(row._meta.verbose_name)
    if type(row) not in site._registry:
        return f"{kind}: {row}"
    address = reverse(f"{site.name}:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])
    return format_html('{}: <a class="text-link" href="{}">{}</a>', kind, address, row)


def _more(model: type[Model], count: int) -> list[str]:
    more = count - NAMED
    if more <= 0:
        return []
    name = model._meta.verbose_name if more == 1 else model._meta.verbose_name_plural
    return [gettext("and %(count)d more %(kind)s") % {"count": more, "kind": name}]
