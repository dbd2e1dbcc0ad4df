from uuid import uuid4

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from infrastructure import ids
from infrastructure.choices import as_choices
from roaming.choices import Initiation, InterfaceRole, PlatformState, PlatformType
from roaming.models.profile import RoamingProfile, country_code_validator, party_id_validator
from tariffs.models import RoamingTariff

token_prefix_validator = RegexValidator(
    r"^[A-Za-z0-9]{3}[^A-Za-z0-9\s]$", "Use three letters or digits and a separator, for example NAY-."
)


def new_peer_id() -> str:
    return uuid4().hex


class RoamingPlatform(models.Model):
    """A partner's back office: PTP, eMSP or hub. Holds the connection's tokens, roles and endpoints.

    `client_token` (we send it) is encrypted at rest; `server_token` (the peer sends it) and the registration
    token we hand out are kept as keyed hashes. A registration token given to us is encrypted, as we must send it.
    """

    name = models.CharField(max_length=100)
    code = models.SlugField(
        max_length=40,
        unique=True,
        help_text="Short name in addresses, for example nayax. Part of the invoice address: do not change it later.",
    )
    type = models.CharField(max_length=4, choices=as_choices(PlatformType), default=PlatformType.PTP)
    country = models.CharField(
        max_length=3,
        blank=True,
        validators=[ids.country_validator],
        help_text="Country of origin, for example NLD.",
    )
    url = models.URLField(
        "versions URL",
        max_length=255,
        blank=True,
        help_text="The partner's OCPI versions address, for example https://partner.example/ocpi/versions.",
    )
    initiation = models.CharField(
        "connection initiation",
        max_length=7,
        choices=as_choices(Initiation),
        default=Initiation.PARTNER,
        help_text="CPO: we register with the partner's token. Partner: it registers with the token that we generate.",
    )
    profiles = models.ManyToManyField(RoamingProfile, related_name="platforms", blank=True)
    tariffs = models.ManyToManyField(
        RoamingTariff,
        related_name="platforms",
        blank=True,
        help_text="Which of them applies where is said by the session settings of site, operator and charger.",
    )
    expected_country_code = models.CharField(
        max_length=2,
        blank=True,
        validators=[country_code_validator],
        help_text="Checked at registration, for example NL.",
    )
    expected_party_id = models.CharField(
        max_length=3, blank=True, validators=[party_id_validator], help_text="Checked at registration, for example PTP."
    )
    token_prefix = models.CharField(
        max_length=4,
        blank=True,
        validators=[token_prefix_validator],
        help_text="Start of this partner's id tags: three characters and a separator, for example NAY-.",
    )
    state = models.CharField(
        max_length=11, choices=as_choices(PlatformState), default=PlatformState.NEW, editable=False
    )
    peer_id = models.CharField(max_length=36, unique=True, default=new_peer_id, editable=False)
    ocpi_version = models.CharField(max_length=5, blank=True, editable=False)
    encode_token = models.BooleanField(default=True, help_text="Send the token Base64 encoded, as OCPI 2.2.1 asks.")
    client_token_encrypted = models.TextField(blank=True, editable=False)
    registration_token_encrypted = models.TextField(blank=True, editable=False)
    registration_token_hash = models.CharField(max_length=64, blank=True, editable=False)
    server_token_hash = models.CharField(max_length=64, blank=True, editable=False)
    next_server_token_hash = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Already accepted while we wait for the peer's answer to our credentials.",
    )
    next_server_token_until = models.DateTimeField(null=True, blank=True, editable=False)
    previous_server_token_hash = models.CharField(max_length=64, blank=True, editable=False)
    previous_server_token_until = models.DateTimeField(null=True, blank=True, editable=False)
    registered_at = models.DateTimeField(null=True, blank=True, editable=False)
    party_warning = models.CharField(max_length=255, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    operator_path = "profiles__operators"

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                "server_token_hash", condition=~Q(server_token_hash=""), name="server_token_unique"
            ),
            models.UniqueConstraint(
                "registration_token_hash",
                condition=~Q(registration_token_hash=""),
                name="registration_token_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_registered(self) -> bool:
        return self.state == PlatformState.REGISTERED


class PlatformRole(models.Model):
    """A party behind a platform (OCPI CredentialsRole); client-owned URLs of each are accepted."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=10)
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    business_name = models.CharField(max_length=100, blank=True)

    operator_path = "platform__profiles__operators"

    class Meta:
        constraints = [
            models.UniqueConstraint("platform", "role", "country_code", "party_id", name="platform_role_unique")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.country_code}-{self.party_id}"


class PlatformEndpoint(models.Model):
    """An address of the peer for one module and interface role (OCPI Endpoint)."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="endpoints")
    identifier = models.CharField(max_length=40)
    role = models.CharField(max_length=8, choices=as_choices(InterfaceRole))
    url = models.URLField(max_length=255)

    operator_path = "platform__profiles__operators"

    class Meta:
        constraints = [
            models.UniqueConstraint("platform", "identifier", "role", "url", name="platform_endpoint_unique")
        ]

    def __str__(self) -> str:
        return f"{self.identifier} {self.role}"
