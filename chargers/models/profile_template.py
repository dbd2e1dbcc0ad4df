from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.choices import OcppVersion
from infrastructure.history import History
from infrastructure.models import Operator

# Sessions' own profiles have their session's id (`chargers.services.profiles`): at a charger, one id is one profile.
FIRST_WIRE_ID = 1_000_000_000


class ChargingProfileTemplate(models.Model):
    """A charging profile that staff set at chargers, shaped as in `ocpp_version` but for its id, which is ours."""

    operator = models.ForeignKey(
        Operator,
        on_delete=models.CASCADE,
        related_name="charging_profiles",
        help_text=_("At whose chargers it can be used."),
    )
    description = models.CharField(max_length=200, blank=True, help_text=_("For staff, for example 11 kW at night."))
    ocpp_version = models.CharField(
        "OCPP version",
        max_length=9,
        choices=[(member.value, member.value) for member in OcppVersion],
        default=OcppVersion.V16,
        help_text=_("Whose spelling the profile has."),
    )
    profile = models.JSONField(
        help_text=_("csChargingProfiles of OCPP 1.6 or chargingProfile of OCPP 2.0.1, without its id.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    history = History()
    operator_path = "operator"

    class Meta:
        verbose_name = _("charging profile")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.description or gettext("charging profile %(number)d") % {"number": self.wire_id}

    @property
    def wire_id(self) -> int:
        """chargingProfileId (1.6) or id (2.0.1) at the charger, and the id in our API."""
        return FIRST_WIRE_ID + self.pk
