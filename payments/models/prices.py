"""Which ad hoc price was shown where and when: the evidence that AFIR (Regulation (EU) 2023/1804, article 5) asks for.

Rows are written by `price_evidence.record_prices` and by nobody else. They name everything in words, too, so that
they outlive the tariff, the charger and the partner.
"""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure.models import Charger, Operator
from roaming.models import RoamingPlatform


class DisplayedTariff(models.Model):
    """A tariff exactly as a payment terminal provider got it, without its `last_updated`; never changed."""

    digest = models.CharField(
        max_length=64, unique=True, help_text=_("SHA-256 of body and retail: one row per content.")
    )
    body = models.JSONField(help_text=_("OCPI Tariff."))
    retail = models.JSONField(
        null=True, help_text=_("Factor and surcharge by which drivers paid more than the tariff; null: they paid it.")
    )

    operator_path = None

    def __str__(self) -> str:
        return str(self.body["id"])


class PriceEvidence(models.Model):
    """One tariff offered at one EVSE through one platform, from the instant on which the platform could pull it.

    `valid_until` None: still shown. Nothing else of a row ever changes.
    """

    tariff = models.ForeignKey(DisplayedTariff, on_delete=models.PROTECT, related_name="evidence")
    valid_from = models.DateTimeField(_("valid from"))
    valid_until = models.DateTimeField(_("valid until"), null=True)
    platform = models.ForeignKey(RoamingPlatform, null=True, on_delete=models.SET_NULL, related_name="+")
    operator = models.ForeignKey(Operator, null=True, on_delete=models.SET_NULL, related_name="+")
    charger = models.ForeignKey(Charger, null=True, on_delete=models.SET_NULL, related_name="+")
    platform_name = models.CharField(_("platform"), max_length=100)
    operator_name = models.CharField(_("operator"), max_length=100)
    party = models.CharField(max_length=6, help_text=_("Country code and party id under which it was offered."))
    location_uid = models.CharField(_("area id"), max_length=36)
    location_name = models.CharField(_("area"), max_length=255)
    charger_identity = models.CharField(_("charger"), max_length=48)
    evse_uid = models.CharField("EVSE uid", max_length=39)
    evse_id = models.CharField("EVSE id", max_length=48, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    author_name = models.CharField(
        _("changed by"), max_length=150, blank=True, help_text=_("Empty: the clock or a program.")
    )
    ended_by = models.CharField(_("ended by"), max_length=150, blank=True)

    operator_path = "operator"

    class Meta:
        ordering = ["-valid_from", "charger_identity", "evse_uid", "pk"]
        verbose_name = _("displayed price")
        verbose_name_plural = _("displayed prices")
        constraints = [
            models.UniqueConstraint(
                "platform",
                "party",
                "location_uid",
                "evse_uid",
                condition=Q(valid_until=None),
                name="one_price_shown_now",
            )
        ]
        indexes = [
            models.Index("valid_from", "valid_until", name="price_evidence_time"),
        ]

    def __str__(self) -> str:
        what = {"evse": self.evse_id or self.evse_uid, "tariff": self.tariff, "platform": self.platform_name}
        return gettext("%(evse)s: %(tariff)s at %(platform)s") % what

    def was_shown_at(self, instant: datetime) -> bool:
        return self.valid_from <= instant and (self.valid_until is None or instant < self.valid_until)
