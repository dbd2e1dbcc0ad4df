"""What chargers of OCPP 2.0.1 watch by themselves and show on their displays, as they told it last."""

from django.db import models
from django.utils import timezone

from infrastructure.models import Charger


class ChargerMonitor(models.Model):
    """A value that a charger watches (part N); `name` is that of the variable as in `ChargerVariable`.

    `severity` is 0 (danger) to 9 (debug), `value` the threshold, the change, or the seconds between two values.
    """

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="monitors")
    monitor_id = models.BigIntegerField()
    name = models.CharField(max_length=220)
    type = models.CharField(max_length=20, help_text="MonitorEnumType")
    value = models.FloatField(null=True, blank=True)
    severity = models.PositiveSmallIntegerField()
    told_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        ordering = ["charger", "severity", "monitor_id"]
        constraints = [models.UniqueConstraint("charger", "monitor_id", name="charger_monitor_unique")]

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


class DisplayMessage(models.Model):
    """A text that a charger shows, or will show (part O)."""

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="display_messages")
    message_id = models.BigIntegerField()
    text = models.CharField(max_length=512)
    priority = models.CharField(max_length=11, help_text="MessagePriorityEnumType")
    state = models.CharField(max_length=11, blank=True, help_text="MessageStateEnumType")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        ordering = ["charger", "message_id"]
        constraints = [models.UniqueConstraint("charger", "message_id", name="display_message_unique")]

    def __str__(self) -> str:
        return self.text
