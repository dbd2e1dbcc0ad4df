from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.models.session import ChargingSession, DriversTotal


class LateStop(DriversTotal):
    """The end of a session as its charger told it, after we had settled the session with its last reading.

    Bills nothing by itself: it is what the session would have been, for staff who credit and correct. `cost` and
    `charging_periods` as in a CDR; amounts are None without a tariff, registers are Wh, energy is kWh.
    """

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="late_stop")
    received_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField()
    meter_stop = models.DecimalField(max_digits=14, decimal_places=3)
    reason = models.CharField(max_length=20, blank=True, help_text=_("The charger's word (OCPP 1.6 Reason)."))
    kwh = models.DecimalField(max_digits=12, decimal_places=4)
    total_time = models.DecimalField("hours", max_digits=10, decimal_places=4)
    total_parking_time = models.DecimalField("hours parked", max_digits=10, decimal_places=4)
    total_cost_excl_vat = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    total_cost_incl_vat = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    cost = models.JSONField()
    charging_periods = models.JSONField()

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return gettext("late end of %(session)s") % {"session": self.session}
