"""Admin of the work list: one row per exception, its reason in words and what may be done about it."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, LateStop
from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter
from infrastructure.admin_display import display, link, shown_json
from payments.books_page import BooksPage
from payments.choices import IssueKind, IssueState
from payments.models import PaymentIssue
from payments.services import remedies, worklist
from payments.sheets import amount

STATE_COLOURS = {IssueState.OPEN: "danger", IssueState.ACCEPTED: "info", IssueState.RESOLVED: "success"}
ACCEPT, AGAIN = "accept", "again"


class StateFilter(admin.SimpleListFilter):
    """Open ones unless asked otherwise: it is a list of work, not an archive."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All"), ("ACCEPTED", "Accepted by a person"), ("RESOLVED", "Resolved by itself")]

    def choices(self, changelist: Any) -> Any:
        for value, title in ((None, "Open"), *self.lookup_choices):
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string(
                    {self.parameter_name: value} if value else {}, [] if value else [self.parameter_name]
                ),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(state=self.value() or IssueState.OPEN)


class RemedyForm(forms.Form):
    """`text` is asked for where a remedy needs one."""

    text = forms.CharField(required=False, max_length=2000)

    def __init__(self, label: str, *args: Any, is_long: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label = label
        self.fields["text"].widget = UnfoldAdminTextareaWidget() if is_long else UnfoldAdminTextInputWidget()


@admin.register(PaymentIssue)
class PaymentIssueAdmin(BooksPage, ReadOnlyAdmin):
    list_display = ["what", "reason", "reference", "platform", "operator", "status", "opened_at"]
    list_display_links = ["what"]
    list_filter = [
        StateFilter,
        "kind",
        ("platform", ScopedRelatedFilter),
        ("operator", ScopedRelatedFilter),
    ]
    list_select_related = ["platform", "operator", "terminal", "evse__charger"]
    search_fields = ["reason", "authorization_reference", "session__uid", "terminal__terminal_id", "note"]
    date_hierarchy = "opened_at"
    fieldsets = [
        (None, {"fields": ["what", "status", "reason", "remedies"]}),
        (
            "About",
            {"fields": ["platform", "operator", "reference", "session_link", "advice_link", "terminal_link", "outlet"]},
        ),
        ("Decision", {"fields": ["opened_at", "resolved_at", "resolved_by", "note"]}),
        ("Messages", {"classes": ["collapse"], "fields": ["messages_kept"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<path:object_id>/do/<slug:name>/",
            self.admin_site.admin_view(self.do),
            name="payments_paymentissue_do",
        )
        return [own, *super().get_urls()]

    @display(description="what", ordering="kind")
    def what(self, issue: PaymentIssue) -> str:
        return str(issue.get_kind_display())

    @display(description="state", label=STATE_COLOURS, ordering="state")
    def status(self, issue: PaymentIssue) -> tuple[str, str]:
        return issue.state, str(issue.get_state_display())

    @display(description="reference", ordering="authorization_reference")
    def reference(self, issue: PaymentIssue) -> str:
        return issue.authorization_reference or str(issue.terminal or issue.evse or "")

    @display(description="session")
    def session_link(self, issue: PaymentIssue) -> str:
        return link(issue.session) if issue.session else ""

    @display(description="financial advice")
    def advice_link(self, issue: PaymentIssue) -> str:
        return link(issue.advice) if issue.advice else ""

    @display(description="terminal")
    def terminal_link(self, issue: PaymentIssue) -> str:
        return link(issue.terminal) if issue.terminal else ""

    @display(description="EVSE")
    def outlet(self, issue: PaymentIssue) -> str:
        return link(issue.evse) if issue.evse else ""

    @display(description="messages kept")
    def messages_kept(self, issue: PaymentIssue) -> str:
        return shown_json(issue.evidence)

    @display(description="what you can do")
    def remedies(self, issue: PaymentIssue) -> str:
        if issue.state != IssueState.OPEN:
            return "Nothing more: it is closed. It opens again by itself when the facts change."
        buttons = {name: one.title for name, one in remedies.remedies_of(issue).items()}
        buttons |= {AGAIN: "Look again", ACCEPT: "Accept with a note"}
        html = mark_safe("")
        for name, title in buttons.items():
            address = reverse("admin:payments_paymentissue_do", args=[issue.pk, name])
            html += format_html('<a class="desk-button" href="{}">{}</a> ', address, title)
        return html + _elsewhere(issue)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_paymentissue")

    def do(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Explains a remedy, asks what it needs, does it. A GET only asks: links may be followed by machines."""
        issue = self.get_object(request, object_id)
        if issue is None or not self.has_operate_permission(request):
            raise Http404
        back = reverse("admin:payments_paymentissue_change", args=[issue.pk])
        title, explanation, asks, is_danger = _described(issue, name)
        form = RemedyForm(asks, request.POST or None, is_long=name == ACCEPT) if asks else None
        if request.method == "POST" and (form is None or form.is_valid()):
            try:
                messages.success(request, _carry_out(issue, name, form.cleaned_data["text"] if form else "", request))
            except ValidationError as error:
                if form is None:
                    messages.error(request, " ".join(error.messages))
                    return HttpResponseRedirect(back)
                form.add_error("text", error)
            else:
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{issue}: {title}",
            "button": title,
            "explanation": explanation,
            "form": form,
            "is_danger": is_danger,
            "back_url": back,
        }
        return TemplateResponse(request, "chargers/confirm.html", context)


def _described(issue: PaymentIssue, name: str) -> tuple[str, str, str, bool]:
    """Title, explanation, label of what is asked, whether it is dangerous. Raises Http404."""
    if name == ACCEPT:
        text = f"{issue.reason} It stays as it is, with your note. Other facts open it again."
        return "Accept with a note", text, "Note", False
    if name == AGAIN:
        return "Look again", "The rows are judged anew now; otherwise that happens every minute.", "", False
    remedy = remedies.remedies_of(issue).get(name)
    if remedy is None:
        raise Http404
    return remedy.title, f"{remedy.explanation}{_candidates(issue, remedy)}", remedy.asks, remedy.is_danger


def _candidates(issue: PaymentIssue, remedy: remedies.Remedy) -> str:
    if remedy is not remedies.ASSIGN:
        return ""
    found = [
        f"{one} ({one.ended_at:%Y-%m-%d %H:%M} UTC)" for one in remedies.candidates(issue) if one.ended_at is not None
    ]
    taken = amount(issue.advice.total_gross, issue.advice.currency) if issue.advice else ""
    if not found:
        return f" No session of this partner that still waits for a capture cost {taken}."
    return f" These cost {taken} and have no capture yet: {', '.join(found)}."


def _carry_out(issue: PaymentIssue, name: str, text: str, request: HttpRequest) -> str:
    if name == ACCEPT:
        worklist.accept(issue, request.user, text)
        return "Accepted."
    if name == AGAIN:
        worklist.look_again(issue)
        issue.refresh_from_db()
        return "It is still so." if issue.state == IssueState.OPEN else "The cause is gone."
    return remedies.apply(issue, name, text)


def _elsewhere(issue: PaymentIssue) -> str:
    """Where a remedy has a page of its own already."""
    places: list[tuple[str, str]] = []
    if issue.terminal is not None:
        address = reverse("admin:payments_terminal_change", args=[issue.terminal.pk])
        places.append((address, "Open the terminal"))
    if issue.kind == IssueKind.UNKNOWN_TERMINAL:
        places.append((reverse("admin:payments_coverage"), "Which terminal serves what"))
    if issue.kind in (IssueKind.LATE_STOP, IssueKind.CHARGER_LOST) and issue.session is not None:
        places += _correction(issue.session)
    html = mark_safe("")
    for address, title in places:
        html += format_html('<a class="desk-button" href="{}">{}</a> ', address, title)
    return html


def _correction(session: ChargingSession) -> list[tuple[str, str]]:
    """The form that credits and corrects, filled with what the charger told late."""
    if session.status != SessionStatus.COMPLETED:
        return []
    late = LateStop.objects.filter(session=session).first()
    told = urlencode({"ended_at": late.ended_at.isoformat(), "kwh": f"{late.kwh:.3f}"}) if late else ""
    address = reverse("admin:chargers_chargingsession_correct", args=[session.pk])
    return [(f"{address}?{told}" if told else address, "Credit and correct")]
