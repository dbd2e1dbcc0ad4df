from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.choices import ReservationState
from chargers.models.session import ChargingSession
from infrastructure.choices import as_choices
from infrastructure.models import Charger, Location


class Reservation(models.Model):
    """An EVSE, or any one of a charger, that is kept for a token until `expires_at`.

    The primary key is the reservation's id at the charger: unlike the partner's `reservation_id` it is a number,
    and unique among all partners. Id tags, token and money are the session's, which begins as a RESERVATION.
    `outlets` holds what may be charged at, frozen by whoever reserved: [{"evse", "connector", "tariff_version",
    "limit", "place", "retail"}], the first connector of each EVSE.
    """

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="reservation")
    location = models.ForeignKey(Location, null=True, on_delete=models.SET_NULL, related_name="reservations")
    charger = models.ForeignKey(Charger, null=True, on_delete=models.SET_NULL, related_name="reservations")
    evse_number = models.PositiveIntegerField("EVSE", help_text=_("0: any EVSE of the charger."))
    peer_id = models.CharField(max_length=36, blank=True)
    reservation_id = models.CharField("partner's reservation id", max_length=36)
    state = models.CharField(max_length=9, choices=as_choices(ReservationState), default=ReservationState.PENDING)
    outlets = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    operator_path = "location__operator"

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                "peer_id",
                "location",
                Upper("reservation_id"),
                condition=Q(state__in=["PENDING", "ACCEPTED"]),
                name="reservation_unique_per_peer",
            ),
        ]
        indexes = [
            models.Index(
                "charger", "evse_number", condition=Q(state__in=["PENDING", "ACCEPTED"]), name="reservation_open"
            ),
            models.Index("expires_at", condition=Q(state="ACCEPTED"), name="reservation_due"),
        ]

    def __str__(self) -> str:
        return self.reservation_id

    def outlet(self, evse_number: int) -> dict[str, Any] | None:
        """What was agreed for one EVSE."""
        outlets: list[dict[str, Any]] = self.outlets
        return next((outlet for outlet in outlets if outlet["evse"] == evse_number), None)
