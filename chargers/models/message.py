from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chargers.choices import Direction, FrameKind
from infrastructure.choices import as_choices
from infrastructure.models import Charger


class ChargerMessage(models.Model):
    """One frame between a charger and us, masked and cut. Written by `services.messages` only, in batches."""

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="messages", db_index=False)
    at = models.DateTimeField()
    direction = models.CharField(max_length=3, choices=as_choices(Direction))
    kind = models.CharField(max_length=10, choices=as_choices(FrameKind))
    action = models.CharField(max_length=50, blank=True, help_text=_("Empty: unknown, as of an answer to nothing."))
    unique_id = models.CharField("message id", max_length=64, blank=True)
    correlation_id = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("Of the partner's request that led to it: joins it to the OCPI messages."),
    )
    frame = models.TextField(help_text=_("Secrets are taken out, of id tags the last four characters are kept."))
    size = models.PositiveIntegerField("size (characters)")

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("charger message")
        ordering = ["-pk"]
        # Few: each is paid for with every frame.
        indexes = [
            models.Index("at", name="charger_message_time"),
            models.Index("charger", "id", name="charger_message_charger"),
            # Only what partners asked for has one.
            models.Index("correlation_id", condition=~Q(correlation_id=""), name="charger_message_correlation"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.action}".strip()
