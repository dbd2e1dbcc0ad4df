"""TransactionEvent with real frames: who pays from when until when, whatever order the events come in."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.models import CDR, ChargingSession, HeldEvent, IdToken, LateStop, OutgoingCall, ParkingSpan
from chargers.ocpp import database
from chargers.services import authorize, commands, transactions
from infrastructure.models import EVSE
from tests.chargers.factories import make_start, make_version
from tests.chargers.test_socket import until
from tests.ocpp201.station import TRANSACTION, Station

pytestmark = pytest.mark.django_db(transaction=True)


async def fetch(model, **lookup):
    return await sync_to_async(model.objects.get)(**lookup)


async def session():
    return await fetch(ChargingSession)


async def evse_status():
    return (await fetch(EVSE)).status


async def remote_start(station, connector, **changes):
    """Up to the accepted RequestStartTransaction; gives the call, whose id is the remote start id."""
    call = await database.run(lambda: commands.request_start(make_start(connector, **changes)))
    # As long ago as the station says.
    await sync_to_async(ChargingSession.objects.update)(created_at=station.began)
    frame = await station.request()
    token = {"idToken": call.session.id_tag, "type": "Central"}
    assert frame[2:] == ["RequestStartTransaction", {"evseId": 1, "idToken": token, "remoteStartId": call.pk}]
    await station.answer(frame[1], status="Accepted")
    await until(lambda: OutgoingCall.objects.filter(pk=call.pk, result="ACCEPTED").first())
    return call


async def test_a_paid_session_from_start_to_cdr_with_its_cost_on_the_display(connector, identity):
    station = await Station(identity).open()
    version = await sync_to_async(make_version)(energy="0.5000", vat="20")
    call = await remote_start(station, connector, tariff_version=version)
    evse = {"id": 1, "connectorId": 1}
    answer = await station.tell(
        "Started", "RemoteStart", 0, wh=1000, state="EVConnected", tag=call.session.id_tag, start_id=call.pk, evse=evse
    )
    assert answer == {"totalCost": 0.0, "idTokenInfo": {"status": "Accepted"}}
    assert await evse_status() == "CHARGING"
    await station.tell("Updated", "ChargingStateChanged", 1, state="Charging")
    assert await station.tell("Updated", "MeterValuePeriodic", 30, wh=11_000) == {"totalCost": 6.0}
    answer = await station.tell("Ended", "EVCommunicationLost", 40, wh=16_000, state="Idle", reason="EVDisconnected")
    assert answer == {"totalCost": 9.0}
    ended = await session()
    assert (ended.status, ended.stop_reason, ended.transaction_id) == ("COMPLETED", "DRIVER", TRANSACTION)
    assert (await fetch(CDR)).total_cost_incl_vat == 9
    assert await evse_status() == "AVAILABLE"
    await station.close()


@pytest.mark.parametrize(
    ("card", "group", "in_between", "at_the_end"),
    [
        ({"parent_id_tag": "FLEET"}, "FLEET", "Accepted", "Accepted"),
        ({"parent_id_tag": "OTHERS"}, "FLEET", "Invalid", "Accepted"),
        ({}, "", "Invalid", "Accepted"),
        ({"parent_id_tag": "FLEET", "is_blocked": True}, "FLEET", "Blocked", "Blocked"),
        (None, "FLEET", "Invalid", "Invalid"),
    ],
    ids=["of the group", "of another group", "no group", "blocked", "unknown"],
)
async def test_anothers_card_has_a_say_in_a_transaction_only_as_its_group(
    connector, identity, card, group, in_between, at_the_end
):
    station = await Station(identity).open()
    call = await remote_start(station, connector, parent_id_tag=group)
    if card is not None:
        operator = connector.evse.charger.location.operator
        await sync_to_async(IdToken.objects.create)(operator=operator, id_tag="CARD", **card)
    answer = await station.tell(
        "Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1}
    )
    assert answer["idTokenInfo"]["status"] == "Accepted"
    answer = await station.tell("Updated", "Authorized", 5, tag="card")
    assert answer["idTokenInfo"]["status"] == in_between
    assert ("groupIdToken" in answer["idTokenInfo"]) == (in_between != "Invalid")
    assert (await session()).status == "ACTIVE"
    # The charger has decided; it keeps the answer for the card's next use.
    answer = await station.tell("Ended", "StopAuthorized", 9, wh=1000, state="EVConnected", tag="card")
    assert answer["idTokenInfo"]["status"] == at_the_end
    await station.close()


async def test_an_own_card_that_was_blocked_while_it_charged_ends_its_session_and_is_told_so(connector, identity):
    operator = connector.evse.charger.location.operator
    card = await IdToken.objects.acreate(operator=operator, id_tag="CARD", parent_id_tag="FLEET")
    station = await Station(identity).open()
    group = {"groupIdToken": {"idToken": "FLEET", "type": "Central"}}
    began = {"wh": 0, "state": "Charging", "tag": "card", "evse": {"id": 1}, "seq_no": 0}
    answer = await station.tell("Started", "Authorized", 0, **began)
    assert answer["idTokenInfo"] == {"status": "Accepted", **group}
    await IdToken.objects.filter(pk=card.pk).aupdate(is_blocked=True)
    answer = await station.tell("Started", "Authorized", 0, **began)  # again: what was accepted then
    assert answer["idTokenInfo"] == {"status": "Accepted", **group}
    answer = await station.tell("Ended", "StopAuthorized", 9, wh=1000, state="EVConnected", tag="card", seq_no=1)
    assert answer["idTokenInfo"] == {"status": "Blocked", **group}
    assert (await session()).status == "COMPLETED"
    await station.close()


async def test_the_tag_of_a_running_transaction_starts_no_second_one(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    answer = await station.tell(
        "Started", "Authorized", 5, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 2},
        transaction_id="another", seq_no=0,
    )  # fmt: skip
    assert answer["idTokenInfo"] == {"status": "ConcurrentTx"}
    await station.close()


async def test_repeated_events_change_nothing_and_get_the_same_answers(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    events = [
        station.event("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1}),
        station.event("Updated", "ChargingStateChanged", 10, wh=5000, state="SuspendedEV"),
        station.event("Updated", "ChargingStateChanged", 20, wh=5000, state="Charging"),
        station.event("Ended", "StopAuthorized", 30, wh=10_000, state="EVConnected"),
    ]
    answers = [await station.ask("TransactionEvent", **event) for event in events]
    for event, answer in zip(events[:2], answers, strict=False):
        assert (await station.ask("TransactionEvent", **event)).get("idTokenInfo") == answer.get("idTokenInfo")
    assert await station.ask("TransactionEvent", **events[-1]) == answers[-1]
    assert (await session()).kwh == 10
    span = await fetch(ParkingSpan)
    assert span.ended_at - span.started_at == timedelta(minutes=10)
    assert await sync_to_async(CDR.objects.count)() == 1
    assert await evse_status() == "BLOCKED"
    await station.close()


async def test_an_older_state_that_comes_late_does_not_begin_parking(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Updated", "ChargingStateChanged", 20, state="Charging", seq_no=5)
    await station.tell("Updated", "ChargingStateChanged", 10, state="SuspendedEV", seq_no=4)
    assert not await sync_to_async(ParkingSpan.objects.exists)()
    await station.close()


async def test_events_before_a_late_beginning_are_kept_and_count(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    assert await station.tell("Updated", "MeterValuePeriodic", 10, wh=3000, seq_no=1, offline=True) == {}
    assert await station.tell("Ended", "EVDeparted", 20, wh=6000, seq_no=2, state="Idle", reason="Local") == {}
    assert (await session()).status == "PENDING"
    tag = call.session.id_tag
    answer = await station.tell(
        "Started", "RemoteStart", 0, wh=1000, seq_no=0, state="Charging", tag=tag, evse={"id": 1}, offline=True
    )
    assert answer["totalCost"] == 3.0
    ended = await session()
    assert (ended.status, ended.kwh) == ("COMPLETED", 5)
    assert ended.ended_at - ended.started_at == timedelta(minutes=20)
    assert not await sync_to_async(HeldEvent.objects.exists)()
    await station.close()


async def test_a_beginning_that_never_comes_is_done_without(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Updated", "MeterValuePeriodic", 10, wh=3000, seq_no=1, start_id=call.pk, evse={"id": 1})
    await station.tell("Updated", "MeterValuePeriodic", 20, wh=5000, seq_no=2)
    assert (await session()).status == "PENDING"
    await sync_to_async(HeldEvent.objects.update)(received_at=timezone.now() - timedelta(hours=1))
    await database.run(transactions.settle_held_events)
    running = await session()
    assert (running.status, running.kwh, running.transaction_id) == ("ACTIVE", 2, TRANSACTION)
    await station.close()


@sync_to_async
def held_for(age):
    HeldEvent.objects.update(received_at=timezone.now() - age)
    transactions.settle_held_events()
    return HeldEvent.objects.count()


async def test_an_end_without_a_beginning_gives_up_no_start_and_is_forgotten(connector, identity, settings):
    station = await Station(identity).open()
    card = {"uid": "CARD-1", "type": "RFID"}
    await station.tell("Ended", "StopAuthorized", 5, seq_no=7, wh=900, tag="CARD-1", reason="Local", evse={"id": 1})
    await remote_start(station, connector, cdr_token=card)
    assert await held_for(settings.LOST_STOP_GRACE + timedelta(minutes=1)) == 1
    assert (await session()).status == "PENDING"
    assert await held_for(settings.LOST_STOP_GRACE_OFFLINE + timedelta(minutes=1)) == 0
    assert (await session()).status == "PENDING"
    await station.close()


@pytest.mark.parametrize("told", [("Started", "Authorized"), ("Ended", "StopAuthorized")], ids=lambda told: told[0])
async def test_nobody_is_asked_again_and_again_about_the_card_of_a_transaction_that_came_to_nothing(
    connector, identity, settings, monkeypatch, told
):
    station = await Station(identity).open()
    await station.tell(*told, 5, seq_no=3, state="Idle", tag="CARD-1", evse={"id": 1})
    asked = []
    monkeypatch.setattr(authorize, "authorize", lambda *of: asked.append(of))
    monkeypatch.setattr(authorize, "permit_start", lambda *of: asked.append(of))
    assert await held_for(settings.LOST_STOP_GRACE + timedelta(minutes=1)) == 1
    assert asked == []
    await station.close()


@pytest.mark.parametrize(
    ("evse", "minutes", "status"),
    [(1, 70, "INVALID"), (2, 70, "PENDING"), (1, 5, "PENDING")],
    ids=["its own", "of another EVSE", "from before the start was asked for"],
)
async def test_only_its_own_transaction_ends_the_wait_of_a_card(connector, identity, evse, minutes, status):
    station = await Station(identity).open()
    await remote_start(station, connector, cdr_token={"uid": "CARD-1", "type": "RFID"})
    await sync_to_async(ChargingSession.objects.update)(created_at=station.began + timedelta(minutes=60))
    told = {"state": "Idle", "tag": "CARD-1", "evse": {"id": evse}, "transaction_id": "another"}
    await station.tell("Started", "Authorized", minutes - 1, **told)
    await station.tell("Ended", "EVConnectTimeout", minutes, **told, reason="Timeout")
    assert (await session()).status == status
    await station.close()


async def test_nobody_pays_for_the_way_to_the_plug(connector, identity):
    """TxStartPoint Authorized: the transaction begins with the card, the session with the cable."""
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    answer = await station.tell(
        "Started", "RemoteStart", 0, state="Idle", tag=call.session.id_tag, start_id=call.pk, evse={"id": 1}
    )
    assert answer == {"idTokenInfo": {"status": "Accepted"}}
    assert (await session()).status == "PENDING"
    await station.tell("Updated", "CablePluggedIn", 5, state="EVConnected", wh=700)
    running = await session()
    assert (running.status, running.meter_start) == ("ACTIVE", 700)
    assert running.started_at == station.began + timedelta(minutes=5)
    await station.close()


async def test_who_never_plugs_in_pays_nothing(connector, identity):
    station = await Station(identity).open()
    version = await sync_to_async(make_version)(flat="1")
    call = await remote_start(station, connector, tariff_version=version)
    await station.tell("Started", "RemoteStart", 0, state="Idle", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Ended", "EVConnectTimeout", 1, state="Idle", reason="Timeout")
    assert (await session()).status == "INVALID"
    assert not await sync_to_async(CDR.objects.exists)()
    assert not await sync_to_async(HeldEvent.objects.exists)()
    await station.close()


async def test_a_waiting_session_is_stopped_at_the_charger_too(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, state="Idle", tag=call.session.id_tag, evse={"id": 1})
    soon = timezone.now() + timedelta(seconds=10)
    waiting = await session()
    stop = await database.run(lambda: commands.request_stop(waiting, "PARTNER", soon))
    frame = await station.request()
    assert frame[2:] == ["RequestStopTransaction", {"transactionId": TRANSACTION}]
    await station.answer(frame[1], status="Accepted")
    await until(lambda: OutgoingCall.objects.filter(pk=stop.pk, result="ACCEPTED").first())
    assert (await session()).status == "INVALID"
    await station.tell("Ended", "RemoteStop", 1, state="Idle", reason="Remote")
    assert (await session()).status == "INVALID"
    await station.close()


async def test_a_car_that_was_there_first_begins_to_pay_with_the_authorisation(connector, identity):
    """TxStartPoint EVConnected: the transaction begins with the cable, the session with the payment."""
    station = await Station(identity).open()
    assert await station.tell("Started", "CablePluggedIn", 0, wh=500, state="EVConnected", evse={"id": 1}) == {}
    assert not await sync_to_async(ChargingSession.objects.exists)()
    call = await remote_start(station, connector)
    await station.tell("Updated", "RemoteStart", 10, start_id=call.pk, tag=call.session.id_tag)
    running = await session()
    assert (running.status, running.meter_start) == ("ACTIVE", 500)
    assert running.started_at == station.began + timedelta(minutes=10)
    await station.close()


async def test_the_remote_start_id_alone_finds_the_session(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, start_id=call.pk, evse={"id": 1})
    assert (await session()).status == "ACTIVE"
    await station.close()


async def test_after_the_driver_said_stop_the_session_is_over_though_the_cable_hangs_on(connector, identity):
    """TxStopPoint EVConnected: the transaction goes on until the cable is out; nobody answers for it any more."""
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    tag = call.session.id_tag
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=tag, evse={"id": 1})
    await station.tell("Updated", "StopAuthorized", 30, wh=5000, state="EVConnected", tag=tag)
    ended = await session()
    assert (ended.status, ended.stop_reason, ended.kwh) == ("COMPLETED", "DRIVER", 5)
    assert await evse_status() == "BLOCKED"
    await station.tell("Ended", "EVCommunicationLost", 50, wh=5000, state="Idle", reason="EVDisconnected")
    assert (await session()).ended_at == ended.ended_at
    await station.status("Available")
    assert await evse_status() == "AVAILABLE"
    await station.close()


async def test_energy_after_the_end_in_the_same_transaction_is_stopped_refused_and_shown_to_staff(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    tag = call.session.id_tag
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=tag, evse={"id": 1})
    stop = station.event("Updated", "StopAuthorized", 30, wh=5000, state="EVConnected", tag=tag)
    over = await station.ask("TransactionEvent", **stop)
    # What is only late, repeated, or the last of the current changes nothing.
    await station.tell("Updated", "ChargingStateChanged", 29, state="SuspendedEV", seq_no=90)
    await station.tell("Updated", "MeterValuePeriodic", 31, wh=5004)
    assert await station.ask("TransactionEvent", **stop) == over
    assert over["idTokenInfo"] == {"status": "Accepted"}
    assert not await sync_to_async(OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists)()
    answer = await station.tell("Updated", "Authorized", 40, tag="STRANGER")
    assert answer["idTokenInfo"] == {"status": "Invalid"}
    await station.tell("Updated", "ChargingStateChanged", 41, wh=5004, state="Charging")
    frame = await station.request()
    assert frame[2:] == ["RequestStopTransaction", {"transactionId": TRANSACTION}]
    await station.answer(frame[1], status="Accepted")
    await station.tell("Ended", "RemoteStop", 43, wh=7000, state="Idle", reason="Remote")
    ended, late = await session(), await fetch(LateStop)
    assert (ended.kwh, late.kwh, late.meter_stop) == (5, 7, 7000)
    assert await sync_to_async(CDR.objects.count)() == 1
    await station.close()


async def test_a_register_that_rises_after_the_end_is_enough_to_stop(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    tag = call.session.id_tag
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=tag, evse={"id": 1})
    await station.tell("Updated", "StopAuthorized", 30, wh=5000, state="EVConnected", tag=tag)
    await station.tell("Updated", "MeterValuePeriodic", 35, wh=5600)
    assert (await station.request())[2:] == ["RequestStopTransaction", {"transactionId": TRANSACTION}]
    await station.close()


async def test_connected_without_energy_is_parking_once_it_has_charged(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="EVConnected", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Updated", "ChargingStateChanged", 5, state="Charging")
    await station.tell("Updated", "ChargingStateChanged", 20, state="SuspendedEVSE")
    assert not await sync_to_async(ParkingSpan.objects.exists)()
    await station.tell("Updated", "ChargingStateChanged", 25, state="EVConnected")
    span = await fetch(ParkingSpan)
    assert (span.started_at, span.ended_at) == (station.began + timedelta(minutes=25), None)
    await station.close()


async def test_a_first_register_that_comes_later_is_the_start(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Updated", "MeterValuePeriodic", 10, wh=7000)
    await station.tell("Ended", "EVDeparted", 20, wh=9000, reason="EVDisconnected")
    ended = await session()
    assert (ended.meter_start, ended.kwh) == (7000, 2)
    await station.close()


async def test_a_station_that_tells_intervals_only_is_billed_by_their_sum(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    interval = {"measurand": "Energy.Active.Import.Interval", "unitOfMeasure": {"unit": "kWh"}}
    await station.tell("Started", "RemoteStart", 0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Updated", "MeterValuePeriodic", 15, samples=[{**interval, "value": 2.5}])
    await station.tell("Updated", "MeterValuePeriodic", 30, samples=[{**interval, "value": 1.5}])
    assert (await session()).kwh == 4
    await station.tell("Ended", "EVDeparted", 40, samples=[{**interval, "value": 1}], reason="EVDisconnected")
    assert (await session()).kwh == 5
    await station.close()


async def test_an_end_without_a_register_counts_the_last_one(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    await station.tell("Updated", "MeterValuePeriodic", 10, wh=4000)
    await station.tell("Ended", "AbnormalCondition", 20, reason="PowerLoss")
    ended = await session()
    assert (ended.kwh, ended.stop_reason) == (4, "CHARGER")
    await station.close()


async def test_a_token_that_may_not_charge_is_refused_and_stopped_by_its_transaction_id(connector, identity):
    station = await Station(identity).open()
    answer = await station.tell("Started", "Authorized", 0, wh=0, state="Charging", tag="STRANGER", evse={"id": 1})
    assert answer == {"idTokenInfo": {"status": "Invalid"}}
    frame = await station.request()
    assert frame[2:] == ["RequestStopTransaction", {"transactionId": TRANSACTION}]
    await station.answer(frame[1], status="Accepted")
    await station.tell("Ended", "RemoteStop", 1, wh=100, reason="Remote")
    ended = await session()
    assert (ended.status, ended.tariff_version_id) == ("COMPLETED", None)
    await station.close()


async def test_energy_that_flows_for_nobody_is_written_down(connector, identity):
    station = await Station(identity).open()
    await station.tell("Started", "CablePluggedIn", 0, wh=0, state="EVConnected", evse={"id": 1})
    await station.tell("Updated", "ChargingStateChanged", 1, wh=0, state="Charging")
    await station.tell("Ended", "EVDeparted", 20, wh=2000, reason="EVDisconnected")
    ended = await session()
    assert (ended.status, ended.kwh, ended.peer_id, ended.total_cost_incl_vat) == ("COMPLETED", 2, "", None)
    await station.close()


async def test_a_transaction_of_another_charger_is_not_touched(connector, identity):
    station = await Station(identity).open()
    call = await remote_start(station, connector)
    await station.tell("Started", "RemoteStart", 0, wh=0, state="Charging", tag=call.session.id_tag, evse={"id": 1})
    other_id = connector.evse.charger_id + 1
    assert await sync_to_async(transactions._find)(other_id, TRANSACTION) is None
    await station.close()
