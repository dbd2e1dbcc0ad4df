"""What a person may do about an exception, beside accepting it with a note."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.choices import SessionStatus, StopReason
from chargers.models import CDR, ChargingSession
from chargers.services import commands, corrections
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

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True, slots=True)
class Remedy:
    """`explanation` is read before it is done; `run` raises ValidationError and answers what it did. `permission` is
    that of what it does, wherever else in admin that is done."""

    title: "str | StrPromise"
    explanation: "str | StrPromise"
    run: Callable[[PaymentIssue, str], str]
    is_danger: bool = False
    asks: "str | StrPromise" = ""  # label of a text that `run` needs
    permission: str = field(kw_only=True)


def retry_push(issue: PaymentIssue, _: str) -> str:
    """Sends again what the partner has not confirmed of this session."""
    session = _session(issue)
    with transaction.atomic():
        rows = [row for document in _unconfirmed(session) if (row := _push_of(document))]
        if not rows:
            raise ValidationError(
                gettext("Nothing is waiting for this partner: look at its connection and its endpoints.")
            )
        for row in rows:
            push.send_again(row)
    return gettext("It is sent again now. The issue closes when the partner confirms it.")


def _unconfirmed(session: ChargingSession) -> QuerySet[Document]:
    cdrs = Document.objects.filter(
        module=Module.CDRS, source_id__in=CDR.objects.filter(session=session).values("pk"), acknowledged_at=None
    )
    if cdrs.exists():
        return cdrs.order_by("source_id")
    return Document.objects.filter(module=Module.SESSIONS, source_id=session.pk)


def _push_of(document: Document) -> Push | None:
    """The newest, unless one flies just now."""
    rows = Push.objects.filter(platform=document.platform_id, module=document.module, object_id=document.path)
    return rows.exclude(state=PushState.IN_FLIGHT).order_by("pk").last()


def ask_for_advices(issue: PaymentIssue, _: str) -> str:
    """Fetches the partner's financial advices now."""
    pull = Pull.objects.filter(platform=issue.platform, source=ADVICES.name).first()
    if pull is None:
        raise ValidationError(gettext("The partner was never asked for its advices: it is not registered."))
    pulls.request_pull(pull, whole=False)
    return gettext("The partner is asked for its financial advices now.")


def credit(issue: PaymentIssue, note: str) -> str:
    """Takes the bill back with a credit CDR."""
    if not note.strip():
        raise ValidationError(gettext("Say why: it stands on the credit CDR."))
    cdr = facts_of(_session(issue)).cdr
    if cdr is None:
        raise ValidationError(gettext("There is no CDR yet that could be credited."))
    credit_cdr(cdr, note.strip())
    return gettext("The CDR is credited and the partner is told. What was captured only the partner can give back.")


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
        raise ValidationError(gettext("This is about no financial advice."))
    sessions = _sessions_for(issue, advice)
    wanted = reference.strip()
    named = sessions.filter(authorization_reference__iexact=wanted) | sessions.filter(uid__iexact=wanted)
    session = named.first() if wanted else None
    if session is None:
        raise ValidationError(
            gettext("%(platform)s has no session with the reference or id “%(wanted)s”.")
            % {"platform": advice.platform, "wanted": wanted}
        )
    with transaction.atomic():
        FinancialAdviceConfirmation.objects.filter(pk=advice.pk).update(session=session, assigned_at=timezone.now())
        outbox.record("advice", advice.pk)
    return gettext("The advice now belongs to session %(session)s.") % {"session": session}


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


def bill(issue: PaymentIssue, reason: str) -> str:
    """Bills what flowed on a session that was given up."""
    if not reason.strip():
        raise ValidationError(gettext("Write why: it stands in the remark of the CDR, which the partner reads."))
    cdr = corrections.bill_given_up(_session(issue).pk, reason.strip())
    return gettext("CDR %(cdr)s is written and on its way to the partner.") % {"cdr": cdr.uid}


def stop(issue: PaymentIssue, _: str) -> str:
    session = _session(issue)
    if session.status != SessionStatus.ACTIVE:
        raise ValidationError(gettext("The session has ended already."))
    commands.request_stop(session, StopReason.STAFF, timezone.now() + settings.COMMAND_TIMEOUT)
    return gettext("The charger is asked to stop.")


def repair_terminal(issue: PaymentIssue, _: str) -> str:
    if issue.terminal is None:
        raise ValidationError(gettext("The terminal is gone."))
    drift.repair(issue.terminal)
    return gettext("The partner is told again what the terminal serves.")


def _session(issue: PaymentIssue) -> ChargingSession:
    if issue.session is None:
        raise ValidationError(gettext("This is about no session."))
    return issue.session


RETRY = Remedy(
    _("Send again"),
    _("What the partner has not confirmed is sent to it now."),
    retry_push,
    permission="roaming.change_push",
)
ASK = Remedy(
    _("Ask the partner"),
    _("The partner's financial advices are fetched now."),
    ask_for_advices,
    permission="roaming.change_pull",
)
CREDIT = Remedy(
    _("Credit"),
    _(
        "A credit CDR takes the bill back and the partner is told. What was captured only the partner can give back: "
        "OCPI has no message for it, so tell it the reference and the amount."
    ),
    credit,
    is_danger=True,
    asks=_("Why"),
    permission="chargers.change_cdr",
)
ASSIGN = Remedy(
    _("Assign to a session"),
    _("The advice then counts for that session and its invoice, whatever its reference says."),
    assign,
    asks=_("Authorization reference or session id"),
    permission="payments.change_financialadviceconfirmation",
)
BILL = Remedy(
    _("Bill it"),
    _(
        "The session becomes COMPLETED with what was measured, priced by its tariff and at most what was "
        "pre-authorised; CDR and invoice follow, for partners with a factor or a surcharge the invoice with the "
        "driver's price. The partner may have released the money already: if it cannot "
        "capture it, that appears here. To bill less, use Credit and correct on the session afterwards; to bill "
        "nothing, accept this with a note instead."
    ),
    bill,
    is_danger=True,
    asks=_("Why"),
    permission="chargers.change_cdr",
)
STOP = Remedy(
    _("Stop charging"),
    _("The charger ends the session, and it is billed up to then."),
    stop,
    is_danger=True,
    permission="chargers.change_chargingsession",
)
REPAIR = Remedy(
    _("Repair"),
    _("The partner is told our assignment again, with full lists."),
    repair_terminal,
    permission="payments.change_terminal",
)

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
    IssueKind.UNBILLED_ENERGY: {"bill": BILL},
    IssueKind.TERMINAL_DRIFT: {"repair": REPAIR},
}


def remedies_of(issue: PaymentIssue) -> Mapping[str, Remedy]:
    found = REMEDIES.get(IssueKind(issue.kind), {})
    if issue.session is None:
        return {name: one for name, one in found.items() if one not in (RETRY, CREDIT, STOP, BILL)}
    is_running = issue.session.status == SessionStatus.ACTIVE
    return {name: one for name, one in found.items() if (one is not STOP or is_running) and _fits(one, is_running)}


def _fits(remedy: Remedy, is_running: bool) -> bool:
    return not (remedy is CREDIT and is_running)


def apply(issue: PaymentIssue, name: str, text: str) -> str:
    """Does it and judges the subject anew. Raises ValidationError."""
    remedy = remedies_of(issue).get(name)
    if remedy is None:
        raise ValidationError(gettext("This is no longer possible."))
    done = remedy.run(issue, text)
    worklist.look_again(PaymentIssue.objects.get(pk=issue.pk))
    return done
