"""Invoices and credit notes, their counters, and each state in which one was shown."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.choices import StopReason
from chargers.models import CDR
from infrastructure.choices import as_choices
from infrastructure.models import Operator
from payments.choices import CaptureStatusCode, InvoiceKind, RevisionReason
from payments.models.advices import FinancialAdviceConfirmation
from roaming.models import RoamingPlatform


class InvoiceSeries(models.Model):
    """The counter of one operator's invoices, or credit notes, in one year; locked while a number is taken, so
    none is missing."""

    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="invoice_series")
    year = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=11, choices=as_choices(InvoiceKind), default=InvoiceKind.INVOICE)
    last_number = models.PositiveIntegerField(default=0)

    operator_path = "operator"

    class Meta:
        verbose_name = _("invoice series")
        verbose_name_plural = _("invoice series")
        ordering = ["-year", "operator", "kind"]
        constraints = [models.UniqueConstraint("operator", "year", "kind", name="one_invoice_series_per_year_and_kind")]

    def __str__(self) -> str:
        return f"{self.operator} {self.year}"


class Invoice(models.Model):
    """A driver's invoice or a credit note to one. Number, date, seller, lines and totals never change; card data
    and a later credit are an addendum, and each state of it is an `InvoiceRevision`."""

    kind = models.CharField(max_length=11, choices=as_choices(InvoiceKind), default=InvoiceKind.INVOICE)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="invoices")
    platform = models.ForeignKey(RoamingPlatform, on_delete=models.PROTECT, related_name="invoices")
    cdr = models.OneToOneField(CDR, on_delete=models.PROTECT, related_name="invoice")
    number = models.CharField(max_length=39, unique=True)
    authorization_reference = models.CharField(max_length=36)
    issued_at = models.DateTimeField()
    seller = models.JSONField()
    place = models.JSONField()
    lines = models.JSONField()
    vat_totals = models.JSONField()
    currency = models.CharField(max_length=3)
    total_net = models.DecimalField(max_digits=12, decimal_places=4)
    total_gross = models.DecimalField(max_digits=12, decimal_places=4)
    preauthorised = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    stop_reason = models.CharField(max_length=255, blank=True)
    stopped_by = models.CharField(max_length=8, blank=True, choices=as_choices(StopReason))
    replaces = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="replacements",
        help_text=_("The credited invoice in whose place this one stands."),
    )
    credits = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="credit_note",
        help_text=_("Of a credit note: the invoice that it takes back."),
    )
    credited_at = models.DateTimeField(null=True, blank=True)
    advice = models.ForeignKey(
        FinancialAdviceConfirmation, null=True, blank=True, on_delete=models.PROTECT, related_name="invoices"
    )
    eft_data = models.JSONField(default=list)
    capture_status_code = models.CharField(max_length=15, blank=True, choices=as_choices(CaptureStatusCode))
    captured_gross = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    enriched_at = models.DateTimeField(null=True, blank=True)

    operator_path = "operator"

    class Meta:
        ordering = ["-issued_at"]
        constraints = [
            models.UniqueConstraint(
                "platform",
                Upper("authorization_reference"),
                condition=Q(kind=InvoiceKind.INVOICE, credited_at=None),
                name="one_uncredited_invoice_per_reference",
            ),
            models.CheckConstraint(
                condition=Q(kind=InvoiceKind.CREDIT_NOTE, credits__isnull=False)
                | Q(kind=InvoiceKind.INVOICE, credits=None),
                name="a_credit_note_names_its_invoice",
            ),
        ]
        indexes = [
            models.Index("platform", Upper("authorization_reference"), name="invoice_reference"),
            models.Index("issued_at", name="invoice_issued"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_credit_note(self) -> bool:
        return self.kind == InvoiceKind.CREDIT_NOTE


class InvoiceRevision(models.Model):
    """What an invoice said beside its fixed content from `created_at` on; `facts` is that addendum. Never changed,
    except for the outcome of making its PDF."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=9, choices=as_choices(RevisionReason))
    facts = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    is_rendered = models.BooleanField(default=False, help_text=_("Its PDF is kept."))
    render_error = models.CharField(max_length=255, blank=True)

    operator_path = "invoice__operator"

    class Meta:
        ordering = ["invoice", "number"]
        constraints = [models.UniqueConstraint("invoice", "number", name="revision_number_unique_per_invoice")]
        indexes = [models.Index("id", condition=Q(is_rendered=False), name="revision_without_pdf")]

    def __str__(self) -> str:
        return f"{self.invoice} / {self.number}"


class InvoicePdf(models.Model):
    """A revision as a file in one language, as it was handed out: never made anew."""

    revision = models.ForeignKey(InvoiceRevision, on_delete=models.PROTECT, related_name="pdfs")
    language = models.CharField(max_length=2)
    content = models.BinaryField()
    sha256 = models.CharField("SHA-256", max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    operator_path = "revision__invoice__operator"

    class Meta:
        verbose_name = _("invoice PDF")
        ordering = ["revision", "language"]
        constraints = [models.UniqueConstraint("revision", "language", name="one_pdf_per_revision_and_language")]

    def __str__(self) -> str:
        return f"{self.revision} {self.language}"
