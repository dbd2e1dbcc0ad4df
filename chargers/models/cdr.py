from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.models.session import ChargingSession, DriversTotal, new_uid


class CDR(DriversTotal):
    """The final record of a session: never changed once written, except for `invoice_reference_id`, set once
    before the record is published (OCPI 2.2.1 mod_cdrs), and `credited_at`. Amounts have four decimals, VAT as
    billed. A session has one CDR that counts: a corrected one takes the place of one that was credited.

    `cost` holds the priced result: total and part costs, itemised lines, totals per VAT rate; `retail_cost` the same
    of the driver's price where that is another.
    """

    uid = models.CharField("CDR id", max_length=39, unique=True, default=new_uid)
    session = models.ForeignKey(ChargingSession, on_delete=models.PROTECT, related_name="cdrs")
    currency = models.CharField(max_length=3)
    start_date_time = models.DateTimeField()
    end_date_time = models.DateTimeField()
    charging_periods = models.JSONField()
    total_energy = models.DecimalField(max_digits=12, decimal_places=4)
    total_time = models.DecimalField(max_digits=10, decimal_places=4)
    total_parking_time = models.DecimalField(max_digits=10, decimal_places=4)
    total_cost_excl_vat = models.DecimalField(max_digits=12, decimal_places=4)
    total_cost_incl_vat = models.DecimalField(max_digits=12, decimal_places=4)
    cost = models.JSONField()
    retail_cost = models.JSONField(null=True, blank=True)
    remark = models.CharField(max_length=255, blank=True)
    invoice_reference_id = models.CharField(max_length=39, blank=True)
    is_credit = models.BooleanField(default=False)
    credited = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="credits")
    credited_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When it was taken back with a credit CDR.")
    )
    created_at = models.DateTimeField(default=timezone.now)

    operator_path = "session__connector__evse__charger__location__operator"

    class Meta:
        verbose_name = _("CDR")
        ordering = ["-created_at"]
        indexes = [models.Index("created_at", name="cdr_created")]
        constraints = [
            models.UniqueConstraint(
                "session", condition=Q(is_credit=False, credited_at=None), name="one_uncredited_cdr_per_session"
            ),
            models.UniqueConstraint("credited", condition=Q(is_credit=True), name="one_credit_per_cdr"),
        ]

    def __str__(self) -> str:
        return self.uid

    @property
    def driver_cost(self) -> dict[str, Any]:
        own: dict[str, Any] | None = self.retail_cost
        return self.cost if own is None else own
