"""What needs a person now, what did, and whether people were told."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from infrastructure.admin_base import ReadOnlyAdmin, SuperuserOnlyMixin
from infrastructure.admin_display import display
from infrastructure.choices import AlertState, DigestState
from infrastructure.models import Alert, AlertDigest
from infrastructure.sentences import said

STATE_COLOURS = {AlertState.OPEN: "danger", AlertState.RESOLVED: "success"}
DIGEST_COLOURS = {
    DigestState.PENDING: "info",
    DigestState.IN_FLIGHT: "info",
    DigestState.DONE: "success",
    DigestState.GIVEN_UP: "danger",
}


class OpenFilter(admin.SimpleListFilter):
    """Open ones unless asked for others: the list is read as a list of work."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(AlertState.RESOLVED, gettext("Resolved")), ("all", gettext("All"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": gettext("Open")}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.filter(state=self.value() or AlertState.OPEN)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    sentences = ("title", "text")
    list_display = ["title", "state_label", "opened_at", "what_to_do", "where", "told"]
    list_filter = [OpenFilter]
    search_fields = ["title", "text"]
    fieldsets = [
        (None, {"fields": ["title", "state_label", "text", "where"]}),
        (_("Times"), {"fields": ["opened_at", "seen_at", "resolved_at", "notified_at"]}),
    ]

    @display(description=_("state"), label=STATE_COLOURS, ordering="state")
    def state_label(self, alert: Alert) -> tuple[str, str]:
        return alert.state, alert.get_state_display()

    @display(description=_("what to do"))
    def what_to_do(self, alert: Alert) -> str:
        return Truncator(said(alert.text)).chars(160)

    @display(description=_("where"))
    def where(self, alert: Alert) -> SafeString | None:
        if not alert.path:
            return None
        return format_html('<a class="underline" href="{}">{}</a>', alert.path, pgettext("a link", "Open"))

    @display(description=_("told"), label={"told": "success", "waiting": "info"}, ordering="notified_at")
    def told(self, alert: Alert) -> tuple[str, str]:
        return ("told", gettext("told")) if alert.notified_at else ("waiting", gettext("not yet"))


@admin.register(AlertDigest)
class AlertDigestAdmin(SuperuserOnlyMixin, ReadOnlyAdmin):
    list_display = ["subject", "channel", "state_label", "attempts", "created_at", "finished_at", "last_error"]
    list_filter = ["channel", "state"]
    search_fields = ["subject"]

    @display(description=_("state"), label=DIGEST_COLOURS, ordering="state")
    def state_label(self, digest: AlertDigest) -> tuple[str, str]:
        return digest.state, digest.get_state_display()
