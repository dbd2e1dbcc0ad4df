"""What a dispatcher asks first about a place: which outlets are free, what is wrong with the others, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chargers.admin_actions import RUNNING, reason_of, why_not_started
from chargers.choices import CallAction, CallResult, CallState, ChargerEventKind, SessionStatus
from chargers.models import ChargerConnection, ChargerEvent, ChargingSession, OutgoingCall
from config.desk.permissions import may_see
from infrastructure.admin_display import link, moment, zone_of
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Charger, Location
from infrastructure.panels import Panel

# A start that failed longer ago is not what the driver on the phone means.
RECENT = timedelta(hours=1)
MOST = 100

Place = Location | Charger | EVSE
Action = tuple[str, str]
# By charger and number of the EVSE.
Faults = dict[tuple[int, int | None], ChargerEvent]


@dataclass(frozen=True, slots=True)
class Outlet:
    """`state` in plain words, with what is known of its cause; `failed` the last start that came to nothing."""

    evse: EVSE
    state: str
    is_bad: bool
    since: str
    session: ChargingSession | None
    failed: SafeString | str
    unlock: SafeString | str
    actions: list[Action]


def of_place(place: Place, request: HttpRequest) -> Iterable[Panel]:
    """One panel, in at most four queries."""
    evses = EVSE.objects.select_related("charger__connection").order_by("charger__identity", "number")
    match place:
        case Location():
            here = list(evses.filter(charger__location=place)[: MOST + 1])
        case Charger():
            # Its connection is read once, for the other panels of its page, too.
            here = list(place.evses.order_by("number"))
        case EVSE():
            here = list(evses.filter(pk=place.pk))
    if not here:
        return
    context = {
        "outlets": list(_outlets(here[:MOST], request, place)),
        "is_charger": isinstance(place, Charger),
        "has_more": len(here) > MOST,
    }
    yield _("Now"), render_to_string("config/outlets.html", context)


def _outlets(evses: list[EVSE], request: HttpRequest, place: Place) -> Iterable[Outlet]:
    zone = zone_of(place)
    running, failed = _sessions(evses) if may_see(request, ChargingSession) else ({}, {})
    faults = _faults(evses)
    for evse in evses:
        session, came_to_nothing = running.get(evse.pk), failed.get(evse.pk)
        state, is_bad, since = _state(evse, session, faults)
        yield Outlet(
            evse=evse,
            state=state,
            is_bad=is_bad,
            since=moment(since, zone) if since else "",
            session=session,
            unlock=_last_unlock(evse, zone) if isinstance(place, EVSE) else "",
            failed=link(came_to_nothing, _last_start(came_to_nothing, zone)) if came_to_nothing else "",
            actions=list(_actions(evse, session, request)),
        )


def _sessions(evses: list[EVSE]) -> tuple[dict[int, ChargingSession], dict[int, ChargingSession]]:
    """Of each EVSE the session that runs, and the newest if it failed within the last hour."""
    recent = Q(created_at__gt=timezone.now() - RECENT)
    sessions = ChargingSession.objects.filter(recent | Q(status__in=RUNNING), connector__evse__in=evses)
    running: dict[int, ChargingSession] = {}
    failed: dict[int, ChargingSession] = {}
    for session in sessions.select_related("connector").prefetch_related("calls").order_by("pk"):
        assert session.connector is not None
        evse_id = session.connector.evse_id
        failed.pop(evse_id, None)
        if session.status in RUNNING:
            running[evse_id] = session
        elif session.status == SessionStatus.INVALID:
            failed[evse_id] = session
    return running, failed


def _faults(evses: list[EVSE]) -> Faults:
    """What the charger said last of each outlet that is out of order."""
    faulty = {evse.charger_id for evse in evses if evse.status == EVSEStatus.OUTOFORDER}
    if not faulty:
        return {}
    told = ChargerEvent.objects.filter(charger__in=faulty, kind=ChargerEventKind.FAULT)
    newest = told.order_by().values("charger", "evse_number").annotate(newest=Max("pk")).values("newest")
    return {(event.charger_id, event.evse_number): event for event in ChargerEvent.objects.filter(pk__in=newest)}


def _state(evse: EVSE, session: ChargingSession | None, faults: Faults) -> tuple[str, bool, datetime | None]:
    """In words, whether it is bad, and since when."""
    connection: ChargerConnection | None = getattr(evse.charger, "connection", None)
    if connection is None or not connection.is_online:
        gone = connection.disconnected_at if connection else None
        text = _("Charger offline: nobody can start here") if gone else _("Charger offline: it has never connected")
        return text, True, gone
    if session is not None:
        pending = _("Waiting for the cable: the card is accepted, the car is not plugged in")
        return (_("Charging") if session.status == SessionStatus.ACTIVE else pending), False, session.started_at
    fault = faults.get((evse.charger_id, evse.number))
    if fault is not None and evse.status == EVSEStatus.OUTOFORDER:
        return _("Out of order: the charger tells of %(fault)s") % {"fault": fault.name}, True, fault.received_at
    words = {
        EVSEStatus.AVAILABLE: _("Free"),
        EVSEStatus.BLOCKED: _("Not free: the last session is over, but its cable is still plugged in"),
        EVSEStatus.CHARGING: _("In use, but by no session that we know"),
        EVSEStatus.INOPERATIVE: _("Out of service: somebody has taken it out, or the charger itself"),
        EVSEStatus.OUTOFORDER: _("Out of order: the charger does not say why"),
        EVSEStatus.RESERVED: _("Reserved"),
        EVSEStatus.UNKNOWN: _("Not known yet: the charger has not told"),
    }
    is_bad = evse.status in (EVSEStatus.INOPERATIVE, EVSEStatus.OUTOFORDER, EVSEStatus.UNKNOWN)
    return words.get(EVSEStatus(evse.status), evse.get_status_display()), is_bad, None


def _last_start(session: ChargingSession, zone: Any) -> str:
    at = timezone.localtime(session.created_at, zone)
    return _("Start at %(time)s failed. %(reason)s") % {"time": f"{at:%H:%M}", "reason": why_not_started(session)}


def _last_unlock(evse: EVSE, zone: Any) -> SafeString | str:
    """What became of a cable that somebody tried to free a moment ago."""
    calls = OutgoingCall.objects.filter(
        charger=evse.charger_id, action=CallAction.UNLOCK_CONNECTOR, created_at__gt=timezone.now() - RECENT
    )
    call = next((call for call in calls.order_by("-pk") if call.payload.get("evse") == evse.number), None)
    if call is None:
        return ""
    at = f"{timezone.localtime(call.created_at, zone):%H:%M}"
    if call.state != CallState.DONE:
        return link(call, _("Unlocking, asked at %(time)s: no answer yet") % {"time": at})
    told = reason_of(call) or call.get_result_display()
    if call.result == CallResult.ACCEPTED:
        return link(call, _("The charger unlocked the connector at %(time)s") % {"time": at})
    return link(call, _("Unlocking at %(time)s failed: %(reason)s") % {"time": at, "reason": told})


def _actions(evse: EVSE, session: ChargingSession | None, request: HttpRequest) -> Iterable[Action]:
    if session is not None and request.user.has_perm("chargers.change_chargingsession"):
        yield reverse("admin:chargers_chargingsession_stop_now", args=[session.pk]), _("Stop charging")
    connection: ChargerConnection | None = getattr(evse.charger, "connection", None)
    if connection is None or not request.user.has_perm("chargers.change_chargerconnection"):
        return
    if not connection.is_online:
        yield reverse("admin:chargers_chargerconnection_change", args=[connection.pk]), _("See the connection")
        return
    operate = reverse("admin:chargers_chargerconnection_operate", args=[connection.pk])
    unlock = reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk])
    yield f"{unlock}?evse={evse.pk}", _("Unlock connector")
    if session is None and evse.status == EVSEStatus.OUTOFORDER:
        yield f"{operate}?do=reset", _("Restart")
    if session is None and evse.status == EVSEStatus.INOPERATIVE:
        yield f"{operate}?do=availability", _("Take in or out of service")
