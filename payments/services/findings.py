"""What is wrong with a payment or a terminal right now. Only reads; `worklist` writes.

Reasons are told in facts that do not change by themselves: the same finding has the same words every time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from chargers.choices import CallState, SessionStatus, Settlement, StopReason
from chargers.models import ChargerConnection, ChargingSession, LateStop
from chargers.services.corrections import price_given_up
from chargers.services.settling import RUN_OUT_WH
from payments.choices import CaptureStatusCode, IssueKind
from payments.models import FinancialAdviceConfirmation
from payments.services.payment_states import ZERO, Facts, captured_by
from payments.sheets import amount
from tariffs.pricing.rounding import money

# Less than this is the charger coming to rest, not a driver's energy.
LEAST_KWH = RUN_OUT_WH / 1000
# Deliveries are tried again by themselves; only later is it somebody's business.
CDR_PATIENCE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Finding:
    kind: IssueKind
    reason: str


def of_payment(facts: Facts) -> list[Finding]:
    """Findings of a session that was paid at a terminal."""
    match facts.session.status:
        case SessionStatus.INVALID:
            return [*_given_up(facts), *of_unbilled(facts.session), *_captures(facts)]
        case SessionStatus.ACTIVE:
            return [*_running(facts.session), *_captures(facts)]
        case SessionStatus.COMPLETED:
            return [*_over(facts), *_captures(facts)]
    return list(_captures(facts))


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "an unknown time"


def _given_up(facts: Facts) -> Iterator[Finding]:
    """Until the partner has confirmed it, the driver's money may still be held."""
    session, told = facts.session, facts.session_document
    if told is not None and told.acknowledged_at and told.acknowledged == told.body:
        return
    if told is None and _is_answered(facts):
        return
    held = "The partner has not confirmed it yet, so the driver's money may still be held."
    if session.accepted_at is None:
        result = facts.start.get_result_display().lower() if facts.start and facts.start.result else "no answer"
        yield Finding(IssueKind.ABORTED, f"The charger did not start ({result}). {held}")
    elif session.stop_requested_by:
        who = StopReason(session.stop_requested_by).lower()
        yield Finding(IssueKind.ABORTED, f"Given up by the {who} before a car was plugged in. {held}")
    else:
        text = f"The start was accepted at {moment(session.accepted_at)}, but no car was plugged in in time. {held}"
        yield Finding(IssueKind.NEVER_PLUGGED_IN, text)


def of_unbilled(session: ChargingSession) -> Iterator[Finding]:
    """Energy of a session that was given up: the charger charged although it was told to stop."""
    if session.status != SessionStatus.INVALID or session.started_at is None or session.kwh <= LEAST_KWH:
        return
    until = f"until {moment(session.ended_at)}" if session.ended_at else "so far; the charger is asked to stop"
    priced = price_given_up(session)
    price = f", by its tariff {amount(priced.cost.total.incl_vat, session.currency)}" if priced.cost else ""
    if priced.retail:
        price += f", for the driver {amount(priced.driver_total, session.currency)}"
    text = (
        f"The session was given up, but the charger charged all the same from {moment(session.started_at)}: "
        f"{session.kwh:.3f} kWh {until}{price}. Nothing was billed."
    )
    yield Finding(IssueKind.UNBILLED_ENERGY, text)


def _is_answered(facts: Facts) -> bool:
    """A session that never was accepted is not a Session at the partner: the result of the command told it."""
    command = facts.session.commands.exclude(result="").exists() if facts.start else True
    return command and (facts.start is None or facts.start.state == CallState.DONE)


def _running(session: ChargingSession) -> Iterator[Finding]:
    now = timezone.now()
    if session.overlong_at is not None:
        text = (
            f"Charging since {moment(session.started_at)}, longer than sessions may be. The charger is asked to stop."
        )
        yield Finding(IssueKind.TOO_LONG, text)
    lost = lost_since(session)
    if lost is not None and lost < now - settings.LOST_CHARGER_NOTICE:
        text = (
            f"The charger went offline at {moment(lost)} in the middle of the session. Known until then: "
            f"{session.kwh:.3f} kWh. When it comes back it tells the rest; if not, the session is settled with that."
        )
        yield Finding(IssueKind.CHARGER_LOST, text)


def lost_since(session: ChargingSession) -> datetime | None:
    """When the session's charger went offline; None while it is connected."""
    if session.connector_id is None:
        return None
    connection = ChargerConnection.objects.filter(
        charger__evses__connectors=session.connector_id, channel_name=""
    ).first()
    return connection.disconnected_at if connection else None


def _over(facts: Facts) -> Iterator[Finding]:
    yield from _settled(facts)
    yield from _unconfirmed(facts)
    if facts.invoice is not None and facts.due > ZERO and facts.advice is None:
        since = facts.invoice.issued_at
        if since < timezone.now() - settings.ADVICE_TIMEOUT:
            text = (
                f"{amount(facts.due, facts.invoice.currency)} were to be captured since {moment(since)}, but the "
                "partner has sent no financial advice."
            )
            yield Finding(IssueKind.ADVICE_MISSING, text)


def _settled(facts: Facts) -> Iterator[Finding]:
    """Sessions whose charger never told their end, or another one later, until a person has decided."""
    session = facts.session
    if session.settlement == Settlement.STAFF:
        return
    late = LateStop.objects.filter(session=session).first()
    if late is None and not session.settlement:
        return
    billed = f"{session.kwh:.3f} kWh at {moment(session.ended_at)}"
    if late is None:
        text = f"The charger never told the end of the session. It was settled with its last reading, {billed}."
        is_long = session.settlement == Settlement.OVERLONG
        yield Finding(IssueKind.TOO_LONG if is_long else IssueKind.CHARGER_LOST, text)
    elif len(facts.cdrs) == 1 and _is_other(late, facts):
        total = late.driver_total_incl_vat
        cost = "" if total is None else f", {amount(total, session.currency)}"
        text = (
            f"The session was billed with {billed}, {amount(facts.due, session.currency)}. Later the charger told "
            f"another end: {late.kwh:.3f} kWh at {moment(late.ended_at)}{cost}. Nothing was billed for it."
        )
        yield Finding(IssueKind.LATE_STOP, text)


def _is_other(late: LateStop, facts: Facts) -> bool:
    """Whether the true end costs something else than was billed."""
    currency = facts.session.currency
    return facts.due != money(late.driver_total_incl_vat or ZERO, currency)


def _unconfirmed(facts: Facts) -> Iterator[Finding]:
    for cdr in facts.cdrs:
        document = facts.documents.get(cdr.pk)
        if document is None or document.acknowledged_at is not None:
            continue
        push = facts.pushes.get(document.path)
        is_refused = push is not None and push.needs_operator
        if is_refused or document.created_at < timezone.now() - CDR_PATIENCE:
            text = f"The partner has not confirmed CDR {cdr.uid} of {amount(cdr.total_cost_incl_vat, cdr.currency)}"
            error = f": {push.last_error}" if push is not None and push.last_error else "."
            yield Finding(IssueKind.CDR_NOT_TAKEN, text + error)
            return


def _captures(facts: Facts) -> Iterator[Finding]:
    advice = facts.advice
    if advice is None:
        return
    yield from _capture(facts, advice)
    taken = [one for one in facts.advices if captured_by(one)]
    # A bill that was credited and its correction are a capture each; OCPI has no message for the money given back.
    bills = sum(not cdr.is_credit for cdr in facts.cdrs)
    if len(taken) > max(bills, 1):
        parts = ", ".join(f"{amount(one.total_gross, one.currency)} ({one.advice_id})" for one in taken)
        text = f"The partner tells of {len(taken)} captures for one payment: {parts}. The newest counts here."
        yield Finding(IssueKind.SEVERAL_CAPTURES, text)


def _capture(facts: Facts, advice: FinancialAdviceConfirmation) -> Iterator[Finding]:
    is_over = facts.session.status in (SessionStatus.COMPLETED, SessionStatus.INVALID)
    currency = facts.cdrs[-1].currency if facts.cdrs else facts.session.currency
    due, taken = amount(facts.due, currency), amount(captured_by(advice), advice.currency)
    said = f" The partner says: {advice.capture_status_message}" if advice.capture_status_message else ""
    if not is_over:
        return  # what is due is not known yet
    if captured_by(advice) and advice.currency != currency:
        text = f"Captured in {advice.currency}, but the CDR is in {currency}: {taken} instead of {due}."
        yield Finding(IssueKind.CURRENCY_DIFFERS, text)
    elif advice.capture_status_code == CaptureStatusCode.FAILED:
        if facts.due > ZERO:
            yield Finding(IssueKind.CAPTURE_FAILED, f"The card could not be charged: {due} are unpaid.{said}")
    elif advice.capture_status_code == CaptureStatusCode.PARTIAL_SUCCESS and captured_by(advice) <= facts.due:
        is_all = captured_by(advice) == facts.due
        words = f"All of {due}, yet the partner calls it a part." if is_all else f"Only {taken} of {due} were captured."
        yield Finding(IssueKind.CAPTURE_PARTIAL, words + said)
    elif captured_by(advice) != facts.due:
        yield Finding(IssueKind.AMOUNT_DIFFERS, _difference(facts, taken, due))


def _difference(facts: Facts, taken: str, due: str) -> str:
    if facts.session.status == SessionStatus.INVALID or not facts.cdrs:
        return f"{taken} were captured, but nothing was charged in this session."
    if facts.is_credited:
        return f"The CDR was credited, but {taken} stay captured: the driver must get the money back at the partner."
    return f"{taken} were captured instead of {due}."


def of_advice(advice: FinancialAdviceConfirmation) -> list[Finding]:
    """Findings of an advice that belongs to no session of its platform."""
    if advice.session_id is not None:
        return []
    taken = amount(captured_by(advice), advice.currency)
    reference = advice.authorization_reference
    others = ChargingSession.objects.filter(authorization_reference__iexact=reference)
    if others.exclude(peer_id__in=["", advice.platform.peer_id]).exists():
        text = (
            f"{advice.platform} captured {taken} for {reference}, which is another partner's session. "
            "Nothing was applied to it."
        )
        return [Finding(IssueKind.FOREIGN_SESSION, text)]
    text = f"{advice.platform} captured {taken} for {reference}, which no session of ours has."
    return [Finding(IssueKind.UNKNOWN_REFERENCE, text)]
