"""Roaming tariffs as staff enter them, their published versions, and where they apply.

A `RoamingTariff` is edited; a `TariffVersion` is what was published and never changes: sessions, CDRs and the
evidence of a price point at it.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure import ids
from infrastructure.choices import as_choices
from infrastructure.history import History
from infrastructure.models import Charger, Operator, Site
from tariffs.choices import Recurrence, TariffStatus, TariffType

NOT_NEGATIVE = [MinValueValidator(0)]


def _amount(verbose_name: str, help_text: Any) -> models.DecimalField:
    return models.DecimalField(
        verbose_name,
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=NOT_NEGATIVE,
        help_text=help_text,
    )


def _vat(verbose_name: str) -> models.DecimalField:
    return models.DecimalField(
        verbose_name,
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=NOT_NEGATIVE,
        help_text=_("Percent, for example 20. Empty: no VAT applies."),
    )


class RoamingTariff(models.Model):
    """A tariff as staff edit it: prices of its details with or without VAT, its limits always with VAT.

    What is published and billed is net, with four decimals (OCPI 2.2.1).
    """

    name = models.CharField(max_length=100, help_text=_("For staff, for example Card AC."))
    code = models.CharField(
        max_length=36,
        unique=True,
        validators=[ids.roaming_id_validator],
        help_text=_("Tariff.id at partners, for example ADHOC-AC."),
    )
    status = models.CharField(
        max_length=8,
        choices=as_choices(TariffStatus),
        default=TariffStatus.DRAFT,
        help_text=_("Only active tariffs are published; a draft can be changed freely."),
    )
    type = models.CharField(
        max_length=16,
        choices=as_choices(TariffType),
        blank=True,
        default=TariffType.AD_HOC_PAYMENT,
        help_text=_("Payment terminals see ad hoc and untyped tariffs only."),
    )
    currency = models.CharField(
        max_length=3, default="EUR", validators=[ids.currency_validator], help_text=_("ISO 4217, for example EUR.")
    )
    prices_include_vat = models.BooleanField(
        "prices of the details include VAT",
        default=True,
        help_text=_("Partners get net prices with four decimals; beside each price stands what results."),
    )
    valid_from = models.DateTimeField(null=True, blank=True, help_text=_("Inclusive. Empty: always."))
    valid_until = models.DateTimeField(null=True, blank=True, help_text=_("Exclusive. Empty: no end."))
    min_price = _amount("minimum price (gross)", _("A session costs at least this, including VAT, for example 1.50."))
    max_price = _amount(
        "maximum price (gross)",
        _("A session costs at most this, including VAT, for example 60. Terminals get the pre-authorisation instead."),
    )
    preauthorisation = _amount(
        "pre-authorisation (gross)",
        _("Blocked on the card, including VAT, for example 50. Terminals need it; charging stops in time."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    history = History()
    operator_path = None

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_until__gt=models.F("valid_from")),
                name="tariff_validity_not_empty",
                violation_error_message=_("Valid until must be later than valid from."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"

    def is_valid_at(self, at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at < self.valid_until
        )


class TariffDetail(models.Model):
    """Prices for some hours; where details overlap the higher priority wins. Empty prices are zero."""

    tariff = models.ForeignKey(RoamingTariff, on_delete=models.CASCADE, related_name="details")
    priority = models.IntegerField(
        default=0,
        help_text=_("The higher one wins where time frames overlap: for example 10 for the night, 0 for the rest."),
    )
    recurrence = models.CharField(
        max_length=8,
        choices=as_choices(Recurrence),
        default=Recurrence.DAILY,
        help_text=_("Daily: the same hours on each day. One time: from start to stop."),
    )
    start = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_(
            "Inclusive, local time of the area, for example 22:00 on 1 May 2026; daily details open at its time of day."
        ),
    )
    stop = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_(
            "Exclusive, local time of the area, for example 6:00 on 9 May 2026; daily details close at its time of day."
        ),
    )
    weekdays = models.JSONField(
        default=list, blank=True, help_text=_('Empty: every day. Otherwise for example ["MONDAY", "FRIDAY"].')
    )
    energy_price = _amount("energy price", _("Per kWh, for example 0.49."))
    energy_vat = _vat("energy VAT")
    charge_time_price = _amount("charge time price", _("Per hour of charging, for example 1.20."))
    charge_time_vat = _vat("charge time VAT")
    park_time_price = _amount(
        "park time price", _("Per hour connected without charging (blocking fee), for example 6.")
    )
    park_time_vat = _vat("park time VAT")
    flat_price = _amount("flat price", _("Once per session, for example 0.50."))
    flat_vat = _vat("flat VAT")
    reservation_time_price = _amount("reservation time price", _("Per reserved hour, for example 3."))
    reservation_time_vat = _vat("reservation time VAT")
    energy_step_size = models.PositiveIntegerField(
        default=1, help_text=_("Wh; the total is rounded up to a multiple, for example 100. 1: exactly.")
    )
    time_step_size = models.PositiveIntegerField(
        default=1, help_text=_("Seconds; the total is rounded up to a multiple, for example 900. 1: exactly.")
    )

    history = History()
    operator_path = None

    class Meta:
        ordering = ["tariff", "-priority"]
        constraints = [
            models.UniqueConstraint(
                "tariff",
                "priority",
                name="detail_priority_unique_in_tariff",
                violation_error_message=_("Another detail of this tariff has this priority. Give each detail its own."),
            )
        ]

    def __str__(self) -> str:
        return gettext("%(tariff)s priority %(priority)d") % {"tariff": self.tariff.code, "priority": self.priority}


class TariffText(models.Model):
    """What a driver reads about the tariff in one language; replaces the generated text."""

    tariff = models.ForeignKey(RoamingTariff, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(max_length=2, help_text=_("ISO 639-1, for example en."))
    text = models.CharField(
        max_length=512, help_text=_("At most 512 characters, for example 0.49 EUR per kWh including VAT.")
    )

    history = History()
    operator_path = None

    class Meta:
        ordering = ["tariff", "language"]
        constraints = [models.UniqueConstraint("tariff", "language", name="one_text_per_language")]

    def __str__(self) -> str:
        return f"{self.tariff.code} {self.language}"


class TariffVersion(models.Model):
    """What was published of a tariff: never changed, the evidence of every price billed from it.

    `content` holds the parts of the OCPI Tariff that do not depend on the partner: id, currency, type, elements,
    min_price, max_price, preauthorisation (gross, a string), tariff_alt_text, start_date_time, end_date_time.
    `roaming_alt_text` is there where other partners than terminals read something else: nothing is blocked.
    """

    tariff = models.ForeignKey(RoamingTariff, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    operator_path = None

    class Meta:
        ordering = ["tariff", "-number"]
        constraints = [models.UniqueConstraint("tariff", "number", name="tariff_version_number_unique")]

    def __str__(self) -> str:
        return gettext("%(tariff)s version %(number)d") % {"tariff": self.tariff.code, "number": self.number}


class SessionSettings(models.Model):
    """The tariffs that apply at one level: the site, an operator or a charger (Session Rating Profile)."""

    site = models.OneToOneField(
        Site,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="session_settings",
        help_text=_("They apply everywhere, unless an operator or charger has settings."),
    )
    operator = models.OneToOneField(
        Operator,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="session_settings",
        help_text=_("They apply at its chargers, unless a charger has settings."),
    )
    charger = models.OneToOneField(
        Charger,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="session_settings",
        help_text=_("They apply at this charger alone."),
    )
    tariffs = models.ManyToManyField(
        RoamingTariff,
        related_name="session_settings",
        blank=True,
        help_text=_("Which of them a partner gets is said on its platform."),
    )

    history = History(m2m_fields=["tariffs"])
    operator_path = None

    class Meta:
        verbose_name_plural = _("session settings")
        constraints = [
            models.CheckConstraint(
                condition=Q(site__isnull=False, operator=None, charger=None)
                | Q(site=None, operator__isnull=False, charger=None)
                | Q(site=None, operator=None, charger__isnull=False),
                name="session_settings_exactly_one_level",
                violation_error_message=_("Choose exactly one of site, operator and charger."),
            )
        ]

    def __str__(self) -> str:
        return gettext("Session settings of %(place)s") % {"place": self.site or self.operator or self.charger}
