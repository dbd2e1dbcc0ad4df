"""What a driver saw: displayed ad hoc prices by charger and moment, and their files."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES

from payments.books_page import XLSX, WhoseForm, site_zone
from payments.services import price_exports, spreadsheets
from payments.services.price_exports import Asked

LISTED = 100
_LOOK = " ".join(INPUT_CLASSES)


class PricesForm(WhoseForm):
    """Sent by GET, so that an answer can be shared; days and time are those of the site."""

    field_order = ("place", "start", "at", "end")
    place = forms.CharField(
        label=_("Charger, EVSE or area"),
        required=False,
        help_text=_("A part of its name or id. Empty: all."),
        widget=forms.TextInput({"class": _LOOK}),
    )
    start = forms.DateField(label=_("Day"), widget=forms.DateInput({"type": "date", "class": _LOOK}))
    at = forms.TimeField(
        label=_("Time"),
        required=False,
        help_text=_("What a driver saw at this time of that day. Empty: everything that was shown."),
        widget=forms.TimeInput({"type": "time", "class": _LOOK}, format="%H:%M"),
    )
    end = forms.DateField(
        label=_("Until the day"),
        required=False,
        help_text=_("Included, without a time only. Empty: the day above."),
        widget=forms.DateInput({"type": "date", "class": _LOOK}),
    )

    def __init__(self, request: HttpRequest, zone: ZoneInfo) -> None:
        asked = request.GET.dict()
        super().__init__({"start": f"{timezone.now().astimezone(zone):%Y-%m-%d}", **asked})
        self.scope_to(request.user)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and not 2000 <= start.year <= 2100:
            self.add_error("start", _("Choose a day between 2000 and 2100."))
        if start and end and not start <= end <= start.replace(year=2100, month=1, day=1):
            self.add_error("end", _("Choose a day not before the first one."))
        return cleaned

    def asked(self, zone: ZoneInfo) -> Asked:
        data = self.cleaned_data
        operator, platform = data["operator"], data["platform"]
        return Asked(
            start=datetime.combine(data["start"], time(), zone),
            end=datetime.combine((data["end"] or data["start"]) + timedelta(days=1), time(), zone),
            at=datetime.combine(data["start"], data["at"], zone) if data["at"] is not None else None,
            place=data["place"].strip(),
            operator=operator.pk if operator else None,
            platform=platform.pk if platform else None,
        )


class PricesPage:
    """Mixin of an admin whose list is this page."""

    admin_site: Any

    def get_urls(self) -> Sequence[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("prices.csv", view(self.prices_csv), name="payments_prices_csv"),
            path("prices.xlsx", view(self.prices_xlsx), name="payments_prices_xlsx"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        form, zone = self._form(request)
        context: dict[str, Any] = {"form": form, "query": request.GET.urlencode(), "most": LISTED}
        if form.is_valid():
            asked = form.asked(zone)
            rows = price_exports.found(asked, request.user)
            context |= {
                "asked": asked,
                "moment": f"{date_format(asked.at, 'l d F Y, H:i')} ({zone})" if asked.at else "",
                "count": rows.count(),
                "sheets": [price_exports.sheet_of(row, asked.at) for row in rows[:LISTED]],
            }
        context |= {**self.admin_site.each_context(request), "title": _("Displayed prices"), **(extra_context or {})}
        return TemplateResponse(request, "payments/displayed_prices.html", context)

    def prices_csv(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        form, zone = self._form(request)
        if not form.is_valid():
            return _refused(form)
        lines = spreadsheets.as_csv(price_exports.HEAD, _file_rows(form.asked(zone), request))
        return _named(StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8"), form, "csv")

    def prices_xlsx(self, request: HttpRequest) -> HttpResponse:
        form, zone = self._form(request)
        if not form.is_valid():
            return _refused(form)
        rows = _file_rows(form.asked(zone), request)
        content = spreadsheets.as_xlsx([(_("Displayed prices"), price_exports.HEAD, rows)])
        return _named(HttpResponse(content, content_type=XLSX), form, "xlsx")

    def _form(self, request: HttpRequest) -> tuple[PricesForm, ZoneInfo]:
        if not request.user.has_perm("payments.view_priceevidence"):
            raise PermissionDenied
        zone = site_zone()
        return PricesForm(request, zone), zone


def _file_rows(asked: Asked, request: HttpRequest) -> Any:
    return price_exports.file_rows(price_exports.found(asked, request.user).iterator(chunk_size=1000), asked.at)


def _refused(form: PricesForm) -> HttpResponse:
    problems = "; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in form.errors.items())
    return HttpResponse(problems, status=400, content_type="text/plain; charset=utf-8")


def _named(answer: Any, form: PricesForm, kind: str) -> Any:
    data = form.cleaned_data
    answer["Content-Disposition"] = (
        f'attachment; filename="prices-{data["start"]}-{data["end"] or data["start"]}.{kind}"'
    )
    answer["Cache-Control"] = "no-store"
    return answer
