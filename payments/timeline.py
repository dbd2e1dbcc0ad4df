"""A payment's life as staff read it, from the card tap to the captured money."""

from dataclasses import dataclass
from datetime import datetime

from chargers.choices import SessionStatus, StopReason
from payments.choices import PaymentState
from payments.models import FinancialAdviceConfirmation
from payments.services.payment_states import Facts, captured_by, is_paid_at_terminal, state_of
from payments.sheets import amount
from roaming.models import Push

TITLES = {
    PaymentState.UNKNOWN: "Reference unknown",
    PaymentState.REQUESTED: "Asked for, the charger has not answered yet",
    PaymentState.STARTED: "Started, waiting for the cable",
    PaymentState.CHARGING: "Charging",
    PaymentState.STOPPED: "Stopped, the partner has not yet confirmed the CDR",
    PaymentState.REPORTED: "CDR confirmed, the capture is awaited",
    PaymentState.CAPTURED: "Captured",
    PaymentState.PARTLY_CAPTURED: "Partly captured",
    PaymentState.NOT_CAPTURED: "Not captured",
    PaymentState.NOTHING_TO_PAY: "Over, nothing to pay",
    PaymentState.RELEASED: "Given up, nothing charged",
    PaymentState.CREDITED: "Credited",
}
_STOPPED_BY = {
    StopReason.DRIVER: "by the driver",
    StopReason.PARTNER: "at the terminal or in the partner's app",
    StopReason.LIMIT: "by us, at the pre-authorised amount",
    StopReason.STAFF: "by our staff",
    StopReason.CHARGER: "by the charger, or for want of its word",
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
    steps.append(Step("Charging", f"{session.kwh:.3f} kWh", session.started_at, _tone(session.started_at)))
    steps.append(_stopped(facts))
    if not is_paid_at_terminal(facts):
        return [*steps, *_cdrs(facts)]
    return [*steps, *_invoiced(facts), *_cdrs(facts), *_captures(facts)]


def title_of(facts: Facts) -> str:
    return TITLES[state_of(facts)]


def _tone(at: datetime | None, otherwise: str = "waiting") -> str:
    return "done" if at else otherwise


def _started(facts: Facts) -> Step:
    session, limit = facts.session, facts.session.limit
    text = f"{amount(limit, session.currency)} pre-authorised" if limit is not None else ""
    if facts.start is not None and facts.start.result and not session.accepted_at and not session.started_at:
        return Step("Start refused", facts.start.get_result_display(), facts.start.finished_at, "problem")
    at = session.accepted_at or session.started_at
    return Step("Start accepted" if at else "Start asked for", text, at or session.created_at, _tone(at))


def _released(facts: Facts) -> Step:
    told = facts.session_document
    if told is None:
        return Step("Given up", "The partner was told with the result of its command.", None, "done")
    if told.acknowledged_at and told.acknowledged == told.body:
        return Step("Given up", "The partner knows and releases the money.", told.acknowledged_at, "done")
    return Step("Given up", "The partner has not confirmed it yet.", facts.session.last_updated, "problem")


def _stopped(facts: Facts) -> Step:
    session = facts.session
    if session.ended_at is None:
        asked = _STOPPED_BY.get(session.stop_requested_by)  # type: ignore[call-overload]
        text = f"asked for {asked}" if asked else ""
        return Step("Stop", text, session.stop_requested_at, "waiting" if asked else "open")
    text = _STOPPED_BY.get(session.stop_reason, "")  # type: ignore[call-overload]
    return Step("Stopped", text, session.ended_at, "done")


def _invoiced(facts: Facts) -> list[Step]:
    invoice = facts.invoice
    if invoice is not None:
        text = f"{invoice.number}, {amount(invoice.total_gross, invoice.currency)}"
        return [Step("Invoiced", text, invoice.issued_at, "done")]
    if facts.cdrs:
        return [Step("No invoice of ours", "The partner makes it.", None, "done")]
    return [Step("Invoice", "", None, "open")]


def _cdrs(facts: Facts) -> list[Step]:
    if not facts.cdrs:
        return [Step("CDR", "", None, "open")]
    return [_cdr(facts, index) for index in range(len(facts.cdrs))]


def _cdr(facts: Facts, index: int) -> Step:
    cdr = facts.cdrs[index]
    name = "Credit CDR" if cdr.is_credit else "Corrected CDR" if index else "CDR"
    cost = amount(cdr.total_cost_incl_vat, cdr.currency)
    document = facts.documents.get(cdr.pk)
    if document is None:
        is_due = facts.platform is not None
        return Step(f"{name} written", cost, cdr.created_at, "waiting" if is_due else "done")
    if document.acknowledged_at:
        return Step(f"{name} sent and confirmed", cost, document.acknowledged_at, "done")
    push = facts.pushes.get(document.path)
    trouble = _trouble(push)
    return Step(f"{name} not confirmed yet", trouble or cost, cdr.created_at, "problem" if trouble else "waiting")


def _trouble(push: Push | None) -> str:
    return f"tried {push.attempts} times: {push.last_error}" if push and push.last_error else ""


def _captures(facts: Facts) -> list[Step]:
    if facts.advices:
        return [_capture(advice) for advice in facts.advices]
    if not facts.cdrs or facts.invoice is None or not facts.due:
        return []
    return [Step("Captured", "The financial advice is awaited.", None, "waiting")]


def _capture(advice: FinancialAdviceConfirmation) -> Step:
    tone = "done" if advice.capture_status_code == "SUCCESS" else "problem"
    text = amount(captured_by(advice), advice.currency)
    if advice.capture_status_message:
        text += f", {advice.capture_status_message}"
    return Step(f"Capture: {advice.get_capture_status_code_display()}", text, advice.last_updated, tone)
