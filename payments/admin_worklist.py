"""Admin of the work list: one row per exception, its reason in words and what may be done about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, LateStop
from infrastructure import acts
from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter
from infrastructure.admin_display import display, link, moment, sentence, shown_json, zone_of
from infrastructure.bulk_actions import bulk_action
from infrastructure.sentences import said
from payments.books_page import BooksPage
from payments.choices import IssueKind, IssueState
from payments.models import PaymentIssue
from payments.services import remedies, worklist
from payments.sheets import amount

STATE_COLOURS = {IssueState.OPEN: "danger", IssueState.ACCEPTED: "info", IssueState.RESOLVED: "success"}
ACCEPT, AGAIN = "accept", "again"


class StateFilter(admin.SimpleListFilter):
    """Open ones unless asked otherwise: it is a list of work, not an archive."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("All")), ("ACCEPTED", _("Accepted by a person")), ("RESOLVED", _("Resolved"))]

    def choices(self, changelist: Any) -> Any:
        for value, title in ((None, _("Open")), *self.lookup_choices):
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
    sentences = ("reason",)
    list_display = ["what", "reason", "reference", "platform", "operator", "status", "opened_at"]
    list_display_links = ["what"]
    list_filter = [
        StateFilter,
        "kind",
        ("platform", ScopedRelatedFilter),
        ("operator", ScopedRelatedFilter),
    ]
    read_with = ["platform", "operator", "terminal", "session", "evse__charger__location__operator"]
    search_fields = ["reason", "authorization_reference", "session__uid", "terminal__terminal_id", "note"]
    date_hierarchy = "opened_at"
    fieldsets = [
        (None, {"fields": ["what", "status", "reason", "remedies"]}),
        (
            _("About"),
            {"fields": ["platform", "operator", "reference", "session_link", "advice_link", "terminal_link", "outlet"]},
        ),
        (_("Decision"), {"fields": ["opened_at", "resolved_at", "resolution"]}),
        (_("Messages"), {"classes": ["collapse"], "fields": ["messages_kept"]}),
    ]

    actions = ["accept_chosen", "look_again"]

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payments.change_paymentissue")

    @bulk_action(
        description=_("Accept with a note"),
        permission="decide",
        explanation=_("These stay as they are, each with your note. Other facts open them again."),
        asks=_("Note"),
    )
    def accept_chosen(self, request: HttpRequest, issue: PaymentIssue, note: str) -> None:
        worklist.accept(issue, request.user, note)

    @bulk_action(
        description=_("Look again"),
        permission="decide",
        explanation=_("The rows are judged anew now; otherwise that happens every minute."),
    )
    def look_again(self, request: HttpRequest, issue: PaymentIssue) -> None:
        worklist.look_again(issue)

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<path:object_id>/do/<slug:name>/",
            self.admin_site.admin_view(self.do),
            name="payments_paymentissue_do",
        )
        return [own, *super().get_urls()]

    @display(description=_("what"), ordering="kind")
    def what(self, issue: PaymentIssue) -> str:
        return str(issue.get_kind_display())

    @display(description=_("state"), label=STATE_COLOURS, ordering="state")
    def status(self, issue: PaymentIssue) -> tuple[str, str]:
        return issue.state, str(issue.get_state_display())

    @display(description=_("reference"), ordering="authorization_reference")
    def reference(self, issue: PaymentIssue) -> str:
        return issue.about

    @display(description=_("session"))
    def session_link(self, issue: PaymentIssue) -> str:
        return link(issue.session) if issue.session else ""

    @display(description=_("financial advice"))
    def advice_link(self, issue: PaymentIssue) -> str:
        return link(issue.advice) if issue.advice else ""

    @display(description=_("terminal"))
    def terminal_link(self, issue: PaymentIssue) -> str:
        return link(issue.terminal) if issue.terminal else ""

    @display(description=_("EVSE"))
    def outlet(self, issue: PaymentIssue) -> str:
        return link(issue.evse) if issue.evse else ""

    @display(description=_("messages kept"))
    def messages_kept(self, issue: PaymentIssue) -> str:
        return shown_json(issue.evidence)

    @display(description=_("how it was closed"), empty_value="-")
    def resolution(self, issue: PaymentIssue) -> str:
        """Who decided or did what. A name of a button is kept in English, like those of the audit trail."""
        if issue.resolved_by is None:
            return said(issue.note)
        if issue.state == IssueState.ACCEPTED:
            text = gettext("%(who)s accepted it: %(note)s")
            return text % {"who": issue.resolved_by, "note": issue.note}
        text = gettext("%(who)s chose “%(what)s”, and the cause is gone.")
        return text % {"who": issue.resolved_by, "what": gettext(issue.note)}

    @display(description=_("what you can do"))
    def remedies(self, issue: PaymentIssue) -> str:
        if issue.state != IssueState.OPEN:
            return gettext("Nothing more: it is closed. It opens again by itself when the facts change.")
        buttons = {name: one.title for name, one in _allowed(issue, self._user_of(issue)).items()}
        html = mark_safe("")
        for name, title in buttons.items():
            address = reverse("admin:payments_paymentissue_do", args=[issue.pk, name])
            html += format_html('<a class="desk-button" href="{}">{}</a> ', address, title)
        return html + _elsewhere(issue, self._user_of(issue)) or str(_("Nothing that you may do: ask a colleague."))

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> PaymentIssue | None:
        """Keeps for whom it was read: buttons are those that this person may use."""
        issue: PaymentIssue | None = super().get_object(request, object_id, from_field)
        if issue is not None:
            issue.read_by = request.user  # type: ignore[attr-defined]
        return issue

    def _user_of(self, issue: PaymentIssue) -> User:
        return issue.read_by  # type: ignore[attr-defined]

    def do(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Explains a remedy, asks what it needs, does it. A GET only asks: links may be followed by machines."""
        issue = self.get_object(request, object_id)
        if issue is None or not request.user.has_perm(_permission(issue, name)):
            raise Http404
        back = reverse("admin:payments_paymentissue_change", args=[issue.pk])
        title, explanation, asks, is_danger = _described(issue, name)
        form = RemedyForm(asks, request.POST or None, is_long=name == ACCEPT) if asks else None
        if request.method == "POST" and (form is None or form.is_valid()):
            with translation.override("en"):
                acts.call(request, _described(issue, name)[0])
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


@dataclass(frozen=True, slots=True)
class _Choice:
    title: Any
    permission: str


# What is done to the list itself.
_OWN = {
    AGAIN: _Choice(_("Look again"), "payments.change_paymentissue"),
    ACCEPT: _Choice(_("Accept with a note"), "payments.change_paymentissue"),
}


def _allowed(issue: PaymentIssue, user: User) -> Mapping[str, remedies.Remedy | _Choice]:
    found: Mapping[str, remedies.Remedy | _Choice] = {**remedies.remedies_of(issue), **_OWN}
    return {name: one for name, one in found.items() if user.has_perm(one.permission)}


def _permission(issue: PaymentIssue, name: str) -> str:
    """Raises Http404 for what is not possible."""
    one = _OWN.get(name) or remedies.remedies_of(issue).get(name)
    if one is None:
        raise Http404
    return one.permission


def _described(issue: PaymentIssue, name: str) -> tuple[str, str, str, bool]:
    """Title, explanation, label of what is asked, whether it is dangerous. Raises Http404."""
    if name == ACCEPT:
        text = gettext("%(reason)s It stays as it is, with your note. Other facts open it again.")
        shown = mark_safe(escape(text) % {"reason": sentence(issue.reason, zone_of(issue))})
        return gettext("Accept with a note"), shown, gettext("Note"), False
    if name == AGAIN:
        text = gettext("The rows are judged anew now; otherwise that happens every minute.")
        return gettext("Look again"), text, "", False
    remedy = remedies.remedies_of(issue).get(name)
    if remedy is None:
        raise Http404
    explanation = format_html("{} {}", remedy.explanation, _candidates(issue, remedy))
    return str(remedy.title), explanation, str(remedy.asks), remedy.is_danger


def _candidates(issue: PaymentIssue, remedy: remedies.Remedy) -> str:
    if remedy is not remedies.ASSIGN:
        return ""
    ended = [one for one in remedies.candidates(issue) if one.ended_at is not None]
    taken = amount(issue.advice.total_gross, issue.advice.currency) if issue.advice else ""
    if not ended:
        return gettext("No session of this partner that still waits for a capture cost %(amount)s.") % {"amount": taken}
    found = format_html_join(", ", "{} ({})", ((one, moment(one.ended_at, zone_of(one))) for one in ended))
    return format_html(gettext("These cost {} and have no capture yet: {}."), taken, found)


def _carry_out(issue: PaymentIssue, name: str, text: str, request: HttpRequest) -> str:
    if name == ACCEPT:
        worklist.accept(issue, request.user, text)
        return gettext("Accepted.")
    if name == AGAIN:
        worklist.look_again(issue)
        issue.refresh_from_db()
        return gettext("It is still so.") if issue.state == IssueState.OPEN else gettext("The cause is gone.")
    return remedies.apply(issue, name, text)


def _elsewhere(issue: PaymentIssue, user: User) -> str:
    """Where a remedy has a page of its own already."""
    places: list[tuple[str, str]] = []
    if issue.terminal is not None and user.has_perm("payments.view_terminal"):
        address = reverse("admin:payments_terminal_change", args=[issue.terminal.pk])
        places.append((address, gettext("Open the terminal")))
    if issue.kind == IssueKind.UNKNOWN_TERMINAL:
        places.append((reverse("admin:payments_coverage"), gettext("Which terminal serves what")))
    if (
        issue.kind in (IssueKind.LATE_STOP, IssueKind.CHARGER_LOST)
        and issue.session is not None
        and user.has_perm("chargers.change_cdr")
    ):
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
    return [(f"{address}?{told}" if told else address, gettext("Credit and correct"))]
