"""Admin of the master data."""

from collections import Counter
from typing import Any

from django.contrib import admin
from django.db.models import Case, Model, Prefetch, QuerySet, Value, When, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from infrastructure import access
from infrastructure.admin_base import (
    PanelsFirst,
    ReadOnlyAdmin,
    ScopedRelatedFilter,
    ScopedSearchFilter,
    ServiceAdmin,
    ServiceInline,
    ServiceStackedInline,
    SuperuserOnlyMixin,
)
from infrastructure.admin_display import READINESS_COLOURS, bullets, display, ready_or_why_not
from infrastructure.alerts import admin as alerts_admin  # noqa: F401 - registers itself
from infrastructure.audit_page import AuditPage
from infrastructure.choices import Capability, EVSEStatus, Facility, ParkingRestriction
from infrastructure.exchange.admin import ExportAdmin, ImportExportAdmin
from infrastructure.models import (
    EVSE,
    Act,
    Charger,
    Connector,
    Location,
    Operator,
    OperatorMembership,
    OutboxEvent,
    Site,
)
from infrastructure.resources import ChargerResource, ConnectorResource, EVSEResource, LocationResource
from infrastructure.services import checks, masterdata

STATUS_COLOURS = {
    EVSEStatus.AVAILABLE: "success",
    EVSEStatus.CHARGING: "info",
    EVSEStatus.RESERVED: "info",
    EVSEStatus.BLOCKED: "warning",
    EVSEStatus.INOPERATIVE: "danger",
    EVSEStatus.OUTOFORDER: "danger",
}
STATES = {
    EVSEStatus.AVAILABLE: _("available"),
    EVSEStatus.BLOCKED: _("blocked"),
    EVSEStatus.CHARGING: _("charging"),
    EVSEStatus.INOPERATIVE: _("inoperative"),
    EVSEStatus.OUTOFORDER: _("out of order"),
    EVSEStatus.PLANNED: _("planned"),
    EVSEStatus.REMOVED: _("removed"),
    EVSEStatus.RESERVED: _("reserved"),
    EVSEStatus.UNKNOWN: _("unknown"),
}
FALL_BACK = _("Empty fields are taken from the level above.")


@admin.register(Site)
class SiteAdmin(ServiceAdmin):
    needs_site = False
    fieldsets = [
        (None, {"fields": ["name", "country", "currency", "time_zone", "languages"]}),
        (_("Contact"), {"fields": ["phone", "email"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Site.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        site = Site.objects.first()
        if site is not None and self.has_view_permission(request):
            return HttpResponseRedirect(reverse("admin:infrastructure_site_change", args=[site.pk]))
        return super().changelist_view(request, extra_context)


class OperatorMembershipInline(ServiceInline):
    model = OperatorMembership
    verbose_name_plural = _("staff who may see this operator")


@admin.register(Operator)
class OperatorAdmin(ServiceAdmin):
    list_display = ["name", "country", "phone", "email"]
    search_fields = ["name", "legal_name", "vat_number"]
    ordering = ["name"]
    inlines = [OperatorMembershipInline]
    fieldsets = [
        (None, {"fields": ["name", "website", "phone", "email"]}),
        (_("Seller on invoices"), {"fields": ["legal_name", "legal_address", "vat_number"]}),
        (
            _("Region"),
            {"fields": ["country", "currency", "time_zone", "languages"], "description": FALL_BACK},
        ),
    ]

    def get_exclude(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["site"]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Whoever adds an operator sees it afterwards, too."""
        super().save_related(request, form, formsets, change)
        operator: Operator = form.instance
        user: Any = request.user
        if not change and not user.is_superuser and not operator.memberships.filter(user=user.pk).exists():
            masterdata.save(OperatorMembership(operator=operator, user=user))


class ChargerInline(ServiceInline):
    model = Charger
    fields = ["identity", "name", "roaming_id", "roaming"]
    show_change_link = True


class ExposedFilter(admin.SimpleListFilter):
    title = _("shown to partners")
    parameter_name = "exposed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("Yes")), ("no", gettext("Never yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("yes", "no"):
            return queryset.filter(first_exposed_at__isnull=self.value() == "no")
        return queryset


@admin.register(Location)
class LocationAdmin(PanelsFirst, ImportExportAdmin, ServiceAdmin):
    import_resource = export_resource = LocationResource
    list_display = ["name", "city", "operator", "charger_count", "evse_states", "readiness"]
    list_filter = [("operator", ScopedRelatedFilter), ExposedFilter]
    read_with = ["operator__site"]
    # Each is judged with all that is below it, which may be dozens of connectors: only what is judged is read.
    list_prefetch_related = [
        Prefetch("chargers", Charger.objects.only("location", "identity", "roaming_id", "roaming")),
        Prefetch("chargers__evses", EVSE.objects.only("charger", "number", "evse_id", "status")),
        Prefetch("chargers__evses__connectors", Connector.objects.only("evse", "number", "roaming_id")),
    ]
    list_per_page = 25
    search_fields = ["name", "roaming_id", "city", "address", "chargers__identity", "chargers__evses__evse_id"]
    autocomplete_fields = ["operator"]
    inlines = [ChargerInline]
    choice_lists = {"facilities": Facility}
    readonly_fields = ["readiness_reasons", "first_exposed_at", "last_updated"]
    fieldsets = [
        (None, {"fields": ["name", "operator", "readiness_reasons"]}),
        (_("Roaming"), {"fields": ["roaming_id", "phone", "publish", "first_exposed_at", "last_updated"]}),
        (
            _("Address"),
            {"fields": ["address", "postal_code", "city", "state", "country", "latitude", "longitude"]},
        ),
        (_("For drivers"), {"fields": ["parking_type", "facilities", "directions", "opening_times"]}),
        (_("Region"), {"fields": ["time_zone", "currency"], "description": FALL_BACK}),
        (
            _("More OCPI fields"),
            {
                "classes": ["collapse"],
                "fields": [
                    "charging_when_closed",
                    "images",
                    "related_locations",
                    "energy_mix",
                    "publish_allowed_to",
                ],
            },
        ),
    ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Where there is but one operator, nobody has to choose it."""
        known = access.scope(Operator.objects.all(), request.user).values_list("pk", flat=True)[:2]
        only = {"operator": known[0]} if len(known) == 1 else {}
        return only | super().get_changeform_initial_data(request)

    @display(description=_("chargers"))
    def charger_count(self, location: Location) -> int:
        return len(location.chargers.all())

    @display(description=_("EVSEs"))
    def evse_states(self, location: Location) -> str:
        states = Counter(evse.status for charger in location.chargers.all() for evse in charger.evses.all())
        return ", ".join(f"{count} {_state(status)}" for status, count in states.most_common()) or gettext("none")

    @display(description=_("roaming"), label=READINESS_COLOURS)
    def readiness(self, location: Location) -> tuple[str, str]:
        ready, total = checks.count_ready(location)
        if total and ready == total:
            return "ready", gettext("shown") if location.first_exposed_at else gettext("ready")
        if ready:
            text = ngettext("%(ready)d of %(total)d connector ready", "%(ready)d of %(total)d connectors ready", total)
            return "partly", text % {"ready": ready, "total": total}
        return "not ready", checks.tree_reasons(location)[0]

    @display(description=_("ready for roaming"))
    def readiness_reasons(self, location: Location) -> str:
        if location._state.adding:
            return gettext("Save the area and add its chargers.")
        prefetch_related_objects([location], "chargers__evses__connectors")
        return bullets(checks.tree_reasons(location)) or gettext("Yes. Which partner sees it depends on its profile.")


class EVSEInline(ServiceInline):
    model = EVSE
    fields = ["number", "evse_id", "uid", "physical_reference", "status", "connector_links"]
    readonly_fields = ["status", "connector_links"]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("charger").prefetch_related("connectors")

    @display(description=_("connectors"))
    def connector_links(self, evse: EVSE) -> str:
        if evse._state.adding:
            return gettext("Save first.")
        names = [str(connector.get_standard_display()) for connector in evse.connectors.all()]
        address = reverse("admin:infrastructure_evse_change", args=[evse.pk])
        return format_html(
            '<a class="text-link" href="{}">{}</a>', address, ", ".join(names) or gettext("Add connectors")
        )


@admin.register(Charger)
class ChargerAdmin(PanelsFirst, ImportExportAdmin, ServiceAdmin):
    import_resource = export_resource = ChargerResource
    list_display = ["identity", "name", "location", "evse_states", "roaming_id", "roaming", "readiness"]
    list_filter = ["roaming", ("location__operator", ScopedRelatedFilter), ("location", ScopedSearchFilter)]
    list_filter_submit = True
    read_with = ["location__operator"]
    list_prefetch_related = ["evses"]
    search_fields = ["identity", "name", "roaming_id", "location__name", "evses__evse_id"]
    autocomplete_fields = ["location"]
    inlines = [EVSEInline]
    readonly_fields = ["first_exposed_at"]
    fieldsets = [
        (None, {"fields": ["identity", "name", "location"]}),
        (_("Roaming"), {"fields": ["roaming_id", "roaming", "first_exposed_at"]}),
    ]

    @display(description=_("EVSEs"))
    def evse_states(self, charger: Charger) -> str:
        return ", ".join(f"{evse.number}: {_state(evse.status)}" for evse in charger.evses.all()) or gettext("none")

    @display(description=_("ready"), label=READINESS_COLOURS)
    def readiness(self, charger: Charger) -> tuple[str, str]:
        return ready_or_why_not(checks.charger_reasons(charger))


class ConnectorInline(ServiceStackedInline):
    model = Connector
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("number", "roaming_id"),
                    "standard",
                    ("format", "power_type"),
                    ("max_voltage", "max_amperage"),
                    "max_electric_power",
                ]
            },
        )
    ]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("evse__charger")


@admin.register(EVSE)
class EVSEAdmin(PanelsFirst, ExportAdmin, ServiceAdmin):
    export_resource = EVSEResource
    list_display = ["name", "charger", "number", "area", "state", "evse_id", "readiness"]
    list_filter = ["status", ("charger__location__operator", ScopedRelatedFilter)]
    read_with = ["charger__location__operator"]
    search_fields = ["evse_id", "uid", "charger__identity", "charger__location__name"]
    autocomplete_fields = ["charger"]
    inlines = [ConnectorInline]
    choice_lists = {"capabilities": Capability, "parking_restrictions": ParkingRestriction}
    readonly_fields = ["status", "uid_at_partners", "first_exposed_at", "last_updated"]
    fieldsets = [
        (None, {"fields": ["charger", "number", "physical_reference", "status"]}),
        (_("Roaming"), {"fields": ["evse_id", "uid", "uid_at_partners", "first_exposed_at", "last_updated"]}),
        (_("For drivers"), {"fields": ["capabilities", "parking_restrictions", "directions", "floor_level"]}),
        (
            _("More OCPI fields"),
            {"classes": ["collapse"], "fields": ["latitude", "longitude", "images"]},
        ),
    ]

    @display(description=_("uid at partners"))
    def uid_at_partners(self, evse: EVSE) -> str:
        if evse._state.adding:
            return gettext("Save first.")
        return evse.effective_uid or gettext("none while the charger has no roaming id")

    @display(description=_("EVSE"))
    def name(self, evse: EVSE) -> str:
        return str(evse)

    @display(description=_("area"), ordering="charger__location__name")
    def area(self, evse: EVSE) -> str:
        return evse.charger.location.name

    @display(description=_("state"), ordering="status", label=STATUS_COLOURS)
    def state(self, evse: EVSE) -> tuple[str, str]:
        return evse.status, str(evse.get_status_display())

    @display(description=_("ready"), label=READINESS_COLOURS)
    def readiness(self, evse: EVSE) -> tuple[str, str]:
        return ready_or_why_not(checks.evse_reasons(evse))


@admin.register(Connector)
class ConnectorAdmin(ImportExportAdmin, ServiceAdmin):
    import_resource = export_resource = ConnectorResource
    list_display = ["name", "area", "standard", "power_type", "roaming_id", "readiness"]
    list_filter = ["standard", "power_type", ("evse__charger__location__operator", ScopedRelatedFilter)]
    read_with = ["evse__charger__location__operator"]
    search_fields = ["roaming_id", "evse__evse_id", "evse__charger__identity", "evse__charger__location__name"]
    autocomplete_fields = ["evse"]
    readonly_fields = ["first_exposed_at", "last_updated"]
    fieldsets = [
        (None, {"fields": ["evse", "number", "standard", "format"]}),
        (_("Power"), {"fields": ["power_type", "max_voltage", "max_amperage", "max_electric_power"]}),
        (_("Roaming"), {"fields": ["roaming_id", "terms_and_conditions", "first_exposed_at", "last_updated"]}),
    ]

    @display(description=_("connector"))
    def name(self, connector: Connector) -> str:
        return str(connector)

    @display(description=_("area"), ordering="evse__charger__location__name")
    def area(self, connector: Connector) -> str:
        return connector.evse.charger.location.name

    @display(description=_("ready"), label=READINESS_COLOURS)
    def readiness(self, connector: Connector) -> tuple[str, str]:
        return ready_or_why_not(checks.connector_reasons(connector))


class OutboxStateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("waiting", gettext("Waiting")),
            ("failed", gettext("Failed, will be retried")),
            ("done", gettext("Done")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "waiting":
                return queryset.filter(processed_at=None)
            case "failed":
                return queryset.filter(processed_at=None, attempts__gt=0)
            case "done":
                return queryset.exclude(processed_at=None)
        return queryset


@admin.register(Act)
class ActAdmin(AuditPage, ReadOnlyAdmin):
    """The audit trail instead of a list of acts alone."""


@admin.register(OutboxEvent)
class OutboxEventAdmin(SuperuserOnlyMixin, ReadOnlyAdmin):
    list_display = ["topic", "object_id", "state", "attempts", "created_at", "not_before", "last_error"]
    list_filter = [OutboxStateFilter, "topic"]
    search_fields = ["last_error", "=object_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        unfinished_first = Case(When(processed_at=None, then=Value(0)), default=Value(1))
        return super().get_queryset(request).order_by(unfinished_first, "-pk")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ()

    @display(description=_("state"), label={"waiting": "warning", "failed": "danger"})
    def state(self, event: OutboxEvent) -> tuple[str, str]:
        if event.processed_at:
            return "done", gettext("done")
        return ("failed", gettext("failed")) if event.attempts else ("waiting", gettext("waiting"))


def _state(status: str) -> str:
    return str(STATES[EVSEStatus(status)])
