"""What was captured from cards."""

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.models import ChargingSession
from infrastructure.choices import as_choices
from payments.choices import CaptureStatusCode
from roaming.models import RoamingPlatform


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
        db_index=False,  # that of the newest begins with it
        help_text=_("Empty: parked until its session is known."),
    )
    assigned_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("When a person chose the session, whatever the reference says."),
    )
    total_gross = models.DecimalField(max_digits=12, decimal_places=4, help_text=_("Captured amount, including VAT."))
    currency = models.CharField(max_length=3)
    eft_data = models.JSONField(default=list, help_text=_("Lines for the invoice, verbatim."))
    capture_status_code = models.CharField(max_length=15, choices=as_choices(CaptureStatusCode))
    capture_status_message = models.CharField(max_length=255, blank=True)
    raw = models.JSONField()
    last_updated = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        verbose_name = _("financial advice confirmation")
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint("platform", Upper("advice_id"), name="advice_unique_per_platform")]
        indexes = [
            models.Index("platform", Upper("authorization_reference"), name="advice_reference"),
            models.Index("created_at", "id", name="advice_created"),
            models.Index("session", "last_updated", "id", name="advice_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.authorization_reference} {self.get_capture_status_code_display()}"
