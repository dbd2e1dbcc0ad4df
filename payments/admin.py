"""Admin of the money side: terminals and what they serve, card captures, invoices."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.decorators import action

from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter, ServiceAdmin
from infrastructure.admin_display import display
from infrastructure.admin_forms import ServiceForm
from infrastructure.services import masterdata
from payments import sheets
from payments.admin_invoices import InvoiceAdmin, InvoiceSeriesAdmin
from payments.admin_worklist import PaymentIssueAdmin
from payments.choices import CaptureStatusCode
from payments.coverage_page import CoveragePage
from payments.models import FinancialAdviceConfirmation, Terminal
from payments.services import drift, peers, terminals

__all__ = ["InvoiceAdmin", "InvoiceSeriesAdmin", "PaymentIssueAdmin"]  # registered by their import

CAPTURE_COLOURS = {
    CaptureStatusCode.SUCCESS: "success",
    CaptureStatusCode.PARTIAL_SUCCESS: "warning",
    CaptureStatusCode.FAILED: "danger",
}


class EmptyFilter(admin.SimpleListFilter):
    """Rows with or without a value in one field."""

    field = ""
    choices_in_words: tuple[str, str] = ("", "")  # with, without

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(zip(("yes", "no"), self.choices_in_words, strict=True))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("yes", "no"):
            return queryset.filter(**{f"{self.field}__isnull": self.value() == "no"})
        return queryset


class AssignedFilter(EmptyFilter):
    title = "assignment"
    parameter_name = "assigned"
    field = "assigned_at"
    choices_in_words = ("Assigned by us", "Not yet assigned")


class MatchedFilter(EmptyFilter):
    title = "session"
    parameter_name = "matched"
    field = "session"
    choices_in_words = ("Matched", "No session with this reference")


class TerminalForm(ServiceForm):
    def _post_clean(self) -> None:
        super()._post_clean()
        if self.errors:
            return
        try:
            terminals.check_assignment(self.instance, self.cleaned_data["locations"], self.cleaned_data["evses"])
        except ValidationError as error:
            self.add_error(None, error)


@admin.register(Terminal)
class TerminalAdmin(CoveragePage, ServiceAdmin):
    """Terminals come from the PTP; staff say whose they are and what they serve."""

    form = TerminalForm
    goes_with_parent = True
    list_display = ["terminal_id", "platform", "owner", "serves", "there", "address", "city", "last_updated"]
    list_filter = [("platform", ScopedRelatedFilter), ("operator", ScopedRelatedFilter), AssignedFilter]
    list_select_related = ["platform", "operator"]
    list_prefetch_related = ["locations", "evses__charger"]
    search_fields = ["terminal_id", "customer_reference", "address", "city", "locations__name", "evses__evse_id"]
    autocomplete_fields = ["operator", "locations", "evses"]
    actions = ["send_again"]
    fieldsets: list[Any] = [
        (None, {"fields": ["platform", "terminal_id", "operator"]}),
        (
            "Serves",
            {
                "description": "The EVSEs of all areas and these EVSEs together. The partner is told at once.",
                "fields": ["locations", "evses", "assigned_at"],
            },
        ),
        (
            "As told by the partner",
            {
                "fields": [
                    "customer_reference",
                    "party_id",
                    "country_code",
                    "address",
                    "postal_code",
                    "city",
                    "state",
                    "country",
                    "coordinates",
                    "told_assignment",
                    "last_updated",
                ]
            },
        ),
        ("Invoices", {"fields": ["invoice_creator", "invoice_base_url", "our_invoice_base_url"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [name for name in flatten_fieldsets(self.fieldsets) if name not in self.autocomplete_fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        assert isinstance(obj, Terminal)
        if "operator" in form.changed_data:
            terminals.choose_operator(obj, obj.operator)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if {"locations", "evses"} & set(form.changed_data):
            with masterdata.one_change(request.user):
                terminals.assign_terminal(form.instance, form.cleaned_data["locations"], form.cleaned_data["evses"])

    @display(description="operator", label={"unassigned": "warning", "assigned": "info"}, ordering="operator__name")
    def owner(self, terminal: Terminal) -> tuple[str, str]:
        if terminal.operator is None:
            return "unassigned", "in the pool"
        return "assigned", terminal.operator.name

    @display(description="serves")
    def serves(self, terminal: Terminal) -> str:
        served = [str(area) for area in terminal.locations.all()] + [str(outlet) for outlet in terminal.evses.all()]
        more = f" and {len(served) - 3} more" if len(served) > 3 else ""
        return ", ".join(served[:3]) + more or "nothing yet"

    @display(
        description="at the partner",
        label={"same": "success", "other": "danger", "gone": "danger", "free": "default"},
    )
    def there(self, terminal: Terminal) -> tuple[str, str]:
        """Whether the partner holds what we decided."""
        if terminal.missing_since is not None:
            return "gone", "no longer listed"
        if terminal.assigned_at is None:
            return "free", "not decided"
        return ("other", "differs") if drift.drift_of(terminal) else ("same", "as here")

    @display(description="assignment there")
    def told_assignment(self, terminal: Terminal) -> str:
        told = [*terminal.reported.get("location_ids", []), *terminal.reported.get("evse_uids", [])]
        return ", ".join(told) or "none told"

    @display(description="our invoice base URL")
    def our_invoice_base_url(self, terminal: Terminal) -> str:
        return peers.invoice_base_url(terminal.platform)

    @action(description="Send assignment again", permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Terminal]) -> None:
        with transaction.atomic():
            for terminal in queryset:
                terminals.queue_assignment(terminal.pk)
        messages.success(request, "The partners will be told what these terminals serve.")


@admin.register(FinancialAdviceConfirmation)
class FinancialAdviceConfirmationAdmin(ReadOnlyAdmin):
    list_display = ["authorization_reference", "platform", "amount", "status", "match", "last_updated"]
    list_filter = [("platform", ScopedRelatedFilter), "capture_status_code", MatchedFilter]
    list_select_related = ["platform", "session"]
    search_fields = ["authorization_reference", "advice_id", "session__uid"]
    date_hierarchy = "last_updated"

    @display(description="captured", ordering="total_gross")
    def amount(self, advice: FinancialAdviceConfirmation) -> str:
        return sheets.amount(advice.total_gross, advice.currency)

    @display(description="status", label=CAPTURE_COLOURS, ordering="capture_status_code")
    def status(self, advice: FinancialAdviceConfirmation) -> tuple[str, str]:
        return advice.capture_status_code, advice.get_capture_status_code_display()

    @display(description="session", label={"matched": "success", "unmatched": "danger"})
    def match(self, advice: FinancialAdviceConfirmation) -> tuple[str, str]:
        if advice.session is None:
            return "unmatched", "no session"
        return "matched", "matched"
