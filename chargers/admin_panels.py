"""Boxes on the pages of chargers and sessions: what is connected, what runs, and what became of each call."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.db.models import Count, Max, Min, Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chargers.admin_actions import reason_of
from chargers.admin_operations import GROUPS, offered
from chargers.choices import CallResult, CallState
from chargers.models import (
    ChargerConnection,
    ChargerEvent,
    ChargerMessage,
    ChargerVariable,
    ConnectorStatus,
    OutgoingCall,
)
from chargers.services.charge_points import ocpp_address
from infrastructure.admin_display import link, moment, table, zone_of
from infrastructure.models import Charger
from infrastructure.panels import Panel
from infrastructure.sentences import said

# Rows of each kind on a charger's page.
SHOWN = 5
# Requests whose answers are kept as variables.
READS = ("GetConfiguration", "ChangeConfiguration", "GetVariables", "SetVariables", "GetBaseReport", "GetReport")
UNLOCK = gettext_lazy("Unlock connector")
UNLOCK_EXPLANATION = gettext_lazy(
    "The charger lets go of the cable. A session that runs there ends and is billed up to then."
)
_RELOAD = mark_safe("<script>setTimeout(function () { location.reload(); }, 1500);</script>")


@dataclass(frozen=True, slots=True)
class Way:
    """To the page that explains an operation and asks."""

    url: str
    title: Any
    explanation: Any
    icon: str
    is_danger: bool = False


def of_charger(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    """Whether the charger is there and what happens at it, on its own page."""
    connection: ChargerConnection | None = getattr(charger, "connection", None)
    zone = zone_of(charger)
    rows: list[tuple[str, Any]] = [(_("OCPP address"), ocpp_address(charger))]
    if connection is not None:
        rows += [
            (_("Connection"), link(connection, _("online") if connection.is_online else _("offline"))),
            (_("Last seen"), moment(connection.last_seen_at, zone)),
            (_("Password"), _password(connection, request)),
        ]
        if connection.refusal and not connection.is_online:
            refused = format_html("{}: {}", moment(connection.refused_at, zone), said(connection.refusal))
            rows.append((_("Last refused"), refused))
    yield _("Connection"), format_html_join("", '<p class="py-1 break-words"><b>{}</b>: {}</p>', rows)
    yield from _told_now(charger)
    if connection is not None:
        yield from _operate(connection, request)
    yield from _records(charger, request)


def of_connection(connection: ChargerConnection, request: HttpRequest) -> Iterable[Panel]:
    yield from _operate(connection, request)
    yield from _held(connection.charger)
    yield from _records(connection.charger, request)


def of_call(call: OutgoingCall, request: HttpRequest) -> Iterable[Panel]:
    """Shows the answer as soon as it is there, and leads to what it was about."""
    if call.state != CallState.DONE:
        waiting = _("The charger has the request.") if call.sent_at else _("The request waits for the charger.")
        yield _("No answer yet"), format_html("{} {}{}", waiting, _("This page looks again by itself."), _RELOAD)
    elif call.result == CallResult.ACCEPTED and call.name in READS:
        yield _("Configuration"), _all_of(ChargerVariable, call.charger, _("See the charger's configuration"))


def _operate(connection: ChargerConnection, request: HttpRequest) -> Iterable[Panel]:
    """Ways to everything that can be asked of the charger, those that a driver on the phone waits for first."""
    if not request.user.has_perm("chargers.change_chargerconnection"):
        return
    page = reverse("admin:chargers_chargerconnection_operate", args=[connection.pk])
    ways: dict[str, list[Way]] = {name: [] for name in GROUPS}
    unlock = reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk])
    ways["driver"].append(Way(unlock, UNLOCK, UNLOCK_EXPLANATION, "lock_open", is_danger=True))
    for name, one in offered(connection).items():
        way = Way(f"{page}?do={name}", one.title, one.explanation, one.icon, one.is_danger)
        ways[one.group].append(way)
    if request.user.has_perm("chargers.view_locallist"):
        ways["cards"].append(_local_list(connection.charger))
    groups = [(title, ways[name]) for name, title in GROUPS.items() if ways[name]]
    context = {"first": groups[0], "others": groups[1:], "is_online": connection.is_online}
    yield _("Operate"), render_to_string("chargers/operate.html", context)


def _local_list(charger: Charger) -> Way:
    address = reverse("admin:chargers_locallist_changelist")
    text = _("The cards that it lets charge while it cannot reach us.")
    return Way(f"{address}?q={quote(charger.identity)}", _("Local list"), text, "fact_check")


def _records(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    """The newest of what was asked, told and exchanged, each with the way to all of it."""

    zone = zone_of(charger)

    def may_see(model: type[Model]) -> bool:
        return bool(request.user.has_perm(f"chargers.view_{model._meta.model_name}"))

    calls = list(charger.calls.order_by("-pk")[:SHOWN]) if may_see(OutgoingCall) else []
    if calls:
        rows = [(link(call, call.label), _outcome(call), _why(call), moment(call.created_at, zone)) for call in calls]
        yield (
            _("Last calls"),
            _with_more(table([_("Request"), _("Outcome"), _("Reason"), _("At")], rows), OutgoingCall, charger),
        )
    events = list(charger.events.order_by("-pk")[:SHOWN]) if may_see(ChargerEvent) else []
    if events:
        told = [
            (link(one, str(one)), one.evse_number or "", one.info[:80], moment(one.received_at, zone)) for one in events
        ]
        yield _("What it told"), _with_more(table([_("Event"), _("EVSE"), "", _("At")], told), ChargerEvent, charger)
    if may_see(ChargerVariable) and charger.variables.exists():
        yield _("Configuration"), _all_of(ChargerVariable, charger, _("See and change its configuration"))
    frames = list(charger.messages.order_by("-pk")[:SHOWN]) if may_see(ChargerMessage) else []
    if frames:
        lines = [
            (link(one, moment(one.at, zone)), "→" if one.direction == "IN" else "←", one.frame[:160]) for one in frames
        ]
        yield _("Last messages"), _with_more(table([_("At"), "", _("Frame")], lines), ChargerMessage, charger)


def _held(charger: Charger) -> Iterable[Panel]:
    """Its certificates and, of OCPP 2.0.1, what it watches and shows."""
    zone = zone_of(charger)
    certificates = [
        (one.use, one.subject or one.serial_number, moment(one.expires_at, zone) if one.expires_at else _("not known"))
        for one in charger.certificates.all()
    ]
    if certificates:
        yield _("Certificates"), table([_("Use"), _("Name"), _("Valid until")], certificates)
    monitors = [
        (one.name, one.type, one.value, one.severity, moment(one.told_at, zone)) for one in charger.monitors.all()
    ]
    if monitors:
        yield _("What it watches"), table([_("Variable"), _("When"), _("Value"), _("Severity"), _("Told")], monitors)
    shown = [
        (
            one.message_id,
            one.text,
            one.priority,
            moment(one.ends_at, zone) if one.ends_at else "",
            moment(one.told_at, zone),
        )
        for one in charger.display_messages.all()
    ]
    if shown:
        yield _("What it shows"), table([_("Number"), _("Text"), _("How"), _("Until"), _("Told")], shown)


def _told_now(charger: Charger) -> Iterable[Panel]:
    """What chargers of OCPP 2.0.1 say of each connector, and transactions that nobody answers for yet."""
    told = ConnectorStatus.objects.filter(evse__charger=charger).select_related("evse").order_by("evse", "number")
    rows = [(one.evse.number, one.number, one.status) for one in told]
    if rows:
        yield _("Connectors, as the charger told them"), table([_("EVSE"), _("Connector"), _("Status")], rows)
    zone = zone_of(charger)
    held = charger.held_events.values("transaction_id").order_by("transaction_id")
    waiting = [
        (one["transaction_id"], one["count"], moment(one["first"], zone), moment(one["newest"], zone))
        for one in held.annotate(count=Count("pk"), first=Min("received_at"), newest=Max("received_at"))
    ]
    if waiting:
        explanation = _(
            "The charger told of these, but their session cannot begin yet: nobody has shown a card, no cable is "
            "plugged in, or the first message is missing. It begins by itself as soon as that comes."
        )
        heads = [_("Transaction"), _("Messages"), _("First"), _("Last")]
        yield _("Transactions without a session"), format_html("<p>{}</p>{}", explanation, table(heads, waiting))


def _with_more(rows: SafeString, model: type[Model], charger: Charger) -> SafeString:
    return format_html('{}<p class="pt-3">{}</p>', rows, _all_of(model, charger, _("See all")))


def _all_of(model: type[Model], charger: Charger, text: str) -> SafeString:
    address = reverse(f"admin:chargers_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?charger__id__exact={}" class="text-link">{}</a>', address, charger.pk, text)


def _password(connection: ChargerConnection, request: HttpRequest) -> str:
    state = _("set") if connection.password_hash else _("none yet: the charger is refused")
    if connection.next_password_hashes:
        state = _("set; the charger was sent a new one, which takes its place when the charger connects with it")
    if not request.user.has_perm("chargers.change_chargerconnection"):
        return state
    address = reverse("admin:chargers_chargerconnection_new_password", args=[connection.pk])
    return format_html('{} · <a href="{}" class="text-link">{}</a>', state, address, _("Set a new password"))


def _why(call: OutgoingCall) -> str:
    """What the outcome does not say already."""
    return "" if call.result in ("", CallResult.ACCEPTED) else reason_of(call)


def _outcome(call: OutgoingCall) -> str:
    return str(call.get_result_display() or call.get_state_display())
