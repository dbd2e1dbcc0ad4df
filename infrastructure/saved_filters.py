"""A person's own filters of a list: a name and the address's query, above the list as links."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _

from infrastructure.models import SavedFilter

# Of the address, what says where one is in the list instead of what is in it.
NO_FILTERS = ("p", "e", "_popup", "_to_field", "all")
MOST = 20


class SavedFiltersMixin:
    """Of an admin: the list's own address keeps and forgets filters of whoever sends the form."""

    opts: Any
    list_before_template: str | None = "infrastructure/saved_filters.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):  # type: ignore[attr-defined]
            return super().changelist_view(request, extra_context)  # type: ignore[misc]
        label = self.opts.label
        if request.method == "POST" and "save_filter" in request.POST:
            return _save(request, label)
        if request.method == "POST" and "remove_filter" in request.POST:
            return _remove(request, label)
        context = {"saved_filters": _shown(request, label), "filter_query": query_of(request.GET)}
        return super().changelist_view(request, {**context, **(extra_context or {})})  # type: ignore[misc]


def query_of(asked: QueryDict) -> str:
    """What filters, searches and sorts, in one order, so that the same filter is the same text."""
    pairs = QueryDict(mutable=True)
    for name in sorted(asked):
        if name not in NO_FILTERS and any(asked.getlist(name)):
            pairs.setlist(name, asked.getlist(name))
    return pairs.urlencode()


def _mine(request: HttpRequest, label: str) -> Any:
    return SavedFilter.objects.filter(user=request.user.pk, page=label)


def _shown(request: HttpRequest, label: str) -> list[dict[str, Any]]:
    current = query_of(request.GET)
    return [{"row": row, "is_current": row.query == current} for row in _mine(request, label)]


def _save(request: HttpRequest, label: str) -> HttpResponse:
    """One with the same name is replaced."""
    query = query_of(request.GET)
    row = SavedFilter(user_id=request.user.pk or 0, page=label, name=request.POST.get("name", "").strip(), query=query)
    try:
        row.clean_fields()
    except ValidationError:
        messages.error(request, _("Give the filter a name of at most 60 characters, and filter or search first."))
        return HttpResponseRedirect(request.get_full_path())
    others = _mine(request, label).exclude(name=row.name)
    if others.count() >= MOST:
        messages.error(request, _("Remove one of your %(most)d filters of this list first.") % {"most": MOST})
    else:
        SavedFilter.objects.update_or_create(user=row.user, page=label, name=row.name, defaults={"query": query})
        messages.success(request, _("The filter %(name)s is saved.") % {"name": row.name})
    return HttpResponseRedirect(f"{request.path}?{query}")


def _remove(request: HttpRequest, label: str) -> HttpResponse:
    chosen = request.POST["remove_filter"]
    if chosen.isdecimal() and len(chosen) < 19:
        _mine(request, label).filter(pk=chosen).delete()
    return HttpResponseRedirect(request.get_full_path())
