"""Admin of the money side: terminals and what they serve, card captures, invoices."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold.decorators import action

from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter, ServiceAdmin
from infrastructure.admin_display import display, link, table
from infrastructure.admin_forms import ServiceForm
from infrastructure.services import masterdata
from payments import sheets
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Invoice, Terminal
from payments.services import peers, terminals
from tariffs.pricing.rounding import money

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
class TerminalAdmin(ServiceAdmin):
    """Terminals come from the PTP; staff say whose they are and what they serve."""

    form = TerminalForm
    goes_with_parent = True
    list_display = ["terminal_id", "platform", "owner", "serves", "address", "city", "last_updated"]
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


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["number", "issued_at", "operator", "platform", "authorization_reference", "total", "capture"]
    list_filter = [
        ("operator", ScopedRelatedFilter),
        ("platform", ScopedRelatedFilter),
        "capture_status_code",
    ]
    list_select_related = ["operator", "platform", "advice"]
    search_fields = ["number", "authorization_reference", "cdr__uid"]
    date_hierarchy = "issued_at"
    fieldsets = [
        (None, {"fields": ["public_page", "number", "issued_at", "session", "cdr", "platform", "operator"]}),
        ("Price", {"fields": ["price_lines", "vat_lines", "total", "preauthorised", "stop_reason"]}),
        ("Card", {"fields": ["capture", "advice", "enriched_at", "receipt"]}),
        ("Seller and place", {"classes": ["collapse"], "fields": ["seller_lines", "place_lines"]}),
    ]

    @display(description="session")
    def session(self, invoice: Invoice) -> str:
        return link(invoice.cdr.session)

    @display(description="lines")
    def price_lines(self, invoice: Invoice) -> str:
        rows = [(row.text, row.detail, row.vat, row.amount) for row in sheets.sheet_of(invoice).rows]
        return table(["Item", "Quantity", "VAT", invoice.currency], rows) if rows else "Free of charge"

    @display(description="VAT")
    def vat_lines(self, invoice: Invoice) -> str:
        rows = [(row.rate, row.net, row.vat_amount, row.gross) for row in sheets.sheet_of(invoice).vat_rows]
        return table(["Rate", "Net", "VAT", "Gross"], rows) if rows else "-"

    @display(description="card receipt")
    def receipt(self, invoice: Invoice) -> str:
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in invoice.eft_data)) or "none yet"

    @display(description="seller")
    def seller_lines(self, invoice: Invoice) -> str:
        return table(["", ""], invoice.seller.items())

    @display(description="place")
    def place_lines(self, invoice: Invoice) -> str:
        return table(["", ""], ((name.replace("_", " "), value) for name, value in invoice.place.items()))

    @display(description="total", ordering="total_gross")
    def total(self, invoice: Invoice) -> str:
        return sheets.amount(invoice.total_gross, invoice.currency)

    @display(
        description="captured",
        label={"good": "success", "warning": "warning", "bad": "danger", "pending": "info"},
        ordering="captured_gross",
    )
    def capture(self, invoice: Invoice) -> tuple[str, str]:
        """The driver's words, and by how much the capture differs from the total."""
        payment = sheets.payment_of(invoice)
        advice = invoice.advice
        if advice is None or invoice.captured_gross is None:
            return payment.tone, payment.title
        if advice.currency != invoice.currency:
            return "bad", f"{payment.title}, in {advice.currency}"
        difference = money(invoice.captured_gross - invoice.total_gross, invoice.currency)
        return payment.tone, f"{payment.title} ({difference:+})" if difference else payment.title

    @display(description="public page")
    def public_page(self, invoice: Invoice) -> str:
        url = f"{peers.invoice_base_url(invoice.platform)}{invoice.authorization_reference}"
        return format_html('<a href="{}" target="_blank" rel="noopener" class="underline">{}</a>', url, url)
