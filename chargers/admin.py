"""Admin of charging: what runs and ran, what it cost, and whether chargers are there. Services write it all."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chargers import admin_api, admin_panels, admin_pending, admin_records
from chargers.admin_actions import PasswordActions, StopActions, reason_of
from chargers.admin_bills import BillActions
from chargers.admin_operations import OperateActions
from chargers.admin_reservations import ReservationAdmin, UnlockActions, unlock_panel
from chargers.choices import CallAction, CallResult, CallState, SessionStatus
from chargers.models import CDR, ChargerConnection, ChargingSession, OutgoingCall, Reservation
from chargers.services.charge_points import ocpp_address
from chargers.services.masking import without_secrets
from infrastructure import panels
from infrastructure.admin_base import ReadOnlyAdmin
from infrastructure.admin_display import display, link, shown_json, table
from infrastructure.models import EVSE, Charger
from tariffs.pricing.rounding import money

STATUS_COLOURS = {
    SessionStatus.PENDING: "info",
    SessionStatus.RESERVATION: "info",
    SessionStatus.ACTIVE: "success",
    SessionStatus.COMPLETED: "default",
    SessionStatus.INVALID: "danger",
}
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


def _amount(value: Any, currency: str) -> str:
    return "" if value is None else f"{money(value, currency)} {currency}"


@admin.register(ChargingSession)
class ChargingSessionAdmin(StopActions, BillActions, ReadOnlyAdmin):
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
    list_filter = ["status", "stop_reason", "network", "created_at"]
    list_select_related = ["connector__evse__charger"]
    search_fields = [
        "uid",
        "authorization_reference",
        "id_tag",
        "transaction_id",
        "connector__evse__evse_id",
        "connector__evse__charger__identity",
    ]
    search_help_text = "Session id, authorization reference, id tag, EVSE id or charger identity"
    date_hierarchy = "created_at"
    fieldsets = [
        (None, {"fields": ["uid", "status_label", "why", "connector", "network", "tariff_version"]}),
        ("Energy and cost", {"fields": ["energy", "cost", "preauthorised", "meter_start", "meter_stop"]}),
        (
            "Course",
            {
                "fields": [
                    "created_at",
                    "accepted_at",
                    "started_at",
                    "ended_at",
                    "stop_requested_at",
                    "stop_requested_by",
                    "stop_reason",
                    "settlement",
                    "last_updated",
                ]
            },
        ),
        (
            "Identification",
            {
                "fields": [
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
        ("Place and periods", {"classes": ["collapse"], "fields": ["place", "time_zone", "charging_periods"]}),
    ]

    @display(description="status", label=STATUS_COLOURS, ordering="status")
    def status_label(self, session: ChargingSession) -> tuple[str, str]:
        return session.status, session.get_status_display()

    @display(description="charger", ordering="connector__evse__charger__identity")
    def charger(self, session: ChargingSession) -> str:
        evse = session.connector.evse if session.connector else None
        return f"{evse.charger.identity} / {evse.number}" if evse else "no longer configured"

    @display(description="energy", ordering="kwh")
    def energy(self, session: ChargingSession) -> str:
        return f"{session.kwh:.3f} kWh"

    @display(description="cost (gross)", ordering="total_cost_incl_vat")
    def cost(self, session: ChargingSession) -> str:
        return _amount(session.total_cost_incl_vat, session.currency)

    @display(description="pre-authorised", ordering="limit")
    def preauthorised(self, session: ChargingSession) -> str:
        return _amount(session.limit, session.currency)

    @display(description="reason", empty_value="-")
    def why(self, session: ChargingSession) -> str | None:
        """Why nothing was charged."""
        if session.status != SessionStatus.INVALID:
            return None
        starts = session.calls.filter(action__in=(CallAction.START_TRANSACTION, CallAction.RESERVE_NOW))
        call = starts.order_by("pk").last()
        if call is None:
            return "The charger was not asked."
        if call.result == CallResult.ACCEPTED:
            return "The charger accepted, but no car was plugged in before the session was given up."
        return f"{call.get_result_display() or call.get_state_display()}. {reason_of(call)}".strip()


@admin.register(CDR)
class CDRAdmin(BillActions, ReadOnlyAdmin):
    actions_detail = list(BillActions.bill_actions)
    list_display = ["uid", "session", "charger", "end_date_time", "energy", "gross", "remark", "invoice_reference_id"]
    list_filter = ["is_credit", "session__stop_reason", "end_date_time"]
    list_select_related = ["session__connector__evse__charger"]
    search_fields = [
        "uid",
        "invoice_reference_id",
        "session__uid",
        "session__authorization_reference",
        "session__connector__evse__evse_id",
        "session__connector__evse__charger__identity",
    ]
    search_help_text = "CDR or session id, authorization reference, invoice, EVSE id or charger identity"
    date_hierarchy = "end_date_time"
    fieldsets = [
        (None, {"fields": ["uid", "session_link", "kind", "start_date_time", "end_date_time", "remark"]}),
        ("Totals", {"fields": ["gross", "net", "energy", "time", "parking", "lines", "vat"]}),
        ("Invoice", {"fields": ["invoice_reference_id", "credited", "credited_at", "created_at"]}),
        ("Charging periods", {"classes": ["collapse"], "fields": ["charging_periods"]}),
    ]

    @display(description="session")
    def session_link(self, cdr: CDR) -> str:
        return link(cdr.session)

    @display(description="kind", label={"credit": "warning", "charge": "default"}, ordering="is_credit")
    def kind(self, cdr: CDR) -> tuple[str, str]:
        return ("credit", "credit") if cdr.is_credit else ("charge", "charging session")

    @display(description="charger")
    def charger(self, cdr: CDR) -> str:
        connector = cdr.session.connector
        return str(connector.evse.charger) if connector else "no longer configured"

    @display(description="energy", ordering="total_energy")
    def energy(self, cdr: CDR) -> str:
        return f"{cdr.total_energy:.3f} kWh"

    @display(description="cost (gross)", ordering="total_cost_incl_vat")
    def gross(self, cdr: CDR) -> str:
        return _amount(cdr.total_cost_incl_vat, cdr.currency)

    @display(description="cost (net)")
    def net(self, cdr: CDR) -> str:
        return _amount(cdr.total_cost_excl_vat, cdr.currency)

    @display(description="total time")
    def time(self, cdr: CDR) -> str:
        return _hours(cdr.total_time)

    @display(description="of it parking")
    def parking(self, cdr: CDR) -> str:
        return _hours(cdr.total_parking_time)

    @display(description="lines")
    def lines(self, cdr: CDR) -> str:
        return _cost_table(cdr, "lines", ["dimension", "quantity", "unit_price", "vat", "excl_vat", "incl_vat"])

    @display(description="VAT")
    def vat(self, cdr: CDR) -> str:
        return _cost_table(cdr, "vat_totals", ["vat", "net", "vat_amount", "gross"])


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
    ]
    list_filter = ["action", "state", "result", "created_at"]
    list_select_related = ["charger", "session"]
    search_fields = ["charger__identity", "session__uid", "session__authorization_reference"]
    search_help_text = "Charger identity, session id or authorization reference"
    date_hierarchy = "created_at"

    @display(description="outcome", label=CALL_COLOURS, ordering="result")
    def outcome(self, call: OutgoingCall) -> tuple[str, str]:
        if call.result:
            return call.result, call.get_result_display()
        return call.state, call.get_state_display()

    @display(description="reason")
    def reason(self, call: OutgoingCall) -> str:
        return reason_of(call)

    @display(description="call", ordering="action")
    def what(self, call: OutgoingCall) -> str:
        return call.name if call.action == CallAction.OCPP else str(call.get_action_display())

    @display(description="request")
    def request_text(self, call: OutgoingCall) -> str:
        return shown_json(without_secrets(call.payload))


class OnlineFilter(admin.SimpleListFilter):
    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("online", "Online"), ("offline", "Offline")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "online":
                return queryset.exclude(channel_name="")
            case "offline":
                return queryset.filter(channel_name="")
        return queryset


@admin.register(ChargerConnection)
class ChargerConnectionAdmin(PasswordActions, UnlockActions, OperateActions, ReadOnlyAdmin):
    actions_detail = ["operate", "unlock", "new_password", "security"]
    list_display = [
        "charger",
        "online_label",
        "has_password",
        "last_seen_at",
        "connected_at",
        "vendor",
        "model",
        "firmware_version",
    ]
    list_filter = [OnlineFilter, "protocol", "security_profile", "vendor"]
    list_select_related = ["charger"]
    search_fields = ["charger__identity", "charger__name", "charger__location__name", "serial_number"]
    search_help_text = "Charger identity or name, area or serial number"
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

    @display(description="connection", label={"online": "success", "offline": "danger"}, ordering="channel_name")
    def online_label(self, connection: ChargerConnection) -> str:
        return "online" if connection.is_online else "offline"

    @display(description="password set", boolean=True)
    def has_password(self, connection: ChargerConnection) -> bool:
        return bool(connection.password_hash)

    @display(description="OCPP address")
    def address(self, connection: ChargerConnection) -> str:
        return ocpp_address(connection.charger)


# Of CDR.cost: our names of what it holds.
HEADS = {
    "dimension": "Item",
    "quantity": "Quantity",
    "unit_price": "Unit price (net)",
    "vat": "VAT %",
    "excl_vat": "Net",
    "incl_vat": "Gross",
    "net": "Net",
    "vat_amount": "VAT",
    "gross": "Gross",
}


def _cost_table(cdr: CDR, part: str, columns: list[str]) -> str:
    rows = cdr.cost.get(part) or []
    if not rows:
        return shown_json(None)
    return table([HEADS[name] for name in columns], [[_cell(row.get(name)) for name in columns] for row in rows])


def _hours(hours: Decimal) -> str:
    minutes, seconds = divmod(round(hours * 3600), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min {seconds:02d} s"


def _cell(value: Any) -> str:
    return "–" if value is None else str(value).replace("_", " ").lower()


admin.site.register(Reservation, ReservationAdmin)
for _model, _page in admin_api.PAGES.items():
    admin.site.register(_model, _page)
for _model, _page in (admin_pending.PAGES | admin_records.PAGES).items():
    admin.site.register(_model, _page)
panels.register(Charger, admin_panels.of_charger)
panels.register(ChargerConnection, admin_panels.of_connection)
panels.register(OutgoingCall, admin_panels.of_call)
panels.register(EVSE, unlock_panel)
panels.register(ChargingSession, admin_panels.of_session)
