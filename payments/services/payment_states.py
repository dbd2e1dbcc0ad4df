"""The life of one payment as a state machine, derived from rows: per platform and authorization reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from chargers.choices import CallAction, SessionStatus
from chargers.models import CDR, ChargingSession, OutgoingCall
from payments.choices import CaptureStatusCode, PaymentState
from payments.models import FinancialAdviceConfirmation, Invoice
from roaming.choices import Module, PlatformType
from roaming.models import Document, Push, RoamingPlatform
from tariffs.pricing.rounding import money

ZERO = Decimal(0)

_SETTLED = frozenset(
    {
        PaymentState.CAPTURED,
        PaymentState.PARTLY_CAPTURED,
        PaymentState.NOT_CAPTURED,
        PaymentState.NOTHING_TO_PAY,
        PaymentState.CREDITED,
    }
)
# A charger or a partner may skip a step that we never hear of; nothing ever goes back to charging, except that a
# corrected advice may take a capture away and a late CDR acknowledgement changes nothing that was captured.
MOVES: Mapping[PaymentState, frozenset[PaymentState]] = {
    PaymentState.UNKNOWN: frozenset(PaymentState),
    PaymentState.REQUESTED: frozenset({PaymentState.STARTED, PaymentState.CHARGING, PaymentState.RELEASED}),
    PaymentState.STARTED: frozenset({PaymentState.CHARGING, PaymentState.RELEASED}),
    PaymentState.CHARGING: _SETTLED | {PaymentState.STOPPED},
    PaymentState.STOPPED: _SETTLED | {PaymentState.REPORTED},
    PaymentState.REPORTED: _SETTLED | {PaymentState.STOPPED},  # a corrected CDR has to be sent again
    PaymentState.RELEASED: _SETTLED | {PaymentState.STOPPED},  # a person bills what flowed all the same
    **dict.fromkeys(_SETTLED, _SETTLED | {PaymentState.STOPPED, PaymentState.REPORTED}),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All rows that tell of one payment; `advices` in the order in which the PTP told them, the last one counts."""

    session: ChargingSession
    platform: RoamingPlatform | None
    start: OutgoingCall | None
    cdrs: Sequence[CDR]
    documents: Mapping[int, Document]  # by CDR
    pushes: Mapping[str, Push]  # by document path, the newest of each
    session_document: Document | None
    invoices: list[Invoice]
    advices: Sequence[FinancialAdviceConfirmation]

    @property
    def advice(self) -> FinancialAdviceConfirmation | None:
        return self.advices[-1] if self.advices else None

    @property
    def cdr(self) -> CDR | None:
        """The record that holds now: the newest that is no credit."""
        return next((one for one in reversed(self.cdrs) if not one.is_credit), None)

    @property
    def invoice(self) -> Invoice | None:
        """The newest that is no credit note."""
        return next((one for one in reversed(self.invoices) if not one.is_credit_note), None)

    @property
    def is_credited(self) -> bool:
        return bool(self.cdrs) and self.cdrs[-1].is_credit

    @property
    def due(self) -> Decimal:
        """What is to be captured in all, including VAT, in the currency's decimals: the driver's price."""
        return sum((money(one.driver_total_incl_vat or ZERO, one.currency) for one in self.cdrs), ZERO)

    @property
    def captured(self) -> Decimal:
        return captured_by(self.advice) if self.advice else ZERO

    @property
    def is_reported(self) -> bool:
        """Whether the partner has acknowledged every CDR."""
        told = [self.documents.get(one.pk) for one in self.cdrs]
        return bool(told) and all(document is not None and document.acknowledged_at for document in told)


def captured_by(advice: FinancialAdviceConfirmation) -> Decimal:
    """What the advice says was taken from the card; a failed capture took nothing, whatever amount it names."""
    if advice.capture_status_code == CaptureStatusCode.FAILED:
        return ZERO
    return money(advice.total_gross, advice.currency)


def facts_of(session: ChargingSession, platform: RoamingPlatform | None = None) -> Facts:
    """Reads the rows of the session's payment, with a fixed number of queries; `platform` if it is known already."""
    platform = platform or _platform_of(session)
    cdrs = sorted(session.cdrs.all(), key=lambda cdr: cdr.pk)
    calls = sorted(session.calls.all(), key=lambda call: call.pk)
    documents = {
        document.source_id: document
        for document in Document.objects.filter(
            platform=platform, module=Module.CDRS, source_id__in=[one.pk for one in cdrs]
        )
    }
    paths = [document.path for document in documents.values()]
    pushes = Push.objects.filter(platform=platform, module=Module.CDRS, object_id__in=paths).order_by("pk")
    return Facts(
        session=session,
        platform=platform,
        start=next((call for call in calls if call.action == CallAction.START_TRANSACTION), None),
        cdrs=cdrs,
        documents=documents,
        pushes={push.object_id: push for push in pushes},
        session_document=Document.objects.filter(
            platform=platform, module=Module.SESSIONS, source_id=session.pk
        ).first(),
        invoices=list(Invoice.objects.filter(cdr__in=cdrs).order_by("pk")),
        advices=advices_of(session, platform),
    )


def _platform_of(session: ChargingSession) -> RoamingPlatform | None:
    return RoamingPlatform.objects.filter(peer_id=session.peer_id).first() if session.peer_id else None


def advices_of(session: ChargingSession, platform: RoamingPlatform | None) -> Sequence[FinancialAdviceConfirmation]:
    """In the order in which the PTP told them, by its own clock."""
    rows = FinancialAdviceConfirmation.objects.filter(platform=platform, session=session)
    return list(rows.order_by("last_updated", "pk"))


def state_of(facts: Facts) -> PaymentState:
    match facts.session.status:
        case SessionStatus.INVALID:
            return PaymentState.RELEASED
        case SessionStatus.ACTIVE:
            return PaymentState.CHARGING
        case SessionStatus.PENDING | SessionStatus.RESERVATION:
            return PaymentState.STARTED if facts.session.accepted_at else PaymentState.REQUESTED
    return _state_after_stop(facts)


_CAPTURED = {
    CaptureStatusCode.SUCCESS: PaymentState.CAPTURED,
    CaptureStatusCode.PARTIAL_SUCCESS: PaymentState.PARTLY_CAPTURED,
    CaptureStatusCode.FAILED: PaymentState.NOT_CAPTURED,
}


def _state_after_stop(facts: Facts) -> PaymentState:
    if facts.is_credited:
        return PaymentState.CREDITED
    if facts.advice is not None:
        return _CAPTURED[CaptureStatusCode(facts.advice.capture_status_code)]
    if not facts.due:
        return PaymentState.NOTHING_TO_PAY
    return PaymentState.REPORTED if facts.is_reported else PaymentState.STOPPED


def payment_state(platform: RoamingPlatform, reference: str) -> PaymentState:
    """State of the payment that `platform` calls `reference` (a CiString)."""
    session = ChargingSession.objects.filter(
        peer_id=platform.peer_id, authorization_reference__iexact=reference
    ).first()
    return PaymentState.UNKNOWN if session is None else state_of(facts_of(session))


def is_paid_at_terminal(facts: Facts) -> bool:
    return facts.platform is not None and facts.platform.type == PlatformType.PTP
