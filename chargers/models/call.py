from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.choices import CallAction, CallResult, CallState
from chargers.models.session import ChargingSession
from infrastructure.choices import as_choices
from infrastructure.models import Charger


class OutgoingCall(models.Model):
    """A request to a charger. The row is the message; the channel layer only wakes the socket's process up."""

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="calls")
    session = models.ForeignKey(ChargingSession, null=True, blank=True, on_delete=models.CASCADE, related_name="calls")
    action = models.CharField(max_length=24, choices=as_choices(CallAction))
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=7, choices=as_choices(CallState), default=CallState.PENDING)
    result = models.CharField(max_length=20, blank=True, choices=as_choices(CallResult))
    answer = models.JSONField(null=True, blank=True, help_text=_("What the charger answered, or the error in words."))
    correlation_id = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("Of the partner's request that led to it: joins it to the OCPI messages."),
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("call to a charger")
        verbose_name_plural = _("calls to chargers")
        ordering = ["-pk"]
        indexes = [
            models.Index("charger", "expires_at", condition=~Q(state="DONE"), name="call_open"),
            models.Index("correlation_id", condition=~Q(correlation_id=""), name="call_correlation"),
            models.Index("created_at", name="call_created"),
        ]

    def __str__(self) -> str:
        return gettext("%(request)s to %(charger)s") % {"request": self.label, "charger": self.charger.identity}

    @property
    def name(self) -> str:
        """The OCPP action where the call has one of its own, else our word for it."""
        return self.payload["action"] if self.action == CallAction.OCPP else self.action

    @property
    def label(self) -> str:
        """The same in the language of the reader."""
        return self.name if self.action == CallAction.OCPP else str(self.get_action_display())
