"""A session's whole story on its page: power and cost over time, and everything that was said, from tap to invoice."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Prefetch, Q, prefetch_related_objects
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from unfold.utils import display_for_label

from chargers.admin_actions import RUNNING, STATUS_COLOURS, reason_of, stop_state, why_not_started
from chargers.choices import CallResult, SessionStatus
from chargers.models import CDR, ChargingSession
from chargers.services import metering
from chargers.services.events import Reading
from config.desk.permissions import may_see
from infrastructure import access
from infrastructure.admin_display import link, moment, zone_of
from infrastructure.panels import Panel
from infrastructure.sentences import said
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Invoice, Terminal
from payments.panels_payment import payment_of, terminals_near
from roaming.choices import CommandResponseType, Direction, Module
from roaming.models import Command, Message, Push
from tariffs.pricing.rounding import money

# Of a long session every n-th sample is enough for a line on a screen.
MOST_POINTS = 300
MOST_LABELS = 6
# Each of these is the price of a whole session.
MOST_PRICES = 24
# More than the longest session has: one a minute, for a night.
MOST_MESSAGES = 1000
# So many of the same in a row are one line.
A_FEW = 2
# The steps of a register are too coarse for less: the last one, at the stop, often follows a sample at once.
SHORTEST_MEAN_S = 5
# The command comes before its session; advices and invoices may come the next day.
BEFORE, AFTERWARDS = timedelta(seconds=10), timedelta(days=1)
FINE = ("", CallResult.ACCEPTED)
POWER_COLOUR, ENERGY_COLOUR, COST_COLOUR = "#2563eb", "#16a34a", "#d97706"


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    who: str
    what: Any
    is_bad: bool = False
    # What is the same in a row, such as the progress that a partner is sent, is told once; "" is never the same.
    kind: str = ""


def of_session(session: ChargingSession, request: HttpRequest) -> Iterable[Panel]:
    """Panels for the session's page: a fixed number of queries, however long it ran."""
    # Once for all panels of the page.
    commands = Prefetch("commands", Command.objects.select_related("platform"))
    cdrs = Prefetch("cdrs", CDR.objects.select_related("invoice"))
    prefetch_related_objects([session], cdrs, "calls", "advices", commands)
    yield _("At a glance"), _overview(session, request)
    charts = _charts(session)
    if charts:
        yield _("Power, energy and cost"), render_to_string("config/session_charts.html", {"charts": charts})
    zone = zone_of(session)
    events = _gathered(sorted(_events(session, request), key=lambda event: event.at), zone)
    yield _("From tap to invoice"), render_to_string("config/session_story.html", {"events": events, "zone": zone})


def _overview(session: ChargingSession, request: HttpRequest) -> str:
    connector = session.connector
    charger = connector.evse.charger if connector else None
    ended = session.ended_at or (timezone.now() if session.status in RUNNING else session.last_updated)
    lasted = ended - session.started_at if session.started_at else None
    context = {
        "session": session,
        "connector": connector,
        "charger": charger,
        "zone": zone_of(session),
        "started": moment(session.started_at, zone_of(session)),
        "ended": moment(session.ended_at, zone_of(session)),
        "minutes": int(lasted.total_seconds() // 60) if lasted is not None else None,
        "cost": _amount(session.total_cost_incl_vat, session.currency),
        "driver_price": _amount(session.retail_total_incl_vat, session.currency),
        "blocked": _amount(session.limit, session.currency),
        "status": display_for_label((session.status, session.get_status_display()), "-", STATUS_COLOURS),
        "failure": why_not_started(session) if session.status == SessionStatus.INVALID else "",
        "stop": (stop[0], moment(stop[1], zone_of(session))) if (stop := stop_state(session)) else None,
        "payment": payment_of(session, request),
        "terminals": terminals_near(session) if may_see(request, Terminal) else (),
        "buttons": list(_buttons(session, request)),
    }
    return render_to_string("config/session_overview.html", context)


def _amount(value: Decimal | None, currency: str) -> str:
    return "" if value is None else f"{money(value, currency)} {currency}"


def _buttons(session: ChargingSession, request: HttpRequest) -> Iterator[tuple[str, Any]]:
    """What a dispatcher does while the driver is on the phone: each opens a page that explains and asks."""
    may = request.user.has_perm
    if session.status in RUNNING and may("chargers.change_chargingsession"):
        yield reverse("admin:chargers_chargingsession_stop_now", args=[session.pk]), _("Stop charging")
    evse = session.connector.evse if session.connector else None
    connection = getattr(evse.charger, "connection", None) if evse else None
    if evse and connection and may("chargers.change_chargerconnection"):
        unlock = reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk])
        yield f"{unlock}?evse={evse.pk}", _("Unlock connector")
    cdrs = [cdr for cdr in session.cdrs.all() if not cdr.is_credit and cdr.credited_at is None]
    if cdrs and may("roaming.change_push"):
        path = f"{session.country_code}/{session.party_id}/{cdrs[0].uid}"
        pushes = access.scope(Push.objects.filter(module=Module.CDRS, object_id=path), request.user)
        if newest := pushes.order_by("pk").last():
            yield reverse("admin:roaming_push_send_now", args=[newest.pk]), _("Send CDR again")
    if cdrs and may("chargers.change_cdr"):
        yield reverse("admin:chargers_chargingsession_credit", args=[session.pk]), _("Credit")


def _charts(session: ChargingSession) -> list[dict[str, Any]]:
    has_begun = session.started_at is not None and session.meter_start is not None
    measured = metering.measure(session) if has_begun else None
    if measured is None or len(measured.readings) < 2:
        return []
    zone, readings = zone_of(session), _thinned(measured.readings, MOST_POINTS)
    labels = _labels(readings, zone)
    first = readings[0].register_wh
    energy = [float((reading.register_wh - first) / 1000) for reading in readings]
    charts = [
        _chart(_("Power (kW)"), labels, _powers(readings), POWER_COLOUR),
        _chart(_("Energy (kWh)"), labels, energy, ENERGY_COLOUR),
    ]
    if session.tariff_version_id is not None:
        priced = _thinned(measured.readings, MOST_PRICES)
        costs = [round(float(cost), 2) for cost in metering.costs_at(measured, priced)]
        title = _("Cost (%(currency)s, gross)") % {"currency": session.currency}
        charts.append(_chart(title, _labels(priced, zone), costs, COST_COLOUR))
    return charts


def _thinned(readings: Sequence[Reading], most: int) -> list[Reading]:
    """Every n-th, and the last."""
    step = -(-len(readings) // most)
    return [*readings[:-1:step], readings[-1]]


def _labels(readings: Iterable[Reading], zone: tzinfo | None) -> list[str]:
    return [f"{timezone.localtime(reading.at, zone):%H:%M:%S}" for reading in readings]


def _powers(samples: list[Reading]) -> list[float]:
    """As the charger tells it, else the mean since the sample before, unless that was but a moment ago."""
    powers: list[Decimal] = []
    for before, sample in zip([samples[0], *samples], samples, strict=False):
        seconds = Decimal((sample.at - before.at).total_seconds())
        if sample.power_w is not None:
            powers.append(sample.power_w / 1000)
        elif seconds >= SHORTEST_MEAN_S:
            powers.append((sample.register_wh - before.register_wh) * Decimal("3.6") / seconds)
        else:
            powers.append(powers[-1] if powers else Decimal(0))
    return [round(float(power), 2) for power in powers]


def _chart(title: str, labels: list[str], values: list[float], colour: str) -> dict[str, str]:
    dataset = {
        "label": title,
        "data": values,
        "borderColor": colour,
        "pointRadius": 0,
        "borderWidth": 2,
        "displayYAxis": True,
        "maxTicksXLimit": MOST_LABELS,
    }
    return {"title": title, "json": json.dumps({"labels": labels, "datasets": [dataset]})}


def _events(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    yield from _own(session)
    yield from _calls(session)
    yield from _commands(session, request)
    yield from _messages(session, request)
    yield from _bills(session, request)


def _gathered(events: list[Event], zone: tzinfo | None) -> Iterator[Event]:
    for kind, run in groupby(events, key=lambda event: event.kind):
        same = list(run)
        if not kind or len(same) <= A_FEW:
            yield from same
            continue
        last = same[-1]
        told = _("%(count)s times, the last at") % {"count": len(same)}
        yield replace(last, at=same[0].at, what=format_html("{}, {} {}", last.what, told, moment(last.at, zone)))


def _own(session: ChargingSession) -> Iterator[Event]:
    known = [
        (session.created_at, "Plugtill", _("Session created")),
        (session.accepted_at, _("Charger"), _("Start accepted, waiting for the cable")),
        (session.started_at, _("Charger"), _("Transaction started")),
        (
            session.stop_requested_at,
            "Plugtill",
            _("Stop requested (%(by)s)") % {"by": session.get_stop_requested_by_display() or "-"},
        ),
        (
            session.ended_at,
            _("Charger"),
            _("Transaction ended (%(reason)s)") % {"reason": session.get_stop_reason_display() or "-"},
        ),
    ]
    for at, who, what in known:
        if at is not None:
            yield Event(at, who, what)


def _calls(session: ChargingSession) -> Iterator[Event]:
    for call in session.calls.all():
        outcome = call.get_result_display() or call.get_state_display()
        why = reason_of(call) if call.result not in FINE else ""
        what = link(call, f"{call.label}: {outcome}. {why}" if why else f"{call.label}: {outcome}")
        yield Event(call.created_at, _("To charger"), what, call.result not in FINE)


def _commands(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    if not may_see(request, Command):
        return
    for command in session.commands.all():
        words = f"{command.get_type_display()}: {command.get_response_display()}"
        if command.result not in FINE:
            told = _("told afterwards: %(result)s") % {"result": command.get_result_display()}
            words = f"{words}, {told}"
        is_bad = command.response != CommandResponseType.ACCEPTED or command.result not in FINE
        yield Event(command.received_at, _("From partner"), link(command, words), is_bad)


def _messages(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    """Requests of both directions that name the session, its reference or its CDR, within its time and the next day."""
    if not may_see(request, Message) or not session.peer_id:
        return
    names = [session.uid, *(cdr.uid for cdr in session.cdrs.all())]
    naming = Q(object_id__in=names)
    if session.authorization_reference:
        naming |= Q(authorization_reference=session.authorization_reference)
    until = (session.ended_at or session.last_updated) + AFTERWARDS
    span = (session.created_at - BEFORE, until)
    found = access.scope(Message.objects.filter(naming, started_at__range=span), request.user)
    for message in found.defer("request_body", "response_body").order_by("started_at")[:MOST_MESSAGES]:
        who = _("From partner") if message.direction == Direction.IN else _("To partner")
        what = f"{message} ({message.http_status or said(message.error)})"
        yield Event(message.started_at, who, link(message, what), not message.is_ok, f"{message.direction} {what}")


def _about(cdr: CDR) -> str:
    return "".join(f", {text}" for text in (f"{cdr.total_energy:.3f} kWh", cdr.remark) if text)


def _bills(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    cdrs = list(session.cdrs.all())
    for cdr in cdrs:
        kind = _("Credit CDR") if cdr.is_credit else _("CDR")
        yield Event(
            cdr.created_at,
            "Plugtill",
            format_html("{}{}", link(cdr, f"{kind}: {_amount(cdr.total_cost_incl_vat, cdr.currency)}"), _about(cdr)),
        )
    if may_see(request, Invoice):
        for invoice in (cdr.invoice for cdr in cdrs if hasattr(cdr, "invoice")):
            yield Event(
                invoice.issued_at, "Plugtill", link(invoice, _("Invoice %(number)s") % {"number": invoice.number})
            )
    if may_see(request, FinancialAdviceConfirmation):
        for advice in session.advices.all():
            what = _("Financial advice: %(status)s") % {"status": advice.get_capture_status_code_display()}
            is_bad = advice.capture_status_code != CaptureStatusCode.SUCCESS
            yield Event(advice.created_at, _("From partner"), link(advice, what), is_bad)
