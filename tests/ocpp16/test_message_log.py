"""Every frame is in the log of its charger, readable and without secrets."""

import json
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.choices import Direction
from chargers.models import ChargerMessage
from chargers.services import messages
from chargers.services.masking import masked, without_secrets
from infrastructure import correlation
from tests.chargers.charger_socket import ChargerSocket

TAG = "04AABBCCDD"


@pytest.fixture
def log(settings: Any, monkeypatch: Any) -> None:
    """The log, written when a test says so and not by a thread."""
    settings.CHARGER_MESSAGE_LOG_DAYS = 7
    monkeypatch.setattr(messages.writer, "is_threaded", False)
    monkeypatch.setattr(messages, "_open_requests", messages._OpenRequests())
    messages.flush()
    ChargerMessage.objects.all().delete()


def rows() -> list[tuple[str, str, str]]:
    messages.flush()
    return list(ChargerMessage.objects.order_by("pk").values_list("direction", "kind", "action"))


@pytest.mark.django_db(transaction=True)
async def test_both_directions_with_the_action_of_answers_and_without_heartbeats(identity: str, log: None):
    charger = await ChargerSocket(identity).open()
    await charger.ask("Authorize", idTag=TAG)
    await charger.post("Nonsense")
    await charger.frame()
    await charger.send("{")
    await charger.ask("Heartbeat")
    await charger.close()
    assert await sync_to_async(rows)() == [
        ("IN", "CALL", "Authorize"),
        ("OUT", "CALLRESULT", "Authorize"),
        ("IN", "CALL", "Nonsense"),
        ("OUT", "CALLERROR", "Nonsense"),
        ("IN", "UNREADABLE", ""),
    ]


@pytest.mark.django_db
def test_heartbeats_are_kept_where_the_installation_wants_them(charger: Any, log: None, settings: Any):
    settings.CHARGER_MESSAGE_LOG_HEARTBEATS = True
    messages.record(charger.pk, Direction.IN, '[2,"1","Heartbeat",{}]')
    messages.record(charger.pk, Direction.OUT, '[3,"1",{"currentTime":"x"}]')
    assert rows() == [("IN", "CALL", "Heartbeat"), ("OUT", "CALLRESULT", "Heartbeat")]


@pytest.mark.django_db
def test_switched_off_nothing_is_kept(charger: Any, log: None, settings: Any):
    settings.CHARGER_MESSAGE_LOG_DAYS = 0
    messages.record(charger.pk, Direction.IN, "[2]")
    assert rows() == []


@pytest.mark.django_db
def test_whatever_a_charger_sends_can_be_written(charger: Any, log: None):
    frames = [
        '[2,"\\u0000","\\u0000x",{}]',
        "\0",
        '"\ud800"',
        '[2,"' + "i" * 999 + '","' + "a" * 999 + '",{}]',
        "[" * 9999,
    ]
    frames.append(json.dumps([2, "1", "DataTransfer", {"data": "x" * 200_000}]))
    for frame in frames:
        messages.record(charger.pk, Direction.IN, frame)
    assert len(rows()) == len(frames)
    longest = ChargerMessage.objects.order_by("-size").first()
    assert longest and len(longest.frame) == messages.MAX_FRAME and longest.size > 200_000


@pytest.mark.django_db(transaction=True)
def test_a_deleted_charger_takes_only_its_own_frames_with_it(charger: Any, log: None):
    messages.record(charger.pk + 1, Direction.IN, '[2,"1","Authorize",{}]')
    messages.record(charger.pk, Direction.IN, '[2,"1","BootNotification",{}]')
    assert rows() == [("IN", "CALL", "BootNotification")]


@pytest.mark.django_db
def test_old_frames_are_forgotten(charger: Any, log: None):
    for _ in range(2):
        messages.record(charger.pk, Direction.IN, '[2,"1","Authorize",{}]')
    rows()
    oldest = ChargerMessage.objects.order_by("pk").first()
    ChargerMessage.objects.filter(pk=oldest.pk).update(at=timezone.now() - timedelta(days=8))
    messages.delete_old_messages()
    assert not ChargerMessage.objects.filter(pk=oldest.pk).exists() and ChargerMessage.objects.count() == 1


SECRET = "a-password-of-a-charger"
IN_16 = {"key": "AuthorizationKey", "value": SECRET}
IN_201 = {"attributeValue": SECRET, "component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
OTHER_201 = {"attributeValue": "60", "component": {"name": "C"}, "variable": {"name": "V"}}
REPORT = {
    "component": {"name": "S"},
    "variable": {"name": "BasicAuthPassword"},
    "variableAttribute": [{"value": SECRET}],
}


def network_profile(apn: Any, vpn: Any) -> Any:
    return {"configurationSlot": 1, "connectionData": {"ocppVersion": "OCPP20", "apn": apn, "vpn": vpn}}


@pytest.mark.parametrize(
    "payload",
    [
        IN_16,
        {"configurationKey": [{"key": "authorizationkey", "value": SECRET, "readonly": False}]},
        {"setVariableData": [OTHER_201, IN_201]},
        {"getVariableResult": [{**IN_201, "attributeStatus": "Accepted"}]},
        {"reportData": [REPORT]},
        {"location": f"ftp://user:{SECRET}@files/x"},
        network_profile({"apn": "internet", "apnPassword": SECRET}, None),
        network_profile({"apn": "internet", "simPin": SECRET}, None),
        network_profile(None, {"server": "vpn.example", "password": SECRET}),
        network_profile(None, {"server": "vpn.example", "key": SECRET}),
    ],
)
def test_passwords_are_hidden(payload: Any):
    frame = json.dumps([2, "1", "X", payload])
    assert SECRET not in masked(frame)
    assert SECRET not in masked(frame[:-1]), "also in what is broken"
    assert SECRET not in json.dumps(without_secrets({"action": "X", "payload": payload}))


def test_what_is_no_secret_stays():
    keys = [{"key": "AuthorizationKey", "readonly": False}, {"key": "HeartbeatInterval", "value": "60"}]
    frame = json.dumps([3, "1", {"configurationKey": keys}])
    assert json.loads(masked(frame)) == json.loads(frame)
    assert json.loads(masked(json.dumps({"setVariableData": [OTHER_201, IN_201]})))["setVariableData"][0] == OTHER_201
    open_profile = network_profile({"apn": "internet", "simPin": 1234}, {"server": "vpn.example", "user": "u"})
    shown = json.loads(masked(json.dumps(open_profile)))["connectionData"]
    assert shown["apn"] == {"apn": "internet", "simPin": "***"}
    assert shown["vpn"] == {"server": "vpn.example", "user": "u"}


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (f'{{"idTag":"{TAG}"}}', '{"idTag":"***CCDD"}'),
        (f'{{"parentIdTag": "{TAG}"}}', '{"parentIdTag": "***CCDD"}'),
        ('{"idTag":"ABC"}', '{"idTag":"***"}'),
        (f'{{"idToken":{{"idToken":"{TAG}","type":"Central"}}}}', '{"idToken":{"idToken":"***CCDD","type":"Central"}}'),
    ],
)
def test_of_id_tags_the_end_stays(frame: str, shown: str):
    assert masked(frame) == shown


@pytest.mark.django_db
def test_an_answer_is_of_the_same_request_as_its_call(charger: Any, log: None):
    with correlation.correlated("of-a-partner"):
        messages.record(charger.pk, Direction.OUT, '[2,"7","UnlockConnector",{"connectorId":1}]')
    messages.record(charger.pk, Direction.IN, '[3,"7",{"status":"Unlocked"}]')
    messages.record(charger.pk, Direction.IN, '[2,"8","StatusNotification",{}]')
    assert len(rows()) == 3
    ids = ChargerMessage.objects.order_by("pk").values_list("correlation_id", flat=True)
    assert list(ids) == ["of-a-partner", "of-a-partner", ""]
