"""Charge points: listed, created, given a password; and what is asked of them."""

import pytest
from rest_framework.reverse import reverse

from chargers.models import ChargerConnection, OutgoingCall
from chargers.ocpp.auth import admit
from chargers.services import lifecycle
from chargers.services.ocpp_requests import ACTIONS
from infrastructure.models import EVSE, Charger, Connector
from infrastructure.services import masterdata
from tests.chargers.charger_socket import basic
from tests.chargers.factories import CHANNEL, make_active, make_connector
from tests.infrastructure.factories import ChargerFactory, LocationFactory

pytestmark = pytest.mark.django_db


def command(caller, charger, action, payload=None):
    return caller.send("post", f"charge-points/{charger.identity}/commands/{action}", payload)


def set_connection(charger, **fields):
    ChargerConnection.objects.filter(charger=charger).update(**fields)


# -- charge points


def test_the_list_has_state_and_outlets(caller, charger, connector):
    page = caller.send("get", "charge-points").json()
    assert (page["count"], page["next"]) == (1, None)
    row = page["results"][0]
    assert (row["identity"], row["connection"]["is_online"]) == (charger.identity, True)
    assert row["ocpp_address"] == f"ws://testserver/ocpp/{charger.identity}"
    assert row["evses"][0]["connectors"][0]["number"] == connector.number
    assert "channel_name" not in str(row) and "password_hash" not in str(row)


@pytest.mark.parametrize(("query", "count"), [("online=true", 1), ("online=false", 1), ("identity=nothing", 0)])
def test_the_list_can_be_filtered(caller, charger, query, count):
    ChargerFactory(location=charger.location)
    assert caller.send("get", f"charge-points?{query}").json()["count"] == count


@pytest.mark.parametrize("query", ["online=perhaps", "onlien=true", "page_size=1&idenitty=x"])
def test_a_wrong_filter_is_told_as_it_would_give_everything(caller, charger, query):
    assert caller.send("get", f"charge-points?{query}").status_code == 400


def test_a_list_comes_in_pages(caller, charger):
    ChargerFactory(location=charger.location)
    page = caller.send("get", "charge-points?page_size=1").json()
    assert (page["count"], len(page["results"])) == (2, 1)
    assert "page=2" in page["next"]
    assert caller.send("get", "charge-points?page=3").status_code == 404


def test_another_request_that_creates_the_same_at_once_is_409(caller, charger, monkeypatch):
    def be_overtaken(obj):
        Charger.objects.create(location=charger.location, identity=obj.identity)

    monkeypatch.setattr(masterdata, "check", be_overtaken)
    answer = caller.send("post", "charge-points", {"identity": "GARAGE-7", "area": charger.location_id})
    assert (answer.status_code, "Another request" in answer.json()["detail"]) == (409, True)


def test_connection_state(caller, charger):
    told = caller.send("get", f"charge-points/{charger.identity}/connection").json()
    assert (told["is_online"], told["protocol"], told["has_password"]) == (True, "ocpp1.6", False)


def test_a_charge_point_is_created_with_its_outlets(caller, charger):
    body = {
        "identity": "NEW=1.a",
        "name": "New",
        "area": charger.location_id,
        "evses": [{"connectors": [{"standard": "IEC_62196_T2", "max_amperage": 16}]}, {"number": 7}],
    }
    answer = caller.send("post", "charge-points", body)
    assert answer.status_code == 201, answer.json()
    assert answer.json()["connection"]["is_online"] is False
    assert list(EVSE.objects.filter(charger__identity="NEW=1.a").values_list("number", flat=True)) == [1, 7]
    assert Connector.objects.get(evse__charger__identity="NEW=1.a").max_amperage == 16
    assert caller.send("get", "charge-points/NEW=1.a").json()["name"] == "New"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"identity": "with space"}, "identity"),
        ({"identity": ""}, "identity"),
        ({"area": 0}, "area"),
        ({"area": None}, "area"),
        ({"evses": [{"number": 1}, {"number": 1}]}, None),
        ({"evses": [{"evse_id": "wrong"}]}, None),
        ({"evses": "x"}, "evses"),
        ({"evses": [{}, {"evse_id": "wrong"}]}, "evses.1.evse_id"),
        ({"evses": [{"connectors": [{"standart": "CHADEMO"}]}]}, "evses.0.connectors.0.standart"),
        ({"nmae": "x"}, "nmae"),
    ],
)
def test_a_wrong_charge_point_is_refused_whole(caller, charger, change, field):
    body = {"identity": "NEW", "area": charger.location_id, **change}
    answer = caller.send("post", "charge-points", body)
    assert answer.status_code == 400
    assert field is None or field in answer.json()
    assert list(Charger.objects.all()) == [charger]


def test_an_identity_is_there_once(caller, charger):
    answer = caller.send("post", "charge-points", {"identity": charger.identity, "area": charger.location_id})
    assert (answer.status_code, list(answer.json())) == (400, ["identity"])


def test_it_cannot_be_created_in_the_area_of_another_operator(caller):
    answer = caller.send("post", "charge-points", {"identity": "NEW", "area": LocationFactory().pk})
    assert (answer.status_code, list(answer.json())) == (400, ["area"])


# -- credentials


def test_a_password_is_made_told_once_and_opens_the_door(caller, charger):
    answer = caller.send("post", f"charge-points/{charger.identity}/credentials")
    password = answer.json()["password"]
    assert answer["Cache-Control"] == "no-store"
    assert admit_of(charger, password)
    assert password not in str(ChargerConnection.objects.values().get())
    own = "an-own-password-16"
    assert (
        caller.send("post", f"charge-points/{charger.identity}/credentials", {"password": own}).json()["password"]
        == own
    )
    assert admit_of(charger, own) and not admit_of(charger, password)


def admit_of(charger, password):
    from chargers.ocpp.auth import Refused

    try:
        return admit(charger.identity, basic(charger.identity, password))
    except Refused:
        return None


def test_a_misspelled_password_changes_nothing(caller, charger):
    lifecycle.set_password(charger, "a very secret one")
    before = ChargerConnection.objects.get().password_hash
    answer = caller.send("post", f"charge-points/{charger.identity}/credentials", {"pasword": "another secret one"})
    assert (answer.status_code, list(answer.json())) == (400, ["pasword"])
    assert ChargerConnection.objects.get().password_hash == before


@pytest.mark.parametrize(
    "password", ["short", "x" * 41, "with a space inside", "ümlaut-ümlaut-ümlaut", "newline-newline-1\n"]
)
def test_a_bad_password_is_refused(caller, charger, password):
    answer = caller.send("post", f"charge-points/{charger.identity}/credentials", {"password": password})
    assert (answer.status_code, list(answer.json())) == (400, ["password"])


# -- commands


def test_a_command_is_dispatched_and_its_result_can_be_read(caller, charger):
    answer = command(caller, charger, "ChangeAvailability", {"connectorId": 0, "type": "Operative"})
    assert answer.status_code == 202
    call = OutgoingCall.objects.get()
    assert answer.json() == {"id": call.pk, "url": f"/api/v1/calls/{call.pk}"}
    assert answer["Location"] == reverse("api:calls-detail", args=[call.pk])
    assert call.payload == {"action": "ChangeAvailability", "payload": {"connectorId": 0, "type": "Operative"}}
    told = caller.send("get", f"calls/{call.pk}").json()
    assert (told["action"], told["state"], told["result"]) == ("ChangeAvailability", "PENDING", "")
    assert told["payload"] == {"connectorId": 0, "type": "Operative"}
    call.state, call.result, call.answer = "DONE", "ACCEPTED", {"status": "Scheduled"}
    call.save()
    assert caller.send("get", f"calls/{call.pk}").json()["answer"] == {"status": "Scheduled"}
    assert caller.send("get", f"calls?charge_point={charger.identity}&state=DONE").json()["count"] == 1


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("RemoteStartTransaction", {"idTag": "A", "connectorId": 99}),
        ("UnlockConnector", {"connectorId": 4711}),
        ("CancelReservation", {"reservationId": -5}),
        ("ReserveNow", {"connectorId": 9, "expiryDate": "2026-01-01T00:00:00Z", "idTag": "A", "reservationId": 2**40}),
        ("RemoteStopTransaction", {"transactionId": 123456}),
        ("GetDiagnostics", {"location": "ftp://fileserver/logs"}),
        ("UpdateFirmware", {"location": "http://fw", "retrieveDate": "2026-01-01T00:00:00"}),
        ("GetConfiguration", {}),
        ("GetConfiguration", {"key": ["NoSuchKey"]}),
        ("DataTransfer", {"vendorId": "x", "data": '{"a": 1}'}),
        ("ClearCache", None),
        (
            "RemoteStartTransaction",
            {
                "idTag": "A",
                "chargingProfile": {
                    "chargingProfileId": 1,
                    "stackLevel": 0,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Relative",
                    "chargingSchedule": {
                        "chargingRateUnit": "A",
                        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}],
                    },
                },
            },
        ),
    ],
)
def test_whatever_the_standard_allows_goes_out(caller, charger, action, payload):
    assert command(caller, charger, action, payload).status_code == 202
    assert OutgoingCall.objects.get().payload["payload"] == (payload or {})


@pytest.mark.parametrize(
    ("action", "payload", "errors"),
    [
        ("Reset", {}, {"type": ["This field is required."]}),
        ("Reset", {"type": "Warm"}, {"type": ["Must be one of: Hard, Soft."]}),
        ("Reset", {"type": "Hard", "now": True}, {"now": ["OCPP has no such field here."]}),
        ("Reset", ["Hard"], {"non_field_errors": ["The body must be a JSON object: the payload of the request."]}),
        ("UnlockConnector", {"connectorId": "1"}, {"connectorId": ["Must be of the type integer."]}),
        ("RemoteStartTransaction", {"idTag": "x" * 21}, {"idTag": ["Must have at most 20 characters."]}),
        (
            "UpdateFirmware",
            {"location": "http://fw", "retrieveDate": "tomorrow"},
            {"retrieveDate": ["Must be a date and time as in 2026-01-31T12:00:00Z."]},
        ),
        (
            "SendLocalList",
            {"listVersion": 1},
            {"updateType": ["This field is required."]},
        ),
    ],
)
def test_what_it_does_not_allow_is_told_by_field(caller, charger, action, payload, errors):
    answer = command(caller, charger, action, payload)
    assert (answer.status_code, answer.json()) == (400, errors)
    assert not OutgoingCall.objects.exists()


@pytest.mark.parametrize("action", ["BootNotification", "Nonsense", "RequestStartTransaction", "DataTransferResponse"])
def test_an_action_that_is_not_ours_to_ask_is_refused(caller, charger, action):
    answer = command(caller, charger, action, {})
    assert (answer.status_code, list(answer.json())) == (400, ["action"])
    assert "RemoteStartTransaction" in answer.json()["action"][0]


def test_a_charger_with_2_0_1_is_asked_in_its_words(caller, charger):
    set_connection(charger, protocol="ocpp2.0.1")
    body = {"idToken": {"idToken": "A", "type": "ISO14443"}, "remoteStartId": 7}
    assert command(caller, charger, "RequestStartTransaction", body).status_code == 202
    assert command(caller, charger, "RemoteStartTransaction", {"idTag": "A"}).status_code == 400
    wrong = command(caller, charger, "RequestStartTransaction", {"idToken": {"type": "ISO14443"}, "remoteStartId": 7})
    assert wrong.json() == {"idToken.idToken": ["This field is required."]}


def test_every_action_has_its_schema():
    from chargers.services import schemas

    for version, actions in ACTIONS.items():
        for action in actions:
            assert schemas.validator(version.removeprefix("ocpp"), schemas.REQUEST, action), (version, action)


@pytest.mark.parametrize("protocol", ["", "ocpp1.6"])
def test_an_offline_charger_is_409(caller, charger, protocol):
    set_connection(charger, channel_name="", protocol=protocol)
    answer = command(caller, charger, "Reset", {"type": "Hard"})
    assert (answer.status_code, answer.json()) == (409, {"detail": f"{charger.identity} is offline."})
    assert not OutgoingCall.objects.exists()


def test_stopping_a_running_session_is_asked_for_as_staff(caller):
    session = make_active(online_connector())
    charger = session.connector.evse.charger
    caller.token.operators.add(charger.location.operator)
    answer = command(caller, charger, "RemoteStopTransaction", {"transactionId": int(session.transaction_id)})
    assert answer.status_code == 202
    call = OutgoingCall.objects.get(pk=answer.json()["id"])
    session.refresh_from_db()
    assert (call.session, session.stop_requested_by) == (session, "STAFF")
    assert caller.send("get", f"calls/{call.pk}").json()["transaction"] == session.uid


def online_connector():
    connector = make_connector()
    set_connection(connector.evse.charger, protocol="ocpp1.6", channel_name=CHANNEL)
    return connector


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"key": "authorizationKey", "value": "very secret"}, {"key": "authorizationKey", "value": "…"}),
        ({"key": "HeartbeatInterval", "value": "60"}, {"key": "HeartbeatInterval", "value": "60"}),
    ],
)
def test_a_password_that_was_sent_is_not_told_again(caller, charger, payload, shown):
    answer = command(caller, charger, "ChangeConfiguration", payload)
    assert caller.send("get", f"calls/{answer.json()['id']}").json()["payload"] == shown


def test_a_password_of_2_0_1_is_not_told_again(caller, charger):
    set_connection(charger, protocol="ocpp2.0.1")
    variable = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    body = {"setVariableData": [{**variable, "attributeValue": "very secret one"}]}
    answer = command(caller, charger, "SetVariables", body)
    assert "very secret" not in str(caller.send("get", f"calls/{answer.json()['id']}").json())


# -- bad input


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"vendorId": "a\\u0000b"}', 400),
        (b'{"vendorId": "\\ud800"}', 400),
        (b'{"a\\u0000": 1}', 400),
        (b'{"vendorId": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"vendorId": "' + b"x" * 1_000_000 + b'"}', 413),
    ],
)
def test_bad_json_is_refused(caller, charger, body, status):
    path = f"/api/v1/charge-points/{charger.identity}/commands/DataTransfer"
    answer = caller.post(path, body, content_type="application/json")
    assert answer.status_code == status, answer.content[:200]
    assert not OutgoingCall.objects.exists()


def test_other_formats_are_415(caller, charger):
    path = f"/api/v1/charge-points/{charger.identity}/commands/Reset"
    assert caller.post(path, "type=Hard", content_type="application/x-www-form-urlencoded").status_code == 415
