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
from chargers.ocpp.gathering import LARGEST_BATCH, Gathering
from chargers.services import metering, progress
from chargers.services.lock_order import lock_free_sessions, lock_session
from infrastructure.models import OutboxEvent
from tests.chargers.factories import charger_of, make_active, meter_values, minutes


def told(session, wh=500):
    return charger_of(session), meter_values(session, (session.started_at + minutes(1), wh, None))


@pytest.mark.django_db
def test_several_sessions_take_as_many_queries_as_one():
    sessions = [make_active() for _ in range(5)]
    words = [told(session) for session in sessions]
    OutboxEvent.objects.all().delete()
    with CaptureQueriesContext(connection) as few:
        assert progress.update_sessions(words[:2]) == [None] * 2
    with CaptureQueriesContext(connection) as many:
        assert progress.update_sessions(words[2:]) == [None] * 3
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
    assert progress.update_sessions([*twice, told(over), another_charger]) == [None] * 4
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
    finally:
        may_end.set()
        holder.join(20)
    assert locked == ([free.pk] if has_locks else [free.pk, held.pk])
    assert progress.update_sessions([told(free), told(held)]) == [None] * 2
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
    outcomes = progress.update_sessions([told(good), told(bad)])
    assert outcomes[0] is None and isinstance(outcomes[1], ValueError)
    assert [sample.session_id for sample in MeterSample.objects.all()] == [good.pk]


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_at_the_commit_is_done_again(monkeypatch):
    both = [make_active(), make_active()]
    commit, together = BaseDatabaseWrapper.commit, progress._update_together
    wrote_together = []

    def write(told):
        wrote_together.append(together(told))
        monkeypatch.setattr(BaseDatabaseWrapper, "commit", fail)
        return wrote_together[0]

    def fail(self):
        monkeypatch.setattr(BaseDatabaseWrapper, "commit", commit)
        raise OperationalError("the disk is full")

    monkeypatch.setattr(progress, "_update_together", write)
    assert progress.update_sessions([told(session) for session in both]) == [None] * 2
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
        return [ValueError(str(one)) if one == 7 else None for one in many]

    gathering = Gathering(work)
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
        return [None] * len(many)

    gathering = Gathering(work)

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
