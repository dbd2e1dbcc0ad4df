from decimal import Decimal
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure import ids
from infrastructure.choices import as_choices
from infrastructure.history import History
from roaming.choices import Initiation, InterfaceRole, PlatformState, PlatformType
from roaming.models.profile import RoamingProfile, country_code_validator, party_id_validator
from tariffs.models import RoamingTariff

FACTOR_TOO_LARGE = _("A factor of more than 10 is not meant: enter 1.15 for 15 %% more.")
token_prefix_validator = RegexValidator(
    r"^[A-Za-z0-9]{3}[^A-Za-z0-9\s]$", _("Use three letters or digits and a separator, for example NAY-.")
)


def new_peer_id() -> str:
    return uuid4().hex


class RoamingPlatform(models.Model):
    """A partner's back office: PTP, eMSP or hub. Holds the connection's tokens, roles and endpoints.

    `client_token` (we send it) is encrypted at rest; `server_token` (the peer sends it) and the registration
    token we hand out are kept as keyed hashes. A registration token given to us is encrypted, as we must send it.
    """

    name = models.CharField(max_length=100, help_text=_("Of the partner, for example Terminals BV."))
    code = models.SlugField(
        max_length=40,
        unique=True,
        help_text=_("Short name in addresses, for example nayax. Part of the invoice address: do not change it later."),
    )
    type = models.CharField(
        max_length=4,
        choices=as_choices(PlatformType),
        default=PlatformType.PTP,
        help_text=_("PTP: payment terminals. eMSP: drivers with cards and apps. Hub: passes on for others."),
    )
    country = models.CharField(
        max_length=3,
        blank=True,
        validators=[ids.country_validator],
        help_text=_("Country of origin, for example NLD."),
    )
    url = models.URLField(
        "versions URL",
        max_length=255,
        blank=True,
        help_text=_("The partner's OCPI versions address, for example https://partner.example/ocpi/versions."),
    )
    initiation = models.CharField(
        "connection initiation",
        max_length=7,
        choices=as_choices(Initiation),
        default=Initiation.PARTNER,
        help_text=_(
            "CPO: we register with the partner's token. Partner: it registers with the token that we generate."
        ),
    )
    profiles = models.ManyToManyField(
        RoamingProfile,
        related_name="platforms",
        blank=True,
        help_text=_("Who we are for this partner: it sees their operators."),
    )
    tariffs = models.ManyToManyField(
        RoamingTariff,
        related_name="platforms",
        blank=True,
        help_text=_("Which of them applies where is said by the session settings of site, operator and charger."),
    )
    expected_country_code = models.CharField(
        max_length=2,
        blank=True,
        validators=[country_code_validator],
        help_text=_("Checked at registration, for example NL."),
    )
    expected_party_id = models.CharField(
        max_length=3,
        blank=True,
        validators=[party_id_validator],
        help_text=_("Checked at registration, for example PTP."),
    )
    retail_factor = models.DecimalField(
        max_digits=8,
        decimal_places=4,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(10), FACTOR_TOO_LARGE)],
        help_text=_(
            "What the driver pays for each unit of the tariff, for example 1.15 for 15 % more. The tariff itself stays "
            "what the partner owes us. 1: the driver pays the tariff."
        ),
    )
    retail_surcharge = models.DecimalField(
        _("fixed surcharge"),
        max_digits=8,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text=_("Added once to each session that costs something, including VAT, for example 0.35."),
    )
    retail_surcharge_vat = models.DecimalField(
        _("VAT in the surcharge"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
        help_text=_("Percent, for example 21. Empty: no VAT applies."),
    )
    token_prefix = models.CharField(
        max_length=4,
        blank=True,
        validators=[token_prefix_validator],
        help_text=_(
            "Start of this partner's id tags: three characters and a separator, for example NAY-. A start at the "
            "charger with such a tag is this partner's. It is asked first if it authorises tokens; if it does not, "
            "the start is accepted in its name."
        ),
    )
    state = models.CharField(
        max_length=11, choices=as_choices(PlatformState), default=PlatformState.NEW, editable=False
    )
    peer_id = models.CharField(max_length=36, unique=True, default=new_peer_id, editable=False)
    ocpi_version = models.CharField(max_length=5, blank=True, editable=False)
    encode_token = models.BooleanField(default=True, help_text=_("Send the token Base64 encoded, as OCPI 2.2.1 asks."))
    client_token_encrypted = models.TextField(blank=True, editable=False)
    registration_token_encrypted = models.TextField(blank=True, editable=False)
    registration_token_hash = models.CharField(max_length=64, blank=True, editable=False)
    server_token_hash = models.CharField(max_length=64, blank=True, editable=False)
    next_server_token_hash = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("Already accepted while we wait for the peer's answer to our credentials."),
    )
    next_server_token_until = models.DateTimeField(null=True, blank=True, editable=False)
    previous_server_token_hash = models.CharField(max_length=64, blank=True, editable=False)
    previous_server_token_until = models.DateTimeField(null=True, blank=True, editable=False)
    registered_at = models.DateTimeField(null=True, blank=True, editable=False)
    party_warning = models.CharField(max_length=255, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = History(m2m_fields=["profiles", "tariffs"])
    operator_path = "profiles__operators"

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                Upper("token_prefix"),
                condition=~Q(token_prefix=""),
                name="token_prefix_unique",
                violation_error_message=_("Another platform has this token prefix: choose another one."),
            ),
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
    role = models.CharField(max_length=10, help_text=_("As the partner told, for example PTP."))
    country_code = models.CharField(max_length=2, help_text=_("For example NL."))
    party_id = models.CharField(max_length=3, help_text=_("For example PTP."))
    business_name = models.CharField(max_length=100, blank=True, help_text=_("For example Terminals BV."))

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
    identifier = models.CharField(max_length=40, help_text=_("OCPI module, for example locations."))
    role = models.CharField(
        max_length=8, choices=as_choices(InterfaceRole), help_text=_("Sender: we pull there. Receiver: we push there.")
    )
    url = models.URLField(max_length=255, help_text=_("For example https://partner.example/ocpi/2.2.1/locations."))

    operator_path = "platform__profiles__operators"

    class Meta:
        constraints = [
            models.UniqueConstraint("platform", "identifier", "role", "url", name="platform_endpoint_unique")
        ]

    def __str__(self) -> str:
        return f"{self.identifier} {self.get_role_display()}"
