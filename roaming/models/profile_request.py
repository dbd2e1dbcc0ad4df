from uuid import uuid4

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.models import ChargingSession, OutgoingCall
from infrastructure.choices import as_choices
from roaming.choices import ChargingProfileResultType, ProfileRequestType
from roaming.models.platform import RoamingPlatform


def new_uid() -> str:
    return str(uuid4())


class ProfileRequest(models.Model):
    """What a partner asked about the charging profile of its session, once we accepted it, and how it ended."""

    uid = models.CharField(max_length=36, unique=True, default=new_uid, editable=False)
    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="profile_requests")
    session = models.ForeignKey(ChargingSession, on_delete=models.CASCADE, related_name="profile_requests")
    type = models.CharField(max_length=5, choices=as_choices(ProfileRequestType))
    response_url = models.CharField(max_length=255, blank=True)
    call = models.OneToOneField(OutgoingCall, null=True, on_delete=models.SET_NULL, related_name="profile_request")
    result = models.CharField(max_length=8, blank=True, choices=as_choices(ChargingProfileResultType))
    received_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(help_text=_("End of the timeout that we told the partner."))

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        verbose_name = _("charging profile request")
        ordering = ["-received_at"]
        indexes = [models.Index("session", "received_at", name="profile_request_recent")]

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.session}"
