"""The guarantee behind the consumers: what only time brings, what was missed, and what has mended itself."""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import CDR, ChargingSession
from payments.choices import IssueKind, IssueState
from payments.models import FinancialAdviceConfirmation, Invoice, PaymentIssue, Terminal
from payments.services import worklist
from payments.services.findings import CDR_PATIENCE, LEAST_KWH
from roaming.choices import Module, PlatformType, PushState
from roaming.models import Document, Push, RoamingPlatform

logger = logging.getLogger(__name__)

# What is older was judged by many sweeps before.
WINDOW = timedelta(days=30)
BATCH = 500
ADVICE_MATCHED_WITHIN = timedelta(minutes=1)


def sweep() -> None:
    """Opens what is missing and judges what is open. One subject that fails must not hide the others."""
    now = timezone.now()
    for session_id in set(_suspects(now)):
        _guarded(worklist.examine_session, ChargingSession.objects.get(pk=session_id))
    for advice in _parked(now)[:BATCH]:
        _guarded(worklist.examine_advice, advice)
    for terminal in Terminal.objects.select_related("platform", "operator").iterator():
        _guarded(worklist.examine_terminal, terminal)
    for issue in PaymentIssue.objects.filter(state=IssueState.OPEN).exclude(terminal__isnull=False).iterator():
        _guarded(worklist.look_again, issue)


def _guarded(examine: object, subject: object) -> None:
    try:
        with transaction.atomic():
            examine(subject)  # type: ignore[operator]
    except Exception:
        logger.exception("%s cannot be judged", subject)


def _suspects(now: datetime) -> Iterator[int]:
    """Sessions of partners that may have an exception nobody has written down yet."""
    for kinds, rows in _queries(now):
        noted = PaymentIssue.objects.filter(session=OuterRef("pk"), kind__in=kinds)
        yield from rows.exclude(Exists(noted)).values_list("pk", flat=True)[:BATCH]


def _queries(now: datetime) -> Iterable[tuple[tuple[IssueKind, ...], QuerySet[ChargingSession]]]:
    partners = RoamingPlatform.objects.filter(type=PlatformType.PTP).values("peer_id")
    paid = ChargingSession.objects.filter(peer_id__in=partners, last_updated__gt=now - WINDOW)
    running = paid.filter(status=SessionStatus.ACTIVE)
    offline = Q(
        connector__evse__charger__connection__channel_name="",
        connector__evse__charger__connection__disconnected_at__lt=now - settings.LOST_CHARGER_NOTICE,
    )
    unpaid = Invoice.objects.filter(
        advice=None, total_gross__gt=0, issued_at__range=(now - WINDOW, now - settings.ADVICE_TIMEOUT)
    )
    is_late = Q(created_at__range=(now - WINDOW, now - CDR_PATIENCE))
    untaken = Document.objects.filter(is_late | _is_refused(), module=Module.CDRS, acknowledged_at=None)
    given_up = paid.filter(status=SessionStatus.INVALID, last_updated__gt=now - timedelta(days=1))
    # Also of partners whose drivers pay by contract.
    unbilled = ChargingSession.objects.filter(
        status=SessionStatus.INVALID, kwh__gt=LEAST_KWH, last_updated__gt=now - WINDOW
    ).exclude(peer_id="")
    return (
        ((IssueKind.TOO_LONG,), running.exclude(overlong_at=None)),
        ((IssueKind.CHARGER_LOST,), running.filter(offline)),
        ((IssueKind.ADVICE_MISSING,), paid.filter(cdrs__in=unpaid.values("cdr"))),
        (
            (IssueKind.CDR_NOT_TAKEN,),
            paid.filter(cdrs__in=CDR.objects.filter(pk__in=untaken.values("source_id"))),
        ),
        ((IssueKind.LATE_STOP,), paid.filter(late_stop__received_at__gt=now - WINDOW)),
        ((IssueKind.UNBILLED_ENERGY,), unbilled),
        ((IssueKind.NEVER_PLUGGED_IN, IssueKind.ABORTED), given_up),
    )


def _is_refused() -> Q:
    """Documents of CDRs that the partner refused for good; pushes name them by their path."""
    refused = Push.objects.filter(module=Module.CDRS, needs_operator=True, state=PushState.PENDING)
    return Q(object_id__in=[path.rpartition("/")[2] for path in refused.values_list("object_id", flat=True)[:BATCH]])


def _parked(now: datetime) -> QuerySet[FinancialAdviceConfirmation]:
    noted = PaymentIssue.objects.filter(advice=OuterRef("pk"))
    # One that came just now is about to be matched, and noted by that if it cannot be.
    came = (now - WINDOW, now - ADVICE_MATCHED_WITHIN)
    parked = FinancialAdviceConfirmation.objects.filter(session=None, created_at__range=came)
    return parked.exclude(Exists(noted)).select_related("platform")
