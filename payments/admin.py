"""Admin of the money side: terminals and what they serve, card captures, invoices."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter, ServiceAdmin
from infrastructure.admin_display import display
from infrastructure.admin_filters import TimeFilter
from infrastructure.admin_forms import ServiceForm
from infrastructure.bulk_actions import bulk_action
from infrastructure.exchange.admin import ImportExportAdmin
from infrastructure.services import masterdata
from payments import sheets
from payments.admin_invoices import InvoiceAdmin, InvoiceSeriesAdmin
from payments.admin_prices import PriceEvidenceAdmin
from payments.admin_worklist import PaymentIssueAdmin
from payments.choices import CaptureStatusCode
from payments.coverage_page import CoveragePage
from payments.models import FinancialAdviceConfirmation, Terminal
from payments.resources import TerminalResource
from payments.services import drift, peers, terminals

__all__ = [
    "InvoiceAdmin",
    "InvoiceSeriesAdmin",
    "PaymentIssueAdmin",
    "PriceEvidenceAdmin",
]  # registered by their import

CAPTURE_COLOURS = {
    CaptureStatusCode.SUCCESS: "success",
    CaptureStatusCode.PARTIAL_SUCCESS: "warning",
    CaptureStatusCode.FAILED: "danger",
}


class EmptyFilter(admin.SimpleListFilter):
    """Rows with or without a value in one field."""

    field = ""
    choices_in_words: tuple[Any, Any] = ("", "")  # with, without

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(zip(("yes", "no"), self.choices_in_words, strict=True))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("yes", "no"):
            return queryset.filter(**{f"{self.field}__isnull": self.value() == "no"})
        return queryset


class AssignedFilter(EmptyFilter):
    title = _("assignment")
    parameter_name = "assigned"
    field = "assigned_at"
    choices_in_words = (_("Assigned by us"), _("Not yet assigned"))


class MatchedFilter(EmptyFilter):
    title = _("session")
    parameter_name = "matched"
    field = "session"
    choices_in_words = (_("Matched"), _("No session with this reference"))


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
class TerminalAdmin(CoveragePage, ImportExportAdmin, ServiceAdmin):
    """Terminals come from the PTP; staff say whose they are and what they serve."""

    import_resource = export_resource = TerminalResource

    form = TerminalForm
    goes_with_parent = True
    list_display = ["terminal_id", "platform", "owner", "serves", "there", "address", "city", "last_updated"]
    list_filter = [("platform", ScopedRelatedFilter), ("operator", ScopedRelatedFilter), AssignedFilter]
    list_select_related = ["platform", "operator"]
    list_prefetch_related = ["locations", "evses__charger"]
    search_fields = [
        "terminal_id",
        "customer_reference",
        "our_reference",
        "address",
        "city",
        "locations__name",
        "evses__evse_id",
    ]
    autocomplete_fields = ["operator", "locations", "evses"]
    actions = ["send_again"]
    fieldsets: list[Any] = [
        (None, {"fields": ["platform", "terminal_id", "operator", "our_reference"]}),
        (
            _("Serves"),
            {
                "description": _("The EVSEs of all areas and these EVSEs together. The partner is told at once."),
                "fields": ["locations", "evses", "assigned_at"],
            },
        ),
        (
            _("As told by the partner"),
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
                    "told_coordinates",
                    "told_assignment",
                    "last_updated",
                ]
            },
        ),
        (_("Invoices"), {"fields": ["invoice_creator", "invoice_base_url", "our_invoice_base_url"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        editable = [*self.autocomplete_fields, "our_reference"]
        columns = self._columns()
        return [columns.get(name, name) for name in flatten_fieldsets(self.fieldsets) if name not in editable]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_import_permission(self, request: HttpRequest) -> bool:
        """A file changes terminals, it never adds one."""
        return self.has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        assert isinstance(obj, Terminal)
        if "operator" in form.changed_data:
            terminals.choose_operator(obj, obj.operator)
        if "our_reference" in form.changed_data:
            terminals.set_reference(obj, obj.our_reference)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if {"locations", "evses"} & set(form.changed_data):
            with masterdata.one_change(request.user):
                terminals.assign_terminal(form.instance, form.cleaned_data["locations"], form.cleaned_data["evses"])

    @display(description=_("operator"), label={"unassigned": "warning", "assigned": "info"}, ordering="operator__name")
    def owner(self, terminal: Terminal) -> tuple[str, str]:
        if terminal.operator is None:
            return "unassigned", gettext("in the pool")
        return "assigned", terminal.operator.name

    @display(description=_("serves"))
    def serves(self, terminal: Terminal) -> str:
        served = [str(area) for area in terminal.locations.all()] + [str(outlet) for outlet in terminal.evses.all()]
        first = ", ".join(served[:3])
        if len(served) > 3:
            return gettext("%(first)s and %(n)s more") % {"first": first, "n": len(served) - 3}
        return first or gettext("nothing yet")

    @display(
        description=_("at the partner"),
        label={"same": "success", "other": "danger", "gone": "danger", "free": "default"},
    )
    def there(self, terminal: Terminal) -> tuple[str, str]:
        """Whether the partner holds what we decided."""
        if terminal.missing_since is not None:
            return "gone", gettext("no longer listed")
        if drift.drift_of(terminal):
            return "other", gettext("differs")
        return ("free", gettext("not decided")) if terminal.assigned_at is None else ("same", gettext("as here"))

    @display(description=_("assignment there"))
    def told_assignment(self, terminal: Terminal) -> str:
        told = [*terminal.reported.get("location_ids", []), *terminal.reported.get("evse_uids", [])]
        return ", ".join(told) or gettext("none told")

    @display(description=_("coordinates"))
    def told_coordinates(self, terminal: Terminal) -> str:
        told = terminal.coordinates or {}
        return ", ".join(str(told[name]) for name in ("latitude", "longitude") if name in told)

    @display(description=_("our invoice base URL"))
    def our_invoice_base_url(self, terminal: Terminal) -> str:
        return peers.invoice_base_url(terminal.platform)

    @bulk_action(
        description=_("Send assignment again"),
        permission="change",
        explanation=_("The partners are told again what these terminals serve, as decided here."),
    )
    def send_again(self, request: HttpRequest, terminal: Terminal) -> None:
        drift.repair(terminal)


@admin.register(FinancialAdviceConfirmation)
class FinancialAdviceConfirmationAdmin(ReadOnlyAdmin):
    list_display = ["authorization_reference", "platform", "amount", "status", "match", "last_updated"]
    list_filter = [
        ("platform", ScopedRelatedFilter),
        "capture_status_code",
        MatchedFilter,
        ("last_updated", TimeFilter),
    ]
    list_filter_submit = True
    list_select_related = ["platform", "session"]
    search_fields = ["authorization_reference", "advice_id", "session__uid"]

    @display(description=_("captured"), ordering="total_gross")
    def amount(self, advice: FinancialAdviceConfirmation) -> str:
        return sheets.amount(advice.total_gross, advice.currency)

    @display(description=_("status"), label=CAPTURE_COLOURS, ordering="capture_status_code")
    def status(self, advice: FinancialAdviceConfirmation) -> tuple[str, str]:
        return advice.capture_status_code, advice.get_capture_status_code_display()

    @display(description=_("session"), label={"matched": "success", "unmatched": "danger"})
    def match(self, advice: FinancialAdviceConfirmation) -> tuple[str, str]:
        if advice.session is None:
            return "unmatched", gettext("no session")
        return "matched", gettext("matched")
