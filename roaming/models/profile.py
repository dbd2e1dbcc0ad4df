from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from infrastructure.history import History
from infrastructure.models import Operator
from roaming.choices import Protocol

country_code_validator = RegexValidator(
    r"^[A-Z]{2}$", _("Use the two-letter ISO 3166-1 code in capitals, for example AT.")
)
party_id_validator = RegexValidator(r"^[A-Z0-9]{3}$", _("Use three capital letters or digits, for example PLG."))


class RoamingProfile(models.Model):
    """How some of our operators appear in roaming: one of our CredentialsRoles (role CPO)."""

    name = models.CharField(max_length=100, help_text=_("For staff, for example Acme Austria."))
    code = models.SlugField(max_length=40, unique=True, help_text=_("Short name in addresses, for example acme-at."))
    protocol = models.CharField(
        max_length=4, choices=as_choices(Protocol), default=Protocol.OCPI, help_text=_("What its partners speak.")
    )
    country_code = models.CharField(max_length=2, validators=[country_code_validator], help_text=_("For example AT."))
    party_id = models.CharField(
        "roaming id",
        max_length=3,
        validators=[party_id_validator],
        help_text=_("Our three-letter party id, for example PLG."),
    )
    operators = models.ManyToManyField(
        Operator,
        related_name="roaming_profiles",
        blank=True,
        help_text=_("Who appears to partners under this profile."),
    )

    history = History(m2m_fields=["operators"])
    operator_path = "operators"

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("country_code", "party_id", name="profile_party_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.country_code}-{self.party_id})"
