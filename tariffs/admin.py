"""Admin of tariffs: every save publishes an active tariff as it then is."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from infrastructure import access
from infrastructure.admin_base import ReadOnlyAdmin, ServiceAdmin, ServiceInline, ServiceStackedInline
from infrastructure.admin_display import display, moment
from infrastructure.exchange.admin import ImportExportAdmin
from tariffs.choices import TariffStatus
from tariffs.forms import (
    SessionSettingsForm,
    TariffDetailFormSet,
    ZonedDateTimeField,
    site_zone,
    wall_zone,
)
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffText, TariffVersion
from tariffs.pages import TariffPages, is_preview
from tariffs.pricing import DayOfWeek
from tariffs.resources import TariffResource
from tariffs.services import gross_prices, outcomes, places
from tariffs.services.details import to_pricing
from tariffs.services.publish import current_version

STATUS_COLOURS = {
    TariffStatus.ACTIVE: "success",
    TariffStatus.DRAFT: "warning",
    TariffStatus.INACTIVE: "danger",
}


class TariffDetailInline(ServiceStackedInline):
    model = TariffDetail
    formset = TariffDetailFormSet
    choice_lists = {"weekdays": DayOfWeek}
    verbose_name_plural = _("tariff details: where they overlap, the higher priority wins; uncovered time is free")
    fieldsets = [
        (_("When"), {"fields": [("priority", "recurrence"), "start", "stop", "weekdays"]}),
        (
            _("Prices (empty: zero)"),
            {
                "fields": [
                    ("energy_price", "energy_vat"),
                    ("charge_time_price", "charge_time_vat"),
                    ("park_time_price", "park_time_vat"),
                    ("flat_price", "flat_vat"),
                    ("reservation_time_price", "reservation_time_vat"),
                    ("energy_step_size", "time_step_size"),
                    "what_results",
                ],
                "description": _("With or without VAT, as the tariff says above. Partners get net prices."),
            },
        ),
    ]
    readonly_fields = ["what_results"]

    @display(description=_("what results"))
    def what_results(self, detail: TariffDetail) -> str:
        if detail._state.adding:
            return gettext("Shown once the detail is saved.")
        rows = [(outcome.name, outcome) for outcome in outcomes.outcomes(detail)]
        return format_html_join("", "<div>{}: {}.</div>", rows) or gettext("Everything is free.")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in ("start", "stop"):
            return _zoned(db_field, wall_zone)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "weekdays":
            field.help_text = _("Days on which a window starts. Empty: every day.")
        return field


class TariffTextInline(ServiceInline):
    model = TariffText
    verbose_name_plural = _("texts that replace the generated ones")


@admin.register(RoamingTariff)
class RoamingTariffAdmin(TariffPages, ImportExportAdmin, ServiceAdmin):
    import_resource = export_resource = TariffResource
    list_display = ["name", "code", "state", "type", "energy_price", "blocked", "validity", "version"]
    list_filter = ["status", "type"]
    list_prefetch_related = ["details"]
    search_fields = ["name", "code"]
    ordering = ["name"]
    inlines = [TariffDetailInline, TariffTextInline]
    readonly_fields = ["published"]
    fieldsets = [
        (None, {"fields": ["name", "code", ("status", "type"), "published"]}),
        (
            _("Amounts (including VAT)"),
            {"fields": [("currency", "preauthorisation"), ("min_price", "max_price")]},
        ),
        (_("Prices"), {"fields": ["prices_include_vat"]}),
        (
            _("Validity"),
            {
                "fields": ["valid_from", "valid_until"],
                "description": _("In the time zone of the site. Sessions keep the tariff they started with."),
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(newest=Max("versions__number"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _is_own(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_own(request, obj)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in ("valid_from", "valid_until"):
            return _zoned(db_field, site_zone)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if is_preview(request):
            return
        for sentence in outcomes.surprises(form.instance):
            messages.warning(request, sentence)

    @display(description=_("status"), ordering="status", label=STATUS_COLOURS)
    def state(self, tariff: RoamingTariff) -> tuple[str, str]:
        return tariff.status, str(tariff.get_status_display())

    @display(description=_("energy (gross)"))
    def energy_price(self, tariff: RoamingTariff) -> str:
        details = [to_pricing(detail) for detail in tariff.details.all()]
        if not details:
            return gettext("no details yet")
        return gross_prices.energy_price(tariff.currency, details) or pgettext("price", "free")

    @display(description=_("blocked on the card"), ordering="preauthorisation")
    def blocked(self, tariff: RoamingTariff) -> str:
        amount = tariff.preauthorisation
        return "-" if amount is None else gross_prices.amount(amount, tariff.currency)

    @display(description=_("valid"), ordering="valid_from")
    def validity(self, tariff: RoamingTariff) -> str:
        start, end = tariff.valid_from, tariff.valid_until
        if start and end:
            return format_html(gettext("{} to {}"), moment(start), moment(end))
        if start:
            return format_html(gettext("from {}"), moment(start))
        return format_html(gettext("until {}"), moment(end)) if end else gettext("always")

    @display(description=_("published"), ordering="newest", empty_value=_("not yet"))
    def version(self, tariff: Any) -> str | None:
        return gettext("version %(number)d") % {"number": tariff.newest} if tariff.newest else None

    @display(description=_("published"))
    def published(self, tariff: RoamingTariff) -> str:
        version = None if tariff._state.adding else current_version(tariff)
        if version is None:
            return gettext("Nothing yet. An active tariff with at least one detail is published when it is saved.")
        text = next((text["text"] for text in version.content["tariff_alt_text"]), "")
        words = gettext("Version {} of {}")
        if tariff.status != TariffStatus.ACTIVE:
            words = gettext("Version {} of {}, no longer offered")
        return format_html("{}<br>{}", format_html(words, version.number, moment(version.created_at)), text)


@admin.register(SessionSettings)
class SessionSettingsAdmin(ServiceAdmin):
    form = SessionSettingsForm
    list_display = ["__str__", "tariff_names"]
    list_select_related = ["site", "operator", "charger"]
    list_prefetch_related = ["tariffs"]
    search_fields = ["operator__name", "charger__identity", "tariffs__name", "tariffs__code"]
    ordering = ["pk"]
    autocomplete_fields = ["operator", "charger", "tariffs"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Settings of the whole site concern every operator: only superusers see them."""
        settings = super().get_queryset(request)
        if request.user.is_superuser:
            return settings
        operators = access.operators_of(request.user)
        return settings.filter(Q(operator__in=operators) | Q(charger__location__operator__in=operators))

    def get_fields(self, request: HttpRequest, obj: SessionSettings | None = None) -> list[str]:
        levels = ["site"] if request.user.is_superuser else []
        return [*levels, "operator", "charger", "tariffs"]

    @display(description=_("tariffs"))
    def tariff_names(self, settings: SessionSettings) -> str:
        return ", ".join(str(tariff) for tariff in settings.tariffs.all()) or gettext("none")


@admin.register(TariffVersion)
class TariffVersionAdmin(ReadOnlyAdmin):
    list_display = ["tariff", "number", "created_at", "author"]
    list_filter = ["tariff"]
    list_select_related = ["tariff", "author"]
    search_fields = ["tariff__name", "tariff__code"]


def _is_own(request: HttpRequest, obj: Any) -> bool:
    return not isinstance(obj, RoamingTariff) or obj.pk is None or places.may_change(request.user, obj)


def _zoned(db_field: Any, zone: Any) -> Any:
    return db_field.formfield(
        form_class=partial(ZonedDateTimeField, zone=zone), widget=UnfoldAdminSplitDateTimeWidget()
    )
