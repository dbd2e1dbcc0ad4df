"""The page and the file on which administrators read who did what when, and the History of each row."""

import csv
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from infrastructure.exchange.formats import harmless
from infrastructure.services import audit

PER_PAGE = 50
# Beyond the ends of the calendar there is no next day and no other time zone.
DAYS = (date(1970, 1, 1), date(2999, 12, 31))
KINDS = {"+": _("Added"), "~": _("Changed"), "-": _("Deleted")}


def _day(label: Any) -> forms.DateField:
    first, last = DAYS
    limits = {"min": first.isoformat(), "max": last.isoformat()}
    widget = forms.DateInput({"type": "date", "class": " ".join(INPUT_CLASSES), **limits})
    validators = [MinValueValidator(first), MaxValueValidator(last)]
    return forms.DateField(label=label, required=False, widget=widget, validators=validators)


class AuditForm(forms.Form):
    """Sent by GET, so that an answer can be shared; days are those of the site's time zone, both included."""

    person = forms.CharField(label=_("Person"), required=False, widget=UnfoldAdminTextInputWidget())
    model = forms.ChoiceField(label=_("What"), required=False, widget=UnfoldAdminSelectWidget())
    start = _day(_("From"))
    end = _day(_("To"))

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET)
        pages = [model._meta.label_lower for model in admin.site._registry]
        names = sorted((str(apps.get_model(one)._meta.verbose_name), one) for one in {*pages, *audit.histories()})
        choices: Any = self.fields["model"]
        choices.choices = [("", gettext("All")), *((label, capfirst(name)) for name, label in names)]

    def wanted(self) -> dict[str, Any]:
        data = self.cleaned_data
        end = data["end"] and data["end"] + timedelta(days=1)
        return {
            "label": data["model"],
            "actor": data["person"],
            "start": data["start"] and timezone.make_aware(datetime.combine(data["start"], time())),
            "end": end and timezone.make_aware(datetime.combine(end, time())),
        }


class AuditPage:
    """Mixin of the admin of Act, whose list this page replaces."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.audit_trail), name="infrastructure_act_changelist"),
            path("entries.csv", view(self.audit_csv), name="infrastructure_act_csv"),
        ]

    def audit_trail(self, request: HttpRequest) -> HttpResponse:
        rows = _asked(request)
        page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page")) if rows is not None else None
        query = request.GET.copy()
        query.pop("page", None)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Audit trail"),
            "form": AuditForm(request),
            "page": page,
            "lines": shown(page.object_list) if page else [],
            "query": query.urlencode(),
        }
        return TemplateResponse(request, "infrastructure/audit.html", context)

    def audit_csv(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        rows = _asked(request)
        if rows is None:
            return HttpResponse(gettext("Check the dates."), status=400, content_type="text/plain; charset=utf-8")
        answer = StreamingHttpResponse(_as_csv(rows.iterator()), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="audit-trail.csv"'
        answer["Cache-Control"] = "no-store"
        return answer


def _asked(request: HttpRequest) -> Any:
    """The rows, or None where the form is not valid."""
    if not request.user.has_perm("infrastructure.view_act"):
        raise PermissionDenied
    form = AuditForm(request)
    return audit.trail(request, **form.wanted()) if form.is_valid() else None


def shown(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """What the template needs of each line."""
    lines = [audit.Line(*row) for row in rows]
    return [
        {
            "line": line,
            "what": gettext(line.what) if line.what else KINDS[line.kind],
            "changes": [(name and gettext(name), before, after) for name, before, after in line.changes],
            "url": _url(line),
        }
        for line in lines
    ]


def _url(line: audit.Line) -> str:
    if line.kind == "-" or not line.object_id or not line.object_text:
        return ""
    try:
        return reverse(f"admin:{line.label.replace('.', '_')}_change", args=[line.object_id])
    except NoReverseMatch:  # it has no page of its own
        return ""


class _Echo:
    def write(self, text: str) -> str:
        return text


def _as_csv(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """A line per changed field; nothing that a spreadsheet would take for a formula."""
    write = csv.writer(_Echo()).writerow
    yield "\ufeff" + write(["time", "person", "what", "kind", "id", "object", "field", "from", "to", "outcome"])
    for row in rows:
        line = audit.Line(*row)
        head = [line.actor, line.what or KINDS[line.kind], line.label, line.object_id, line.object_text]
        for change in line.changes or [["", "", ""]]:
            cells = [str(cell) for cell in [*head, *change, line.outcome]]
            yield write([line.at.isoformat(), *map(harmless, cells)])
