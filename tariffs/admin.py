"""Admin of tariffs: every save publishes an active tariff as it then is."""

from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.db.models import Max, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from infrastructure import access
from infrastructure.admin_base import ReadOnlyAdmin, ServiceAdmin, ServiceInline, ServiceStackedInline
from infrastructure.admin_display import display
from infrastructure.models import Site
from tariffs.choices import TariffStatus
from tariffs.forms import (
    SessionSettingsForm,
    TariffDetailFormSet,
    ZonedDateTimeField,
    site_zone,
    wall_zone,
)
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffText, TariffVersion
from tariffs.pages import TariffPages
from tariffs.pricing import DayOfWeek
from tariffs.services import alt_texts, outcomes, places
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
    verbose_name_plural = "tariff details: where they overlap, the higher priority wins; uncovered time is free"
    fieldsets = [
        ("When", {"fields": [("priority", "recurrence"), "start", "stop", "weekdays"]}),
        (
            "Prices (empty: zero)",
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
                "description": "With or without VAT, as the tariff says above. Partners get net prices.",
            },
        ),
    ]
    readonly_fields = ["what_results"]

    @display(description="what results")
    def what_results(self, detail: TariffDetail) -> str:
        if detail._state.adding:
            return "Shown once the detail is saved."
        rows = [(outcome.name, outcome) for outcome in outcomes.outcomes(detail)]
        return format_html_join("", "<div>{}: {}.</div>", rows) or "Everything is free."

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in ("start", "stop"):
            return _zoned(db_field, wall_zone)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "weekdays":
            field.help_text = "Days on which a window starts. Empty: every day."
        return field


class TariffTextInline(ServiceInline):
    model = TariffText
    verbose_name_plural = "texts that replace the generated ones"


@admin.register(RoamingTariff)
class RoamingTariffAdmin(TariffPages, ServiceAdmin):
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
            "Amounts (including VAT)",
            {"fields": [("currency", "preauthorisation"), ("min_price", "max_price")]},
        ),
        ("Prices", {"fields": ["prices_include_vat"]}),
        (
            "Validity",
            {
                "fields": ["valid_from", "valid_until"],
                "description": "In the time zone of the site. Sessions keep the tariff they started with.",
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        zone = Subquery(Site.objects.values("time_zone")[:1])
        return super().get_queryset(request).annotate(newest=Max("versions__number"), zone=zone)

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
        for sentence in outcomes.surprises(form.instance):
            messages.warning(request, sentence)

    @display(description="status", ordering="status", label=STATUS_COLOURS)
    def state(self, tariff: RoamingTariff) -> tuple[str, str]:
        return tariff.status, str(tariff.get_status_display())

    @display(description="energy (gross)")
    def energy_price(self, tariff: RoamingTariff) -> str:
        details = [to_pricing(detail) for detail in tariff.details.all()]
        if not details:
            return "no details yet"
        return alt_texts.energy_price(tariff.currency, details) or "free"

    @display(description="blocked", ordering="preauthorisation")
    def blocked(self, tariff: RoamingTariff) -> str:
        amount = tariff.preauthorisation
        return "-" if amount is None else f"{amount:.2f} {tariff.currency}"

    @display(description="valid", ordering="valid_from")
    def validity(self, tariff: Any) -> str:
        zone = ZoneInfo(tariff.zone or "UTC")
        limits = [
            f"{value.astimezone(zone):%Y-%m-%d %H:%M}" if value else ""
            for value in (tariff.valid_from, tariff.valid_until)
        ]
        return " to ".join(limits) if any(limits) else "always"

    @display(description="published", ordering="newest", empty_value="not yet")
    def version(self, tariff: Any) -> str | None:
        return f"version {tariff.newest}" if tariff.newest else None

    @display(description="published")
    def published(self, tariff: RoamingTariff) -> str:
        version = None if tariff._state.adding else current_version(tariff)
        if version is None:
            return "Nothing yet. An active tariff with at least one detail is published when it is saved."
        text = next((text["text"] for text in version.content["tariff_alt_text"]), "")
        return format_html(
            "Version {} of {} UTC{}<br>{}",
            version.number,
            f"{version.created_at:%Y-%m-%d %H:%M}",
            "" if tariff.status == TariffStatus.ACTIVE else ", no longer offered",
            text,
        )


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

    @display(description="tariffs")
    def tariff_names(self, settings: SessionSettings) -> str:
        return ", ".join(str(tariff) for tariff in settings.tariffs.all()) or "none"


@admin.register(TariffVersion)
class TariffVersionAdmin(ReadOnlyAdmin):
    list_display = ["tariff", "number", "created_at", "author"]
    list_filter = ["tariff"]
    list_select_related = ["tariff", "author"]
    search_fields = ["tariff__name", "tariff__code"]


def _is_own(request: HttpRequest, obj: Any) -> bool:
    """A tariff belongs to those who see every operator at which it applies; one that applies nowhere to all."""
    if request.user.is_superuser or not isinstance(obj, RoamingTariff) or obj.pk is None:
        return True
    return not places.operators_using(obj).exclude(pk__in=access.operators_of(request.user)).exists()


def _zoned(db_field: Any, zone: Any) -> Any:
    return db_field.formfield(
        form_class=partial(ZonedDateTimeField, zone=zone), widget=UnfoldAdminSplitDateTimeWidget()
    )
