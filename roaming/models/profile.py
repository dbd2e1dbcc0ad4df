from django.core.validators import RegexValidator
from django.db import models

from infrastructure.choices import as_choices
from infrastructure.models import Operator
from roaming.choices import Protocol

country_code_validator = RegexValidator(
    r"^[A-Z]{2}$", "Use the two-letter ISO 3166-1 code in capitals, for example AT."
)
party_id_validator = RegexValidator(r"^[A-Z0-9]{3}$", "Use three capital letters or digits, for example PLG.")


class RoamingProfile(models.Model):
    """How some of our operators appear in roaming: one of our CredentialsRoles (role CPO)."""

    name = models.CharField(max_length=100)
    code = models.SlugField(max_length=40, unique=True)
    protocol = models.CharField(max_length=4, choices=as_choices(Protocol), default=Protocol.OCPI)
    country_code = models.CharField(max_length=2, validators=[country_code_validator], help_text="For example AT.")
    party_id = models.CharField(
        "roaming id",
        max_length=3,
        validators=[party_id_validator],
        help_text="Our three-letter party id, for example PLG.",
    )
    operators = models.ManyToManyField(Operator, related_name="roaming_profiles", blank=True)

    operator_path = "operators"

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("country_code", "party_id", name="profile_party_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.country_code}-{self.party_id})"
