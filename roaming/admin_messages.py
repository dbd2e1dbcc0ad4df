"""The log of OCPI messages, for those who look for what went wrong between us and a partner."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.paginator import InfinitePaginator

from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter
from infrastructure.admin_display import display, moment
from infrastructure.admin_filters import TimeFilter
from infrastructure.sentences import said
from roaming.models import Message
from roaming.ocpi.exchange import MODULES, VERSIONS

OUTCOME_COLOURS = {"ok": "success", "failed": "danger"}
DIRECTION_COLOURS = {"IN": "info", "OUT": "warning"}


class ModuleFilter(admin.SimpleListFilter):
    """Named here: asking the table which modules occur in it would read all of it."""

    title = _("module")
    parameter_name = "module"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted({*MODULES, VERSIONS})] + [("-", gettext("none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(module="" if value == "-" else value)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    sentences = ("error",)
    """Pages without a total: counting a million rows takes longer than reading the newest fifty."""

    list_display = [
        "exact_time",
        "direction_label",
        "platform",
        "method",
        "module",
        "object_id",
        "outcome",
        "answer",
        "duration_ms",
        "short_error",
    ]
    list_filter = [
        ("direction", ChoicesDropdownFilter),
        "is_ok",
        ModuleFilter,
        ("platform", ScopedRelatedFilter),
        ("started_at", TimeFilter),
    ]
    list_filter_submit = True
    list_select_related = ["platform"]
    search_fields = ["object_id", "authorization_reference", "correlation_id", "request_id"]
    search_help_text = _("Object, authorization reference, X-Correlation-ID or X-Request-ID, whole or in part.")
    show_full_result_count = False
    paginator = InfinitePaginator
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "platform",
                    "direction",
                    "exact_time",
                    "duration_ms",
                    "method",
                    "url",
                    "module",
                    "object_id",
                    "authorization_reference",
                ]
            },
        ),
        (_("Outcome"), {"fields": ["is_ok", "http_status", "status_code", "error"]}),
        (_("Ids"), {"fields": ["correlation_id", "request_id"]}),
        (_("Bodies"), {"fields": ["request_text", "response_text"]}),
    ]
    readonly_fields = ["exact_time", "request_text", "response_text"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        queryset: QuerySet[Message] = super().get_queryset(request)
        if request.resolver_match and str(request.resolver_match.url_name).endswith("_changelist"):
            return queryset.defer("request_body", "response_body")
        return queryset

    @display(description=_("direction"), label=DIRECTION_COLOURS, ordering="direction")
    def direction_label(self, message: Message) -> tuple[str, str]:
        return message.direction, message.get_direction_display()

    @display(description=_("time"), ordering="started_at")
    def exact_time(self, message: Message) -> str:
        return moment(message.started_at, is_exact=True)

    @display(description=_("HTTP, OCPI"))
    def answer(self, message: Message) -> str:
        return ", ".join(str(code) for code in (message.http_status, message.status_code) if code) or gettext("none")

    @display(description=_("outcome"), label=OUTCOME_COLOURS)
    def outcome(self, message: Message) -> tuple[str, str]:
        return ("ok", gettext("ok")) if message.is_ok else ("failed", gettext("failed"))

    @display(description=_("error"))
    def short_error(self, message: Message) -> str:
        return Truncator(said(message.error)).chars(80)

    @display(description=_("request"))
    def request_text(self, message: Message) -> SafeString:
        return _shown(message.request_body, message.request_size)

    @display(description=_("response"))
    def response_text(self, message: Message) -> SafeString:
        return _shown(message.response_body, message.response_size)


def _shown(body: str, size: int) -> SafeString:
    if not size:
        return format_html("<em>{}</em>", gettext("empty"))
    # Masking shortens, so a body that was kept whole may be smaller than what came.
    text = _pretty(body)
    note = (
        gettext("%(size)s bytes; what follows is its beginning or not JSON")
        if text is None
        else gettext("%(size)s bytes")
    )
    return format_html(
        '<p class="mb-2">{}</p><pre class="desk-json">{}</pre>',
        note % {"size": f"{size:,}"},
        body if text is None else text,
    )


def _pretty(body: str) -> str | None:
    """None when it is no JSON: cut off, or something else from the start."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
