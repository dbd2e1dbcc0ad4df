"""Master data: one Site, its Operators, and their Locations, Chargers, EVSEs and Connectors.

Currency, time zone, country, languages and contact fall back Location -> Operator -> Site.
`operator_path` on a model is the lookup that leads from it to its Operator (see `infrastructure.access`).
"""

from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history import register

from infrastructure import ids
from infrastructure.choices import (
    ConnectorFormat,
    ConnectorStandard,
    EVSEStatus,
    ParkingType,
    PowerType,
    as_choices,
)
from infrastructure.history import LONGEST, History, actor_name


def validate_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(_("Use an IANA time zone name, for example Europe/Vienna."))


class Site(models.Model):
    """The installation: the environment of one tenant. There is exactly one."""

    name = models.CharField(
        max_length=100, help_text=_("Name of this Plugtill installation, for example Acme Charging.")
    )
    currency = models.CharField(
        max_length=3,
        default="EUR",
        validators=[ids.currency_validator],
        help_text=_("ISO 4217, for example EUR."),
    )
    time_zone = models.CharField(
        max_length=64,
        default="Europe/Vienna",
        validators=[validate_time_zone],
        help_text=_("For example Europe/Vienna."),
    )
    country = models.CharField(
        max_length=3,
        default="AUT",
        validators=[ids.country_validator],
        help_text=_("ISO 3166-1 alpha-3, for example AUT."),
    )
    languages = models.CharField(
        max_length=50,
        default="en,de",
        help_text=_("Languages of driver texts, ISO 639-1, separated by commas; the first is the default."),
    )
    phone = models.CharField(
        max_length=25, blank=True, help_text=_("Help line shown to drivers, for example +43 1 234567.")
    )
    email = models.EmailField(blank=True, help_text=_("Help for drivers by mail, for example help@example.com."))

    history = History()
    operator_path = None

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="only_one_site")]

    def __str__(self) -> str:
        return self.name


class Operator(models.Model):
    """A charge point operator of the site; OCPI BusinessDetails, and the seller on its invoices."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, default=1, related_name="operators")
    name = models.CharField(max_length=100, unique=True, help_text=_("As drivers know it, for example Acme Charging."))
    website = models.URLField(blank=True, help_text=_("For example https://acme.example; partners show it."))
    phone = models.CharField(
        max_length=25,
        blank=True,
        help_text=_("Help line for drivers, for example +43 1 234567; used by areas without one of their own."),
    )
    email = models.EmailField(blank=True, help_text=_("For example service@acme.example."))
    currency = models.CharField(
        max_length=3, blank=True, validators=[ids.currency_validator], help_text=_("Empty: the site's.")
    )
    time_zone = models.CharField(
        max_length=64, blank=True, validators=[validate_time_zone], help_text=_("Empty: the site's.")
    )
    country = models.CharField(
        max_length=3, blank=True, validators=[ids.country_validator], help_text=_("Empty: the site's.")
    )
    languages = models.CharField(max_length=50, blank=True, help_text=_("Empty: the site's."))
    legal_name = models.CharField(
        "seller name", max_length=120, blank=True, help_text=_("As it must stand on invoices; empty: the name.")
    )
    legal_address = models.CharField(
        "seller address",
        max_length=255,
        blank=True,
        help_text=_("Street, postal code, city, for example Ring 1, 1010 Wien."),
    )
    vat_number = models.CharField("VAT number", max_length=20, blank=True, help_text=_("For example ATU12345678."))

    history = History()
    operator_path = "pk"

    def __str__(self) -> str:
        return self.name


class OperatorMembership(models.Model):
    """Lets a member of staff see and edit one operator's data. Superusers see all operators."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="operator_memberships",
        help_text=_("A member of staff; superusers see every operator anyway."),
    )
    operator = models.ForeignKey(
        Operator,
        on_delete=models.CASCADE,
        related_name="memberships",
        help_text=_("Whose areas, chargers, sessions and invoices they see."),
    )

    history = History()
    operator_path = "operator"

    class Meta:
        constraints = [models.UniqueConstraint("user", "operator", name="one_membership_per_operator")]

    def __str__(self) -> str:
        return gettext("%(user)s at %(operator)s") % {"user": self.user, "operator": self.operator}


class Location(models.Model):
    """An area with chargers: the OCPI Location (2.2.1 mod_locations, 8.3.1)."""

    operator = models.ForeignKey(
        Operator,
        on_delete=models.PROTECT,
        related_name="locations",
        help_text=_("Who runs it and stands on its invoices."),
    )
    name = models.CharField(max_length=255, help_text=_("What drivers read, for example City garage."))
    roaming_id = models.CharField(
        "roaming id",
        max_length=36,
        blank=True,
        validators=[ids.roaming_id_validator],
        help_text=_("Location.id at partners, for example VIE-HQ. Never changes once exposed. Empty: not exposed."),
    )
    address = models.CharField(max_length=255, help_text=_("Street and number, for example Ringstrasse 1."))
    city = models.CharField(max_length=45, help_text=_("For example Vienna."))
    postal_code = models.CharField(max_length=10, blank=True, help_text=_("For example 1010."))
    state = models.CharField(
        max_length=45, blank=True, help_text=_("State or province, for example Lower Austria; may be empty.")
    )
    country = models.CharField(
        max_length=3, blank=True, validators=[ids.country_validator], help_text=_("Empty: the operator's.")
    )
    latitude = models.DecimalField(
        max_digits=8, decimal_places=6, help_text=_("WGS 84 degrees, for example 48.208490.")
    )
    longitude = models.DecimalField(
        max_digits=9, decimal_places=6, help_text=_("WGS 84 degrees, for example 16.372080.")
    )
    phone = models.CharField(
        "phone number",
        max_length=25,
        blank=True,
        help_text=_("Help line at this area; empty: the operator's. Needed for roaming."),
    )
    time_zone = models.CharField(
        max_length=64, blank=True, validators=[validate_time_zone], help_text=_("Empty: the operator's.")
    )
    currency = models.CharField(
        max_length=3, blank=True, validators=[ids.currency_validator], help_text=_("Empty: the operator's.")
    )
    publish = models.BooleanField(default=True, help_text=_("Partners may show the area on maps."))
    publish_allowed_to = models.JSONField(
        default=list, blank=True, help_text=_("OCPI PublishTokenType, for areas that are not published; may be empty.")
    )
    parking_type = models.CharField(
        max_length=20,
        blank=True,
        choices=as_choices(ParkingType),
        help_text=_("Where cars stand, for example Parking garage; may be empty."),
    )
    facilities = models.JSONField(
        default=list, blank=True, help_text=_("What is around, for example Restaurant and Wi-Fi.")
    )
    directions = models.JSONField(
        default=list,
        blank=True,
        help_text=_('Texts per language: [{"language": "en", "text": "Behind the hotel"}].'),
    )
    opening_times = models.JSONField(
        null=True, blank=True, help_text=_('OCPI Hours; empty: always open ({"twentyfourseven": true}).')
    )
    charging_when_closed = models.BooleanField(
        default=True, help_text=_("Cars may go on charging outside the opening times.")
    )
    images = models.JSONField(
        default=list,
        blank=True,
        help_text=_('OCPI Image: [{"url": "https://acme.example/1.jpg", "category": "LOCATION", "type": "jpeg"}].'),
    )
    related_locations = models.JSONField(
        default=list,
        blank=True,
        help_text=_('OCPI AdditionalGeoLocation: [{"latitude": "48.2084", "longitude": "16.3721"}].'),
    )
    energy_mix = models.JSONField(
        null=True, blank=True, help_text=_('OCPI EnergyMix: {"is_green_energy": true}; may be empty.')
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    first_exposed_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = History()
    operator_path = "operator"

    class Meta:
        verbose_name = _("area")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(Upper("roaming_id"), condition=~Q(roaming_id=""), name="location_roaming_id_unique")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def effective_time_zone(self) -> str:
        return self.time_zone or self.operator.time_zone or self.operator.site.time_zone

    @property
    def effective_country(self) -> str:
        return self.country or self.operator.country or self.operator.site.country

    @property
    def effective_currency(self) -> str:
        return self.currency or self.operator.currency or self.operator.site.currency

    @property
    def effective_phone(self) -> str:
        return self.phone or self.operator.phone

    @property
    def effective_languages(self) -> list[str]:
        languages = self.operator.languages or self.operator.site.languages
        return [language.strip() for language in languages.split(",") if language.strip()]

    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.effective_time_zone)


class Charger(models.Model):
    """A charging station; it speaks OCPP under its identity. Its EVSEs are what partners see."""

    location = models.ForeignKey(
        Location,
        on_delete=models.PROTECT,
        related_name="chargers",
        verbose_name=_("area"),
        help_text=_("Where it stands."),
    )
    identity = models.CharField(
        max_length=48,
        unique=True,
        validators=[ids.identity_validator],
        help_text=_("The last part of the charger's OCPP address, for example CP-0001."),
    )
    name = models.CharField(
        max_length=100, blank=True, help_text=_("For staff, for example Garage left; may be empty.")
    )
    roaming_id = models.CharField(
        "roaming id",
        max_length=30,
        blank=True,
        validators=[ids.roaming_id_validator],
        help_text=_("Start of its EVSEs' uids, for example VIE-HQ-01. Empty: not exposed."),
    )
    roaming = models.BooleanField(
        "roaming enabled", default=False, help_text=_("Partners may see and start this charger.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    first_exposed_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = History()
    operator_path = "location__operator"

    class Meta:
        ordering = ["identity"]
        constraints = [
            models.UniqueConstraint(Upper("roaming_id"), condition=~Q(roaming_id=""), name="charger_roaming_id_unique")
        ]

    def __str__(self) -> str:
        return self.identity


class EVSE(models.Model):
    """The part of a charger that serves one car at a time (OCPI EVSE; OCPP 1.6 connectorId, 2.0.1 evse.id)."""

    charger = models.ForeignKey(
        Charger, on_delete=models.CASCADE, related_name="evses", help_text=_("The station that it is part of.")
    )
    number = models.PositiveSmallIntegerField(default=1, help_text=_("1.6 connectorId, 2.0.1 evse.id: 1, 2, ..."))
    uid = models.CharField(
        max_length=36,
        blank=True,
        validators=[ids.roaming_id_validator],
        help_text=_("EVSE.uid at partners; empty: charger's roaming id and the number. Never changes once exposed."),
    )
    evse_id = models.CharField(
        "EVSE id",
        max_length=48,
        blank=True,
        validators=[ids.evse_id_validator],
        help_text=_("eMI3, for example AT*PLG*E0001*1. Needed for roaming."),
    )
    status = models.CharField(max_length=12, default=EVSEStatus.UNKNOWN, choices=as_choices(EVSEStatus), editable=False)
    physical_reference = models.CharField(
        max_length=16,
        blank=True,
        help_text=_("What is written on the outlet, for example 1A; empty: from the EVSE id."),
    )
    floor_level = models.CharField(max_length=4, blank=True, help_text=_("For example -1; may be empty."))
    latitude = models.DecimalField(
        max_digits=8,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("WGS 84 degrees, for example 48.208490; empty: as the area."),
    )
    longitude = models.DecimalField(
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("WGS 84 degrees, for example 16.372080; empty: as the area."),
    )
    capabilities = models.JSONField(
        default=list,
        blank=True,
        help_text=_("OCPI capabilities beyond REMOTE_START_STOP_CAPABLE, for example RFID reader."),
    )
    parking_restrictions = models.JSONField(
        default=list, blank=True, help_text=_("Who may park there, for example EV only.")
    )
    directions = models.JSONField(
        default=list, blank=True, help_text=_('Texts per language: [{"language": "en", "text": "Second row"}].')
    )
    images = models.JSONField(
        default=list,
        blank=True,
        help_text=_('OCPI Image: [{"url": "https://acme.example/1.jpg", "category": "CHARGER", "type": "jpeg"}].'),
    )
    last_updated = models.DateTimeField(default=timezone.now, editable=False)
    first_exposed_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = History()
    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("EVSE")
        ordering = ["charger", "number"]
        constraints = [
            models.UniqueConstraint("charger", "number", name="evse_number_unique_in_charger"),
            models.UniqueConstraint(Upper("uid"), condition=~Q(uid=""), name="evse_uid_unique"),
        ]

    def __str__(self) -> str:
        return self.evse_id or f"{self.charger.identity} / {self.number}"

    @property
    def effective_uid(self) -> str:
        """`EVSE.uid`, or "" while the charger has no roaming id."""
        if self.uid or not self.charger.roaming_id:
            return self.uid
        return ids.default_evse_uid(self.charger.roaming_id, self.number)

    @property
    def effective_physical_reference(self) -> str:
        return self.physical_reference or ids.default_physical_reference(self.evse_id, self.number)


class Connector(models.Model):
    """A plug or socket; the connectors of one EVSE exclude each other (OCPI Connector; 2.0.1 connectorId)."""

    evse = models.ForeignKey(
        EVSE,
        on_delete=models.CASCADE,
        related_name="connectors",
        verbose_name=_("EVSE"),
        help_text=_("The outlet that it belongs to."),
    )
    number = models.PositiveSmallIntegerField(default=1, help_text=_("2.0.1 connectorId within the EVSE."))
    roaming_id = models.CharField(
        "roaming id",
        max_length=36,
        blank=True,
        validators=[ids.roaming_id_validator],
        help_text=_("Connector.id at partners, unique within its EVSE, for example 1. Empty: not exposed."),
    )
    standard = models.CharField(
        max_length=30,
        default=ConnectorStandard.IEC_62196_T2,
        choices=as_choices(ConnectorStandard),
        help_text=_("The plug, for example IEC 62196 T2, or T2 combo for CCS."),
    )
    format = models.CharField(
        max_length=6,
        default=ConnectorFormat.SOCKET,
        choices=as_choices(ConnectorFormat),
        help_text=_("Socket: drivers bring their cable. Cable: one is attached."),
    )
    power_type = models.CharField(
        max_length=16,
        default=PowerType.AC_3_PHASE,
        choices=as_choices(PowerType),
        help_text=_("AC with its phases, or DC."),
    )
    max_voltage = models.PositiveIntegerField(default=230, help_text=_("V, line to neutral for AC 3 phase."))
    max_amperage = models.PositiveIntegerField(default=32, help_text=_("A, for example 32."))
    max_electric_power = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("W, for example 11000, when lower than voltage times current.")
    )
    terms_and_conditions = models.URLField(
        max_length=255, blank=True, help_text=_("For example https://acme.example/terms; may be empty.")
    )
    last_updated = models.DateTimeField(default=timezone.now, editable=False)
    first_exposed_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = History()
    operator_path = "evse__charger__location__operator"

    class Meta:
        ordering = ["evse", "number"]
        constraints = [
            models.UniqueConstraint("evse", "number", name="connector_number_unique_in_evse"),
            models.UniqueConstraint(
                "evse",
                Upper("roaming_id"),
                condition=~Q(roaming_id=""),
                name="connector_roaming_id_unique_in_evse",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.evse} / {self.number}"


class SavedFilter(models.Model):
    """A member of staff's own filter of a list in admin: `query` follows the `?` of the list's address."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    page = models.CharField(max_length=100)  # the label of the list's model
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint("user", "page", "name", name="one_filter_per_name")]

    def __str__(self) -> str:
        return self.name


class OutboxEvent(models.Model):
    """Says that something changed; written in the transaction of the change, consumed by `outbox.drain`."""

    topic = models.CharField(max_length=40)
    object_id = models.BigIntegerField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Who made the change; nobody: a program, a partner or the clock."),
    )
    created_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True)

    operator_path = None

    class Meta:
        ordering = ["pk"]
        indexes = [
            # In the order in which they are worked through: with any other, PostgreSQL walks along the primary key,
            # past everything that was ever handled.
            models.Index("id", condition=Q(processed_at=None), name="outbox_waiting"),
            models.Index("processed_at", name="outbox_processed"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.object_id}"


class Act(models.Model):
    """What a member of staff did by a button: a stop, a handshake with a partner, a new password. Written before the
    deed, so that one which ended the process is on record, too."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=LONGEST, default=actor_name, help_text=_("Stays when the user is gone."))
    model = models.CharField(max_length=80, help_text=_("For example roaming.roamingplatform."))
    object_id = models.CharField(max_length=40, blank=True)
    object_text = models.CharField(max_length=LONGEST, blank=True)
    what = models.CharField(max_length=LONGEST)
    outcome = models.TextField(blank=True)

    operator_path = None

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index("model", "object_id", name="act_object")]

    def __str__(self) -> str:
        # Kept in English, like what the audit trail shows.
        return f"{gettext(self.what) if self.what else ''}: {self.object_text}"


# Who may sign in, and who may do what. Never their passwords, nor when they last came.
register(
    User,
    app="infrastructure",
    records_class=History,
    excluded_fields=["password", "last_login"],
    m2m_fields=["groups", "user_permissions"],
)
register(Group, app="infrastructure", records_class=History, m2m_fields=["permissions"])

# At the end: its rows belong to operators.
from infrastructure.alerts.models import Alert as Alert  # noqa: E402
from infrastructure.alerts.models import AlertDigest as AlertDigest  # noqa: E402
