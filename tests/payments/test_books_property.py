"""Whatever happens, in whatever order and however often: the books are the sums of the events, and no invoice number
is missing or doubled. Every step is taken by the service that takes it in earnest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chargers.models import CDR, ChargerConnection, ChargingSession, LateStop
from chargers.services import calls, progress, settling
from chargers.services.cdrs import credit_cdr
from chargers.services.corrections import Correction, correct_cdr
from chargers.services.sessions import expire_pending_sessions
from infrastructure import outbox
from infrastructure.models import OutboxEvent
from payments.models import Invoice
from payments.services.advices import receive_advice
from payments.services.book_entries import Selection
from payments.services.reconciliation import books
from roaming.models import RoamingPlatform
from roaming.services import documents
from tariffs.pricing.rounding import money
from tests.chargers import factories as charging
from tests.payments import factories
from tests.payments.paid_sessions import begin, make_partner, request_start
from tests.roaming.factories import RegisteredPlatformFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
FACTOR, SURCHARGE = Decimal("1.25"), Decimal("0.35")
GROSS_PER_KWH = Decimal("0.54")
# Of so much energy both prices have four decimals at most.
STEP_WH = 200


@dataclass(frozen=True)
class Advice:
    """`cents` None: what is due. `again`: sent once more under its id, so many minutes later, with one euro more."""

    minute: int
    cents: int | None
    status: str
    again: int | None
    whose: str  # "own", "unknown" or "foreign": the other partner uses the same reference


@dataclass(frozen=True)
class Payment:
    """One start. `ending`: how it ends; `then`: what staff do. `crashes`: how often each step is undone at first."""

    is_retail: bool
    steps: int
    late_steps: int
    ending: str
    then: str
    crashes: int
    dies_between: bool  # a consumer of its events fails between others and is tried again
    is_early: bool  # the advices come while it charges
    advices: Sequence[Advice]


@dataclass
class Told:
    """What a partner said of one advice id at last."""

    minute: int
    amount: Decimal

    def hear(self, minute: int, amount: Decimal) -> None:
        if minute > self.minute:
            self.minute, self.amount = minute, amount


@dataclass
class Account:
    """The sums as the events make them, nothing read from the books."""

    payment: Payment
    bills: list[int] = field(default_factory=list)  # Wh; negative: credited
    told: list[Told] = field(default_factory=list)
    strays: list[Told] = field(default_factory=list)

    def add_bill(self, wh: int) -> None:
        self.bills.append(wh)

    def price(self, wh: int) -> Decimal:
        return GROSS_PER_KWH * wh / 1000

    def driver_price(self, wh: int) -> Decimal:
        gross = self.price(wh)
        return gross * FACTOR + SURCHARGE if self.payment.is_retail else gross

    def sum(self, price: Callable[[int], Decimal]) -> Decimal:
        return sum((money(price(abs(wh)), "EUR") * (1 if wh > 0 else -1) for wh in self.bills), Decimal(0))

    @property
    def due(self) -> Decimal:
        return self.sum(self.driver_price)

    @property
    def taken(self) -> Decimal:
        """The newest advice counts; of one moment, the one that came last."""
        if not self.told:
            return Decimal(0)
        return max(enumerate(self.told), key=lambda pair: (pair[1].minute, pair[0]))[1].amount


advices = st.builds(
    Advice,
    minute=st.integers(0, 20),
    cents=st.one_of(st.none(), st.integers(0, 5000)),
    status=st.sampled_from(["SUCCESS", "PARTIAL_SUCCESS", "FAILED"]),
    again=st.sampled_from([None, -3, 3]),
    whose=st.sampled_from(["own", "own", "own", "unknown", "foreign"]),
)
payments = st.builds(
    Payment,
    is_retail=st.booleans(),
    steps=st.integers(1, 150),
    late_steps=st.integers(1, 150),
    ending=st.sampled_from(["never plugged in", "stopped", "stopped", "lost", "late stop"]),
    then=st.sampled_from(["", "", "credit", "correct", "credit and correct"]),
    crashes=st.integers(0, 1),
    dies_between=st.booleans(),
    is_early=st.booleans(),
    advices=st.lists(advices, max_size=3),
)


class Crash(Exception):
    pass


class World:
    """Two partners at one charger: the first owes what its drivers pay, the second the tariff."""

    def __init__(self) -> None:
        self.plain = make_partner()
        terms = {"retail_factor": FACTOR, "retail_surcharge": SURCHARGE, "retail_surcharge_vat": Decimal(10)}
        self.retail = RegisteredPlatformFactory(profiles=list(self.plain.profiles.all()), **terms)
        self.retail.tariffs.set(self.plain.tariffs.all())
        documents.refresh_platform(self.retail.pk)
        self.user = get_user_model().objects.create_superuser("boss")

    def partners(self, payment: Payment) -> tuple[RoamingPlatform, RoamingPlatform]:
        return (self.retail, self.plain) if payment.is_retail else (self.plain, self.retail)


def do(payment: Payment, step: Callable[[], Any]) -> Any:
    """What a process that dies before its commit has done is undone, and done again."""
    for _ in range(payment.crashes):
        with pytest.raises(Crash), transaction.atomic():
            step()
            raise Crash
    return step()


def drain(payment: Payment) -> None:
    if payment.dies_between:
        known = outbox.consumers

        def failing(topic: str) -> tuple[Callable[[int], None], ...]:
            first, *others = known(topic)
            return (first, _crash, *others)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox, "consumers", failing)
            outbox.drain()
        OutboxEvent.objects.filter(processed_at=None).update(not_before=timezone.now())
    outbox.drain()


def _crash(_: int) -> None:
    raise Crash


def live(world: World, number: int, payment: Payment) -> Account:
    account = Account(payment)
    reference = f"REF-{number}"
    session = request_start(world.partners(payment)[0], reference)
    if payment.ending == "never plugged in":
        give_up(session)
        drain(payment)
        send(world, number, account)
        return account
    at = timezone.now().replace(microsecond=0) - timedelta(hours=1)
    session = begin(session, at)
    charging.start(session, at)  # the answer was lost
    if payment.is_early:
        send(world, number, account)
    end(session, at, account)
    drain(payment)
    settle(session, account)
    drain(payment)
    if not payment.is_early:
        send(world, number, account)
    return account


def give_up(session: ChargingSession) -> None:
    call = session.calls.get()
    type(call).objects.filter(pk=call.pk).update(state="SENT")
    calls.finish_call(call.pk, calls.CallResult.ACCEPTED, {"status": "Accepted"})
    ChargingSession.objects.filter(pk=session.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    expire_pending_sessions()


def end(session: ChargingSession, at: datetime, account: Account) -> None:
    payment = account.payment
    wh = payment.steps * STEP_WH
    if payment.ending == "stopped":
        for _ in range(2):
            do(payment, lambda: charging.end(session, at + timedelta(minutes=30), wh))
    else:
        values = charging.meter_values(session, (at + timedelta(minutes=20), wh, None))
        progress.update_session(charging.charger_of(session), values)
        lose(payment)
    if payment.ending == "late stop":
        drain(payment)
        told = wh + payment.late_steps * STEP_WH
        for _ in range(2):
            charging.end(session, at + timedelta(minutes=30), told)
        assert LateStop.objects.filter(session=session).exists()
    account.add_bill(wh)


def lose(payment: Payment) -> None:
    """Its charger is away for longer than we wait for it."""
    rows = ChargerConnection.objects.all()
    rows.update(channel_name="", disconnected_at=timezone.now() - timedelta(days=2))
    do(payment, settling.end_lost_sessions)
    rows.update(channel_name="socket", disconnected_at=None)


def settle(session: ChargingSession, account: Account) -> None:
    """What staff do; each button is pressed twice."""
    payment = account.payment
    bill = CDR.objects.get(session=session)
    wh = account.bills[0]
    if "credit" in payment.then:
        for _ in range(2):
            do(payment, lambda: credit_cdr(bill, "Wrong."))
    if "correct" in payment.then:
        late = LateStop.objects.filter(session=session).first()
        right = int(late.kwh * 1000) if late else payment.late_steps * STEP_WH
        ended_at = late.ended_at if late else bill.end_date_time
        do(payment, lambda: correct_cdr(bill, Correction(ended_at, Decimal(right) / 1000), "Wrong."))
    if payment.then:
        account.add_bill(-wh)
    if "correct" in payment.then:
        account.add_bill(right)


def send(world: World, number: int, account: Account) -> None:
    payment = account.payment
    own, other = world.partners(payment)
    for index, advice in enumerate(payment.advices):
        amount = Decimal(advice.cents) / 100 if advice.cents is not None else max(account.due, Decimal(0))
        reference = f"NOBODYS-{number}-{index}" if advice.whose == "unknown" else f"REF-{number}"
        sender = other if advice.whose == "foreign" else own
        known = account.told if advice.whose == "own" else account.strays
        tell(sender, f"A{number}-{index}", reference, advice.minute, amount, advice.status)
        # Of one reference at one partner the newest counts, also where nobody knows it.
        known.append(Told(advice.minute, counted(amount, advice.status)))
        if advice.again is not None:
            minute = advice.minute + advice.again
            tell(sender, f"A{number}-{index}", reference, minute, amount + 1, advice.status)
            known[-1].hear(minute, counted(amount + 1, advice.status))
    drain(payment)


def tell(platform: RoamingPlatform, name: str, reference: str, minute: int, amount: Decimal, status: str) -> None:
    moment = (NOON + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
    costs = {"excl_vat": float(amount), "incl_vat": float(amount)}
    body = factories.advice_body(name, reference, total_costs=costs, capture_status_code=status, last_updated=moment)
    for _ in range(2):  # a PTP repeats what it is not sure of
        receive_advice(platform, body)


def counted(amount: Decimal, status: str) -> Decimal:
    return Decimal(0) if status == "FAILED" else amount


def strays_of(account: Account) -> Decimal:
    """Captures for nobody's reference each; for the reference of another partner's session, the newest."""
    pairs = zip((one for one in account.payment.advices if one.whose != "own"), account.strays, strict=True)
    foreign, unknown = [], Decimal(0)
    for advice, told in pairs:
        if advice.whose == "foreign":
            foreign.append(told)
        else:
            unknown += told.amount
    newest = max(enumerate(foreign), key=lambda pair: (pair[1].minute, pair[0]), default=None)
    return unknown + (newest[1].amount if newest else Decimal(0))


def check(accounts: Sequence[Account], user: Any) -> None:
    now = timezone.now()
    found = books(Selection(now - timedelta(days=1), now + timedelta(days=1)), user)
    billed = [one for one in accounts if one.bills]
    assert bool(found.totals) == bool(billed)
    if billed:
        ((currency, total),) = found.totals
        assert currency == "EUR"
        owed = [one.sum(one.price) if one.payment.is_retail else one.taken for one in billed]
        assert {
            "gross": total.gross,
            "billed": total.billed,
            "retail": total.retail,
            "invoiced": total.invoiced,
            "expected": total.expected,
            "captured": total.captured,
            "owed": total.owed,
            "open": total.open_items,
        } == {
            "gross": sum(one.price(wh) for one in billed for wh in one.bills),
            "billed": sum(one.sum(one.price) for one in billed),
            "retail": sum(one.due for one in billed),
            "invoiced": sum(one.due for one in billed),
            "expected": sum(one.due for one in billed),
            "captured": sum(one.taken for one in billed),
            "owed": sum(owed),
            "open": sum(one.taken != one.due for one in billed),
        }
        assert sum(row.gross for row in found.vat) == total.invoiced
        assert sum((row.amounts.captured for row in found.terminals), Decimal(0)) == total.captured
        assert sum((row.owed for row in found.payouts), Decimal(0)) == total.owed
    expected = sum((strays_of(one) + (Decimal(0) if one.bills else one.taken) for one in accounts), Decimal(0))
    assert sum((row.captured for row in found.strays), Decimal(0)) == expected
    bills = [wh for one in billed for wh in one.bills]
    check_numbers(sum(wh > 0 for wh in bills), sum(wh < 0 for wh in bills))


def check_numbers(invoices: int, credits: int) -> None:
    for kind, expected in (("INVOICE", invoices), ("CREDIT_NOTE", credits)):
        numbers = sorted(
            int(one.rpartition("-")[2].lstrip("C"))
            for one in Invoice.objects.filter(kind=kind).values_list("number", flat=True)
        )
        assert numbers == list(range(1, expected + 1))


@pytest.fixture
def world() -> World:
    return World()


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(history=st.lists(payments, min_size=2, max_size=4))
def test_the_books_are_the_sums_of_the_events(world: World, history: list[Payment]) -> None:
    with transaction.atomic():
        accounts = [live(world, number, payment) for number, payment in enumerate(history)]
        check(accounts, world.user)
        # Everything that was ever told is told again.
        OutboxEvent.objects.update(processed_at=None)
        outbox.drain()
        check(accounts, world.user)
        transaction.set_rollback(True)
