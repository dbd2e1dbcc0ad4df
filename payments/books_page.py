"""The page on which the books are closed, and its files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget

from chargers.choices import Network
from infrastructure import access
from infrastructure.admin_forms import LongSelect
from infrastructure.choices import as_choices
from infrastructure.models import Operator, Site
from payments.models import Terminal
from payments.month_chart import Chart, chart_of
from payments.services import exports
from payments.services.book_entries import UNKNOWN_TERMINAL, Selection
from payments.services.reconciliation import LISTED, Amounts, TerminalRow, books, months, open_items
from payments.services.spreadsheets import as_csv
from payments.sheets import amount
from roaming.models import RoamingPlatform
from tariffs.pricing.rounding import money

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


NETWORKS = {value: gettext_lazy(label) for value, label in as_choices(Network)}


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput({"type": "date", "class": " ".join(INPUT_CLASSES)}))


class WhoseForm(forms.Form):
    """Whose rows are asked for: only operators and platforms that the user may see can be chosen."""

    operator = forms.ModelChoiceField(
        Operator.objects.none(),
        label=_("Operator"),
        required=False,
        empty_label=_("All"),
        widget=UnfoldAdminSelectWidget(),
    )
    platform = forms.ModelChoiceField(
        RoamingPlatform.objects.none(),
        label=_("Platform"),
        required=False,
        empty_label=_("All"),
        widget=UnfoldAdminSelectWidget(),
    )

    def scope_to(self, user: access.User) -> None:
        fields: dict[str, Any] = self.fields
        fields["operator"].queryset = access.operators_of(user)
        fields["platform"].queryset = access.scope(RoamingPlatform.objects.all(), user)


class BooksForm(WhoseForm):
    """Sent by GET, so that an answer can be shared; days are those of the site's time zone, both included."""

    field_order = ("start", "end")
    start = _day(_("From"))
    end = _day(_("To"))
    terminal = forms.ChoiceField(label=_("Terminal"), required=False, widget=LongSelect())
    network = forms.ChoiceField(label=_("Network"), required=False, widget=UnfoldAdminSelectWidget())

    def __init__(self, request: HttpRequest, zone: ZoneInfo) -> None:
        super().__init__(request.GET if "start" in request.GET else this_month(zone))
        fields: dict[str, Any] = self.fields
        self.scope_to(request.user)
        terminals = access.scope(Terminal.objects.all(), request.user).values_list("pk", "terminal_id")
        named = [(str(pk), name) for pk, name in terminals]
        fields["terminal"].choices = [("", _("All")), (UNKNOWN_TERMINAL, _("Unknown")), *named]
        fields["network"].choices = [("", _("All")), *NETWORKS.items()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and end < start:
            self.add_error("end", _("Choose a day not before the first one."))
        if start and end and (start.year < 2000 or end.year > 2100):
            self.add_error("start", _("Choose days between 2000 and 2100."))
        return cleaned

    def selection(self, zone: ZoneInfo) -> Selection:
        data = self.cleaned_data
        operator, platform = data["operator"], data["platform"]
        return Selection(
            start=_midnight(data["start"], zone),
            end=_midnight(data["end"] + timedelta(days=1), zone),
            operator=operator.pk if operator else None,
            platform=platform.pk if platform else None,
            terminal=data["terminal"],
            network=data["network"],
        )


def this_month(zone: ZoneInfo) -> dict[str, Any]:
    today = timezone.now().astimezone(zone).date()
    following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return {"start": today.replace(day=1), "end": following - timedelta(days=1)}


def last_month(zone: ZoneInfo) -> dict[str, Any]:
    """The one to be closed."""
    end = this_month(zone)["start"] - timedelta(days=1)
    return {"start": end.replace(day=1), "end": end}


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def site_zone() -> ZoneInfo:
    site = Site.objects.first()
    return ZoneInfo(site.time_zone if site else "UTC")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table of sums, as text."""

    heads: tuple[Any, ...]
    currency: str
    amounts: Amounts
    texts: dict[str, str]
    is_off: bool
    is_total: bool = False


def _line(heads: tuple[Any, ...], currency: str, amounts: Amounts, *, is_total: bool = False) -> Line:
    names = ("gross", "billed", "retail", "invoiced", "expected", "captured", "difference", "owed")
    texts = {name: str(money(getattr(amounts, name), currency)) for name in names}
    return Line(heads, currency, amounts, texts, bool(amounts.difference), is_total)


class BooksPage:
    """Mixin of an admin: the page and both files."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("reconciliation/", view(self.reconciliation), name="payments_reconciliation"),
            path("reconciliation/months/", view(self.books_months), name="payments_reconciliation_months"),
            path("reconciliation/entries.csv", view(self.books_csv), name="payments_reconciliation_csv"),
            path("reconciliation/books.xlsx", view(self.books_xlsx), name="payments_reconciliation_xlsx"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def reconciliation(self, request: HttpRequest) -> HttpResponse:
        form, zone = _asked(request)
        context: dict[str, Any] = {"form": form, "query": request.GET.urlencode(), "last_month": last_month(zone)}
        if form.is_valid():
            context |= _shown(form.selection(zone), request)
        context |= {**self.admin_site.each_context(request), "title": _("Reconciliation")}
        return TemplateResponse(request, "payments/reconciliation.html", context)

    def books_months(self, request: HttpRequest) -> HttpResponse:
        """A page of its own, as a year is ten times the work of a month: that of the books fetches its chart."""
        form, zone = _asked(request)
        if not form.is_valid():
            return _refused(form)
        charts = _charts(form.selection(zone), request.user, zone)
        context = {"charts": charts, "query": request.GET.urlencode(), "title": _("Twelve months")}
        return TemplateResponse(request, "payments/months.html", {**self.admin_site.each_context(request), **context})

    def books_csv(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        form, zone = _asked(request)
        if not form.is_valid():
            return _refused(form)
        rows = exports.entry_rows(form.selection(zone), request.user, zone)
        answer = StreamingHttpResponse(as_csv(exports.HEAD, rows), content_type="text/csv; charset=utf-8")
        return _named(answer, form, "csv")

    def books_xlsx(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        form, zone = _asked(request)
        if not form.is_valid():
            return _refused(form)
        selection = form.selection(zone)
        rows = exports.entry_rows(selection, request.user, zone)
        year = months(_year(selection, zone), request.user, zone)
        content = exports.as_xlsx(books(selection, request.user), open_items(selection, request.user), year, rows)
        return _named(HttpResponse(content, content_type=XLSX), form, "xlsx")


def _asked(request: HttpRequest) -> tuple[BooksForm, ZoneInfo]:
    if not request.user.has_perm("payments.view_invoice"):
        raise PermissionDenied
    zone = site_zone()
    return BooksForm(request, zone), zone


def _refused(form: BooksForm) -> HttpResponse:
    problems = "; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in form.errors.items())
    return HttpResponse(problems, status=400, content_type="text/plain; charset=utf-8")


def _named(answer: Any, form: BooksForm, kind: str) -> Any:
    data = form.cleaned_data
    answer["Content-Disposition"] = f'attachment; filename="books-{data["start"]}-{data["end"]}.{kind}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _shown(selection: Selection, request: HttpRequest) -> dict[str, Any]:
    found = books(selection, request.user)
    return {
        "books": found,
        "rows": found.rows,
        "has_retail": any(row.amounts.retail != row.amounts.billed for row in found.rows),
        "heads": (_("Operator"), _("Platform"), _("Network"), _("Currency")),
        "all_lines": [
            *(
                _line((row.operator, row.platform, NETWORKS.get(row.network, "")), row.currency, row.amounts)
                for row in found.rows
            ),
            *(_line((_("All"), "", ""), currency, amounts, is_total=True) for currency, amounts in found.totals),
        ],
        "terminal_heads": (_("Terminal"), _("Platform"), _("Currency")),
        "most": LISTED,
        "open_items": [
            (one, amount(one.due, one.currency), amount(one.captured, one.currency)) for one in found.open_items
        ],
        "vat": [
            (one, *(amount(value, one.currency) for value in (one.net, one.vat_amount, one.gross))) for one in found.vat
        ],
        "payouts": [(one, amount(one.captured, one.currency), amount(one.owed, one.currency)) for one in found.payouts],
        "strays": [(one, amount(one.captured, one.currency)) for one in found.strays],
        "terminals": [
            _line((row.terminal, row.platform), row.currency, row.amounts) for row in _first_looked_at(found.terminals)
        ],
    }


def _first_looked_at(terminals: Sequence[TerminalRow]) -> Sequence[TerminalRow]:
    """Of very many, those that are not settled before all others."""
    if len(terminals) <= LISTED:
        return terminals
    return sorted(terminals, key=lambda row: not (row.amounts.open_items or row.amounts.difference))[:LISTED]


def _charts(selection: Selection, user: access.User, zone: ZoneInfo) -> list[Chart]:
    """The twelve months up to the end of the period, per currency."""
    year = _year(selection, zone)
    found = months(year, user, zone)
    currencies = sorted({one.currency for one in found})
    return [
        chart_of([one for one in found if one.currency == currency], year.start, currency) for currency in currencies
    ]


def _year(selection: Selection, zone: ZoneInfo) -> Selection:
    """The twelve months up to the end of the period."""
    last = (selection.end - timedelta(seconds=1)).astimezone(zone)
    first = date(last.year - 1 if last.month < 12 else last.year, last.month % 12 + 1, 1)
    return replace(selection, start=_midnight(first, zone))
