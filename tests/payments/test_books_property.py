"""Whatever happens, in whatever order and however often: the books are the sums of the events, and no invoice number
is missing or doubled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chargers.choices import SessionStatus
from chargers.services.cdrs import credit_cdr
from payments.models import Invoice
from payments.services import worklist
from payments.services.advices import match_advice, receive_advice
from payments.services.book_entries import Selection
from payments.services.invoices import open_invoice
from payments.services.reconciliation import books
from tariffs.pricing.rounding import money
from tests.payments import factories

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Advice:
    minute: int
    cents: int
    status: str


@dataclass(frozen=True)
class Payment:
    """One start. `crashes`: how often opening the invoice is undone before it lasts; `repeats`: how often it is
    done again."""

    cost: int  # ten-thousandths; 0: never plugged in
    crashes: int
    repeats: int
    is_credited: bool
    advices: Sequence[Advice]
    is_early: bool  # the advices come before the CDR


advices = st.builds(
    Advice,
    minute=st.integers(0, 20),
    cents=st.integers(0, 5000),
    status=st.sampled_from(["SUCCESS", "PARTIAL_SUCCESS", "FAILED"]),
)
payments = st.builds(
    Payment,
    cost=st.one_of(st.just(0), st.integers(1, 500_000)),
    crashes=st.integers(0, 2),
    repeats=st.integers(0, 2),
    is_credited=st.booleans(),
    advices=st.lists(advices, max_size=3),
    is_early=st.booleans(),
)


class Crash(Exception):
    pass


def send(platform: Any, number: int, told: Sequence[Advice]) -> None:
    for index, advice in enumerate(told):
        moment = (NOON + timedelta(minutes=advice.minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        amount = float(Decimal(advice.cents) / 100)
        body = factories.advice_body(
            f"A{number}-{index}",
            f"ref-{number}",
            total_costs={"excl_vat": amount, "incl_vat": amount},
            capture_status_code=advice.status,
            last_updated=moment,
        )
        for _ in range(2):  # each message twice: a PTP repeats what it is not sure of
            row, _ = receive_advice(platform, body)
            match_advice(row.pk)
            worklist.look_at_advice(row.pk)


def bill(cdr: Any, payment: Payment) -> None:
    for _ in range(payment.crashes):
        with pytest.raises(Crash), transaction.atomic():
            open_invoice(cdr.pk)
            raise Crash
    for _ in range(1 + payment.repeats):
        open_invoice(cdr.pk)


def live(platform: Any, evse: Any, number: int, payment: Payment) -> None:
    if not payment.cost:
        status = {"status": SessionStatus.INVALID, "started_at": None, "ended_at": None, "stop_reason": ""}
        factories.make_session(platform, evse, f"ref-{number}", **status)
        return send(platform, number, payment.advices)
    session = factories.make_session(platform, evse, f"ref-{number}")
    if payment.is_early:
        send(platform, number, payment.advices)
    cdr = factories.make_cdr(session, str(Decimal(payment.cost) / 10_000))
    bill(cdr, payment)
    if payment.is_credited:
        bill(credit_cdr(cdr, "Wrong."), payment)
    if not payment.is_early:
        send(platform, number, payment.advices)
    return worklist.look_at_session(session.pk)


def taken(payment: Payment) -> Decimal:
    """The newest advice counts; of one moment, the one that came last."""
    if not payment.advices:
        return Decimal(0)
    newest = max(enumerate(payment.advices), key=lambda pair: (pair[1].minute, pair[0]))[1]
    return Decimal(0) if newest.status == "FAILED" else Decimal(newest.cents) / 100


def check(history: Sequence[Payment], user: Any) -> None:
    now = timezone.now()
    found = books(Selection(now - timedelta(days=1), now + timedelta(days=1)), user)
    billed = [one for one in history if one.cost]
    due = {id(one): money(Decimal(one.cost) / 10_000, "EUR") for one in billed}
    total = found.totals[0][1] if found.totals else None
    if total is not None:
        assert total.captured == sum(taken(one) for one in billed)
        assert total.billed == sum(due[id(one)] for one in billed if not one.is_credited)
        assert total.invoiced == total.billed == total.expected
        assert total.gross == sum(Decimal(one.cost) / 10_000 for one in billed if not one.is_credited)
        owing = [one for one in billed if taken(one) != (0 if one.is_credited else due[id(one)])]
        assert total.open_items == len(owing)
        assert sum(row.gross for row in found.vat) == total.invoiced
        assert sum((row.amounts.captured for row in found.terminals), Decimal(0)) == total.captured
    assert (total is None) == (not billed)
    strays = sum((row.captured for row in found.strays), Decimal(0))
    assert strays == sum((taken(one) for one in history if not one.cost), Decimal(0))
    check_numbers(len(billed), sum(one.is_credited for one in billed))


def check_numbers(invoices: int, credits: int) -> None:
    for kind, expected in (("INVOICE", invoices), ("CREDIT_NOTE", credits)):
        numbers = sorted(
            int(one.rpartition("-")[2].lstrip("C"))
            for one in Invoice.objects.filter(kind=kind).values_list("number", flat=True)
        )
        assert numbers == list(range(1, expected + 1))


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(payments, min_size=1, max_size=5))
def test_the_books_are_the_sums_of_the_events(
    platform: Any, evse: Any, django_user_model: Any, history: list[Payment]
) -> None:
    with transaction.atomic():
        user = get_user_model().objects.create_superuser("boss")
        for number, payment in enumerate(history):
            live(platform, evse, number, payment)
        check(history, user)
        transaction.set_rollback(True)
