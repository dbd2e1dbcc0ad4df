"""Admin of charging: what runs and ran, what it cost, and whether chargers are there. Services write it all."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers import admin_api, admin_costs, admin_panels, admin_pending, admin_records
from chargers.admin_actions import STATUS_COLOURS, PasswordActions, StopActions, reason_of
from chargers.admin_bills import BillActions
from chargers.admin_operations import OperateActions
from chargers.admin_reservations import ReservationAdmin, UnlockActions
from chargers.choices import CallResult, CallState
from chargers.models import CDR, ChargerConnection, ChargingSession, OutgoingCall, Reservation
from chargers.resources import CDRResource, SessionResource
from chargers.services.charge_points import ocpp_address
from chargers.services.masking import without_secrets
from infrastructure import panels
from infrastructure.admin_base import PanelsFirst, ReadOnlyAdmin
from infrastructure.admin_display import display, link, shown_json
from infrastructure.admin_filters import TimeFilter
from infrastructure.exchange.admin import ExportAdmin
from infrastructure.models import Charger
from tariffs.pricing.rounding import money

CALL_COLOURS = {
    CallState.PENDING: "info",
    CallState.SENT: "info",
    CallResult.ACCEPTED: "success",
    CallResult.TIMEOUT: "warning",
    CallResult.NOT_SUPPORTED: "warning",
    CallResult.REJECTED: "danger",
    CallResult.FAILED: "danger",
    CallResult.EVSE_INOPERATIVE: "danger",
    CallResult.EVSE_OCCUPIED: "danger",
    CallResult.UNKNOWN: "warning",
    CallResult.UNKNOWN_RESERVATION: "warning",
}


class RetailFields:
    """Mixin of an admin: `retail_fields` are shown where the driver pays something else than the tariff."""

    retail_fields: tuple[str, ...] = ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if obj is not None and obj.retail_total_incl_vat is not None:
            return fieldsets
        kept = [
            (title, {**options, "fields": [name for name in options["fields"] if name not in self.retail_fields]})
            for title, options in fieldsets
        ]
        return [(title, options) for title, options in kept if options["fields"]]

    @display(description=_("driver's price (gross)"))
    def driver_price(self, row: ChargingSession | CDR) -> str:
        return _amount(row.driver_total_incl_vat, row.currency)


def _amount(value: Any, currency: str) -> str:
    return "" if value is None else f"{money(value, currency)} {currency}"


def _register(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f} Wh"


@admin.register(ChargingSession)
class ChargingSessionAdmin(PanelsFirst, RetailFields, StopActions, BillActions, ExportAdmin, ReadOnlyAdmin):
    export_resource = SessionResource
    retail_fields = ("driver_terms",)
    actions_detail = [*StopActions.actions_detail, *BillActions.bill_actions]
    list_display = [
        "__str__",
        "status_label",
        "charger",
        "started_at",
        "ended_at",
        "energy",
        "cost",
        "preauthorised",
        "stop_reason",
    ]
    list_filter = ["status", "stop_reason", "network", ("created_at", TimeFilter)]
    list_filter_submit = True
    list_select_related = ["connector__evse__charger"]
    search_fields = [
        "uid",
        "authorization_reference",
        "id_tag",
        "transaction_id",
        "connector__evse__evse_id",
        "connector__evse__charger__identity",
    ]
    search_help_text = _("Session id, authorization reference, id tag, EVSE id or charger identity")
    # What "At a glance" and the story above say is not said again.
    fieldsets = [
        (
            _("Identification"),
            {
                "fields": [
                    "uid",
                    "authorization_reference",
                    "auth_method",
                    "cdr_token",
                    "id_tag",
                    "transaction_id",
                    "country_code",
                    "party_id",
                ]
            },
        ),
        (
            _("Tariff and meter"),
            {
                "classes": ["collapse"],
                "fields": [
                    "connector",
                    "network",
                    "tariff_version",
                    "driver_terms",
                    "meter_at_start",
                    "meter_at_stop",
                    "settlement",
                    "last_updated",
                ],
            },
        ),
        (_("Place and periods"), {"classes": ["collapse"], "fields": ["place", "time_zone", "charging_periods"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With all that the page of one session shows of its place and its tariff."""
        sessions = super().get_queryset(request)
        if request.resolver_match and "object_id" in request.resolver_match.kwargs:
            place = "connector__evse__charger"
            return sessions.select_related(f"{place}__location", f"{place}__connection", "tariff_version__tariff")
        return sessions

    @display(description=_("status"), label=STATUS_COLOURS, ordering="status")
    def status_label(self, session: ChargingSession) -> tuple[str, str]:
        return session.status, session.get_status_display()

    @display(description=_("charger"), ordering="connector__evse__charger__identity")
    def charger(self, session: ChargingSession) -> str:
        evse = session.connector.evse if session.connector else None
        return f"{evse.charger.identity} / {evse.number}" if evse else gettext("no longer configured")

    @display(description=_("energy"), ordering="kwh")
    def energy(self, session: ChargingSession) -> str:
        return f"{session.kwh:.3f} kWh"

    @display(description=_("cost (gross)"), ordering="total_cost_incl_vat")
    def cost(self, session: ChargingSession) -> str:
        return _amount(session.total_cost_incl_vat, session.currency)

    @display(description=_("how it follows from the cost"))
    def driver_terms(self, session: ChargingSession) -> str:
        terms = session.retail_terms
        if terms is None:
            return ""
        words = _("times %(factor)s, plus %(surcharge)s once; the cost is what the partner owes us")
        named = {"factor": f"{terms.factor.normalize():f}", "surcharge": _amount(terms.surcharge, session.currency)}
        return str(words % named)

    @display(description=_("pre-authorised"), ordering="limit")
    def preauthorised(self, session: ChargingSession) -> str:
        return _amount(session.limit, session.currency)

    @display(description=_("meter at start"))
    def meter_at_start(self, session: ChargingSession) -> str:
        return _register(session.meter_start)

    @display(description=_("meter at stop"))
    def meter_at_stop(self, session: ChargingSession) -> str:
        return _register(session.meter_stop)


@admin.register(CDR)
class CDRAdmin(RetailFields, BillActions, ExportAdmin, ReadOnlyAdmin):
    export_resource = CDRResource
    retail_fields = ("driver_price", "driver_lines", "driver_vat")
    actions_detail = list(BillActions.bill_actions)
    list_display = ["uid", "session", "charger", "end_date_time", "energy", "gross", "remark", "invoice_reference_id"]
    list_filter = ["is_credit", "session__stop_reason", ("end_date_time", TimeFilter)]
    list_filter_submit = True
    list_select_related = ["session__connector__evse__charger"]
    search_fields = [
        "uid",
        "invoice_reference_id",
        "session__uid",
        "session__authorization_reference",
        "session__connector__evse__evse_id",
        "session__connector__evse__charger__identity",
    ]
    search_help_text = _("CDR or session id, authorization reference, invoice, EVSE id or charger identity")
    fieldsets = [
        (None, {"fields": ["uid", "session_link", "kind", "start_date_time", "end_date_time", "remark"]}),
        (_("Totals"), {"fields": ["gross", "net", "energy", "time", "parking", "lines", "vat"]}),
        (_("Driver's price"), {"fields": ["driver_price", "driver_lines", "driver_vat"]}),
        (_("Invoice"), {"fields": ["invoice_reference_id", "credited", "credited_at", "created_at"]}),
        (_("Charging periods"), {"classes": ["collapse"], "fields": ["charging_periods"]}),
    ]

    @display(description=_("session"))
    def session_link(self, cdr: CDR) -> str:
        return link(cdr.session)

    @display(description=_("kind"), label={"credit": "warning", "charge": "default"}, ordering="is_credit")
    def kind(self, cdr: CDR) -> tuple[str, str]:
        return ("credit", gettext("credit")) if cdr.is_credit else ("charge", gettext("charging session"))

    @display(description=_("charger"))
    def charger(self, cdr: CDR) -> str:
        connector = cdr.session.connector
        return str(connector.evse.charger) if connector else gettext("no longer configured")

    @display(description=_("energy"), ordering="total_energy")
    def energy(self, cdr: CDR) -> str:
        return f"{cdr.total_energy:.3f} kWh"

    @display(description=_("cost (gross)"), ordering="total_cost_incl_vat")
    def gross(self, cdr: CDR) -> str:
        return _amount(cdr.total_cost_incl_vat, cdr.currency)

    @display(description=_("cost (net)"))
    def net(self, cdr: CDR) -> str:
        return _amount(cdr.total_cost_excl_vat, cdr.currency)

    @display(description=_("total time"))
    def time(self, cdr: CDR) -> str:
        return _hours(cdr.total_time)

    @display(description=_("of it parking"))
    def parking(self, cdr: CDR) -> str:
        return _hours(cdr.total_parking_time)

    @display(description=_("lines"))
    def lines(self, cdr: CDR) -> str:
        return admin_costs.lines(cdr.cost, cdr.currency)

    @display(description=_("VAT"))
    def vat(self, cdr: CDR) -> str:
        return admin_costs.vat(cdr.cost, cdr.currency)

    @display(description=_("lines"))
    def driver_lines(self, cdr: CDR) -> str:
        return admin_costs.lines(cdr.driver_cost, cdr.currency)

    @display(description=_("VAT"))
    def driver_vat(self, cdr: CDR) -> str:
        return admin_costs.vat(cdr.driver_cost, cdr.currency)


@admin.register(OutgoingCall)
class OutgoingCallAdmin(ReadOnlyAdmin):
    list_display = ["what", "charger", "outcome", "reason", "session", "created_at", "sent_at", "finished_at"]
    fields = [
        "what",
        "charger",
        "session",
        "outcome",
        "reason",
        "request_text",
        "answer",
        "created_at",
        "sent_at",
        "finished_at",
        "expires_at",
        "correlation_id",
    ]
    list_filter = ["action", "state", "result", ("created_at", TimeFilter)]
    list_filter_submit = True
    read_with = ["charger__location__operator", "session"]
    search_fields = ["charger__identity", "session__uid", "session__authorization_reference", "=correlation_id"]
    search_help_text = _("Charger identity, session id, authorization reference, or a correlation id as a whole")

    @display(description=_("outcome"), label=CALL_COLOURS, ordering="result")
    def outcome(self, call: OutgoingCall) -> tuple[str, str]:
        if call.result:
            return call.result, call.get_result_display()
        return call.state, call.get_state_display()

    @display(description=_("reason"))
    def reason(self, call: OutgoingCall) -> str:
        return reason_of(call)

    @display(description=_("call"), ordering="action")
    def what(self, call: OutgoingCall) -> str:
        return call.label

    @display(description=_("request"))
    def request_text(self, call: OutgoingCall) -> str:
        return shown_json(without_secrets(call.payload))


class OnlineFilter(admin.SimpleListFilter):
    title = _("connection")
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("online", gettext("Online")), ("offline", gettext("Offline"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "online":
                return queryset.exclude(channel_name="")
            case "offline":
                return queryset.filter(channel_name="")
        return queryset


@admin.register(ChargerConnection)
class ChargerConnectionAdmin(PanelsFirst, PasswordActions, UnlockActions, OperateActions, ReadOnlyAdmin):
    actions_detail = ["operate", "unlock", "new_password", "security"]
    list_display = [
        "charger",
        "area",
        "online_label",
        "last_seen_at",
        "refusal",
        "has_password",
        "model",
        "firmware_version",
    ]
    sentences = ["refusal"]
    list_filter = [OnlineFilter, "protocol", "security_profile", "vendor"]
    read_with = ["charger__location__operator"]
    search_fields = ["charger__identity", "charger__name", "charger__location__name", "serial_number"]
    search_help_text = _("Charger identity or name, area or serial number")
    ordering = ["charger__identity"]
    fields = [
        "charger",
        "online_label",
        "has_password",
        "security_profile",
        "certificate_name",
        "refused_at",
        "refusal",
        "address",
        "protocol",
        "vendor",
        "model",
        "serial_number",
        "firmware_version",
        "connected_at",
        "disconnected_at",
        "last_seen_at",
        "booted_at",
    ]

    @display(description=_("connection"), label={"online": "success", "offline": "danger"}, ordering="channel_name")
    def online_label(self, connection: ChargerConnection) -> tuple[str, str]:
        return ("online", gettext("online")) if connection.is_online else ("offline", gettext("offline"))

    @display(description=_("area"), ordering="charger__location__name")
    def area(self, connection: ChargerConnection) -> str:
        return connection.charger.location.name

    @display(description=_("password set"), boolean=True)
    def has_password(self, connection: ChargerConnection) -> bool:
        return bool(connection.password_hash)

    @display(description=_("OCPP address"))
    def address(self, connection: ChargerConnection) -> str:
        return ocpp_address(connection.charger)


def _hours(hours: Decimal) -> str:
    minutes, seconds = divmod(round(hours * 3600), 60)
    duration = {"hours": minutes // 60, "minutes": minutes % 60, "seconds": seconds}
    return gettext("%(hours)d h %(minutes)02d min %(seconds)02d s") % duration


admin.site.register(Reservation, ReservationAdmin)
for _model, _page in admin_api.PAGES.items():
    admin.site.register(_model, _page)
for _model, _page in (admin_pending.PAGES | admin_records.PAGES).items():
    admin.site.register(_model, _page)
panels.register(Charger, admin_panels.of_charger)
panels.register(ChargerConnection, admin_panels.of_connection)
panels.register(OutgoingCall, admin_panels.of_call)
