"""Boxes on the pages of chargers and sessions: what is connected, what runs, and what became of each call."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from chargers.admin_actions import RUNNING, ocpp_address, reason_of
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from infrastructure.admin_display import link, table
from infrastructure.models import Charger
from infrastructure.panels import Panel


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
    rows += [("Running session", link(session)) for session in _running(charger)]
    yield "Connection", format_html_join("", '<p class="py-1 break-words"><b>{}</b>: {}</p>', rows)


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
