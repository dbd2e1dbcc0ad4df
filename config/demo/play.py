"""Plays paid sessions between the simulators and a running Plugtill, and checks the money afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import unescape

import requests
from django.conf import settings
from django.core.management.base import CommandError

from chargers.models import CDR
from config.demo.data import DemoCharger
from config.demo.processes import Api, Processes
from config.demo.timeline import DRIVER, PLUGTILL, Event, Timeline, at
from payments.models import Invoice
from roaming.models import Command
from tariffs.pricing.rounding import money

SESSION_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Played:
    """What one session came to: three amounts that must be equal, and two latencies in seconds."""

    reference: str
    total: Decimal
    captured: Decimal
    invoiced: Decimal
    preauthorised: Decimal
    stop_reason: str
    invoice_url: str
    problems: tuple[str, ...]
    start_latency: float
    stop_latency: float


class Stage:
    """The running cast: the provider's and the chargers' control addresses."""

    def __init__(self, processes: Processes, ptp: Api, chargers: dict[str, Api], timeline: Timeline) -> None:
        self.processes, self.ptp, self.chargers, self.timeline = processes, ptp, chargers, timeline
        self._told_ptp = 0
        self._told_charger: dict[str, int] = dict.fromkeys(chargers, 0)

    def skip_told(self) -> None:
        """Forgets what happened so far, so that only what follows is told."""
        self._new_ptp_events()
        for identity in self.chargers:
            self._new_charger_events(identity)

    def tell(self, identity: str) -> None:
        """Prints what is new at the provider and at one charger."""
        self.timeline.tell(self._new_ptp_events(), self._new_charger_events(identity))

    def _new_ptp_events(self) -> list[Event]:
        events = self.ptp.get(f"/control/events?after={self._told_ptp}")
        self._told_ptp = max([event["n"] for event in events], default=self._told_ptp)
        return list(events)

    def _new_charger_events(self, identity: str) -> list[Event]:
        events = self.chargers[identity].get("/events")
        fresh = events[self._told_charger[identity] :]
        self._told_charger[identity] = len(events)
        return list(fresh)

    def play(self, charger: DemoCharger, evse_number: int, *, stop_after_kwh: Decimal | None) -> Played:
        """One session from tap to advice. `stop_after_kwh`: the driver stops then; None: the limit must."""
        identity = charger.charger.identity
        evse = charger.charger.evses.get(number=evse_number)
        self.skip_told()
        self.timeline.begin()
        place = {
            "location_id": charger.charger.location.roaming_id,
            "evse_uid": evse.effective_uid,
            "connector_id": evse.connectors.get().roaming_id,
        }
        tap = self.ptp.post("/control/tap", **place)
        reference = tap["authorization_reference"]
        if stop_after_kwh is not None:
            wanted = f"{stop_after_kwh} kWh in {reference}"
            self._until(lambda: self._kwh(reference) >= stop_after_kwh, wanted, identity)
            self.timeline.line(DRIVER, "presses stop at the charger")
            self.chargers[identity].post("/stop", connector=evse_number)
        self._until(lambda: self._is_settled(reference), f"the settlement of {reference}", identity)
        return self._result(identity, reference, Decimal(str(tap["amount"])))

    def _until(self, is_so: Callable[[], bool], what: str, identity: str) -> None:
        def told_and_so() -> bool:
            self.tell(identity)
            return is_so()

        self.processes.wait_for(what, told_and_so, SESSION_PATIENCE)

    def _kwh(self, reference: str) -> Decimal:
        for session in self.ptp.get("/control/state")["sessions"].values():
            if session.get("authorization_reference") == reference:
                return Decimal(str(session["kwh"]))
        return Decimal(0)

    def _is_settled(self, reference: str) -> bool:
        invoice = Invoice.objects.filter(authorization_reference=reference).first()
        return invoice is not None and invoice.enriched_at is not None

    def _result(self, identity: str, reference: str, preauthorised: Decimal) -> Played:
        self.tell(identity)
        cdr = CDR.objects.select_related("session").get(session__authorization_reference=reference)
        invoice = Invoice.objects.select_related("platform").get(cdr=cdr)
        url = f"{settings.PUBLIC_URL}/invoices/{invoice.platform.code}/{reference}"
        advice = invoice.advice
        if advice is None:
            raise CommandError(f"Invoice {invoice} has no financial advice.")
        gross = money(invoice.total_gross, invoice.currency)
        page = requests.get(url, timeout=10)
        self.timeline.line(PLUGTILL, f"invoice {invoice.number} over {gross} {invoice.currency}: {url}")
        starts, stops, arrivals = self._instants(identity, reference)
        received_at = Command.objects.get(authorization_reference=reference).received_at
        return Played(
            reference=reference,
            total=money(cdr.total_cost_incl_vat, cdr.currency),
            captured=money(advice.total_gross, advice.currency),
            invoiced=gross,
            preauthorised=preauthorised,
            stop_reason=cdr.session.stop_reason,
            invoice_url=url,
            problems=tuple(_problems(page, invoice)),
            start_latency=(starts[-1] - received_at).total_seconds(),
            stop_latency=(arrivals[-1] - stops[-1]).total_seconds(),
        )

    def _instants(self, identity: str, reference: str) -> tuple[list[datetime], list[datetime], list[datetime]]:
        """When the charger got the remote start, when it sent the stop, when the CDR reached the provider."""
        charger_events = self.chargers[identity].get("/events")
        starts = [at(event) for event in charger_events if event["event"] == "remote_start_received"]
        stops = [at(event) for event in charger_events if event["event"] == "stop_transaction_sent"]
        arrivals = [
            at(event)
            for event in self.ptp.get("/control/events")
            if event["what"] == "cdr" and event.get("authorization_reference") == reference
        ]
        return starts, stops, arrivals

    def complaints(self) -> list[str]:
        """What the provider found wrong with our OCPI."""
        return [f"{entry['rule']}: {entry['message']}" for entry in self.ptp.get("/control/state")["complaints"]]


def _problems(page: requests.Response, invoice: Invoice) -> list[str]:
    """What the public page lacks."""
    text = unescape(page.text)
    problems = [] if page.ok else [f"the invoice page answers HTTP {page.status_code}"]
    if not invoice.eft_data:
        problems.append("the advice brought no EFT data")
    wanted = [*invoice.eft_data, invoice.number]
    return problems + [f"the invoice page does not show {line!r}" for line in wanted if line not in text]


def verdict(played: Played) -> list[str]:
    """Why this session does not count as right; empty when CDR, capture and invoice agree."""
    problems = list(played.problems)
    if not played.total == played.captured == played.invoiced:
        problems.append(f"CDR {played.total}, capture {played.captured} and invoice {played.invoiced} differ")
    if played.total > played.preauthorised:
        problems.append(f"{played.total} were billed, only {played.preauthorised} were blocked")
    if played.total <= 0:
        problems.append("nothing was billed")
    return problems
