"""A session's whole story on its page: power and cost over time, and everything that was said, from tap to invoice."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from chargers.choices import CallResult
from chargers.models import ChargingSession, MeterSample
from config.desk.permissions import may_see
from infrastructure import access
from infrastructure.admin_display import link
from infrastructure.panels import Panel
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Invoice
from roaming.choices import CommandResponseType, Direction
from roaming.models import Command, Message
from tariffs.pricing.rounding import money

# Of a long session every n-th sample is enough for a line on a screen.
MOST_POINTS = 300
MOST_MESSAGES = 100
# The command comes before its session; advices and invoices may come the next day.
BEFORE, AFTERWARDS = timedelta(seconds=10), timedelta(days=1)
FINE = ("", CallResult.ACCEPTED)
POWER_COLOUR, ENERGY_COLOUR = "#2563eb", "#16a34a"


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    who: str
    what: Any
    is_bad: bool = False


def of_session(session: ChargingSession, request: HttpRequest) -> Iterable[Panel]:
    """Panels for the session's page: a fixed number of queries, however long it ran."""
    charts = _charts(session)
    if charts:
        yield "Power and energy", render_to_string("config/session_charts.html", {"charts": charts})
    events = sorted(_events(session, request), key=lambda event: event.at)
    yield "From tap to invoice", render_to_string("config/session_story.html", {"events": events, "session": session})


def _charts(session: ChargingSession) -> list[dict[str, Any]]:
    samples = list(MeterSample.objects.filter(session=session).order_by("at"))
    if len(samples) < 2:
        return []
    kept = samples[:: len(samples) // MOST_POINTS + 1]
    labels = [f"{timezone.localtime(sample.at):%H:%M:%S}" for sample in kept]
    first = samples[0].register_wh
    energy = [float((sample.register_wh - first) / 1000) for sample in kept]
    return [
        _chart("Power (kW)", labels, _powers(kept), POWER_COLOUR),
        _chart("Energy (kWh)", labels, energy, ENERGY_COLOUR),
    ]


def _powers(samples: list[MeterSample]) -> list[float]:
    """As the charger tells it, else the mean since the sample before."""
    powers: list[Decimal] = []
    for before, sample in zip([samples[0], *samples], samples, strict=False):
        seconds = Decimal((sample.at - before.at).total_seconds())
        if sample.power_w is not None:
            powers.append(sample.power_w / 1000)
        elif seconds > 0:
            powers.append((sample.register_wh - before.register_wh) * Decimal("3.6") / seconds)
        else:
            powers.append(Decimal(0))
    return [round(float(power), 2) for power in powers]


def _chart(title: str, labels: list[str], values: list[float], colour: str) -> dict[str, str]:
    dataset = {"label": title, "data": values, "borderColor": colour, "pointRadius": 0, "borderWidth": 2}
    return {"title": title, "json": json.dumps({"labels": labels, "datasets": [dataset]})}


def _events(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    yield from _own(session)
    yield from _calls(session)
    yield from _commands(session, request)
    yield from _messages(session, request)
    yield from _bills(session, request)


def _own(session: ChargingSession) -> Iterator[Event]:
    known = [
        (session.created_at, "Plugtill", "Session created"),
        (session.accepted_at, "Charger", "Start accepted, waiting for the cable"),
        (session.started_at, "Charger", "Transaction started"),
        (session.stop_requested_at, "Plugtill", f"Stop requested ({session.get_stop_requested_by_display() or '-'})"),
        (session.ended_at, "Charger", f"Transaction ended ({session.get_stop_reason_display() or '-'})"),
    ]
    for at, who, what in known:
        if at is not None:
            yield Event(at, who, what)


def _calls(session: ChargingSession) -> Iterator[Event]:
    for call in session.calls.all():
        outcome = call.get_result_display() or call.get_state_display()
        yield Event(call.created_at, "To charger", link(call, f"{call.name}: {outcome}"), call.result not in FINE)


def _commands(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    if not may_see(request, Command):
        return
    for command in session.commands.all():
        what = link(command, f"{command.get_type_display()}: {command.get_response_display()}")
        yield Event(command.received_at, "From partner", what, command.response != CommandResponseType.ACCEPTED)


def _messages(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    """Requests of both directions that name the session, its reference or its CDR, within its time and the next day."""
    if not may_see(request, Message) or not session.peer_id:
        return
    names = [session.uid, *(cdr.uid for cdr in session.cdrs.all())]
    said = Q(object_id__in=names)
    if session.authorization_reference:
        said |= Q(authorization_reference=session.authorization_reference)
    until = (session.ended_at or session.last_updated) + AFTERWARDS
    span = (session.created_at - BEFORE, until)
    found = access.scope(Message.objects.filter(said, started_at__range=span), request.user)
    for message in found.defer("request_body", "response_body").order_by("started_at")[:MOST_MESSAGES]:
        who = "From partner" if message.direction == Direction.IN else "To partner"
        what = f"{message} ({message.http_status or message.error})"
        yield Event(message.started_at, who, link(message, what), not message.is_ok)


def _bills(session: ChargingSession, request: HttpRequest) -> Iterator[Event]:
    cdrs = list(session.cdrs.all())
    for cdr in cdrs:
        kind = "Credit CDR" if cdr.is_credit else "CDR"
        yield Event(
            cdr.created_at,
            "Plugtill",
            link(cdr, f"{kind}: {money(cdr.total_cost_incl_vat, cdr.currency)} {cdr.currency}"),
        )
    if may_see(request, Invoice):
        for invoice in Invoice.objects.filter(cdr__in=cdrs):
            yield Event(invoice.issued_at, "Plugtill", link(invoice, f"Invoice {invoice.number}"))
    if may_see(request, FinancialAdviceConfirmation):
        for advice in session.advices.all():
            what = f"Financial advice: {advice.get_capture_status_code_display()}"
            is_bad = advice.capture_status_code != CaptureStatusCode.SUCCESS
            yield Event(advice.created_at, "From partner", link(advice, what), is_bad)
