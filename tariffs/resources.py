"""The file of tariffs: one row per tariff detail, its tariff in the same row."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from infrastructure.exchange.columns import Moment, SomeOf, Whole, column
from infrastructure.exchange.resources import ServiceResource, as_error
from infrastructure.services import masterdata
from tariffs.forms import site_zone
from tariffs.models import RoamingTariff, TariffDetail
from tariffs.pricing import DayOfWeek
from tariffs.services import places, validation

Row = dict[str, str]


def _of_tariff(attribute: str, name: str, **options: Any) -> Any:
    return column(TariffDetail, f"tariff__{attribute}", name, **options)


class TariffResource(ServiceResource):
    code = _of_tariff("code", "code")
    tariff_name = _of_tariff("name", "name", explained=_("For staff, for example Card AC."))
    status = _of_tariff("status", "status", explained=_("DRAFT, ACTIVE (published at once) or INACTIVE."))
    type = _of_tariff("type", "type")
    currency = _of_tariff("currency", "currency", explained=_("ISO 4217, for example EUR."))
    prices_include_vat = _of_tariff("prices_include_vat", "prices include VAT", explained=_("yes or no"))
    valid_from = _of_tariff(
        "valid_from",
        "valid from",
        cell=Moment(site_zone),
        explained=_("Site time, for example 2026-05-01 00:00."),
    )
    valid_until = _of_tariff(
        "valid_until", "valid until", cell=Moment(site_zone), explained=_("Exclusive; empty: no end.")
    )
    min_price = _of_tariff("min_price", "minimum price (gross)")
    max_price = _of_tariff("max_price", "maximum price (gross)")
    preauthorisation = _of_tariff("preauthorisation", "pre-authorisation (gross)")
    priority = column(TariffDetail, "priority", explained=_("Of the detail; the higher one wins. One row each."))
    recurrence = column(TariffDetail, "recurrence", explained=_("DAILY or ONE_TIME."))
    start = column(TariffDetail, "start")
    stop = column(TariffDetail, "stop")
    weekdays = column(
        TariffDetail,
        "weekdays",
        cell=SomeOf(as_choices(DayOfWeek)),
        explained=_("Separated by commas, for example MONDAY, FRIDAY. Empty: every day."),
    )
    energy_price = column(TariffDetail, "energy_price", "energy price (per kWh)")
    energy_vat = column(TariffDetail, "energy_vat", "energy VAT (%)")
    charge_time_price = column(TariffDetail, "charge_time_price", "charge time price (per h)")
    charge_time_vat = column(TariffDetail, "charge_time_vat", "charge time VAT (%)")
    park_time_price = column(TariffDetail, "park_time_price", "park time price (per h)")
    park_time_vat = column(TariffDetail, "park_time_vat", "park time VAT (%)")
    flat_price = column(TariffDetail, "flat_price", "flat price")
    flat_vat = column(TariffDetail, "flat_vat", "flat VAT (%)")
    reservation_time_price = column(TariffDetail, "reservation_time_price", "reservation time price (per h)")
    reservation_time_vat = column(TariffDetail, "reservation_time_vat", "reservation time VAT (%)")
    energy_step_size = column(TariffDetail, "energy_step_size", "energy step (Wh)")
    time_step_size = column(TariffDetail, "time_step_size", "time step (s)")

    key = ("code", "priority")
    parent = "tariff"
    prefetched = ("details",)
    examples = (
        (
            *("ADHOC-AC", "Card AC", "DRAFT", "AD_HOC_PAYMENT", "EUR", "yes", "", "", "", "", "50"),
            *("0", "DAILY", "", "", "", "0.49", "20", "", "", "", "", "", "", "", "", "1", "1"),
        ),
        (
            *("ADHOC-AC", "", "", "", "", "", "", "", "", "", ""),
            *("10", "DAILY", "2026-01-01 22:00", "2026-01-02 06:00", "SATURDAY, SUNDAY"),
            *("0.39", "20", "", "", "", "", "0.5", "20", "", "", "1", "1"),
        ),
    )

    class Meta(ServiceResource.Meta):
        model = TariffDetail
        name = _("Roaming tariffs")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.touched: set[int] = set()
        self.is_tariff_alone = False

    def find(self, row: Row) -> TariffDetail | None:
        tariff = self._tariff(row)
        if tariff is None or not row["priority"]:
            return None
        priority = as_error("priority", lambda: Whole().clean(row["priority"]))
        detail = tariff.details.filter(priority=priority).first()
        if detail is not None:
            detail.tariff = tariff
        return detail

    def begin(self, row: Row) -> TariffDetail:
        return TariffDetail(tariff=self._tariff(row) or RoamingTariff(code=row["code"]))

    def _tariff(self, row: Row) -> RoamingTariff | None:
        tariff = RoamingTariff.objects.filter(code__iexact=row["code"]).first()
        if tariff is not None and not places.may_change(self.user, tariff):
            raise ValidationError({"tariff__code": _("This tariff also applies at operators that are not yours.")})
        return tariff

    def import_field(self, field: Any, instance: Any, row: Row, is_m2m: bool = False, **kwargs: Any) -> None:
        """The code of an existing tariff stays as it is spelled: a file may ignore case as partners do."""
        if field.column_name != "code" or instance.tariff._state.adding:
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def parent_key(self, row: Row) -> Any:
        return row["code"].casefold()

    def has_own_part(self, instance: TariffDetail) -> bool:
        """A row without a priority holds the tariff alone."""
        return not self.is_tariff_alone

    def before_import_row(self, row: Row, **kwargs: Any) -> None:
        self.is_tariff_alone = not row["priority"]
        super().before_import_row(row, **kwargs)

    def after_save_instance(self, instance: TariffDetail, row: Row, **kwargs: Any) -> None:
        self.touched.add(instance.tariff.pk)
        # To the end of what follows: published once, with all of its details.
        masterdata.note(instance.tariff)

    def finish(self) -> None:
        for tariff in RoamingTariff.objects.filter(pk__in=self.touched).prefetch_related("details"):
            try:
                validation.check_is_complete(tariff, len(tariff.details.all()))
            except ValidationError as error:
                raise ValidationError([f"{tariff}: {text}" for text in error.messages]) from error

    def iter_queryset(self, queryset: QuerySet[RoamingTariff]) -> Any:
        """The details of the list's tariffs; of a tariff without any, a row of its own."""
        for tariff in super().iter_queryset(queryset):
            yield from tariff.details.all() or [_without_details(tariff)]


def _without_details(tariff: RoamingTariff) -> TariffDetail:
    return TariffDetail(
        tariff=tariff, **dict.fromkeys(("priority", "recurrence", "energy_step_size", "time_step_size"))
    )
