"""The consumer and the OCPP 1.6 handlers with real frames, on a real channel layer and database."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chargers.models import CDR, ChargerConnection, ChargingSession, IdToken, OutgoingCall, PendingCharger
from chargers.ocpp import auth, consumer, database
from chargers.services import calls, commands, lifecycle, progress
from infrastructure.models import EVSE
from tests.chargers.charger_socket import PASSWORD, ChargerSocket, basic
from tests.chargers.factories import make_connector, make_start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connector():
    connector = make_connector(online=False)
    lifecycle.set_password(connector.evse.charger, PASSWORD)
    return connector


@pytest.fixture
def identity(connector):
    return connector.evse.charger.identity


@pytest.fixture(autouse=True)
def no_patience_with_replaced_sockets(monkeypatch):
    monkeypatch.setattr(consumer, "LAST_FRAMES", 0)


def now():
    return timezone.now().isoformat()


async def row(model, **lookup):
    return await sync_to_async(model.objects.get)(**lookup)


async def request_start(connector, **changes):
    return await database.run(lambda: commands.request_start(make_start(connector, **changes)))


async def until(probe):
    """Waits until `probe` gives something; the test's own timeout is that of the events it waits for."""
    async with asyncio.timeout(10):
        while not (result := await sync_to_async(probe)()):
            await asyncio.sleep(0.01)
    return result


async def start_charging(charger, connector, **changes):
    """A paid start up to the StartTransaction; gives the session."""
    call = await request_start(connector, **changes)
    frame = await charger.frame()
    assert frame[2:] == ["RemoteStartTransaction", {"idTag": call.session.id_tag, "connectorId": 1}]
    await charger.answer(frame[1], status="Accepted")
    await until(lambda: OutgoingCall.objects.filter(pk=call.pk, result="ACCEPTED").first())
    began = (timezone.now() - timedelta(minutes=1)).isoformat()
    start = {"connectorId": 1, "idTag": call.session.id_tag, "meterStart": 100, "timestamp": began}
    answer = await charger.ask("StartTransaction", **start)
    assert answer == {"transactionId": call.session_id, "idTagInfo": {"status": "Accepted"}}
    return await row(ChargingSession, pk=call.session_id), start


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        (basic("somebody-else"), 401),
        ([(b"authorization", b"Basic nonsense!")], 401),
        ([(b"authorization", b"Bearer token")], 401),
    ],
)
async def test_without_its_password_a_charger_is_refused(identity, headers, status):
    begin, body = await ChargerSocket(identity, headers=headers).refused()
    assert (begin["type"], begin["status"]) == ("websocket.http.response.start", status)
    assert begin["headers"] == [(b"www-authenticate", b'Basic realm="Plugtill OCPP"')]
    assert body["type"] == "websocket.http.response.body"


async def test_a_wrong_password_is_refused(identity):
    begin, _ = await ChargerSocket(identity, headers=basic(identity, "guess")).refused()
    assert begin["status"] == 401


async def test_a_charger_without_a_password_of_its_own_is_refused(identity):
    await sync_to_async(ChargerConnection.objects.update)(password_hash="")
    begin, _ = await ChargerSocket(identity, headers=basic(identity, "")).refused()
    assert begin["status"] == 401


async def test_an_unknown_identity_is_not_found():
    begin, _ = await ChargerSocket("NOBODY").refused()
    assert begin["status"] == 404


async def test_an_identity_that_no_database_takes_is_unknown(identity, settings):
    settings.PENDING_CHARGERS = True
    begin, _ = await ChargerSocket(identity, url_identity=f"{identity}%00").refused()
    assert begin["status"] == 404
    assert not await PendingCharger.objects.aexists()


async def test_a_server_without_http_answers_closes(identity):
    assert (await ChargerSocket(identity, headers=[]).connect())["type"] == "websocket.close"


async def test_an_identity_may_be_percent_encoded_and_contain_colons(connector, identity):
    charger = connector.evse.charger
    charger.identity = "AT*CP:1"
    await sync_to_async(charger.save)()
    socket = ChargerSocket("AT*CP:1", url_identity="AT%2ACP%3A1")
    await socket.open()
    await socket.close()


@pytest.mark.parametrize("offered", [[], ["ocpp1.5"]])
async def test_without_a_common_subprotocol_the_socket_is_closed_after_the_handshake(identity, offered):
    socket = ChargerSocket(identity, subprotocols=offered)
    assert await socket.connect() == {"type": "websocket.accept", "subprotocol": None}
    assert await socket.output() == {"type": "websocket.close", "code": 1002}
    assert not (await row(ChargerConnection)).is_online


async def test_a_boot_and_a_life(identity):
    charger = await ChargerSocket(identity).open()
    answer = await charger.ask("BootNotification", chargePointVendor="Maker", chargePointModel="M1")
    assert (answer["status"], answer["interval"]) == ("Accepted", 60)
    assert answer["currentTime"].endswith("Z")
    assert "currentTime" in await charger.ask("Heartbeat")
    assert await charger.ask("DataTransfer", vendorId="Maker") == {"status": "UnknownVendorId"}
    assert await charger.ask("FirmwareStatusNotification", status="Installed") == {}
    assert await charger.ask("DiagnosticsStatusNotification", status="Idle") == {}
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Faulted"}
    assert await charger.ask("StatusNotification", **status) == {}
    assert (await row(EVSE)).status == "OUTOFORDER"
    connection = await row(ChargerConnection)
    assert connection.is_online and connection.vendor == "Maker" and connection.protocol == "ocpp1.6"
    await charger.close()
    assert not (await row(ChargerConnection)).is_online


async def test_an_own_card_that_was_blocked_while_it_charged_ends_its_session_and_is_told_so(connector, identity):
    card = await IdToken.objects.acreate(operator=connector.evse.charger.location.operator, id_tag="FLEET-1")
    charger = await ChargerSocket(identity).open()
    told = {"connectorId": 1, "idTag": "fleet-1", "meterStart": 0, "timestamp": now()}
    answer = await charger.ask("StartTransaction", **told)
    assert answer["idTagInfo"] == {"status": "Accepted"}
    await IdToken.objects.filter(pk=card.pk).aupdate(is_blocked=True)
    stop = {"transactionId": answer["transactionId"], "meterStop": 900, "timestamp": now(), "idTag": "fleet-1"}
    assert await charger.ask("StopTransaction", **stop) == {"idTagInfo": {"status": "Blocked"}}
    assert (await row(ChargingSession)).status == "COMPLETED"
    await charger.close()


async def test_a_paid_session_from_the_remote_start_to_the_record(connector, identity):
    charger = await ChargerSocket(identity).open()
    session, _ = await start_charging(charger, connector)
    assert (await charger.ask("Authorize", idTag=session.id_tag.lower())) == {"idTagInfo": {"status": "Accepted"}}
    assert (await charger.ask("Authorize", idTag="STRANGER")) == {"idTagInfo": {"status": "Invalid"}}
    sample = {"value": "2.1", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}
    value = {"timestamp": now(), "sampledValue": [sample]}
    values = {"connectorId": 1, "transactionId": session.pk, "meterValue": [value]}
    assert await charger.ask("MeterValues", **values) == {}
    stop = {"transactionId": session.pk, "meterStop": 3100, "timestamp": now(), "reason": "Local", "idTag": "STRANGER"}
    # Chargers keep the answer for the card's next use.
    assert await charger.ask("StopTransaction", **stop) == {"idTagInfo": {"status": "Invalid"}}
    stop["idTag"] = session.id_tag.lower()
    assert await charger.ask("StopTransaction", **stop) == {"idTagInfo": {"status": "Accepted"}}
    assert await charger.ask("StopTransaction", **stop) == {"idTagInfo": {"status": "Accepted"}}
    assert (await row(CDR)).total_energy == 3
    await charger.close()


async def test_a_start_repeated_on_a_new_socket_gets_the_same_transaction(connector, identity):
    charger = await ChargerSocket(identity).open()
    session, start = await start_charging(charger, connector)
    await charger.close()
    again = await ChargerSocket(identity).open()
    assert (await again.ask("StartTransaction", **start))["transactionId"] == session.pk
    assert await sync_to_async(ChargingSession.objects.count)() == 1
    await again.close()


async def test_a_stranger_is_told_to_stop_after_it_has_learnt_its_transaction(identity):
    charger = await ChargerSocket(identity).open()
    start = {"connectorId": 1, "idTag": "STRANGER", "meterStart": 0, "timestamp": now()}
    answer = await charger.ask("StartTransaction", **start)
    assert answer["idTagInfo"] == {"status": "Invalid"}
    frame = await charger.frame()
    assert frame[2:] == ["RemoteStopTransaction", {"transactionId": answer["transactionId"]}]
    await charger.close()


async def test_the_limit_stops_the_session_over_the_wire(connector, identity):
    charger = await ChargerSocket(identity).open()
    session, _ = await start_charging(charger, connector, limit=1)
    later = now()
    value = {"timestamp": later, "sampledValue": [{"value": "1600"}]}
    unique_id = await charger.post("MeterValues", connectorId=1, transactionId=session.pk, meterValue=[value])
    assert (await charger.frame())[:2] == [3, unique_id]
    frame = await charger.frame()
    assert frame[2] == "RemoteStopTransaction"
    await charger.answer(frame[1], status="Accepted")
    stop = {"transactionId": session.pk, "meterStop": 1700, "timestamp": later, "reason": "Remote"}
    await charger.ask("StopTransaction", **stop)
    assert (await row(CDR)).remark == "Stopped by us at the pre-authorised amount."
    await charger.close()


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ([3, {"status": "Rejected"}], "REJECTED"),
        ([4, "NotSupported", "", {}], "NOT_SUPPORTED"),
        ([4, "NotImplemented", "", {}], "NOT_SUPPORTED"),
        ([4, "InternalError", "broken", {}], "FAILED"),
        ([4, "Nonsense", "", {}], "FAILED"),
        ([3, {"status": "Perhaps"}], "FAILED"),
    ],
)
async def test_what_the_charger_answers_is_the_result(connector, identity, reply, result):
    charger = await ChargerSocket(identity).open()
    call = await request_start(connector)
    frame = await charger.frame()
    await charger.send(json.dumps([reply[0], frame[1], *reply[1:]]))
    done = await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())
    assert done.result == result
    await charger.close()


async def test_silence_is_a_timeout(connector, identity):
    charger = await ChargerSocket(identity).open()
    expires_at = timezone.now() + timedelta(seconds=0.3)
    call = await request_start(connector, expires_at=expires_at)
    await charger.frame()
    done = await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())
    assert done.result == "TIMEOUT"
    await charger.close()


async def test_a_call_waits_for_the_charger_to_come_back(connector, identity):
    await database.run(lifecycle.connected, connector.evse.charger_id, "lost", "ocpp1.6")
    await request_start(connector)
    charger = await ChargerSocket(identity).open()
    assert (await charger.request())[2] == "RemoteStartTransaction"
    await charger.close()


async def test_after_a_restart_a_sent_call_is_not_sent_again_and_the_transaction_counts(connector, identity):
    await database.run(lifecycle.connected, connector.evse.charger_id, "died", "ocpp1.6")
    call = await request_start(connector)
    await database.run(calls.claim_next, call.charger_id, "died")
    await database.run(lifecycle.forget_connections)
    charger = await ChargerSocket(identity).open()
    start = {"connectorId": 1, "idTag": call.session.id_tag, "meterStart": 0, "timestamp": now()}
    assert (await charger.ask("StartTransaction", **start))["idTagInfo"] == {"status": "Accepted"}
    await sync_to_async(OutgoingCall.objects.update)(expires_at=timezone.now())
    await database.run(calls.expire_calls)
    assert (await row(OutgoingCall)).result == "ACCEPTED"
    await charger.close()


async def test_a_call_that_never_left_is_for_the_next_socket(connector, identity, monkeypatch):
    charger = await ChargerSocket(identity).open()
    send = consumer.OcppConsumer.send

    async def gone(self, text_data=None, bytes_data=None, close=False):
        raise RuntimeError("the socket is gone")

    monkeypatch.setattr(consumer.OcppConsumer, "send", gone)
    given_back = watch_given_back(monkeypatch)
    await request_start(connector)
    await until(lambda: given_back)
    waiting = await row(OutgoingCall)
    assert (waiting.state, waiting.sent_at) == ("PENDING", None)
    monkeypatch.setattr(consumer.OcppConsumer, "send", send)
    await charger.close()
    charger = await ChargerSocket(identity).open()
    assert (await charger.request())[2] == "RemoteStartTransaction"
    await charger.close()


async def test_a_call_claimed_while_the_socket_goes_is_for_the_next_one(connector, identity, monkeypatch):
    claiming, gone, left = threading.Event(), threading.Event(), asyncio.Event()
    claim = calls.claim_next

    def claim_slowly(*args):
        call = claim(*args)
        if call is not None:
            claiming.set()
            gone.wait(10)
        return call

    async def leave(self, group, channel):
        left.set()

    monkeypatch.setattr(calls, "claim_next", claim_slowly)
    monkeypatch.setattr(type(get_channel_layer()), "group_discard", leave)
    given_back = watch_given_back(monkeypatch)
    charger = await ChargerSocket(identity).open()
    await request_start(connector)
    async with asyncio.timeout(10):
        while not claiming.is_set():
            await asyncio.sleep(0.01)
    await charger.send_input({"type": "websocket.disconnect", "code": 1006})
    async with asyncio.timeout(10):
        await left.wait()
    gone.set()
    await charger.wait(10)
    await until(lambda: given_back)
    assert (await row(OutgoingCall)).state == "PENDING"


def watch_given_back(monkeypatch):
    """What was given back, once it is."""
    give_back, given_back = calls.give_back, []

    def watched(*args):
        give_back(*args)
        given_back.append(args)

    monkeypatch.setattr(calls, "give_back", watched)
    return given_back


async def test_an_answer_counts_though_the_charger_goes_with_it(connector, identity):
    charger = await ChargerSocket(identity).open()
    call = await request_start(connector)
    frame = await charger.request()
    await charger.answer(frame[1], status="Accepted")
    await charger.close()
    ended = await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())
    assert ended.result == "ACCEPTED"


@pytest.mark.parametrize("stays", [True, False])
async def test_an_answer_outlives_a_database_that_is_away(connector, identity, monkeypatch, stays):
    failures = iter([OperationalError("the database is away"), InterfaceError("the connection is closed")])
    finish = calls.finish_call
    asked = []

    def fail_twice(*args):
        asked.append(args)
        if (failure := next(failures, None)) is not None:
            raise failure
        finish(*args)

    monkeypatch.setattr(consumer, "RETRY_AFTER", 0.01)
    monkeypatch.setattr(calls, "finish_call", fail_twice)
    charger = await ChargerSocket(identity).open()
    call = await request_start(connector)
    frame = await charger.request()
    await charger.answer(frame[1], status="Accepted")
    if stays:
        await until(lambda: asked)
    else:
        await charger.close()
    done = await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())
    assert (done.result, len(asked)) == ("ACCEPTED", 3)
    if stays:
        await charger.close()


async def test_frames_are_handled_even_if_nobody_takes_the_answer(connector, identity, monkeypatch):
    charger = await ChargerSocket(identity).open()
    session, _ = await start_charging(charger, connector)

    async def gone(self, text_data=None, bytes_data=None, close=False):
        raise RuntimeError("the socket is gone")

    monkeypatch.setattr(consumer.OcppConsumer, "send", gone)
    await charger.post("Heartbeat")
    await charger.post("StopTransaction", transactionId=session.pk, meterStop=1100, timestamp=now())
    assert (await until(CDR.objects.first)).total_energy == 1
    await charger.close()


async def test_a_failing_handler_answers_an_error_and_the_socket_lives_on(identity, monkeypatch):
    def fail(*args):
        raise RuntimeError("something is wrong")

    monkeypatch.setattr(progress, "update_session", fail)
    charger = await ChargerSocket(identity).open()
    value = {"timestamp": now(), "sampledValue": [{"value": "1"}]}
    unique_id = await charger.post("MeterValues", connectorId=1, meterValue=[value])
    assert (await charger.frame())[:3] == [4, unique_id, "InternalError"]
    assert "currentTime" in await charger.ask("Heartbeat")
    await charger.close()


async def test_a_charger_is_sent_away_while_the_database_is(identity, monkeypatch):
    """An error would make it give up the message after a few times, and with it the end of a session."""

    def fail(*args):
        raise OperationalError("the database is away")

    monkeypatch.setattr(progress, "update_session", fail)
    charger = await ChargerSocket(identity).open()
    value = {"timestamp": now(), "sampledValue": [{"value": "1"}]}
    await charger.post("MeterValues", connectorId=1, meterValue=[value])
    assert await charger.output() == {"type": "websocket.close", "code": 1013}
    await charger.close()


async def test_a_handshake_without_a_database_is_refused_for_now(identity, monkeypatch):
    def fail(*args):
        raise OperationalError("the database is away")

    monkeypatch.setattr(auth, "let_in", fail)
    begin, _ = await ChargerSocket(identity).refused()
    assert begin["status"] == 503


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Boot", {}, "NotImplemented"),
        ("Reset", {"type": "Hard"}, "NotSupported"),
        ("BootNotification", {"chargePointVendor": "x"}, "ProtocolError"),
        ("StatusNotification", {"connectorId": "1", "errorCode": "NoError", "status": "Available"}, "TypeConstraint"),
    ],
)
async def test_a_bad_request_gets_an_error(identity, action, payload, code):
    charger = await ChargerSocket(identity).open()
    unique_id = await charger.post(action, **payload)
    frame = await charger.frame()
    assert frame[:2] == [4, unique_id] and frame[2].startswith(code)
    assert "currentTime" in await charger.ask("Heartbeat")
    await charger.close()


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "7", '[2,"1"]', '[9,"1",{}]', '[2,"1",["x"],{}]', '[2,"1","Heartbeat",[]]', '[3,"1",{}]']
)
async def test_nonsense_does_not_end_the_socket(identity, frame):
    charger = await ChargerSocket(identity).open()
    await charger.send(frame)
    unique_id = await charger.post("Heartbeat")
    while (answer := await charger.frame())[1] != unique_id:
        assert answer[0] == 4
    await charger.close()


async def test_the_database_learns_seldom_when_a_charger_was_last_seen(identity, monkeypatch):
    seen = []
    monkeypatch.setattr(lifecycle, "seen", lambda *args: seen.append(args) or True)
    charger = await ChargerSocket(identity).open()
    await charger.ask("Heartbeat")
    assert seen == []
    monkeypatch.setattr(lifecycle, "WRITE_SEEN_EVERY", timedelta(0))
    await charger.ask("Heartbeat")
    await charger.ask("Heartbeat")
    assert seen
    await charger.close()


async def test_a_channel_layer_that_fails_does_not_take_the_socket_with_it(connector, identity, monkeypatch):
    layer = type(get_channel_layer())
    failures = iter([ConnectionError("gone"), TimeoutError("slow")])
    receive = layer.receive

    async def fail_twice(self, channel):
        if (failure := next(failures, None)) is not None:
            raise failure
        return await receive(self, channel)

    async def fail(self, group, channel):
        raise ConnectionError("gone")

    monkeypatch.setattr(consumer, "RETRY_AFTER", 0)
    monkeypatch.setattr(layer, "receive", fail_twice)
    charger = await ChargerSocket(identity).open()
    await request_start(connector)
    assert (await charger.request())[2] == "RemoteStartTransaction"
    monkeypatch.setattr(layer, "group_discard", fail)
    await charger.close()
    assert not (await row(ChargerConnection)).is_online
