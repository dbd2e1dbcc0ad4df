"""What many chargers tell at once is written in one transaction: together as each by itself."""

import asyncio
import threading
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, MeterSample, OutgoingCall
from chargers.ocpp.gathering import ALONE, LARGEST_BATCH, Gathering
from chargers.services import metering, progress
from chargers.services.lock_order import lock_free_sessions, lock_session
from chargers.services.together import take_together
from infrastructure.models import OutboxEvent
from tests.chargers.factories import charger_of, everyone, make_active, meter_values, minutes, tell_all


def told(session, wh=500):
    return charger_of(session), meter_values(session, (session.started_at + minutes(1), wh, None))


@pytest.mark.django_db
def test_several_sessions_take_as_many_queries_as_one():
    sessions = [make_active() for _ in range(5)]
    words = [told(session) for session in sessions]
    OutboxEvent.objects.all().delete()
    with CaptureQueriesContext(connection) as few:
        assert progress.update_sessions(words[:2]) == everyone(words[:2])
    with CaptureQueriesContext(connection) as many:
        assert progress.update_sessions(words[2:]) == everyone(words[2:])
    assert len(few) == len(many)
    assert set(ChargingSession.objects.values_list("kwh", flat=True)) == {Decimal("0.5")}
    assert set(OutboxEvent.objects.values_list("object_id", flat=True)) == {session.pk for session in sessions}


@pytest.mark.django_db
def test_together_and_alone_write_the_same():
    alone, together, other = (make_active() for _ in range(3))
    progress.update_session(*told(alone))
    progress.update_sessions([told(together), told(other)])
    alone.refresh_from_db()
    together.refresh_from_db()
    assert together.kwh == alone.kwh == Decimal("0.5")
    assert together.total_cost_incl_vat == alone.total_cost_incl_vat > 0
    assert len(together.charging_periods) == len(alone.charging_periods) == 1
    untouched = ("uid", "status", "id_tag", "transaction_id", "meter_start", "started_at", "limit", "tariff_version_id")
    before = {name: getattr(other, name) for name in untouched}
    other.refresh_from_db()
    assert {name: getattr(other, name) for name in untouched} == before


@pytest.mark.django_db
def test_what_does_not_fit_together_is_done_alone():
    running, over, stranger = (make_active() for _ in range(3))
    ChargingSession.objects.filter(pk=over.pk).update(status=SessionStatus.COMPLETED)
    ChargingSession.objects.filter(pk=running.pk).update(over_since=timezone.now())
    another_charger = (charger_of(running), told(stranger)[1])
    twice = [told(running), told(running, 700)]
    words = [*twice, told(over), another_charger]
    assert progress.update_sessions(words) == {}
    assert tell_all(progress.update_sessions, progress.update_session, words) == [None] * 4
    assert [sample.session_id for sample in MeterSample.objects.all()] == [running.pk]
    running.refresh_from_db()
    assert running.over_since is None


@pytest.mark.django_db(transaction=True)
def test_whom_another_connection_holds_is_not_waited_for_with_the_others():
    """SQLite has no row locks: there the other transaction ends first."""
    free, held = make_active(), make_active()
    has_locks = connection.features.has_select_for_update_skip_locked
    is_locked, may_end = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            lock_session(held.pk)
            if not has_locks:
                return
            is_locked.set()
            may_end.wait(20)

    def in_thread():
        try:
            hold()
        finally:
            connection.close()

    holder = threading.Thread(target=in_thread)
    holder.start()
    if has_locks:
        assert is_locked.wait(20)
    else:
        holder.join(20)
    try:
        with transaction.atomic():
            locked = [session.pk for session in lock_free_sessions([free.pk, held.pk])]
        heard = progress.update_sessions([told(free), told(held)])
    finally:
        may_end.set()
        holder.join(20)
    assert locked == ([free.pk] if has_locks else [free.pk, held.pk])
    assert heard == ({0: None} if has_locks else {0: None, 1: None})
    progress.update_session(*told(held))
    assert MeterSample.objects.count() == 2


@pytest.mark.django_db
def test_one_that_fails_does_not_keep_the_others(monkeypatch):
    good, bad = make_active(), make_active()
    price_now = metering.price_now

    def fail(measured, now):
        if measured.session.pk == bad.pk:
            raise ValueError("no price")
        return price_now(measured, now)

    monkeypatch.setattr(metering, "price_now", fail)
    outcomes = tell_all(progress.update_sessions, progress.update_session, [told(good), told(bad)])
    assert outcomes[0] is None and isinstance(outcomes[1], ValueError)
    assert [sample.session_id for sample in MeterSample.objects.all()] == [good.pk]


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_at_the_commit_is_done_again(monkeypatch):
    both = [make_active(), make_active()]
    commit, together = BaseDatabaseWrapper.commit, progress.update_together
    wrote_together = []

    def write(told):
        wrote_together.append(together(told))
        monkeypatch.setattr(BaseDatabaseWrapper, "commit", fail)
        return wrote_together[0]

    def fail(self):
        monkeypatch.setattr(BaseDatabaseWrapper, "commit", commit)
        raise OperationalError("the disk is full")

    monkeypatch.setattr(progress, "update_together", write)
    words = [told(session) for session in both]
    assert tell_all(progress.update_sessions, progress.update_session, words) == [None] * 2
    assert [set(one) for one in wrote_together] == [{0, 1}]
    assert MeterSample.objects.count() == 2


@pytest.mark.django_db
def test_limits_hold_together():
    sessions = [make_active(), make_active()]
    ChargingSession.objects.update(limit=Decimal("0.01"))
    progress.update_sessions([told(session) for session in sessions])
    assert OutgoingCall.objects.filter(action="STOP_TRANSACTION").count() == 2


async def test_who_comes_while_a_batch_is_at_work_goes_with_the_next(monkeypatch):
    async def here(function, *args):
        await asyncio.sleep(0)
        return function(*args)

    monkeypatch.setattr("chargers.ocpp.database.run", here)
    batches = []

    def work(many):
        batches.append(len(many))
        return {place: None for place, one in enumerate(many) if one != 7}

    def fail(one):
        raise ValueError(str(one))

    gathering = Gathering(work, fail)
    outcomes = await asyncio.gather(*(gathering.add(number) for number in range(120)), return_exceptions=True)
    assert [number for number, outcome in enumerate(outcomes) if outcome is not None] == [7]
    assert sum(batches) == 120 and max(batches) == LARGEST_BATCH and len(batches) <= 4


async def test_who_comes_when_all_batches_end_at_once_is_not_forgotten(monkeypatch):
    may_end = asyncio.Event()

    async def here(function, *args):
        await may_end.wait()
        return function(*args)

    monkeypatch.setattr("chargers.ocpp.database.run", here)
    heard: list[str] = []

    def work(many):
        heard.extend(many)
        return everyone(many)

    gathering = Gathering(work, heard.append)

    async def tell(*names):
        for name in names:
            await gathering.add(name)

    async def turns():
        for _ in range(10):
            await asyncio.sleep(0)

    tellers = []
    for names in (["first", "again"], ["second"]):
        tellers.append(asyncio.create_task(tell(*names)))
        await turns()
    may_end.set()
    await turns()
    are_done = [teller.done() for teller in tellers]
    for teller in tellers:
        teller.cancel()
    assert are_done == [True, True] and heard == ["first", "second", "again"]


async def test_who_waits_for_a_lock_holds_up_nobody_who_need_not(monkeypatch):
    monkeypatch.setattr("chargers.ocpp.database.run", asyncio.to_thread)
    is_free = threading.Event()
    under_way = []

    def alone(one):
        under_way.append(one)
        assert is_free.wait(20)
        return one

    def together(many):
        return {place: one for place, one in enumerate(many) if not one.startswith("held")}

    gathering = Gathering(together, alone)
    names = [f"held {number}" for number in range(ALONE + 2)]
    held = [asyncio.create_task(gathering.add(name)) for name in ("free", *names)]
    try:
        async with asyncio.timeout(20):
            assert await held[0] == "free"
            assert [await gathering.add(f"later {number}") for number in range(9)][-1] == "later 8"
            while len(under_way) < ALONE:
                await asyncio.sleep(0.01)
        assert len(under_way) == ALONE and not any(one.done() for one in held[1:])
    finally:
        is_free.set()
    assert await asyncio.gather(*held) == ["free", *names]


async def test_what_one_by_itself_met_and_what_all_met_is_raised_to_them(monkeypatch):
    async def here(function, *args):
        await asyncio.sleep(0)
        return function(*args)

    monkeypatch.setattr("chargers.ocpp.database.run", here)

    def fail(told):
        raise OperationalError("the database is away")

    for together, told in ((lambda many: everyone(many[1:]), "all but the last"), (fail, "none")):
        gathering = Gathering(together, fail)
        outcomes = await asyncio.gather(*(gathering.add(told) for _ in range(3)), return_exceptions=True)
        assert isinstance(outcomes[-1], OperationalError)
        assert [outcome is None for outcome in outcomes[:2]] == [together is not fail] * 2


@pytest.mark.django_db
@pytest.mark.parametrize("attempt", [1, 2], ids=["before", "meanwhile"])
def test_without_a_database_nobody_is_heard_one_by_one(monkeypatch, attempt):
    attempts = []

    def connect():
        attempts.append(1)
        if len(attempts) >= attempt:
            raise OperationalError("the database is away")

    monkeypatch.setattr(connection, "ensure_connection", connect)
    with pytest.raises(OperationalError):
        take_together([1, 2], lambda many: 1 / 0)
    assert attempt > 1 or len(attempts) == 1  # each takes as long as its time-out
