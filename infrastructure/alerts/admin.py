"""What needs a person now, what did, and whether people were told."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from infrastructure.admin_base import ReadOnlyAdmin, SuperuserOnlyMixin
from infrastructure.admin_display import display
from infrastructure.choices import AlertState, DigestState
from infrastructure.models import Alert, AlertDigest

STATE_COLOURS = {AlertState.OPEN: "danger", AlertState.RESOLVED: "success"}
DIGEST_COLOURS = {
    DigestState.PENDING: "info",
    DigestState.IN_FLIGHT: "info",
    DigestState.DONE: "success",
    DigestState.GIVEN_UP: "danger",
}


class OpenFilter(admin.SimpleListFilter):
    """Open ones unless asked for others: the list is read as a list of work."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(AlertState.RESOLVED, "Resolved"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "Open"}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.filter(state=self.value() or AlertState.OPEN)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ["title", "state_label", "opened_at", "what_to_do", "where", "told"]
    list_filter = [OpenFilter]
    search_fields = ["title", "text"]
    fieldsets = [
        (None, {"fields": ["title", "state_label", "text", "where"]}),
        ("Times", {"fields": ["opened_at", "seen_at", "resolved_at", "notified_at"]}),
    ]

    @display(description="state", label=STATE_COLOURS, ordering="state")
    def state_label(self, alert: Alert) -> tuple[str, str]:
        return alert.state, alert.get_state_display()

    @display(description="what to do")
    def what_to_do(self, alert: Alert) -> str:
        return alert.text if len(alert.text) <= 160 else f"{alert.text[:160]}…"

    @display(description="where")
    def where(self, alert: Alert) -> SafeString | None:
        return format_html('<a class="underline" href="{}">Open</a>', alert.path) if alert.path else None

    @display(description="told", label={"told": "success", "not yet": "info"}, ordering="notified_at")
    def told(self, alert: Alert) -> str:
        return "told" if alert.notified_at else "not yet"


@admin.register(AlertDigest)
class AlertDigestAdmin(SuperuserOnlyMixin, ReadOnlyAdmin):
    list_display = ["subject", "channel", "state_label", "attempts", "created_at", "finished_at", "last_error"]
    list_filter = ["channel", "state"]
    search_fields = ["subject"]

    @display(description="state", label=DIGEST_COLOURS, ordering="state")
    def state_label(self, digest: AlertDigest) -> tuple[str, str]:
        return digest.state, digest.get_state_display()
