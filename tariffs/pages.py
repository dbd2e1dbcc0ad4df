"""Pages about a tariff beside its form: the week view on it, and the calculator that it links to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from infrastructure import access
from infrastructure.models import Location
from tariffs.calculator_page import CalculatorForm, sheet_of
from tariffs.models import RoamingTariff
from tariffs.pricing import PricingError
from tariffs.services.calculator import calculate
from tariffs.services.details import to_pricing
from tariffs.services.zones import chosen_zone, zones_of
from tariffs.week_picture import WeekPicture, picture_of

# Dates of the week view: beyond these, arithmetic with local time leaves what a date can hold.
_EARLIEST, _LATEST = date(2000, 1, 3), date(2100, 1, 1)


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


class TariffPages:
    """Mixin of the tariff's admin: the week view before the details, and the calculator."""

    change_form_template = "tariffs/change_form.html"
    actions_detail = ["calculator"]
    admin_site: Any
    get_object: Callable[..., Any]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["week"] = week_view(obj, request) if obj is not None else None
        answer: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return answer

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
                text = gettext("This cannot be priced: %(field)s %(error)s.")
                context["problem"] = text % {"field": error.field, "error": error.message}
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
