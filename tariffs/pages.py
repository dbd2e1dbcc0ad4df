"""Pages about a tariff beside its form: the week view on it, the calculator, and what saving would mean."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from infrastructure import access, panels
from infrastructure.models import Location
from tariffs.calculator_page import CalculatorForm, sheet_of
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff
from tariffs.pricing import PricingError
from tariffs.services.calculator import calculate
from tariffs.services.details import to_pricing
from tariffs.services.preview import preview
from tariffs.services.publish import current_version
from tariffs.services.zones import chosen_zone, zones_of
from tariffs.week_picture import WeekPicture, picture_of

# Dates of the week view: beyond these, arithmetic with local time leaves what a date can hold.
_EARLIEST, _LATEST = date(2000, 1, 3), date(2100, 1, 1)
# The button beside Save, as the form sends it.
PREVIEW = "_preview"


@dataclass(frozen=True, slots=True)
class WeekView:
    """The picture with the addresses of others, or the `problem` why there is none."""

    picture: WeekPicture | None = None
    problem: str = ""
    previous: str = ""
    following: str = ""
    this: str = ""
    clock_change: str = ""
    other_zones: tuple[tuple[str, str], ...] = ()
    validity: str = ""


def week_view(tariff: RoamingTariff, request: HttpRequest) -> WeekView:
    """The week that `?week=` (a date) names in the time zone that `?zone=` names; today's at the site by default."""
    rows = tariff.details.order_by("-priority", "pk")
    zones = zones_of(access.scope(Location.objects.all(), request.user))
    zone = chosen_zone(request.GET.get("zone", ""), zones)
    now = timezone.now()
    day = _date(request.GET.get("week", "")) or now.astimezone(zone).date()
    try:
        details = [to_pricing(row) for row in rows]
        if not details:
            return WeekView(problem=gettext("No detail yet, so there is no price. Add one below and save."))
        picture = picture_of(details, tariff.currency, day, zone, now)
    except PricingError as error:
        return WeekView(problem=gettext("This cannot be drawn: %(error)s.") % {"error": error.message})
    return WeekView(
        picture,
        previous=_link(request, week=picture.previous),
        following=_link(request, week=picture.following),
        this=_link(request, week=picture.this_monday),
        clock_change=_link(request, week=picture.clock_change) if picture.clock_change else "",
        other_zones=tuple((name, _link(request, zone=name)) for name in zones if name != picture.zone),
        validity=_validity(tariff, zone),
    )


class _TakenBack(Exception):
    """Leaves the transaction in which a tariff was written to be looked at."""

    def __init__(self, answer: HttpResponse) -> None:
        self.answer = answer


class TariffPages:
    """Mixin of the tariff's admin: the week view before the details, the calculator, and a look before saving."""

    change_form_template = "tariffs/change_form.html"
    actions_detail = ["calculator"]
    admin_site: Any
    get_object: Callable[..., Any]
    has_add_permission: Callable[..., bool]
    has_change_permission: Callable[..., bool]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["week"] = week_view(obj, request) if obj is not None else None
        if self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj):
            context["actions_submit_line"] = [{"action_name": PREVIEW, "description": _("See what drivers pay")}]
        answer: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return answer

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        if is_preview(request):
            stored = self.get_object(request, unquote(object_id)) if object_id else None
            active = stored if stored is not None and stored.status == TariffStatus.ACTIVE else None
            request.version_before = current_version(active) if active else None  # type: ignore[attr-defined]
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)  # type: ignore[misc]
        except _TakenBack as taken_back:
            return taken_back.answer

    def response_add(self, request: HttpRequest, obj: RoamingTariff, *args: Any) -> HttpResponse:
        self._show_and_take_back(request, obj)
        answer: HttpResponse = super().response_add(request, obj, *args)  # type: ignore[misc]
        return answer

    def response_change(self, request: HttpRequest, obj: RoamingTariff) -> HttpResponse:
        self._show_and_take_back(request, obj)
        answer: HttpResponse = super().response_change(request, obj)  # type: ignore[misc]
        return answer

    def _show_and_take_back(self, request: HttpRequest, tariff: RoamingTariff) -> None:
        """What was written is read once more, as it would be published, and then never was."""
        if not is_preview(request):
            return
        zone = chosen_zone("", zones_of(access.scope(Location.objects.all(), request.user)))
        context: dict[str, Any] = {"panels": panels.panels_of(tariff, request)}
        try:
            before = request.version_before  # type: ignore[attr-defined]
            context["preview"] = preview(tariff, before, timezone.now(), zone)
        except PricingError as error:
            context["problem"] = _problem(error)
        title = gettext("What saving would mean: %(tariff)s") % {"tariff": tariff}
        page = {**self.admin_site.each_context(request), "title": title, **context}
        raise _TakenBack(TemplateResponse(request, "tariffs/preview.html", page).render())

    @action(description=_("Calculator"), url_path="calculator", icon="calculate", permissions=["view"])
    def calculator(self, request: HttpRequest, object_id: str) -> HttpResponse:
        tariff: RoamingTariff | None = self.get_object(request, object_id)
        if tariff is None:
            raise Http404
        zones = zones_of(access.scope(Location.objects.all(), request.user))
        form = CalculatorForm(request.GET, zones=zones)
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            try:
                answer = calculate(tariff, form.example, for_terminals=form.is_for_terminals)
                context["sheet"] = sheet_of(tariff, answer, form.example, for_terminals=form.is_for_terminals)
            except ValidationError as error:
                context["problem"] = " ".join(error.messages)
            except PricingError as error:
                context["problem"] = _problem(error)
        return TemplateResponse(
            request,
            "tariffs/calculator.html",
            {
                **self.admin_site.each_context(request),
                "title": gettext("Calculator: %(tariff)s") % {"tariff": tariff},
                "tariff": tariff,
                "back_url": reverse("admin:tariffs_roamingtariff_change", args=[tariff.pk]),
                **context,
            },
        )


def is_preview(request: HttpRequest) -> bool:
    return PREVIEW in request.POST


def _problem(error: PricingError) -> str:
    text = gettext("This cannot be priced: %(field)s %(error)s.")
    return text % {"field": error.field, "error": error.message}


def _validity(tariff: RoamingTariff, zone: ZoneInfo) -> str:
    """The picture shows the hours of the details; a tariff may end before them."""
    texts = {
        (True, True): gettext("Sessions begin with this tariff only from %(start)s until %(end)s."),
        (True, False): gettext("Sessions begin with this tariff only from %(start)s."),
        (False, True): gettext("Sessions begin with this tariff only until %(end)s."),
        (False, False): "",
    }
    limits = [
        date_format(limit.astimezone(zone), "d M Y H:i") if limit else ""
        for limit in (tariff.valid_from, tariff.valid_until)
    ]
    return texts[bool(tariff.valid_from), bool(tariff.valid_until)] % {"start": limits[0], "end": limits[1]}


def _date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if _EARLIEST <= day <= _LATEST else None


def _link(request: HttpRequest, **changes: Any) -> str:
    query = request.GET.copy()
    for name, value in changes.items():
        query[name] = str(value)
    return f"?{query.urlencode()}#week"
