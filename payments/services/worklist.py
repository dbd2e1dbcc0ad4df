"""The one list of what a person must look at. Raised by consumers of the outbox and by a sweep, each exception one
row however often it is seen. Resolved when the cause is gone, in the name of whoever pressed a button for it; else
accepted by a person with a note.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone, translation
from django.utils.translation import gettext

from chargers.choices import SessionStatus
from chargers.models import CDR, ChargingSession
from infrastructure.models import EVSE, Act, Operator
from infrastructure.services.masterdata import Author
from payments.choices import IssueKind, IssueState
from payments.models import FinancialAdviceConfirmation, Invoice, PaymentIssue, Terminal
from payments.services import drift, findings
from payments.services.findings import Finding
from payments.services.payment_states import Facts, facts_of, is_paid_at_terminal
from payments.services.tenancy import operators_of
from roaming.models import RoamingPlatform

# Events, not states: nothing that we can see makes them undone.
LASTING = frozenset({IssueKind.DUPLICATE_ID})
# Buttons of the list that change nothing but the list.
JUST_LOOKED = ("Look again", "Accept with a note")
BY_ITSELF = "Resolved by itself: the cause is gone."
# A button pressed before that has not brought about what is gone now.
AFTERWARDS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What findings are about; `rows` are the foreign keys of the issue."""

    key: str
    operator: Operator | None
    rows: dict[str, Any] = field(default_factory=dict)


def look_at_session(session_id: int) -> None:
    """Consumer of "session" and, by the sweep, for what only time brings. Running sessions are the sweep's."""
    session = ChargingSession.objects.filter(pk=session_id).exclude(peer_id="").first()
    if session is not None and session.status in (SessionStatus.COMPLETED, SessionStatus.INVALID):
        examine_session(session)


def look_at_cdr(cdr_id: int) -> None:
    """Consumer of "cdr"."""
    examine_session(ChargingSession.objects.get(cdrs=cdr_id))


def look_at_advice(advice_id: int) -> None:
    """Consumer of "advice", after it was matched."""
    advice = FinancialAdviceConfirmation.objects.select_related("platform", "session").get(pk=advice_id)
    examine_advice(advice)
    # Also the sessions that an earlier state of the advice left something to say about.
    before = PaymentIssue.objects.filter(advice=advice, session__isnull=False, state=IssueState.OPEN)
    sessions = ChargingSession.objects.filter(pk__in=before.values("session"))
    for session in {*sessions, *([advice.session] if advice.session else [])}:
        examine_session(session)


def look_at_terminal(terminal_id: int) -> None:
    """Consumer of "terminal" and "terminal-report"."""
    terminal = Terminal.objects.select_related("platform", "operator").filter(pk=terminal_id).first()
    if terminal is not None:
        examine_terminal(terminal)
        places = PaymentIssue.objects.filter(kind=IssueKind.UNKNOWN_TERMINAL, state=IssueState.OPEN)
        for issue in places.filter(platform=terminal.platform):
            look_again(issue)


def examine_session(session: ChargingSession) -> None:
    facts = facts_of(session)
    is_terminal = is_paid_at_terminal(facts)
    found = findings.of_payment(facts) if is_terminal else list(findings.of_unbilled(session))
    if facts.platform is None or not (is_terminal or found or _has_issue(session)):
        return
    advice = facts.advice
    rows = {
        "session": session,
        "advice": advice,
        "platform": facts.platform,
        "authorization_reference": session.authorization_reference or session.uid,
    }
    write(Subject(f"session:{session.pk}", operator_of(facts), rows), found)
    evse = session.connector.evse if session.connector else None
    if is_terminal and evse is not None and session.started_at is not None:
        examine_place(facts.platform, evse)


def _has_issue(session: ChargingSession) -> bool:
    return PaymentIssue.objects.filter(session=session, state=IssueState.OPEN).exists()


def examine_advice(advice: FinancialAdviceConfirmation) -> None:
    rows = {
        "advice": advice,
        "platform": advice.platform,
        "authorization_reference": advice.authorization_reference,
    }
    write(Subject(f"advice:{advice.pk}", _only_operator(advice.platform), rows), findings.of_advice(advice))


def examine_terminal(terminal: Terminal) -> None:
    rows = {"terminal": terminal, "platform": terminal.platform}
    owner = terminal.operator or _only_operator(terminal.platform)
    write(Subject(f"terminal:{terminal.pk}", owner, rows), drift.of_terminal(terminal))


def examine_place(platform: RoamingPlatform, evse: EVSE) -> None:
    """Whether the platform's drivers charge where none of its terminals is known to stand."""
    found = []
    if not drift.serving(evse, platform).exists():
        text = f"Drivers pay with {platform} at {evse}, but no terminal of {platform} is assigned to it or its area."
        found.append(Finding(IssueKind.UNKNOWN_TERMINAL, text))
    rows = {"evse": evse, "platform": platform}
    write(Subject(f"evse:{platform.pk}:{evse.pk}", evse.charger.location.operator, rows), found)


def operator_of(facts: Facts) -> Operator | None:
    if facts.invoice is not None:
        return facts.invoice.operator
    connector = facts.session.connector
    return connector.evse.charger.location.operator if connector else None


def _only_operator(platform: RoamingPlatform) -> Operator | None:
    operators = list(operators_of(platform)[:2])
    return operators[0] if len(operators) == 1 else None


def write(subject: Subject, found: Iterable[Finding]) -> None:
    """Makes the rows of the subject say what was found, and resolves those whose cause is gone."""
    wanted = {finding.kind: finding for finding in found}
    with transaction.atomic():
        known = {row.kind: row for row in PaymentIssue.objects.select_for_update().filter(subject=subject.key)}
        for kind, finding in wanted.items():
            row = known.get(kind)
            if row is None:
                _open(subject, finding)
            elif _is_news(row, finding):
                _reopen(row, subject, finding)
        for known_kind, row in known.items():
            kind = IssueKind(known_kind)
            if kind not in wanted and kind not in LASTING and row.state == IssueState.OPEN:
                _resolve(row)


def _resolve(row: PaymentIssue) -> None:
    """The cause is gone: by whoever pressed a button last that has to do with it, else by itself."""
    act = _last_act(row)
    _close(row, IssueState.RESOLVED, act.user if act else None, act.what if act else BY_ITSELF)


def _last_act(row: PaymentIssue) -> Act | None:
    """What staff did by a button since the issue was opened and not long ago, to it or to what it is about."""
    cdrs = CDR.objects.filter(session=row.session_id) if row.session_id else CDR.objects.none()
    about: dict[type[Model], Iterable[Any]] = {
        PaymentIssue: [row.pk],
        ChargingSession: [row.session_id],
        FinancialAdviceConfirmation: [row.advice_id],
        Terminal: [row.terminal_id],
        CDR: cdrs.values_list("pk", flat=True),
        Invoice: Invoice.objects.filter(cdr__in=cdrs).values_list("pk", flat=True),
    }
    touching = Q()
    for model, keys in about.items():
        touching |= Q(model=model._meta.label_lower, object_id__in=[str(key) for key in keys if key])
    since = max(row.opened_at, timezone.now() - AFTERWARDS)
    done = Act.objects.filter(touching, at__gte=since, user__isnull=False)
    return done.exclude(what__in=JUST_LOOKED).select_related("user").first()


def _open(subject: Subject, finding: Finding) -> PaymentIssue:
    values = {"reason": finding.reason, "operator": subject.operator, **subject.rows}
    row, _ = PaymentIssue.objects.get_or_create(subject=subject.key, kind=finding.kind, defaults=values)
    return row


def _is_news(row: PaymentIssue, finding: Finding) -> bool:
    """The same words that a person accepted are no news; a cause that was gone and is back is."""
    return row.state == IssueState.RESOLVED or row.reason != finding.reason


def _reopen(row: PaymentIssue, subject: Subject, finding: Finding) -> None:
    now = timezone.now()
    if row.state != IssueState.OPEN:
        row.opened_at, row.resolved_at, row.resolved_by, row.note = now, None, None, ""
    row.state, row.reason, row.updated_at, row.operator = IssueState.OPEN, finding.reason, now, subject.operator
    for name, value in subject.rows.items():
        setattr(row, name, value)
    row.save()


def note_duplicate(advice: FinancialAdviceConfirmation, received: dict[str, Any], *, is_applied: bool) -> None:
    """An advice came again under its id with another amount, currency or reference. Needs a transaction.

    Both contents are kept. The newer one counts (DirectPayment has no other way to correct), but never silently.
    """
    taken = "the newer one counts" if is_applied else "the first one counts, as the other is not newer"
    text = f"{advice.platform} sent advice {advice.advice_id} again with other content: {taken}."
    subject = Subject(
        f"advice:{advice.pk}",
        _only_operator(advice.platform),
        {"advice": advice, "platform": advice.platform, "authorization_reference": advice.authorization_reference},
    )
    row = _open(subject, Finding(IssueKind.DUPLICATE_ID, text))
    entry = {"applied": is_applied, "before": advice.raw, "received": received}
    if entry not in row.evidence:
        row.evidence = [*row.evidence, entry]
        _reopen(row, subject, Finding(IssueKind.DUPLICATE_ID, text))


def accept(issue: PaymentIssue, author: Author, note: str) -> None:
    """A person decides that it may stay as it is. Raises ValidationError without a note."""
    if not note.strip():
        raise ValidationError(gettext("Write a note: whoever reads the books later wants to know why."))
    with transaction.atomic():
        row = PaymentIssue.objects.select_for_update().get(pk=issue.pk)
        if row.state != IssueState.OPEN:
            raise ValidationError(gettext("Somebody or something has closed it meanwhile."))
        _close(row, IssueState.ACCEPTED, author, note.strip())


def _close(row: PaymentIssue, state: IssueState, author: Author, note: str) -> None:
    row.state, row.note = state, note
    row.resolved_by_id = author.pk if author is not None else None
    row.resolved_at = row.updated_at = timezone.now()
    row.save(update_fields=["state", "note", "resolved_by", "resolved_at", "updated_at"])


def look_again(issue: PaymentIssue) -> None:
    """Judges the subject of an issue anew. In English, as reasons are kept, whoever asks: other words would be news."""
    with translation.override("en"):
        _examine(issue)


def _examine(issue: PaymentIssue) -> None:
    kind, _, _ = issue.subject.partition(":")
    if kind == "session" and issue.session is not None:
        examine_session(issue.session)
    elif kind == "advice" and issue.advice is not None:
        examine_advice(issue.advice)
    elif kind == "terminal" and issue.terminal is not None:
        examine_terminal(issue.terminal)
    elif kind == "evse" and issue.evse is not None and issue.platform is not None:
        examine_place(issue.platform, issue.evse)
