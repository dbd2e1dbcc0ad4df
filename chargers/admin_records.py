"""What was exchanged with chargers and what they told: frames, events, configuration."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.paginator import InfinitePaginator

from chargers.admin_operations import VariableActions
from chargers.choices import ChargerEventKind, FrameKind
from chargers.models import ChargerEvent, ChargerMessage, ChargerVariable
from chargers.services.ocpp_requests import ACTIONS
from infrastructure.admin_base import ReadOnlyAdmin, ScopedSearchFilter
from infrastructure.admin_display import display, moment, pretty_text, zone_of
from infrastructure.admin_filters import TimeFilter

DIRECTION_COLOURS = {"IN": "info", "OUT": "warning"}
KIND_COLOURS = {FrameKind.CALLERROR: "danger", FrameKind.UNREADABLE: "danger"}
EVENT_COLOURS = {
    ChargerEventKind.FAULT: "danger",
    ChargerEventKind.SECURITY: "warning",
    ChargerEventKind.CERTIFICATE: "warning",
}
# Of both versions: what chargers say most.
FROM_CHARGERS = [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyEvent",
    "NotifyReport",
    "SecurityEventNotification",
    "SignCertificate",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
    "TransactionEvent",
]
LONGEST_LINE = 90


class ActionFilter(admin.SimpleListFilter):
    """Named here: asking the table which actions occur in it would read all of it."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted({*FROM_CHARGERS, *frozenset().union(*ACTIONS.values())})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ChargerMessage]) -> QuerySet[ChargerMessage]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class ChargerMessageAdmin(ReadOnlyAdmin):
    """Pages without a total: counting a million rows takes longer than reading the newest fifty."""

    list_display = ["exact_time", "charger", "direction_label", "kind_label", "action", "line"]
    list_filter = [
        ("charger", ScopedSearchFilter),
        ("direction", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ActionFilter,
        ("at", TimeFilter),
    ]
    list_filter_submit = True
    read_with = ["charger__location__operator"]
    search_fields = ["=unique_id", "=action", "=charger__identity", "=correlation_id"]
    search_help_text = _("Message id, action, charger identity or correlation id, whole.")
    show_full_result_count = False
    paginator = InfinitePaginator
    fields = [
        "charger",
        "exact_time",
        "direction_label",
        "kind_label",
        "action",
        "unique_id",
        "correlation_id",
        "size",
        "text",
    ]

    @display(description=_("time"), ordering="at")
    def exact_time(self, message: ChargerMessage) -> str:
        return moment(message.at, zone_of(message), is_exact=True)

    @display(description=_("direction"), label=DIRECTION_COLOURS)
    def direction_label(self, message: ChargerMessage) -> tuple[str, str]:
        return message.direction, gettext("received") if message.direction == "IN" else gettext("sent")

    @display(description=_("kind"), label=KIND_COLOURS)
    def kind_label(self, message: ChargerMessage) -> tuple[str, str]:
        return message.kind, message.kind

    @display(description=_("frame"))
    def line(self, message: ChargerMessage) -> str:
        frame = message.frame
        return frame if len(frame) <= LONGEST_LINE else f"{frame[: LONGEST_LINE - 1]}…"

    @display(description=_("frame"))
    def text(self, message: ChargerMessage) -> SafeString:
        return pretty_text(message.frame)


class ChargerEventAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "charger", "kind_label", "name", "severity", "evse_number", "short_info", "at"]
    list_filter = [("charger", ScopedSearchFilter), ("kind", ChoicesDropdownFilter), ("received_at", TimeFilter)]
    list_filter_submit = True
    read_with = ["charger__location__operator"]
    search_fields = ["name", "charger__identity"]
    fields = [
        "charger",
        "kind_label",
        "name",
        "severity",
        "evse_number",
        "request_id",
        "at",
        "received_at",
        "info_text",
    ]

    @display(description=_("kind"), label=EVENT_COLOURS, ordering="kind")
    def kind_label(self, event: ChargerEvent) -> tuple[str, str]:
        return event.kind, event.get_kind_display()

    @display(description=_("information"))
    def short_info(self, event: ChargerEvent) -> str:
        return event.info if len(event.info) <= LONGEST_LINE else f"{event.info[: LONGEST_LINE - 1]}…"

    @display(description=_("information"))
    def info_text(self, event: ChargerEvent) -> SafeString:
        return format_html('<pre class="desk-json">{}</pre>', event.info or "-")


class ChargerVariableAdmin(VariableActions, ReadOnlyAdmin):
    list_display = ["full_name", "charger", "shown_value", "is_readonly", "needs_reboot", "read_at"]
    list_filter = [("charger", ScopedSearchFilter), "is_readonly", "needs_reboot"]
    list_filter_submit = True
    read_with = ["charger__location__operator"]
    search_fields = ["component", "variable", "value", "charger__identity"]
    fields = [
        "charger",
        "full_name",
        "shown_value",
        "is_readonly",
        "needs_reboot",
        "characteristics",
        "read_at",
    ]

    @display(description=_("name"), ordering="variable")
    def full_name(self, variable: ChargerVariable) -> str:
        return variable.name

    @display(description=_("value"))
    def shown_value(self, variable: ChargerVariable) -> str:
        return variable.value if variable.is_known else gettext("not told")


PAGES = {ChargerMessage: ChargerMessageAdmin, ChargerEvent: ChargerEventAdmin, ChargerVariable: ChargerVariableAdmin}
