"""The life of a payment on the pages of its session and its invoice, and the drift on that of a terminal."""

from collections.abc import Iterable

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


def of_session(session: ChargingSession, request: HttpRequest) -> Iterable[Panel]:
    platform = paying_platform(session)
    if platform is None:
        return
    facts = facts_of(session, platform)
    issues = access.scope(PaymentIssue.objects.filter(session=session), request.user)
    context = {
        "title": title_of(facts),
        "steps": steps_of(facts),
        "zone": zone_of(session),
        "issues": issues.filter(state=IssueState.OPEN) if request.user.has_perm("payments.view_paymentissue") else (),
    }
    yield _("Life of the payment"), render_to_string("payments/timeline.html", context)


def of_invoice(invoice: Invoice, request: HttpRequest) -> Iterable[Panel]:
    yield from of_session(invoice.cdr.session, request)


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
