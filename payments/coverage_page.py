"""Which outlet is served by which terminal, and which by none, at a glance, and the way to change it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from infrastructure import access
from infrastructure.models import EVSE, Location
from infrastructure.services import masterdata
from payments.models import Terminal
from payments.services import terminals

PER_PAGE = 100
ALL, SOME, NONE = "#16a34a", "#d97706", "#dc2626"
AREA, ONLY = "area", "evse"


@dataclass(frozen=True, slots=True)
class Served:
    evse: EVSE
    terminals: Sequence[tuple[Terminal, str]]  # with how it serves


class TerminalChoice(forms.ModelChoiceField):
    """By what one knows a terminal by when one stands before it."""

    def label_from_instance(self, obj: Any) -> str:
        address = ", ".join(filter(None, (obj.address, obj.city)))
        return f"{obj.terminal_id} ({obj.platform}{'; ' + address if address else ''})"


class AssignForm(forms.Form):
    terminal = TerminalChoice(Terminal.objects.none(), label=_("Terminal"), widget=UnfoldAdminSelectWidget())
    extent = forms.ChoiceField(label=_("It serves"), initial=AREA, widget=UnfoldAdminRadioSelectWidget())

    def __init__(self, evse: EVSE, rows: QuerySet[Terminal], data: Any) -> None:
        super().__init__(data)
        fields: dict[str, Any] = self.fields
        fields["terminal"].queryset = rows
        area = gettext("the whole area %(area)s") % {"area": evse.charger.location}
        fields["extent"].choices = [(AREA, area), (ONLY, gettext("only EVSE %(evse)s") % {"evse": evse})]


class CoveragePage:
    """Mixin of the terminal's admin."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("coverage/", view(self.coverage), name="payments_coverage"),
            path("coverage/<int:evse_id>/", view(self.serve), name="payments_coverage_assign"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

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
            "title": _("Which terminal serves what"),
            "all_count": outlets.count(),
            "without_count": without.count(),
            "only_without": only_without,
            "asked": asked,
            "page": page,
            "rows": [Served(evse, _terminals(evse)) for evse in page],
            "may_assign": request.user.has_perm("payments.change_terminal"),
            "places": places_of(outlets),
            "map_tiles": settings.MAP_TILES_URL,
            "map_attribution": settings.MAP_ATTRIBUTION,
            "back_url": reverse("admin:payments_terminal_changelist"),
        }
        return TemplateResponse(request, "payments/coverage.html", context)

    def serve(self, request: HttpRequest, evse_id: int) -> HttpResponse:
        """Has one more terminal serve an EVSE or its whole area."""
        if not request.user.has_perm("payments.change_terminal"):
            raise PermissionDenied
        evse = outlets_of(request).filter(pk=evse_id).first()
        if evse is None:
            raise Http404
        area = evse.charger.location
        back = reverse("admin:payments_coverage", query={"q": area.name})
        fitting = _fitting(evse, request)
        form = AssignForm(evse, fitting, request.POST or None)
        if form.is_valid():
            try:
                done = _assign(form.cleaned_data["terminal"], evse, form.cleaned_data["extent"], request)
            except ValidationError as error:
                form.add_error("terminal", error)
            else:
                messages.success(request, done)
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Assign a terminal to %(evse)s") % {"evse": evse},
            "explanation": _explanation(is_any=fitting.exists(), area=area),
            "form": form,
            "button": _("Assign"),
            "back_url": back,
        }
        return TemplateResponse(request, "chargers/confirm.html", context)


def outlets_of(request: HttpRequest) -> QuerySet[Any]:
    """All outlets that the user may see, with `is_served` and what their pages need."""
    rows: QuerySet[Any] = access.scope(EVSE.objects.all(), request.user)
    standing = Terminal.objects.filter(missing_since=None)
    # Two looks into small tables; one with "or" would join all terminals to all that they serve.
    by_evse = standing.filter(evses=OuterRef("pk"))
    by_area = standing.filter(locations=OuterRef("charger__location"))
    terminals = Prefetch("terminals", standing.select_related("platform"))
    of_area = Prefetch("charger__location__terminals", standing.select_related("platform"))
    return (
        rows.annotate(is_served=Exists(by_evse) | Exists(by_area))
        .select_related("charger__location__operator")
        .prefetch_related(terminals, of_area)
        .order_by("charger__location__name", "charger__identity", "number")
    )


def places_of(outlets: QuerySet[Any]) -> list[dict[str, Any]]:
    """The areas for the map: green where every EVSE has a terminal, red where none has."""
    area = "charger__location"
    rows = (
        outlets.order_by()
        .prefetch_related(None)
        .select_related(None)
        .values_list(f"{area}__pk", f"{area}__name", f"{area}__latitude", f"{area}__longitude")
        .annotate(total=Count("pk"), served=Count("pk", filter=Q(is_served=True)))
        .order_by(f"{area}__name")
    )
    return [_place(name, latitude, longitude, total, served) for _pk, name, latitude, longitude, total, served in rows]


def _place(name: str, latitude: Any, longitude: Any, total: int, served: int) -> dict[str, Any]:
    return {
        "name": name,
        "url": reverse("admin:payments_coverage", query={"q": name}),
        "at": [float(latitude), float(longitude)],
        "colour": ALL if served == total else SOME if served else NONE,
        "text": gettext("%(served)s of %(total)s EVSEs have a terminal") % {"served": served, "total": total},
    }


def _fitting(evse: EVSE, request: HttpRequest) -> QuerySet[Terminal]:
    """Terminals of partners that have the EVSE's operator, of its own or in the pool."""
    operator = evse.charger.location.operator
    rows = access.scope(Terminal.objects.all(), request.user).filter(
        Q(operator=operator) | Q(operator=None), platform__profiles__operators=operator, missing_since=None
    )
    return rows.select_related("platform").distinct().order_by("terminal_id", "pk")


def _explanation(*, is_any: bool, area: Location) -> str:
    if is_any:
        return gettext("What the terminal serves already stays. The partner is told at once.")
    text = gettext(
        "No terminal fits: none that its partner lists belongs to %(operator)s or is still without an operator. "
        "Open a terminal and choose its operator."
    )
    return text % {"operator": area.operator}


def _assign(terminal: Terminal, evse: EVSE, extent: str, request: HttpRequest) -> str:
    area: Location = evse.charger.location
    areas, outlets = list(terminal.locations.all()), list(terminal.evses.select_related("charger__location"))
    if extent == AREA:
        areas.append(area)
    else:
        outlets.append(evse)
    with masterdata.one_change(request.user):
        terminals.assign_terminal(terminal, areas, outlets)
    what = str(area) if extent == AREA else str(evse)
    return gettext("Terminal %(terminal)s now serves %(what)s.") % {"terminal": terminal, "what": what}


def _searched(outlets: QuerySet[EVSE], asked: str) -> QuerySet[EVSE]:
    """By place, and by the id of a terminal that serves it."""
    if not asked:
        return outlets
    named = Q(charger__location__name__icontains=asked) | Q(charger__identity__icontains=asked)
    named |= Q(evse_id__icontains=asked) | Q(charger__location__city__icontains=asked)
    serving = Terminal.objects.filter(missing_since=None, terminal_id__icontains=asked)
    served = serving.filter(Q(evses=OuterRef("pk")) | Q(locations=OuterRef("charger__location")))
    return outlets.filter(named | Exists(served))


def _terminals(evse: EVSE) -> Sequence[tuple[Terminal, str]]:
    ways = dict.fromkeys(evse.charger.location.terminals.all(), gettext("with its area"))
    ways |= dict.fromkeys(evse.terminals.all(), gettext("by itself"))
    return sorted(ways.items(), key=lambda pair: pair[0].terminal_id)
