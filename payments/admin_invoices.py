"""Admin of invoices: what was billed, each state in which it was shown, and how to take it back."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from chargers.admin_actions import Pages
from chargers.admin_bills import CREDIT_EXPLANATION, CreditForm
from infrastructure import access
from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter
from infrastructure.admin_display import display, link, moment, table, zone_of
from infrastructure.admin_filters import TimeFilter
from infrastructure.exchange.admin import ExportAdmin
from payments import sheets
from payments.choices import InvoiceKind
from payments.models import Invoice, InvoicePdf, InvoiceRevision, InvoiceSeries
from payments.resources import InvoiceResource
from payments.services import invoices, revisions
from payments.texts import DEFAULT, LANGUAGES
from tariffs.pricing.rounding import money

TONES = {"good": "success", "warning": "warning", "bad": "danger", "pending": "info"}


class InvoiceActions(Pages):
    """Crediting, correcting, and another try for a PDF that could not be made."""

    actions_detail = ["credit", "correct", "render_again"]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        invoice = self.get_object(request, object_id)
        hidden = tuple(f"_{name}" for name in self.actions_detail if not _is_possible(name, invoice))
        return [one for one in actions if not hidden or not one.action_name.endswith(hidden)]

    def has_bill_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_cdr")

    @action(description=_("Credit"), url_path="credit", icon="undo", permissions=["bill"])
    def credit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice: Invoice = self._object(request, object_id)
        if invoice.is_credit_note:
            messages.info(request, _("A credit note cannot be credited."))
            return _to(invoice)
        form = CreditForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            note = invoices.credit_invoice(invoice, form.cleaned_data["reason"])
            messages.success(
                request,
                _("Credit note %(note)s is issued. Its credit CDR is on its way to the partner.")
                % {"note": note.number},
            )
            return _to(note)
        context = {"explanation": CREDIT_EXPLANATION, "is_danger": True, "form": form}
        return self._page(request, invoice, gettext("Credit"), "chargers/confirm.html", context)

    @action(
        description=_("Credit and correct"), url_path="correct", icon="published_with_changes", permissions=["bill"]
    )
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice: Invoice = self._object(request, object_id)
        return HttpResponseRedirect(reverse("admin:chargers_cdr_correct", args=[invoice.cdr_id]))

    @action(description=_("Make the PDF again"), url_path="render-again", icon="refresh", permissions=["view"])
    def render_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice: Invoice = self._object(request, object_id)
        if request.method == "POST":
            revisions.render_again(invoice)
            messages.success(request, _("It is tried again within a minute."))
            return _to(invoice)
        explanation = _("What could not be made is tried again. PDFs that exist stay as they are.")
        return self._page(
            request, invoice, gettext("Make the PDF again"), "chargers/confirm.html", {"explanation": explanation}
        )


def _is_possible(name: str, invoice: Invoice | None) -> bool:
    if invoice is None:
        return False
    if name == "render_again":
        return any(one.render_error for one in invoice.revisions.all())
    if name == "correct" and invoice.replacements.all():
        return False
    return not invoice.is_credit_note and (name == "correct" or invoice.credited_at is None)


def _language() -> str:
    """Of the reader, where invoices are written in it."""
    language = (get_language() or DEFAULT).partition("-")[0]
    return language if language in LANGUAGES else DEFAULT


def _labelled(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(gettext(name.replace("_", " ")), _in_words(value)) for name, value in values.items()]


def _in_words(value: Any) -> Any:
    return ", ".join(str(one) for one in value.values()) if isinstance(value, dict) else value


def _to(invoice: Invoice) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:payments_invoice_change", args=[invoice.pk]))


@admin.register(Invoice)
class InvoiceAdmin(InvoiceActions, ExportAdmin, ReadOnlyAdmin):
    export_resource = InvoiceResource
    list_display = [
        "number",
        "kind_label",
        "issued_at",
        "operator",
        "platform",
        "authorization_reference",
        "total",
        "capture",
    ]
    list_filter = [
        "kind",
        ("operator", ScopedRelatedFilter),
        ("platform", ScopedRelatedFilter),
        "capture_status_code",
        ("issued_at", TimeFilter),
    ]
    list_filter_submit = True
    list_select_related = ["operator", "platform", "advice", "credit_note", "credits", "replaces"]
    search_fields = ["number", "authorization_reference", "cdr__uid"]
    fieldsets = [
        (
            None,
            {"fields": ["public_page", "number", "kind_label", "issued_at", "session", "cdr", "platform", "operator"]},
        ),
        (_("Price"), {"fields": ["price_lines", "vat_lines", "total", "partner_owes", "blocked", "stop_reason"]}),
        (_("Card"), {"fields": ["capture", "advice", "enriched_at", "receipt"]}),
        (_("Corrections"), {"fields": ["credits", "credited_by", "replaces", "replaced_by"]}),
        (_("As it was shown"), {"fields": ["shown"]}),
        (_("Seller and place"), {"classes": ["collapse"], "fields": ["seller_lines", "place_lines"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With all that the page of one invoice shows of its session, its partner and its corrections."""
        rows = super().get_queryset(request)
        if request.resolver_match and "object_id" in request.resolver_match.kwargs:
            place = "cdr__session__connector__evse__charger__location__operator__site"
            # Files are read when somebody opens one.
            files = Prefetch("revisions__pdfs", InvoicePdf.objects.defer("content"))
            rows = rows.select_related(place, *self.list_select_related)
            return rows.prefetch_related("revisions", files, "replacements")
        return rows

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.pdf_view)
        urls: list[URLPattern] = super().get_urls()
        return [path("<path:object_id>/pdf/<int:pdf_id>/", view, name="payments_invoice_pdf"), *urls]

    def pdf_view(self, request: HttpRequest, object_id: str, pdf_id: int) -> HttpResponse:
        """A PDF exactly as the driver got it."""
        kept = (
            access.scope(InvoicePdf.objects.all(), request.user)
            .filter(pk=pdf_id, revision__invoice__pk=object_id)
            .first()
        )
        if kept is None or not self.has_view_permission(request):
            raise Http404
        name = f"{kept.revision.invoice.number}-{kept.revision.number}-{kept.language}.pdf"
        headers = {"Content-Disposition": f'inline; filename="{name}"'}
        return HttpResponse(bytes(kept.content), content_type="application/pdf", headers=headers)

    @display(
        description=_("kind"),
        label={"credited": "warning", InvoiceKind.CREDIT_NOTE: "warning", InvoiceKind.INVOICE: "default"},
        ordering="kind",
    )
    def kind_label(self, invoice: Invoice) -> tuple[str, str]:
        if invoice.credited_at:
            return "credited", gettext("Invoice, credited")
        return invoice.kind, invoice.get_kind_display()

    @display(description=_("session"))
    def session(self, invoice: Invoice) -> str:
        return link(invoice.cdr.session)

    @display(description=_("lines"))
    def price_lines(self, invoice: Invoice) -> str:
        rows = [(row.text, row.detail, row.vat, row.amount) for row in sheets.sheet_of(invoice, _language()).rows]
        head = [gettext("Item"), gettext("Quantity"), gettext("VAT"), invoice.currency]
        return table(head, rows) if rows else gettext("Free of charge")

    @display(description=_("VAT"))
    def vat_lines(self, invoice: Invoice) -> str:
        rows = [
            (row.rate, row.net, row.vat_amount, row.gross) for row in sheets.sheet_of(invoice, _language()).vat_rows
        ]
        head = [gettext("Rate"), gettext("Net"), gettext("VAT"), gettext("Gross")]
        return table(head, rows) if rows else "-"

    @display(description=_("card receipt"))
    def receipt(self, invoice: Invoice) -> str:
        lines = format_html_join(mark_safe("\n"), "{}", ((line,) for line in invoice.eft_data))
        return format_html('<pre class="desk-json">{}</pre>', lines) if lines else gettext("none yet")

    @display(description=_("seller"))
    def seller_lines(self, invoice: Invoice) -> str:
        return table(["", ""], _labelled(invoice.seller))

    @display(description=_("place"))
    def place_lines(self, invoice: Invoice) -> str:
        return table(["", ""], _labelled(invoice.place))

    @display(description=_("total"), ordering="total_gross")
    def total(self, invoice: Invoice) -> str:
        return sheets.amount(invoice.total_gross, invoice.currency)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Both amounts only where there are two."""
        fieldsets = super().get_fieldsets(request, obj)
        if isinstance(obj, Invoice) and obj.cdr.retail_total_incl_vat is not None:
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "partner_owes"]})
            for title, options in fieldsets
        ]

    @display(description=_("partner owes (CDR)"))
    def partner_owes(self, invoice: Invoice) -> str:
        return sheets.amount(invoice.cdr.total_cost_incl_vat, invoice.currency)

    @display(description=_("preauthorised"))
    def blocked(self, invoice: Invoice) -> str:
        return "-" if invoice.preauthorised is None else sheets.amount(invoice.preauthorised, invoice.currency)

    @display(description=_("captured"), label=TONES, ordering="captured_gross")
    def capture(self, invoice: Invoice) -> tuple[str, str]:
        """The driver's words, and by how much the capture differs from the total."""
        payment = sheets.payment_of(invoice, _language())
        advice = invoice.advice
        if advice is None or invoice.captured_gross is None:
            return payment.tone, payment.title
        if advice.currency != invoice.currency:
            return "bad", gettext("%(payment)s, in %(currency)s") % {
                "payment": payment.title,
                "currency": advice.currency,
            }
        difference = money(invoice.captured_gross - invoice.total_gross, invoice.currency)
        return payment.tone, f"{payment.title} ({difference:+})" if difference else payment.title

    @display(description=_("credited by"))
    def credited_by(self, invoice: Invoice) -> str:
        note = getattr(invoice, "credit_note", None)
        return link(note) if note else "-"

    @display(description=_("replaced by"))
    def replaced_by(self, invoice: Invoice) -> str:
        return format_html_join(", ", "{}", ((link(one),) for one in invoice.replacements.all())) or "-"

    @display(description=_("revisions"))
    def shown(self, invoice: Invoice) -> str:
        """Each with its files; a checksum tells whether a file that somebody holds is ours."""
        found = sorted(invoice.revisions.all(), key=lambda one: one.number)
        rows = [
            (one.number, one.get_reason_display(), moment(one.created_at, zone_of(invoice)), self._files(one))
            for one in found
        ]
        return (
            table([gettext("Revision"), gettext("Why"), gettext("Since"), gettext("PDF and SHA-256")], rows)
            if rows
            else "-"
        )

    def _files(self, revision: InvoiceRevision) -> str:
        if revision.render_error:
            return format_html("<b>{}</b>: {}", gettext("could not be made"), revision.render_error)
        name = "admin:payments_invoice_pdf"
        files = (
            (reverse(name, args=[revision.invoice_id, one.pk]), one.language, one.sha256) for one in revision.pdfs.all()
        )
        text = '<a class="underline" href="{}" target="_blank">{}</a> <code title="{}">{:.12}…</code>'
        listed = [(address, language, digest, digest) for address, language, digest in files]
        return format_html_join(mark_safe("<br>"), text, listed) or gettext("being made")

    @display(description=_("public page"))
    def public_page(self, invoice: Invoice) -> str:
        url = revisions.public_address(invoice)
        return format_html('<a href="{}" target="_blank" rel="noopener" class="underline">{}</a>', url, url)


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(ReadOnlyAdmin):
    """How far the numbers of each operator and year have come, and the proof that none is missing."""

    list_display = ["operator", "year", "kind", "last_number", "complete"]
    list_filter = [("operator", ScopedRelatedFilter), "kind", "year"]
    list_select_related = ["operator"]
    search_fields = ["operator__name", "year"]
    fields = ["operator", "year", "kind", "last_number", "complete"]

    @display(description=_("numbers"), label={"complete": "success", "missing": "danger"})
    def complete(self, series: InvoiceSeries) -> tuple[str, str]:
        missing = invoices.missing_numbers(series)
        if missing:
            return (
                "missing",
                gettext("%(missing)s of %(all)s missing: do not close the books, look for deleted rows")
                % {"missing": missing, "all": series.last_number},
            )
        told = (
            gettext("complete, 1 to %(last)s") % {"last": series.last_number}
            if series.last_number
            else gettext("none yet")
        )
        return "complete", told
