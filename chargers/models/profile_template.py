from django.db import models
from django.utils import timezone

from chargers.choices import OcppVersion
from infrastructure.models import Operator

# Sessions' own profiles have their session's id (`chargers.services.profiles`): at a charger, one id is one profile.
FIRST_WIRE_ID = 1_000_000_000


class ChargingProfileTemplate(models.Model):
    """A charging profile that staff set at chargers, shaped as in `ocpp_version` but for its id, which is ours."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="charging_profiles")
    description = models.CharField(max_length=200, blank=True)
    ocpp_version = models.CharField(
        "OCPP version",
        max_length=9,
        choices=[(member.value, member.value) for member in OcppVersion],
        default=OcppVersion.V16,
        help_text="Whose spelling the profile has.",
    )
    profile = models.JSONField(
        help_text="csChargingProfiles of OCPP 1.6 or chargingProfile of OCPP 2.0.1, without its id."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    operator_path = "operator"

    class Meta:
        verbose_name = "charging profile"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.description or f"charging profile {self.wire_id}"

    @property
    def wire_id(self) -> int:
        """chargingProfileId (1.6) or id (2.0.1) at the charger, and the id in our API."""
        return FIRST_WIRE_ID + self.pk
