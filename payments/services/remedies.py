"""What a person may do about an exception, beside accepting it with a note."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chargers.choices import SessionStatus, StopReason
from chargers.models import CDR, ChargingSession
from chargers.services import commands
from chargers.services.cdrs import credit_cdr
from infrastructure import outbox
from payments.choices import IssueKind
from payments.models import FinancialAdviceConfirmation, PaymentIssue
from payments.services import drift, worklist
from payments.services.payment_states import captured_by, facts_of
from payments.services.pulls import ADVICES
from roaming.choices import Module, PushState
from roaming.models import Document, Pull, Push
from roaming.services import pulls, push


@dataclass(frozen=True, slots=True)
class Remedy:
    """`explanation` is read before it is done; `run` raises ValidationError and answers what it did."""

    title: str
    explanation: str
    run: Callable[[PaymentIssue, str], str]
    is_danger: bool = False
    asks: str = ""  # label of a text that `run` needs


def retry_push(issue: PaymentIssue, _: str) -> str:
    """Sends again what the partner has not confirmed of this session."""
    session = _session(issue)
    with transaction.atomic():
        rows = [row for document in _unconfirmed(session) if (row := _push_of(document))]
        if not rows:
            raise ValidationError("Nothing is waiting for this partner: look at its connection and its endpoints.")
        for row in rows:
            push.send_again(row)
    return "It is sent again now. The issue closes when the partner confirms it."


def _unconfirmed(session: ChargingSession) -> QuerySet[Document]:
    cdrs = Document.objects.filter(
        module=Module.CDRS, source_id__in=CDR.objects.filter(session=session).values("pk"), acknowledged_at=None
    )
    if cdrs.exists():
        return cdrs
    return Document.objects.filter(module=Module.SESSIONS, source_id=session.pk)


def _push_of(document: Document) -> Push | None:
    """The newest, unless one flies just now."""
    rows = Push.objects.filter(platform=document.platform_id, module=document.module, object_id=document.path)
    return rows.exclude(state=PushState.IN_FLIGHT).order_by("pk").last()


def ask_for_advices(issue: PaymentIssue, _: str) -> str:
    """Fetches the partner's financial advices now."""
    pull = Pull.objects.filter(platform=issue.platform, source=ADVICES.name).first()
    if pull is None:
        raise ValidationError("The partner was never asked for its advices: it is not registered.")
    pulls.request_pull(pull, whole=False)
    return "The partner is asked for its financial advices now."


def credit(issue: PaymentIssue, note: str) -> str:
    """Takes the bill back with a credit CDR."""
    if not note.strip():
        raise ValidationError("Say why: it stands on the credit CDR.")
    cdr = facts_of(_session(issue)).cdr
    if cdr is None:
        raise ValidationError("There is no CDR yet that could be credited.")
    credit_cdr(cdr, note.strip())
    return "The CDR is credited. The partner is told; the money goes back to the driver there."


def _sessions_for(issue: PaymentIssue, advice: FinancialAdviceConfirmation) -> QuerySet[ChargingSession]:
    """Of the partner, and of the operator to whom the issue was shown."""
    rows = ChargingSession.objects.filter(peer_id=advice.platform.peer_id)
    if issue.operator_id is not None:
        rows = rows.filter(connector__evse__charger__location__operator=issue.operator_id)
    return rows


def assign(issue: PaymentIssue, reference: str) -> str:
    """A person knows which session an advice belongs to: one of the same partner, never another's."""
    advice = issue.advice
    if advice is None:
        raise ValidationError("This is about no financial advice.")
    sessions = _sessions_for(issue, advice)
    wanted = reference.strip()
    named = sessions.filter(authorization_reference__iexact=wanted) | sessions.filter(uid__iexact=wanted)
    session = named.first() if wanted else None
    if session is None:
        raise ValidationError(f"{advice.platform} has no session with the reference or id “{wanted}”.")
    with transaction.atomic():
        FinancialAdviceConfirmation.objects.filter(pk=advice.pk).update(session=session, assigned_at=timezone.now())
        outbox.record("advice", advice.pk)
    return f"The advice now belongs to session {session}."


def candidates(issue: PaymentIssue) -> QuerySet[ChargingSession]:
    """Sessions of the partner that cost what was captured and of which it told no capture yet."""
    advice = issue.advice
    if advice is None:
        return ChargingSession.objects.none()
    amount = captured_by(advice)
    fitting = _sessions_for(issue, advice).filter(
        advices=None, currency=advice.currency, cdrs__invoice__total_gross=amount
    )
    return fitting.order_by("-ended_at")[:5]


def stop(issue: PaymentIssue, _: str) -> str:
    session = _session(issue)
    if session.status != SessionStatus.ACTIVE:
        raise ValidationError("The session has ended already.")
    commands.request_stop(session, StopReason.STAFF, timezone.now() + settings.COMMAND_TIMEOUT)
    return "The charger is asked to stop."


def repair_terminal(issue: PaymentIssue, _: str) -> str:
    if issue.terminal is None:
        raise ValidationError("The terminal is gone.")
    drift.repair(issue.terminal)
    return "The partner is told again what the terminal serves."


def _session(issue: PaymentIssue) -> ChargingSession:
    if issue.session is None:
        raise ValidationError("This is about no session.")
    return issue.session


RETRY = Remedy("Send again", "What the partner has not confirmed is sent to it now.", retry_push)
ASK = Remedy("Ask the partner", "The partner's financial advices are fetched now.", ask_for_advices)
CREDIT = Remedy(
    "Credit",
    "A credit CDR takes the bill back and the partner is told. The money goes back to the driver at the partner: "
    "OCPI has no message for it.",
    credit,
    is_danger=True,
    asks="Why",
)
ASSIGN = Remedy(
    "Assign to a session",
    "The advice then counts for that session and its invoice, whatever its reference says.",
    assign,
    asks="Authorization reference or session id",
)
STOP = Remedy("Stop charging", "The charger ends the session, and it is billed up to then.", stop, is_danger=True)
REPAIR = Remedy("Repair", "The partner is told our assignment again, with full lists.", repair_terminal)

REMEDIES: Mapping[IssueKind, Mapping[str, Remedy]] = {
    IssueKind.NEVER_PLUGGED_IN: {"retry": RETRY},
    IssueKind.ABORTED: {"retry": RETRY},
    IssueKind.CDR_NOT_TAKEN: {"retry": RETRY},
    IssueKind.ADVICE_MISSING: {"ask": ASK, "credit": CREDIT},
    IssueKind.CAPTURE_FAILED: {"ask": ASK, "credit": CREDIT},
    IssueKind.CAPTURE_PARTIAL: {"ask": ASK, "credit": CREDIT},
    IssueKind.AMOUNT_DIFFERS: {"ask": ASK, "credit": CREDIT},
    IssueKind.CURRENCY_DIFFERS: {"ask": ASK, "credit": CREDIT},
    IssueKind.SEVERAL_CAPTURES: {"ask": ASK},
    IssueKind.UNKNOWN_REFERENCE: {"assign": ASSIGN, "ask": ASK},
    IssueKind.FOREIGN_SESSION: {"assign": ASSIGN},
    IssueKind.DUPLICATE_ID: {"ask": ASK},
    IssueKind.CHARGER_LOST: {"stop": STOP, "credit": CREDIT},
    IssueKind.TOO_LONG: {"stop": STOP},
    IssueKind.LATE_STOP: {"credit": CREDIT},
    IssueKind.TERMINAL_DRIFT: {"repair": REPAIR},
}


def remedies_of(issue: PaymentIssue) -> Mapping[str, Remedy]:
    found = REMEDIES.get(IssueKind(issue.kind), {})
    if issue.session is None:
        return {name: one for name, one in found.items() if one not in (RETRY, CREDIT, STOP)}
    is_running = issue.session.status == SessionStatus.ACTIVE
    return {name: one for name, one in found.items() if (one is not STOP or is_running) and _fits(one, is_running)}


def _fits(remedy: Remedy, is_running: bool) -> bool:
    return not (remedy is CREDIT and is_running)


def apply(issue: PaymentIssue, name: str, text: str) -> str:
    """Does it and judges the subject anew. Raises ValidationError."""
    remedy = remedies_of(issue).get(name)
    if remedy is None:
        raise ValidationError("This is no longer possible.")
    done = remedy.run(issue, text)
    worklist.look_again(PaymentIssue.objects.get(pk=issue.pk))
    return done
