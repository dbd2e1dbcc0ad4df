"""A payment's life as staff read it, from the card tap to the captured money."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chargers.choices import SessionStatus, StopReason
from infrastructure.sentences import said
from payments.choices import PaymentState
from payments.models import FinancialAdviceConfirmation, Invoice
from payments.services.payment_states import Facts, captured_by, is_paid_at_terminal, state_of
from payments.sheets import amount
from roaming.models import Push

TITLES = {
    PaymentState.UNKNOWN: gettext_lazy("Reference unknown"),
    PaymentState.REQUESTED: gettext_lazy("Asked for, the charger has not answered yet"),
    PaymentState.STARTED: gettext_lazy("Started, waiting for the cable"),
    PaymentState.CHARGING: gettext_lazy("Charging"),
    PaymentState.STOPPED: gettext_lazy("Stopped, the partner has not yet confirmed the CDR"),
    PaymentState.REPORTED: gettext_lazy("CDR confirmed, the capture is awaited"),
    PaymentState.CAPTURED: gettext_lazy("Captured"),
    PaymentState.PARTLY_CAPTURED: gettext_lazy("Partly captured"),
    PaymentState.NOT_CAPTURED: gettext_lazy("Not captured"),
    PaymentState.NOTHING_TO_PAY: gettext_lazy("Over, nothing to pay"),
    PaymentState.RELEASED: gettext_lazy("Given up, nothing charged"),
    PaymentState.CREDITED: gettext_lazy("Credited"),
}
_STOPPED_BY = {
    StopReason.DRIVER: gettext_lazy("by the driver"),
    StopReason.PARTNER: gettext_lazy("at the terminal or in the partner's app"),
    StopReason.LIMIT: gettext_lazy("by us, at the pre-authorised amount"),
    StopReason.STAFF: gettext_lazy("by our staff"),
    StopReason.CHARGER: gettext_lazy("by the charger, or for want of its word"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """`tone`: done, waiting, problem, or open (not its turn yet)."""

    title: str
    text: str
    at: datetime | None
    tone: str


def steps_of(facts: Facts) -> list[Step]:
    session = facts.session
    steps = [_started(facts)]
    if session.status == SessionStatus.INVALID:
        return [*steps, _released(facts)]
    steps.append(Step(_("Charging"), f"{session.kwh:.3f} kWh", session.started_at, _tone(session.started_at)))
    steps.append(_stopped(facts))
    if not is_paid_at_terminal(facts):
        return [*steps, *_cdrs(facts)]
    return [*steps, *_bills(facts), *_captures(facts)]


def title_of(facts: Facts) -> str:
    return str(TITLES[state_of(facts)])


def _tone(at: datetime | None, otherwise: str = "waiting") -> str:
    return "done" if at else otherwise


def _started(facts: Facts) -> Step:
    session, limit = facts.session, facts.session.limit
    text = ""
    if limit is not None:
        text = _("%(amount)s pre-authorised") % {"amount": amount(limit, session.currency)}
    if facts.start is not None and facts.start.result and not session.accepted_at and not session.started_at:
        return Step(_("Start refused"), facts.start.get_result_display(), facts.start.finished_at, "problem")
    at = session.accepted_at or session.started_at
    return Step(_("Start accepted") if at else _("Start asked for"), text, at or session.created_at, _tone(at))


def _released(facts: Facts) -> Step:
    told = facts.session_document
    if told is None:
        return Step(_("Given up"), _("The partner was told with the result of its command."), None, "done")
    if told.acknowledged_at and told.acknowledged == told.body:
        return Step(_("Given up"), _("The partner knows and releases the money."), told.acknowledged_at, "done")
    return Step(_("Given up"), _("The partner has not confirmed it yet."), facts.session.last_updated, "problem")


def _stopped(facts: Facts) -> Step:
    session = facts.session
    if session.ended_at is None:
        asked = _STOPPED_BY.get(session.stop_requested_by)  # type: ignore[call-overload]
        text = _("asked for %(by)s") % {"by": asked} if asked else ""
        return Step(_("Stop"), text, session.stop_requested_at, "waiting" if asked else "open")
    text = _STOPPED_BY.get(session.stop_reason, "")  # type: ignore[call-overload]
    return Step(_("Stopped"), text, session.ended_at, "done")


def _bills(facts: Facts) -> list[Step]:
    """Each CDR behind the invoice or credit note that was made of it."""
    if not facts.cdrs:
        return [Step(_("Invoice"), "", None, "open"), *_cdrs(facts)]
    if not facts.invoices:
        return [Step(_("No invoice of ours"), _("The partner makes it."), None, "done"), *_cdrs(facts)]
    made = {invoice.cdr_id: invoice for invoice in facts.invoices}
    steps = []
    for cdr, told in zip(facts.cdrs, _cdrs(facts), strict=True):
        steps += [*([_invoiced(made[cdr.pk])] if cdr.pk in made else []), told]
    return steps


def _invoiced(invoice: Invoice) -> Step:
    title = _("Credit note") if invoice.is_credit_note else _("Invoiced")
    return Step(title, f"{invoice.number}, {amount(invoice.total_gross, invoice.currency)}", invoice.issued_at, "done")


def _cdrs(facts: Facts) -> list[Step]:
    if not facts.cdrs:
        return [Step(_("CDR"), "", None, "open")]
    return [_cdr(facts, index) for index in range(len(facts.cdrs))]


def _cdr(facts: Facts, index: int) -> Step:
    cdr = facts.cdrs[index]
    name = _("Credit CDR") if cdr.is_credit else _("Corrected CDR") if index else _("CDR")
    cost = amount(cdr.total_cost_incl_vat, cdr.currency)
    if cdr.retail_total_incl_vat is not None:
        price = amount(cdr.retail_total_incl_vat, cdr.currency)
        cost = _("%(cost)s, the driver's price is %(price)s") % {"cost": cost, "price": price}
    document = facts.documents.get(cdr.pk)
    if document is None:
        is_due = facts.platform is not None
        return Step(_("%(cdr)s written") % {"cdr": name}, cost, cdr.created_at, "waiting" if is_due else "done")
    if document.acknowledged_at:
        return Step(_("%(cdr)s sent and confirmed") % {"cdr": name}, cost, document.acknowledged_at, "done")
    push = facts.pushes.get(document.path)
    trouble = _trouble(push)
    return Step(
        _("%(cdr)s not confirmed yet") % {"cdr": name},
        trouble or cost,
        cdr.created_at,
        "problem" if trouble else "waiting",
    )


def _trouble(push: Push | None) -> str:
    if push is None or not push.last_error:
        return ""
    told = ngettext("tried %(n)s time: %(error)s", "tried %(n)s times: %(error)s", push.attempts)
    return told % {"n": push.attempts, "error": said(push.last_error)}


def _captures(facts: Facts) -> list[Step]:
    if facts.advices:
        return [_capture(advice) for advice in facts.advices]
    if not facts.cdrs or facts.invoice is None or not facts.due:
        return []
    return [Step(_("Captured"), _("The financial advice is awaited."), None, "waiting")]


def _capture(advice: FinancialAdviceConfirmation) -> Step:
    tone = "done" if advice.capture_status_code == "SUCCESS" else "problem"
    text = amount(captured_by(advice), advice.currency)
    if advice.capture_status_message:
        text += f", {advice.capture_status_message}"
    return Step(
        _("Capture: %(status)s") % {"status": advice.get_capture_status_code_display()}, text, advice.last_updated, tone
    )
