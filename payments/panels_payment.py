"""The life of a payment on the pages of its session and its invoice, and the drift on that of a terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from chargers.models import ChargingSession
from infrastructure import access
from infrastructure.admin_display import zone_of
from infrastructure.panels import Panel
from payments.choices import IssueKind, IssueState
from payments.models import Invoice, PaymentIssue, Terminal
from payments.services.drift import drift_of
from payments.services.invoices import paying_platform
from payments.services.payment_states import facts_of
from payments.services.remedies import REPAIR
from payments.timeline import steps_of, title_of

MOST_TERMINALS = 5


@dataclass(frozen=True, slots=True)
class Payment:
    """What became of the money of one session: `state` and `trouble` in words, and what somebody must look at."""

    state: str
    trouble: str
    invoices: Sequence[Invoice]
    issues: Sequence[PaymentIssue]


def payment_of(session: ChargingSession, request: HttpRequest) -> Payment | None:
    """For the page of the session. None where nobody paid at a terminal."""
    platform = paying_platform(session)
    if platform is None:
        return None
    facts = facts_of(session, platform)
    troubles = [step for step in steps_of(facts) if step.tone == "problem"]
    return Payment(
        state=title_of(facts),
        trouble=". ".join(f"{step.title}: {step.text}" if step.text else step.title for step in troubles),
        invoices=facts.invoices if request.user.has_perm("payments.view_invoice") else (),
        issues=list(_open_issues(session, request)),
    )


def _open_issues(session: ChargingSession, request: HttpRequest) -> QuerySet[PaymentIssue]:
    if not request.user.has_perm("payments.view_paymentissue"):
        return PaymentIssue.objects.none()
    return access.scope(PaymentIssue.objects.filter(session=session, state=IssueState.OPEN), request.user)


def of_invoice(invoice: Invoice, request: HttpRequest) -> Iterable[Panel]:
    session = invoice.cdr.session
    platform = paying_platform(session)
    if platform is None:
        return
    facts = facts_of(session, platform)
    context = {
        "title": title_of(facts),
        "steps": steps_of(facts),
        "zone": zone_of(session),
        "issues": _open_issues(session, request),
    }
    yield _("Life of the payment"), render_to_string("payments/timeline.html", context)


def terminals_near(session: ChargingSession) -> QuerySet[Terminal]:
    """No protocol says at which terminal a card was tapped: those of the partner that serve the EVSE."""
    if session.connector is None or not session.peer_id:
        return Terminal.objects.none()
    evse = session.connector.evse
    serves = Q(evses=evse) | Q(locations=evse.charger.location_id)
    terminals = Terminal.objects.filter(serves, platform__peer_id=session.peer_id)
    return terminals.select_related("platform").distinct()[:MOST_TERMINALS]


def of_terminal(terminal: Terminal, request: HttpRequest) -> Iterable[Panel]:
    """Only where the partner holds something else."""
    differences = drift_of(terminal)
    if not differences:
        return
    issue = PaymentIssue.objects.filter(
        subject=f"terminal:{terminal.pk}", kind=IssueKind.TERMINAL_DRIFT, state=IssueState.OPEN
    ).first()
    may_repair = issue is not None and request.user.has_perm(REPAIR.permission)
    address = reverse("admin:payments_paymentissue_do", args=[issue.pk, "repair"]) if issue and may_repair else ""
    context = {"differences": differences, "repair_url": address, "is_sent": issue is None}
    yield _("The partner holds something else"), render_to_string("payments/drift.html", context)
