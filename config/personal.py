"""Drivers' data in records of money: erased when no law asks for it any more; what was sold, when and for how much
stays. A driver is a token (its uid and contract), at the charger an id tag, and on the invoice a masked card.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, Token
from payments.models import FinancialAdviceConfirmation, Invoice, InvoicePdf, InvoiceRevision, PaymentIssue
from roaming.choices import Module
from roaming.models import Document

Json = dict[str, Any]
AT_ONCE = 500
# In place of a uid: rows stay valid OCPI, and whose they were nobody can tell.
ERASED = "erased"

logger = logging.getLogger(__name__)


class Erasure(NamedTuple):
    """`erase` takes the driver out of a row, whose `column` says how old it is, and names the columns it changed."""

    model: type[Model]
    column: str
    todo: Q
    erase: Callable[[Any], list[str]]


def erase_old(now: datetime) -> None:
    """In small transactions. Rows of which nothing is left to erase are not written again."""
    _forget_tokens(now)
    if not settings.PERSONAL_DATA_DAYS:
        return
    limit = now - timedelta(days=settings.PERSONAL_DATA_DAYS)
    for erasure in ERASURES:
        rows = erasure.model._base_manager.filter(erasure.todo, **{f"{erasure.column}__lt": limit})
        count = sum(_erase(rows, pks, erasure.erase) for pks in _batches(rows))
        if count:
            logger.info("erased the driver in %s rows of %s", count, erasure.model.__name__)


def _forget_tokens(now: datetime) -> None:
    """Partners' tokens that have been invalid for long; the partner may send one again."""
    if settings.TOKEN_DAYS:
        old = Token.objects.filter(is_valid=False, received_at__lt=now - timedelta(days=settings.TOKEN_DAYS))
        for pks in _batches(old):
            old.filter(pk__in=pks).delete()


def _batches(rows: QuerySet[Any]) -> Iterator[list[int]]:
    last = 0
    while pks := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        yield pks
        last = pks[-1]


def _erase(rows: QuerySet[Any], pks: list[int], erase: Callable[[Any], list[str]]) -> int:
    with transaction.atomic():
        for row in rows.select_for_update().filter(pk__in=pks):
            row.save(update_fields=erase(row))
    return len(pks)


def _anonymous(token: Json) -> Json:
    """An OCPI CdrToken that is nobody's: country, party and type stay, for they are the partner's."""
    names = ("uid", "contract_id", "visual_number", "issuer", "group_id")
    return token | {name: ERASED for name in names if token.get(name)}


def _session(session: ChargingSession) -> list[str]:
    session.id_tag, session.parent_id_tag = ERASED, ""
    session.cdr_token = session.cdr_token and _anonymous(session.cdr_token)
    return ["id_tag", "parent_id_tag", "cdr_token"]


def _document(document: Document) -> list[str]:
    """Ours, and what the partner has acknowledged of it."""
    for content in (document.body, document.acknowledged):
        if content and content.get("cdr_token"):
            content["cdr_token"] = _anonymous(content["cdr_token"])
    return ["body", "acknowledged"]


def _advice(advice: FinancialAdviceConfirmation) -> list[str]:
    advice.eft_data, advice.raw, advice.capture_status_message = [], {}, ""
    return ["eft_data", "raw", "capture_status_message"]


def _invoice(invoice: Invoice) -> list[str]:
    """Without the card; a PDF is made again from the rest when somebody asks for it."""
    InvoicePdf.objects.filter(revision__invoice=invoice).delete()
    for revision in invoice.revisions.all():
        revision.facts["eft_data"] = []
        revision.save(update_fields=["facts"])
    invoice.eft_data = []
    return ["eft_data"]


def _issue(issue: PaymentIssue) -> list[str]:
    """What was contradictory held whole messages; what was decided about it is in the note."""
    issue.evidence = []
    return ["evidence"]


# What an invoice said of the card before its advice was corrected stands in its earlier revisions only.
_STILL_TELLS = Q(pk__in=InvoiceRevision.objects.exclude(facts__eft_data=[]).values("invoice"))

ERASURES = (
    Erasure(ChargingSession, "ended_at", ~Q(id_tag=ERASED), _session),
    # A start that came to nothing never ended.
    Erasure(
        ChargingSession,
        "last_updated",
        Q(ended_at=None, status=SessionStatus.INVALID) & ~Q(id_tag=ERASED),
        _session,
    ),
    Erasure(
        Document,
        "created_at",
        Q(module__in=[Module.SESSIONS, Module.CDRS], body__cdr_token__uid__isnull=False)
        & ~Q(body__cdr_token__uid=ERASED),
        _document,
    ),
    Erasure(FinancialAdviceConfirmation, "created_at", ~Q(raw={}), _advice),
    Erasure(Invoice, "issued_at", ~Q(eft_data=[]) | _STILL_TELLS, _invoice),
    Erasure(PaymentIssue, "opened_at", ~Q(evidence=[]), _issue),
)
