"""The money side: payment terminals, what was captured from cards, and the invoices."""

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from chargers.models import CDR, ChargingSession
from infrastructure.choices import as_choices
from infrastructure.models import EVSE, Location, Operator
from payments.choices import CaptureStatusCode, InvoiceCreator
from roaming.models import RoamingPlatform


class Terminal(models.Model):
    """A payment terminal (DirectPayment v1.9, 5.1.2). The PTP owns the object, we own the assignment."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="terminals")
    terminal_id = models.CharField(max_length=36)
    operator = models.ForeignKey(
        Operator,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="terminals",
        help_text="Empty: nobody's yet, in the unassigned pool.",
    )
    customer_reference = models.CharField(max_length=36, blank=True)
    party_id = models.CharField(max_length=3, blank=True)
    country_code = models.CharField(max_length=2, blank=True)
    address = models.CharField(max_length=45, blank=True)
    city = models.CharField(max_length=45, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=3, blank=True)
    coordinates = models.JSONField(null=True, blank=True)
    invoice_base_url = models.CharField(max_length=255, blank=True)
    invoice_creator = models.CharField(
        max_length=3, blank=True, choices=as_choices(InvoiceCreator), help_text="Empty: CPO."
    )
    locations = models.ManyToManyField(
        Location,
        related_name="terminals",
        blank=True,
        verbose_name="areas",
        help_text="Serves all their EVSEs.",
    )
    evses = models.ManyToManyField(
        EVSE,
        related_name="terminals",
        blank=True,
        verbose_name="EVSEs",
        help_text="Serves these in addition.",
    )
    assigned_at = models.DateTimeField(null=True, editable=False, help_text="When we last decided what it serves.")
    reported = models.JSONField(
        default=dict, editable=False, help_text="What the PTP last told: assignment, invoice address, time."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    operator_path = "operator"

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint("platform", Upper("terminal_id"), name="terminal_unique_per_platform")]

    def __str__(self) -> str:
        return self.terminal_id


class FinancialAdviceConfirmation(models.Model):
    """What the PTP captured from the card (DirectPayment v1.9, 5.2.2); `raw` is the object as received."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.PROTECT, related_name="advices")
    advice_id = models.CharField("id", max_length=36)
    authorization_reference = models.CharField(max_length=36)
    session = models.ForeignKey(
        ChargingSession,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="advices",
        help_text="Empty: parked until its session is known.",
    )
    total_gross = models.DecimalField(max_digits=12, decimal_places=4, help_text="Captured amount, including VAT.")
    currency = models.CharField(max_length=3)
    eft_data = models.JSONField(default=list, help_text="Lines for the invoice, verbatim.")
    capture_status_code = models.CharField(max_length=15, choices=as_choices(CaptureStatusCode))
    capture_status_message = models.CharField(max_length=255, blank=True)
    raw = models.JSONField()
    last_updated = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        verbose_name = "financial advice confirmation"
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint("platform", Upper("advice_id"), name="advice_unique_per_platform")]
        indexes = [models.Index("platform", Upper("authorization_reference"), name="advice_reference")]

    def __str__(self) -> str:
        return f"{self.authorization_reference} {self.capture_status_code}"


class InvoiceSeries(models.Model):
    """The counter of one operator's invoices in one year; locked while a number is taken, so none is missing."""

    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="invoice_series")
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)

    operator_path = "operator"

    class Meta:
        constraints = [models.UniqueConstraint("operator", "year", name="one_invoice_series_per_year")]

    def __str__(self) -> str:
        return f"{self.operator} {self.year}"


class Invoice(models.Model):
    """A driver's invoice. Number, date, seller, lines and totals never change; the card data is an addendum."""

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
                "platform", Upper("authorization_reference"), name="invoice_reference_unique_per_platform"
            )
        ]

    def __str__(self) -> str:
        return self.number
