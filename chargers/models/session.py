from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.choices import AuthMethod, Network, SessionStatus, Settlement, StopReason
from infrastructure.choices import as_choices
from infrastructure.models import Connector
from tariffs.models import TariffVersion
from tariffs.pricing import RetailTerms


def new_uid() -> str:
    return str(uuid4())


class DriversTotal(models.Model):
    """What the driver pays where the partner's terms make it another amount than the tariff's, which it owes us."""

    retail_total_incl_vat = models.DecimalField(
        "driver's price",
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("Empty: that of the tariff."),
    )

    class Meta:
        abstract = True

    total_cost_incl_vat: Any

    @property
    def driver_total_incl_vat(self) -> Decimal | None:
        """Gross: what is captured and invoiced. The tariff's has four decimals, the driver's own the currency's."""
        own: Decimal | None = self.retail_total_incl_vat
        return self.total_cost_incl_vat if own is None else own


# Spelled out: "Home" alone is the name of the start page, too.
NETWORKS = [(Network.HOME, _("Home network")), (Network.AWAY, _("Away network"))]


class ChargingSession(DriversTotal):
    """One charging session: OCPI Session, OCPP transaction.

    `peer_id`, `country_code` and `party_id` are opaque here: roaming wrote them at start and interprets them.
    `place` freezes location, EVSE and connector as at session start (OCPI CdrLocation, and the EVSE's time zone).
    Amounts are running totals; energy is kWh, registers are Wh.
    """

    uid = models.CharField("session id", max_length=36, unique=True, default=new_uid, editable=False)
    connector = models.ForeignKey(Connector, null=True, on_delete=models.SET_NULL, related_name="sessions")
    status = models.CharField(max_length=11, choices=as_choices(SessionStatus), default=SessionStatus.PENDING)
    network = models.CharField(max_length=4, choices=NETWORKS, default=Network.HOME)
    peer_id = models.CharField(max_length=36, blank=True, db_index=True)
    country_code = models.CharField(max_length=2, blank=True)
    party_id = models.CharField(max_length=3, blank=True)
    authorization_reference = models.CharField(max_length=36, blank=True, db_index=True)
    cdr_token = models.JSONField(null=True, blank=True)
    auth_method = models.CharField(max_length=12, choices=as_choices(AuthMethod), default=AuthMethod.COMMAND)
    id_tag = models.CharField(max_length=36, db_index=True)
    parent_id_tag = models.CharField(
        max_length=20, blank=True, help_text=_("Other tags with the same parent may stop the session (OCPP 1.6).")
    )
    transaction_id = models.CharField(max_length=36, blank=True, help_text=_("The OCPP transaction id."))
    last_seq_no = models.PositiveBigIntegerField(
        null=True,
        editable=False,
        help_text=_("Of the charger's numbered events, the newest that told a charging state."),
    )
    charging_state = models.CharField(
        max_length=13,
        blank=True,
        editable=False,
        help_text=_("As the charger told it last (OCPP 2.0.1 chargingState)."),
    )
    withdrawn_reason = models.CharField(
        max_length=20,
        blank=True,
        editable=False,
        help_text=_("Why nobody answers for the transaction any more, as the charger told it while energy flowed."),
    )
    is_meter_start_known = models.BooleanField(
        default=True, editable=False, help_text=_("False until a charger that began without a register tells one.")
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
        help_text=_("Gross; charging stops before the driver's price exceeds it."),
    )
    retail = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "The partner's factor and surcharge at the start (RetailTerms). Empty: the driver pays the tariff."
        ),
    )
    created_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the charger accepted the remote start or the reservation.")
    )
    reserved_at = models.DateTimeField("reserved from", null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    told_started_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("The start by the charger's clock, right or wrong.")
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    meter_start = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    meter_stop = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    kwh = models.DecimalField(max_digits=12, decimal_places=4, default=Decimal(0))
    total_cost_excl_vat = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    total_cost_incl_vat = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    charging_periods = models.JSONField(
        default=list, help_text=_("OCPI ChargingPeriods, complete once the session has ended.")
    )
    charging_preferences = models.JSONField(
        null=True, blank=True, help_text=_("What the driver wishes for (OCPI ChargingPreferences).")
    )
    over_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("Since when the charger reports the outlet free though it never told the end of this session."),
    )
    settlement = models.CharField(
        max_length=8,
        blank=True,
        choices=as_choices(Settlement),
        help_text=_("Why it was ended with its last reading, without a word of its charger. Empty: the charger told."),
    )
    overlong_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When we asked for its stop because it was longer than sessions may be.")
    )
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_requested_by = models.CharField(max_length=8, blank=True, choices=as_choices(StopReason))
    stop_reason = models.CharField(max_length=8, blank=True, choices=as_choices(StopReason))
    invoice_creator = models.CharField(
        max_length=3,
        blank=True,
        editable=False,
        help_text=_("Who makes the driver's invoices: payments decides it with the first CDR, once and for all."),
    )
    terminal_id = models.CharField(
        max_length=36,
        blank=True,
        editable=False,
        help_text=_("Where it was paid, by the partner's name for it: payments decides it with the first CDR."),
    )
    last_updated = models.DateTimeField(default=timezone.now, db_index=True)

    operator_path = "connector__evse__charger__location__operator"

    class Meta:
        verbose_name = _("charging session")
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
        indexes = [
            models.Index("created_at", name="session_created"),
            models.Index("started_at", name="session_started"),
            models.Index("status", condition=Q(status__in=["PENDING", "ACTIVE"]), name="session_running"),
        ]

    def __str__(self) -> str:
        return self.authorization_reference or self.uid

    @property
    def retail_terms(self) -> RetailTerms | None:
        return RetailTerms.from_json(self.retail) if self.retail else None


class MeterSample(models.Model):
    """The energy register of a session at one instant (Wh), and the power then (W).

    `is_interval`: `register_wh` is no register but the energy since the value before of its series (`context`).
    """

    session = models.ForeignKey(ChargingSession, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    register_wh = models.DecimalField(max_digits=14, decimal_places=3)
    power_w = models.DecimalField(max_digits=12, decimal_places=3, null=True, blank=True)
    is_interval = models.BooleanField(default=False)
    # ReadingContext of an interval; of a register it does not matter.
    context = models.CharField(max_length=18, blank=True)

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        ordering = ["session", "at"]
        constraints = [models.UniqueConstraint("session", "at", "context", name="one_sample_per_instant")]

    def __str__(self) -> str:
        return gettext("%(energy)s at %(time)s") % {
            "energy": f"{self.register_wh} Wh",
            "time": f"{self.at:%H:%M:%S} UTC",
        }


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
        return gettext("parking from %(time)s") % {"time": f"{self.started_at:%H:%M:%S} UTC"}
