from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.choices import SecurityProfile
from infrastructure.models import Charger

PROFILES = [
    (SecurityProfile.NONE.value, "0: no authentication"),
    (SecurityProfile.PASSWORD.value, "1: password"),
    (SecurityProfile.TLS_AND_PASSWORD.value, "2: TLS and password"),
    (SecurityProfile.TLS_AND_CERTIFICATE.value, "3: TLS and client certificate"),
]


class ChargerConnection(models.Model):
    """How a charger reaches us: its secret, what it said of itself, and the socket it holds now."""

    charger = models.OneToOneField(Charger, on_delete=models.CASCADE, related_name="connection")
    password_hash = models.CharField(max_length=64, blank=True, editable=False)
    next_password_hashes = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text=_("Of passwords that we sent to the charger, oldest first: the one that it shows takes its place."),
    )
    security_profile = models.PositiveSmallIntegerField(
        default=SecurityProfile.PASSWORD.value, choices=PROFILES, help_text=_("The least that the charger has to show.")
    )
    certificate_name = models.CharField(
        max_length=128, blank=True, help_text=_("Common name of its client certificate; empty: its identity.")
    )
    refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    refusal = models.CharField(max_length=200, blank=True, editable=False)
    channel_name = models.CharField(max_length=120, blank=True, editable=False)
    protocol = models.CharField(max_length=16, blank=True, editable=False)
    vendor = models.CharField(max_length=50, blank=True, editable=False)
    model = models.CharField(max_length=50, blank=True, editable=False)
    serial_number = models.CharField(max_length=50, blank=True, editable=False)
    firmware_version = models.CharField(max_length=50, blank=True, editable=False)
    connected_at = models.DateTimeField(null=True, blank=True, editable=False)
    disconnected_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    booted_at = models.DateTimeField(null=True, blank=True, editable=False)

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("connection")
        constraints = [
            models.UniqueConstraint(
                fields=["certificate_name"],
                condition=~models.Q(certificate_name=""),
                name="connection_certificate_name",
            )
        ]

    def __str__(self) -> str:
        state = gettext("online") if self.is_online else gettext("offline")
        return f"{self.charger.identity} {state}"

    @property
    def is_online(self) -> bool:
        return bool(self.channel_name)
