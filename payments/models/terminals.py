"""Payment terminals and what they serve."""

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from infrastructure.choices import as_choices
from infrastructure.models import EVSE, Location, Operator
from payments.choices import InvoiceCreator
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
    seen_at = models.DateTimeField(null=True, editable=False, help_text="When the PTP last told of it.")
    missing_since = models.DateTimeField(
        null=True, editable=False, help_text="Since when the PTP's complete list no longer holds it."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    operator_path = "operator"

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint("platform", Upper("terminal_id"), name="terminal_unique_per_platform")]

    def __str__(self) -> str:
        return self.terminal_id
