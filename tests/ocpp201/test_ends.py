"""When a transaction is over, and with which register, if its charger tells that in more than one piece."""

from datetime import timedelta

import pytest

from chargers.models import ParkingSpan
from tests.ocpp201.station import Station
from tests.ocpp201.test_transactions import evse_status, remote_start, session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("told", "reason", "parked"),
    [
        ([("StopAuthorized", "Charging"), ("ChargingStateChanged", "EVConnected")], "DRIVER", 0),
        ([("StopAuthorized", None), ("ChargingStateChanged", "EVConnected")], "DRIVER", 0),
        ([("Deauthorized", None), ("ChargingStateChanged", "SuspendedEVSE")], "STAFF", 0),
        ([("ChargingStateChanged", "EVConnected"), ("StopAuthorized", None)], "DRIVER", 1),
        ([("ChargingStateChanged", "SuspendedEV"), ("EnergyLimitReached", None)], "CHARGER", 1),
    ],
)
async def test_authorisation_and_energy_may_end_by_two_events_in_either_order(
    connector, identity, told, reason, parked
):
    """The session is over with the second one: nobody pays for the time until the cable is out."""
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    for minute, (trigger, state) in enumerate(told, 29):
        assert (await session()).status == "ACTIVE"
        await station.tell("Updated", trigger, minute, wh=5000, state=state)
    ended = await session()
    assert (ended.status, ended.stop_reason, ended.kwh) == ("COMPLETED", reason, 5)
    assert ended.ended_at == station.began + timedelta(minutes=30)
    [(span_start, span_end)] = [
        (span.started_at, span.ended_at) async for span in ParkingSpan.objects.filter(session=ended)
    ] or [(ended.ended_at, ended.ended_at)]
    assert span_end - span_start == timedelta(minutes=parked)
    assert await evse_status() == "BLOCKED"
    await station.tell("Ended", "EVCommunicationLost", 50, wh=5000, state="Idle", reason="EVDisconnected")
    assert (await session()).ended_at == ended.ended_at
    await station.close()


async def test_a_state_that_is_older_than_the_word_of_the_driver_ends_nothing(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Updated", "StopAuthorized", 30, seq_no=9)
    await station.tell("Updated", "ChargingStateChanged", 10, state="SuspendedEV", seq_no=5)
    assert (await session()).status == "ACTIVE"
    await station.close()


@pytest.mark.parametrize(
    "values",
    [
        [(60, [("Transaction.End", 7000)]), (0, [("Transaction.Begin", 1000)])],
        [(60, [("Transaction.Begin", 1000), ("Transaction.End", 7000)])],
        [(60, [("Transaction.End", 7000), ("Transaction.Begin", 1000)])],
    ],
    ids=["end first", "in one value", "in one value, end first"],
)
@pytest.mark.parametrize("wh", [1000, None], ids=["start told", "start untold"])
async def test_the_register_at_the_end_counts_though_that_of_the_start_stands_beside_it(
    connector, identity, values, wh
):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    tag = call.session.id_tag
    await station.tell("Started", "RemoteStart", 0, wh=wh, state="Charging", tag=tag, evse={"id": 1})
    told = [
        {
            "timestamp": station.at(minute),
            "sampledValue": [{"value": register, "context": context} for context, register in samples],
        }
        for minute, samples in values
    ]
    await station.tell("Ended", "EVCommunicationLost", 60, state="Idle", meterValue=told)
    assert (await session()).kwh == 6
    await station.close()
