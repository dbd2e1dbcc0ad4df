"""Meter values of running transactions, of several chargers in one database transaction: as each by itself."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, HeldEvent, MeterSample
from chargers.ocpp import v201
from chargers.services import transactions
from chargers.services.events import Reading
from chargers.services.transaction_events import ChargingState, EventKind, TransactionReported
from tests.chargers.factories import METER_START, charger_of, make_active, minutes, tell_all
from tests.ocpp201.station import Station
from tests.ocpp201.test_transactions import remote_start

pytestmark = pytest.mark.django_db


def make_running():
    session = make_active()
    # Charger's numbers: another charger may have the same.
    ChargingSession.objects.filter(pk=session.pk).update(transaction_id="T1")
    return session


def told(session, wh=500, **changes):
    reading = Reading(session.started_at + minutes(1), Decimal(METER_START + wh))
    event = TransactionReported("T1", 3, EventKind.UPDATED, reading.at, 1, readings=(reading,))
    return charger_of(session), replace(event, **changes)


def kwh():
    return list(ChargingSession.objects.order_by("pk").values_list("kwh", flat=True))


def test_several_take_as_many_queries_as_two():
    sessions = [make_running() for _ in range(5)]
    words = [told(session) for session in sessions]
    with CaptureQueriesContext(connection) as few:
        assert set(transactions.continue_sessions(words[:2])) == {0, 1}
    with CaptureQueriesContext(connection) as many:
        assert set(transactions.continue_sessions(words[2:])) == {0, 1, 2}
    assert len(few) == len(many)
    assert kwh() == [Decimal("0.5")] * 5


def test_together_and_alone_write_and_answer_the_same():
    alone, together, free = (make_running() for _ in range(3))
    ChargingSession.objects.filter(pk=free.pk).update(tariff_version=None)
    answer = transactions.continue_session(*told(alone, 4000))
    assert transactions.continue_sessions([told(together, 4000), told(free)]) == {
        0: answer,
        1: transactions.EventAnswer(None),
    }
    assert answer is not None and answer.total_cost is not None and answer.total_cost > 0
    assert kwh() == [4, 4, Decimal("0.5")]


def test_what_does_not_fit_together_is_done_alone():
    running, over, untold = (make_running() for _ in range(3))
    ChargingSession.objects.filter(pk=over.pk).update(status=SessionStatus.COMPLETED, ended_at=over.started_at)
    ChargingSession.objects.filter(pk=untold.pk).update(is_meter_start_known=False)
    words = [
        told(running),
        told(running, 700),
        told(over),
        told(untold),
        told(running, transaction_id="T2"),
        told(running, state=ChargingState.SUSPENDED_EV, seq_no=4),
        told(running, id_tag=running.id_tag),
    ]
    assert set(transactions.continue_sessions(words)) == {0}
    outcomes = tell_all(transactions.continue_sessions, transactions.continue_session, words)
    assert [answer is not None for answer in outcomes] == [True, True, True, True, False, True, True]
    untold.refresh_from_db()
    assert (untold.is_meter_start_known, untold.meter_start) == (True, METER_START + 500)
    assert running.parking_spans.count() == 1


@pytest.mark.parametrize(
    ("changes", "is_measurement"),
    [
        ({}, True),
        ({"readings": ()}, False),
        ({"kind": EventKind.STARTED}, False),
        ({"kind": EventKind.ENDED, "is_over": True}, False),
        ({"is_withdrawn": True}, False),
        ({"id_tag": ""}, False),
        ({"state": ChargingState.CHARGING}, False),
    ],
)
def test_whatever_says_more_is_no_mere_measurement(changes, is_measurement):
    event = TransactionReported("T1", 3, EventKind.UPDATED, Reading, readings=(Reading,))
    assert replace(event, **changes).is_measurement is is_measurement


@pytest.mark.django_db(transaction=True)
async def test_a_stations_values_go_with_those_of_others_and_its_other_events_by_themselves(
    connector, identity, monkeypatch
):
    gathered = []
    add = v201.MEASUREMENTS.add

    async def note(told):
        gathered.append(told[1].seq_no)
        answer = await add(told)
        # Committed before it is answered.
        assert await MeterSample.objects.filter(register_wh=5000).aexists()
        return answer

    monkeypatch.setattr(v201.MEASUREMENTS, "add", note)
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    tag = call.session.id_tag
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=tag, evse={"id": 1})
    assert (await station.tell("Updated", "MeterValuePeriodic", 30, wh=5000))["totalCost"] > 0
    await station.tell("Updated", "ChargingStateChanged", 31, wh=5000, state="SuspendedEV")
    assert (await station.tell("Ended", "EVCommunicationLost", 40, wh=5000, state="Idle"))["totalCost"] > 0
    assert gathered == [1]
    await station.close()


@pytest.mark.django_db(transaction=True)
async def test_values_of_a_transaction_that_has_not_begun_are_held(identity):
    station = await Station(identity).open()
    await station.tell("Updated", "MeterValuePeriodic", 30, wh=5000)
    assert await HeldEvent.objects.acount() == 1
    await station.close()
