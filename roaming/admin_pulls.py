"""What is fetched from platforms, how often, and what was wrong with it."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.decorators import action

from infrastructure.admin_base import ScopedRelatedFilter, ServiceAdmin
from infrastructure.admin_display import display
from roaming.models import Pull
from roaming.services import pulls

COLOURS = {"fine": "success", "failed": "danger", "skipped some": "warning", "not yet": "info", "not offered": "info"}


@admin.register(Pull)
class PullAdmin(ServiceAdmin):
    goes_with_parent = True
    list_display = [
        "source",
        "platform",
        "outcome",
        "last_run_at",
        "last_received",
        "next_run_at",
        "interval_minutes",
        "is_enabled",
    ]
    list_filter = ["source", "is_enabled", ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform"]
    search_fields = ["source", "platform__name"]
    readonly_fields = ["platform", "source", "high_water", "last_run_at", "last_received", "problems", "last_error"]
    fields = ["platform", "source", "is_enabled", "interval_minutes", "next_run_at", *readonly_fields[2:]]
    actions = ["pull_changes", "pull_everything"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A registration creates what is needed."""
        return False

    @display(description="last run", label=COLOURS)
    def outcome(self, pull: Pull) -> str:
        if pull.last_run_at is None:
            return "not yet"
        if pull.last_error:
            return "failed" if pull.failures else "not offered"
        return "skipped some" if pull.last_problems else "fine"

    @display(description="skipped objects")
    def problems(self, pull: Pull) -> str:
        return format_html_join("", "<p>{}</p>", ((problem,) for problem in pull.last_problems)) or "None."

    @action(description="Fetch changes now", permissions=["change"])
    def pull_changes(self, request: HttpRequest, queryset: QuerySet[Pull]) -> None:
        self._request(request, queryset, whole=False)

    @action(description="Fetch everything now", permissions=["change"])
    def pull_everything(self, request: HttpRequest, queryset: QuerySet[Pull]) -> None:
        self._request(request, queryset, whole=True)

    def _request(self, request: HttpRequest, queryset: QuerySet[Pull], *, whole: bool) -> None:
        for pull in queryset:
            pulls.request_pull(pull, whole=whole)
        messages.success(request, "What you chose is fetched now; reload this page to see the result.")
