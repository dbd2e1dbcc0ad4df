"""Which outlet is served by which terminal, and which by none, at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from infrastructure import access
from infrastructure.models import EVSE
from payments.models import Terminal

PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Served:
    evse: EVSE
    terminals: Sequence[tuple[Terminal, str]]  # with how it serves


class CoveragePage:
    """Mixin of the terminal's admin."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        own = path("coverage/", self.admin_site.admin_view(self.coverage), name="payments_coverage")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def coverage(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("payments.view_terminal"):
            raise PermissionDenied
        outlets, asked = outlets_of(request), request.GET.get("q", "").strip()
        without = outlets.filter(is_served=False)
        only_without = request.GET.get("only") == "none"
        shown = _searched(without if only_without else outlets, asked)
        page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Which terminal serves what",
            "all_count": outlets.count(),
            "without_count": without.count(),
            "only_without": only_without,
            "asked": asked,
            "page": page,
            "rows": [Served(evse, _terminals(evse)) for evse in page],
            "back_url": reverse("admin:payments_terminal_changelist"),
        }
        return TemplateResponse(request, "payments/coverage.html", context)


def outlets_of(request: HttpRequest) -> QuerySet[Any]:
    """All outlets that the user may see, with `is_served` and what their pages need."""
    rows: QuerySet[Any] = access.scope(EVSE.objects.all(), request.user)
    standing = Terminal.objects.filter(missing_since=None)
    served = standing.filter(Q(evses=OuterRef("pk")) | Q(locations=OuterRef("charger__location")))
    terminals = Prefetch("terminals", standing.select_related("platform"))
    of_area = Prefetch("charger__location__terminals", standing.select_related("platform"))
    return (
        rows.annotate(is_served=Exists(served))
        .select_related("charger__location__operator")
        .prefetch_related(terminals, of_area)
        .order_by("charger__location__name", "charger__identity", "number")
    )


def _searched(outlets: QuerySet[EVSE], asked: str) -> QuerySet[EVSE]:
    if not asked:
        return outlets
    named = Q(charger__location__name__icontains=asked) | Q(charger__identity__icontains=asked)
    return outlets.filter(named | Q(evse_id__icontains=asked) | Q(charger__location__city__icontains=asked))


def _terminals(evse: EVSE) -> Sequence[tuple[Terminal, str]]:
    ways = dict.fromkeys(evse.charger.location.terminals.all(), "with its area")
    ways |= dict.fromkeys(evse.terminals.all(), "by itself")
    return sorted(ways.items(), key=lambda pair: pair[0].terminal_id)
