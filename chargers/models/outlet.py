from django.db import models
from django.utils import timezone
from django.utils.translation import gettext

from infrastructure.models import EVSE, Charger


class ConnectorStatus(models.Model):
    """What a charger that speaks of connectors (OCPP 2.0.1, 1.3 ConnectorStatusEnumType) last said of one of them."""

    evse = models.ForeignKey(EVSE, on_delete=models.CASCADE, related_name="connector_statuses")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12)

    operator_path = "evse__charger__location__operator"

    class Meta:
        ordering = ["evse", "number"]
        constraints = [models.UniqueConstraint("evse", "number", name="one_status_per_connector")]

    def __str__(self) -> str:
        return gettext("connector %(number)s: %(status)s") % {"number": self.number, "status": self.status}


class HeldEvent(models.Model):
    """What a charger told of a transaction whose session has not begun: no token yet, no cable, or a late beginning.

    `body` is a `TransactionReported` as JSON.
    """

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="held_events")
    transaction_id = models.CharField(max_length=36)
    seq_no = models.PositiveBigIntegerField()
    body = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        ordering = ["charger", "transaction_id", "seq_no"]
        constraints = [
            models.UniqueConstraint("charger", "transaction_id", "seq_no", name="one_held_event_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} #{self.seq_no}"
