from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.models import ChargingSession, OutgoingCall
from infrastructure.choices import as_choices
from roaming.choices import CommandResponseType, CommandResultType, CommandType
from roaming.models.platform import RoamingPlatform


def new_uid() -> str:
    return str(uuid4())


class Command(models.Model):
    """A command received from a partner, our answer, and the call to the charger that it became."""

    uid = models.CharField(max_length=36, unique=True, default=new_uid, editable=False)
    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="commands")
    type = models.CharField(max_length=18, choices=as_choices(CommandType))
    request = models.JSONField()
    response_url = models.CharField(max_length=255)
    authorization_reference = models.CharField(max_length=36, blank=True)
    response = models.CharField(max_length=15, choices=as_choices(CommandResponseType))
    session = models.ForeignKey(ChargingSession, null=True, on_delete=models.SET_NULL, related_name="commands")
    call = models.OneToOneField(OutgoingCall, null=True, on_delete=models.SET_NULL, related_name="command")
    result = models.CharField(
        max_length=20,
        choices=as_choices(CommandResultType),
        blank=True,
        help_text=_("CommandResultType sent to the partner."),
    )
    from_country_code = models.CharField(max_length=2, blank=True, help_text=_("Who sent it, as its headers say."))
    from_party_id = models.CharField(max_length=3, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True, help_text=_("Its result carries the same."))
    received_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(help_text=_("End of the timeout that we told the partner."))

    operator_path = "session__connector__evse__charger__location__operator"
    owned_through = "platform"

    class Meta:
        ordering = ["-received_at"]
        indexes = [models.Index("received_at", name="command_received")]
        constraints = [
            models.UniqueConstraint(
                "platform",
                Upper("authorization_reference"),
                condition=Q(type="START_SESSION") & ~Q(authorization_reference=""),
                name="start_reference_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.authorization_reference or self.uid}"
