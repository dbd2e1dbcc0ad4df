"""Boxes on the pages of chargers and sessions: what is connected, what runs, and what became of each call."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from chargers.admin_actions import RUNNING, reason_of
from chargers.admin_operations import offered
from chargers.choices import CallAction, CallResult, CallState
from chargers.models import (
    ChargerConnection,
    ChargerEvent,
    ChargerMessage,
    ChargerVariable,
    ChargingSession,
    OutgoingCall,
)
from chargers.services.charge_points import ocpp_address
from infrastructure.admin_display import link, table
from infrastructure.models import Charger
from infrastructure.panels import Panel

# Rows of each kind on a charger's page.
SHOWN = 5
# Requests whose answers are kept as variables.
READS = ("GetConfiguration", "ChangeConfiguration", "GetVariables", "SetVariables", "GetBaseReport", "GetReport")
_RELOAD = mark_safe("<script>setTimeout(function () { location.reload(); }, 1500);</script>")


def of_charger(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    """Whether the charger is there and what happens at it, on its own page."""
    connection = ChargerConnection.objects.filter(charger=charger).first()
    rows: list[tuple[str, Any]] = [("OCPP address", ocpp_address(charger))]
    if connection is not None:
        rows += [
            ("Connection", link(connection, "online" if connection.is_online else "offline")),
            ("Last seen", moment(connection.last_seen_at)),
            ("Password", _password(connection, request)),
        ]
        if connection.refusal and not connection.is_online:
            rows.append(("Last refused", f"{moment(connection.refused_at)}: {connection.refusal}"))
    rows += [("Running session", link(session)) for session in _running(charger)]
    yield "Connection", format_html_join("", '<p class="py-1 break-words"><b>{}</b>: {}</p>', rows)
    if connection is not None:
        yield from _operate(connection, request)
    yield from _records(charger, request)


def of_connection(connection: ChargerConnection, request: HttpRequest) -> Iterable[Panel]:
    yield from _operate(connection, request)
    yield from _records(connection.charger, request)


def of_call(call: OutgoingCall, request: HttpRequest) -> Iterable[Panel]:
    """Shows the answer as soon as it is there, and leads to what it was about."""
    if call.state != CallState.DONE:
        waiting = "The charger has the request." if call.sent_at else "The request waits for the charger."
        yield "No answer yet", format_html("{} This page looks again by itself.{}", waiting, _RELOAD)
    elif call.result == CallResult.ACCEPTED and call.name in READS:
        yield "Configuration", _all_of(ChargerVariable, call.charger, "See the charger's configuration")


def _operate(connection: ChargerConnection, request: HttpRequest) -> Iterable[Panel]:
    """Ways to everything that can be asked of the charger."""
    if not request.user.has_perm("chargers.change_chargerconnection"):
        return
    page = reverse("admin:chargers_chargerconnection_operate", args=[connection.pk])
    unlock = reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk])
    links = [(f"{page}?do={name}", one.title) for name, one in offered(connection).items()]
    anchors = format_html_join(" · ", '<a href="{}" class="text-link">{}</a>', [*links, (unlock, "Unlock connector")])
    yield "Operate", format_html('<p class="py-1">{}</p>', anchors)


def _records(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    """The newest of what was asked, told and exchanged, each with the way to all of it."""

    def may_see(model: type[Model]) -> bool:
        return bool(request.user.has_perm(f"chargers.view_{model._meta.model_name}"))

    calls = list(charger.calls.order_by("-pk")[:SHOWN]) if may_see(OutgoingCall) else []
    if calls:
        rows = [
            (link(call, _name_of(call)), _outcome(call), reason_of(call), moment(call.created_at)) for call in calls
        ]
        yield "Last calls", _with_more(table(["Call", "Outcome", "Reason", "At"], rows), OutgoingCall, charger)
    events = list(charger.events.order_by("-pk")[:SHOWN]) if may_see(ChargerEvent) else []
    if events:
        told = [(link(one, str(one)), one.evse_number or "", one.info[:80], moment(one.received_at)) for one in events]
        yield "What it told", _with_more(table(["Event", "EVSE", "", "At"], told), ChargerEvent, charger)
    if may_see(ChargerVariable) and charger.variables.exists():
        yield "Configuration", _all_of(ChargerVariable, charger, "See and change its configuration")
    frames = list(charger.messages.order_by("-pk")[:SHOWN]) if may_see(ChargerMessage) else []
    if frames:
        lines = [(link(one, moment(one.at)), "→" if one.direction == "IN" else "←", one.frame[:160]) for one in frames]
        yield "Last messages", _with_more(table(["At", "", "Frame"], lines), ChargerMessage, charger)


def _name_of(call: OutgoingCall) -> str:
    return call.name if call.action == CallAction.OCPP else str(call.get_action_display())


def _with_more(rows: SafeString, model: type[Model], charger: Charger) -> SafeString:
    return format_html('{}<p class="pt-3">{}</p>', rows, _all_of(model, charger, "See all"))


def _all_of(model: type[Model], charger: Charger, text: str) -> SafeString:
    address = reverse(f"admin:chargers_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?charger__id__exact={}" class="text-link">{}</a>', address, charger.pk, text)


def _password(connection: ChargerConnection, request: HttpRequest) -> str:
    state = "set" if connection.password_hash else "none yet: the charger is refused"
    if not request.user.has_perm("chargers.change_chargerconnection"):
        return state
    address = reverse("admin:chargers_chargerconnection_new_password", args=[connection.pk])
    return format_html('{} · <a href="{}" class="text-link">Set a new password</a>', state, address)


def _running(charger: Charger) -> QuerySet[ChargingSession]:
    return ChargingSession.objects.filter(connector__evse__charger=charger, status__in=RUNNING)


def of_session(session: ChargingSession, request: HttpRequest) -> Iterable[Panel]:
    """Its final reports and what was asked of the charger, oldest first."""
    cdrs = [
        (link(cdr), moment(cdr.end_date_time), f"{cdr.total_energy:.3f} kWh", cdr.remark)
        for cdr in session.cdrs.order_by("pk")
    ]
    if cdrs:
        yield "CDR", table(["CDR", "End", "Energy", "Remark"], cdrs)
    calls = [
        (link(call, call.get_action_display()), _outcome(call), reason_of(call), moment(call.created_at))
        for call in session.calls.order_by("pk")
    ]
    if calls:
        yield "Calls to the charger", table(["Call", "Outcome", "Reason", "At"], calls)


def _outcome(call: OutgoingCall) -> str:
    return str(call.get_result_display() or call.get_state_display())


def moment(at: Any) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z") if at else "never"
