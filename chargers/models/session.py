from decimal import Decimal
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone

from chargers.choices import AuthMethod, Network, SessionStatus, Settlement, StopReason
from infrastructure.choices import as_choices
from infrastructure.models import Connector
from tariffs.models import TariffVersion


def new_uid() -> str:
    return str(uuid4())


class ChargingSession(models.Model):
    """One charging session: OCPI Session, OCPP transaction.

    `peer_id`, `country_code` and `party_id` are opaque here: roaming wrote them at start and interprets them.
    `place` freezes location, EVSE and connector as at session start (OCPI CdrLocation, and the EVSE's time zone).
    Amounts are unrounded running totals; energy is kWh, registers are Wh.
    """

    uid = models.CharField("session id", max_length=36, unique=True, default=new_uid, editable=False)
    connector = models.ForeignKey(Connector, null=True, on_delete=models.SET_NULL, related_name="sessions")
    status = models.CharField(max_length=11, choices=as_choices(SessionStatus), default=SessionStatus.PENDING)
    network = models.CharField(max_length=4, choices=as_choices(Network), default=Network.HOME)
    peer_id = models.CharField(max_length=36, blank=True, db_index=True)
    country_code = models.CharField(max_length=2, blank=True)
    party_id = models.CharField(max_length=3, blank=True)
    authorization_reference = models.CharField(max_length=36, blank=True, db_index=True)
    cdr_token = models.JSONField(null=True, blank=True)
    auth_method = models.CharField(max_length=12, choices=as_choices(AuthMethod), default=AuthMethod.COMMAND)
    id_tag = models.CharField(max_length=36, db_index=True)
    parent_id_tag = models.CharField(
        max_length=20, blank=True, help_text="Other tags with the same parent may stop the session (OCPP 1.6)."
    )
    transaction_id = models.CharField(max_length=36, blank=True, help_text="The OCPP transaction id.")
    last_seq_no = models.PositiveBigIntegerField(
        null=True, editable=False, help_text="Of the charger's numbered events, the newest that told a charging state."
    )
    charging_state = models.CharField(
        max_length=13, blank=True, editable=False, help_text="As the charger told it last (OCPP 2.0.1 chargingState)."
    )
    is_meter_start_known = models.BooleanField(
        default=True, editable=False, help_text="False until a charger that began without a register tells one."
    )
    place = models.JSONField(default=dict)
    currency = models.CharField(max_length=3)
    time_zone = models.CharField(max_length=64)
    tariff_version = models.ForeignKey(
        TariffVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="sessions"
    )
    limit = models.DecimalField(
        "pre-authorised",
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Gross; charging stops before the cost exceeds it.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(
        null=True, blank=True, help_text="When the charger accepted the remote start or the reservation."
    )
    reserved_at = models.DateTimeField("reserved from", null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    told_started_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The start by the charger's clock, right or wrong."
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    meter_start = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    meter_stop = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    kwh = models.DecimalField(max_digits=12, decimal_places=4, default=Decimal(0))
    total_cost_excl_vat = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    total_cost_incl_vat = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    charging_periods = models.JSONField(
        default=list, help_text="OCPI ChargingPeriods, complete once the session has ended."
    )
    charging_preferences = models.JSONField(
        null=True, blank=True, help_text="What the driver wishes for (OCPI ChargingPreferences)."
    )
    over_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when the charger reports the outlet free though it never told the end of this session.",
    )
    settlement = models.CharField(
        max_length=8,
        blank=True,
        choices=as_choices(Settlement),
        help_text="Why it was ended with its last reading, without a word of its charger. Empty: the charger told.",
    )
    overlong_at = models.DateTimeField(
        null=True, blank=True, help_text="When we asked for its stop because it was longer than sessions may be."
    )
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_requested_by = models.CharField(max_length=8, blank=True, choices=as_choices(StopReason))
    stop_reason = models.CharField(max_length=8, blank=True, choices=as_choices(StopReason))
    last_updated = models.DateTimeField(default=timezone.now, db_index=True)

    operator_path = "connector__evse__charger__location__operator"

    class Meta:
        verbose_name = "charging session"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                "peer_id",
                Upper("authorization_reference"),
                # Commands only: a partner may answer several real-time authorisations with one reference.
                condition=~Q(authorization_reference="") & ~Q(peer_id="") & Q(auth_method="COMMAND"),
                name="reference_unique_per_peer",
            ),
            models.UniqueConstraint(
                "connector",
                "transaction_id",
                condition=~Q(transaction_id=""),
                name="transaction_unique_on_connector",
            ),
        ]
        indexes = [models.Index("status", condition=Q(status__in=["PENDING", "ACTIVE"]), name="session_running")]

    def __str__(self) -> str:
        return self.authorization_reference or self.uid


class MeterSample(models.Model):
    """The energy register of a session at one instant (Wh), and the power then (W)."""

    session = models.ForeignKey(ChargingSession, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    register_wh = models.DecimalField(max_digits=14, decimal_places=3)
    power_w = models.DecimalField(max_digits=12, decimal_places=3, null=True, blank=True)

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        ordering = ["session", "at"]
        constraints = [models.UniqueConstraint("session", "at", name="one_sample_per_instant")]

    def __str__(self) -> str:
        return f"{self.register_wh} Wh at {self.at:%H:%M:%S}"


class ParkingSpan(models.Model):
    """Time in which the car was connected and asked for no power: priced as PARKING_TIME."""

    session = models.ForeignKey(ChargingSession, on_delete=models.CASCADE, related_name="parking_spans")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        ordering = ["session", "started_at"]
        constraints = [
            models.UniqueConstraint("session", condition=Q(ended_at=None), name="one_open_parking_span"),
        ]

    def __str__(self) -> str:
        return f"parking from {self.started_at:%H:%M:%S}"
