from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.choices import ChargerEventKind
from infrastructure.choices import as_choices
from infrastructure.models import Charger


class ChargerEvent(models.Model):
    """What a charger told of itself beside charging: faults, security events, and how far firmware and logs are."""

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="events", db_index=False)
    kind = models.CharField(max_length=11, choices=as_choices(ChargerEventKind))
    name = models.CharField(
        max_length=60, help_text=_("The charger's word: a status, an error code, a security event.")
    )
    info = models.TextField(blank=True)
    evse_number = models.PositiveIntegerField("EVSE number", null=True, help_text=_("Empty: the charger as a whole."))
    severity = models.PositiveSmallIntegerField(
        null=True, help_text=_("OCPP 2.0.1: 0 (danger) to 9 (debug), where the monitor behind it is known.")
    )
    request_id = models.BigIntegerField(null=True, help_text=_("Of the request that this is about."))
    at = models.DateTimeField(help_text=_("By the charger's clock, if it told."))
    received_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("charger event")
        ordering = ["-pk"]
        indexes = [
            models.Index("charger", "kind", "id", name="charger_event_newest"),
            models.Index("received_at", name="charger_event_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.name}"
