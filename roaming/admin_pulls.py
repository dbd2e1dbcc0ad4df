"""What is fetched from platforms, how often, and what was wrong with it."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from infrastructure.admin_base import ScopedRelatedFilter, ServiceAdmin
from infrastructure.admin_display import display
from roaming.models import Pull
from roaming.services import pulls

COLOURS = {"fine": "success", "failed": "danger", "skipped": "warning", "waiting": "info", "absent": "info"}


@admin.register(Pull)
class PullAdmin(ServiceAdmin):
    sentences = ("last_error",)
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

    @display(description=_("last run"), label=COLOURS)
    def outcome(self, pull: Pull) -> tuple[str, str]:
        if pull.last_run_at is None:
            return "waiting", gettext("not yet")
        if pull.last_error:
            return ("failed", gettext("failed")) if pull.failures else ("absent", gettext("not offered"))
        return ("skipped", gettext("skipped some")) if pull.last_problems else ("fine", gettext("fine"))

    @display(description=_("skipped objects"))
    def problems(self, pull: Pull) -> str:
        return format_html_join("", "<p>{}</p>", ((problem,) for problem in pull.last_problems)) or gettext("None.")

    @action(description=_("Fetch changes now"), permissions=["change"])
    def pull_changes(self, request: HttpRequest, queryset: QuerySet[Pull]) -> None:
        self._request(request, queryset, whole=False)

    @action(description=_("Fetch everything now"), permissions=["change"])
    def pull_everything(self, request: HttpRequest, queryset: QuerySet[Pull]) -> None:
        self._request(request, queryset, whole=True)

    def _request(self, request: HttpRequest, queryset: QuerySet[Pull], *, whole: bool) -> None:
        for pull in queryset:
            pulls.request_pull(pull, whole=whole)
        messages.success(request, _("What you chose is fetched now; reload this page to see the result."))
