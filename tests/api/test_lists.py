"""Id tokens and what they open, local lists, charging profiles."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import AuthorizationStatus, Network, SessionStatus
from chargers.models import (
    CDR,
    ChargerConnection,
    ChargerVariable,
    ChargingProfileTemplate,
    ChargingSession,
    IdToken,
    LocalList,
    OutgoingCall,
)
from chargers.ports import Permit
from chargers.services import authorize, calls, sessions
from chargers.services.events import TransactionEnded, TransactionStarted
from infrastructure.models import OutboxEvent
from infrastructure.outbox import drain
from tests.api.caller import make_caller
from tests.chargers.factories import make_connector
from tests.infrastructure.factories import OperatorFactory, events

pytestmark = pytest.mark.django_db


def iso(**ago):
    return (timezone.now() - timedelta(**ago)).isoformat()


def create(caller, **fields):
    return caller.send("post", "id-tokens", {"id_tag": "FLEET-1", **fields})


# -- id tokens


def test_an_id_token_is_created_changed_and_deleted(caller, operator):
    answer = create(caller, parent_id_tag="FLEET", note="W-123 X")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["operator"], told["status"], told["type"]) == (operator.pk, "Accepted", "ISO14443")
    path = f"id-tokens/{told['id']}"
    assert caller.send("patch", path, {"is_blocked": True}).json()["status"] == "Blocked"
    changed = caller.send("patch", path, {"is_blocked": False, "expires_at": iso(days=1)})
    assert (changed.status_code, changed.json()["status"]) == (200, "Expired")
    assert caller.send("patch", path, {"expires_at": None}).json()["status"] == "Accepted"
    assert caller.send("get", "id-tokens?parent_id_tag=fleet").json()["count"] == 1
    assert caller.send("get", "id-tokens?is_blocked=true").json()["count"] == 0
    assert caller.send("delete", path).status_code == 204
    assert not IdToken.objects.exists()


def test_it_may_have_expired_from_the_start(caller):
    answer = create(caller, expires_at="2001-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["status"]) == (201, "Expired")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"id_tag": "x" * 37}, "id_tag"),
        ({"id_tag": "with space"}, "id_tag"),
        ({"id_tag": ""}, "id_tag"),
        ({"parent_id_tag": "x" * 21}, "parent_id_tag"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"type": "Card"}, "type"),
        ({"operator": 0}, "operator"),
    ],
)
def test_a_wrong_one_is_refused_by_field(caller, fields, field):
    answer = create(caller, **fields)
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_an_operator_has_a_tag_once_whatever_its_case(caller):
    assert create(caller).status_code == 201
    again = create(caller, id_tag="fleet-1")
    assert again.status_code == 400
    assert list(again.json()) == ["non_field_errors"]


def test_a_token_of_several_operators_says_whose_it_is(operator):
    other = OperatorFactory()
    caller = make_caller(operator, other)
    refused = create(caller)
    assert (refused.status_code, list(refused.json())) == (400, ["operator"])
    assert other.name in refused.json()["operator"][0]
    made = create(caller, operator=other.pk)
    assert made.json()["operator"] == other.pk
    moved = caller.send("patch", f"id-tokens/{made.json()['id']}", {"operator": operator.pk})
    assert (moved.status_code, list(moved.json())) == (400, ["operator"])
    assert create(make_caller(operator), operator=other.pk).status_code == 400


# -- what they open


@pytest.fixture
def id_token(operator):
    return IdToken.objects.create(operator=operator, id_tag="Fleet-1", parent_id_tag="FLEET")


@pytest.fixture
def port(monkeypatch):
    """The tags that the authorisation port was asked about."""
    asked = []

    def answer(charger_id, id_tag, evse_number=None):
        asked.append(id_tag)
        return Permit(AuthorizationStatus.INVALID)

    monkeypatch.setattr("chargers.ports.authorize_start", answer)
    return asked


def start(charger, tag="FLEET-1", evse=1):
    event = TransactionStarted(
        evse_number=evse, id_tag=tag, meter_start=Decimal(0), at=timezone.now() - timedelta(minutes=10)
    )
    return sessions.start_session(charger.pk, event, authorize.permit_start(charger.pk, event))


def test_it_charges_at_home_without_asking_partners_and_without_a_bill(charger, id_token, port, caller):
    told = authorize.authorize(charger.pk, "FLEET-1")
    assert (told.status, told.parent_id_tag) == (AuthorizationStatus.ACCEPTED, "FLEET")
    answer = start(charger)
    assert answer.is_accepted and port == []
    session = ChargingSession.objects.get(pk=answer.transaction_id)
    assert (session.status, session.network, session.peer_id) == (SessionStatus.ACTIVE, Network.HOME, "")
    assert (session.tariff_version, session.limit, session.parent_id_tag) == (None, None, "FLEET")
    assert not OutgoingCall.objects.exists(), "nobody asks it to stop"
    sessions.end_session(charger.pk, TransactionEnded(session.pk, Decimal(5000), timezone.now()))
    row = caller.send("get", "transactions?id_tag=fleet-1").json()["results"][0]
    assert (row["network"], row["kwh"], row["cost"]) == ("HOME", "5.0000", None)
    assert CDR.objects.get().total_cost_incl_vat == 0
    assert ("cdr", CDR.objects.get().pk) in events()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"is_blocked": True}, AuthorizationStatus.BLOCKED),
        ({"expires_at": "2001-01-01T00:00:00Z"}, AuthorizationStatus.EXPIRED),
    ],
)
def test_a_blocked_or_expired_one_is_refused_without_asking_partners(charger, id_token, port, change, status):
    IdToken.objects.update(**change)
    assert authorize.authorize(charger.pk, "FLEET-1").status == status
    answer = start(charger)
    assert (answer.is_accepted, answer.tag.status, port) == (False, status, [])


def test_it_opens_nothing_at_another_operator(id_token, port):
    elsewhere = make_connector().evse.charger
    assert authorize.authorize(elsewhere.pk, "FLEET-1").status == AuthorizationStatus.INVALID
    assert port == ["FLEET-1"]


def test_another_tag_is_the_partners_matter(charger, id_token, port):
    authorize.authorize(charger.pk, "CARD")
    assert port == ["CARD"]


# -- local lists


def test_a_local_list_is_kept_and_sent_whole(caller, charger):
    path = f"charge-points/{charger.identity}/local-list"
    assert caller.send("get", path).json()["version"] == 0
    entries = [
        {"id_tag": "A", "parent_id_tag": "P", "expires_at": "2030-01-01T00:00:00Z"},
        {"id_tag": "B", "status": "Blocked"},
    ]
    told = caller.send("put", path, {"entries": entries}).json()
    assert (told["version"], told["sent_version"], [one["status"] for one in told["entries"]]) == (
        1,
        None,
        ["Accepted", "Blocked"],
    )
    sent = caller.send("post", f"{path}/send")
    assert sent.status_code == 202
    assert OutgoingCall.objects.get(pk=sent.json()["id"]).payload == {
        "action": "SendLocalList",
        "payload": {
            "listVersion": 1,
            "updateType": "Full",
            "localAuthorizationList": [
                {
                    "idTag": "A",
                    "idTagInfo": {
                        "expiryDate": "2030-01-01T00:00:00+00:00",
                        "parentIdTag": "P",
                        "status": "Accepted",
                    },
                },
                {"idTag": "B", "idTagInfo": {"status": "Blocked"}},
            ],
        },
    }
    told = caller.send("get", path).json()
    assert (told["sent_version"], told["call"], told["call_result"]) == (1, sent.json()["id"], "")


def answered(sent, result, **answer):
    calls.finish_call(sent.json()["id"], result, answer)
    drain()


def last_list():
    payload = OutgoingCall.objects.latest("pk").payload["payload"]
    return payload["updateType"], payload.get("localAuthorizationList", [])


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_a_charger_that_holds_a_list_is_told_what_is_new(caller, charger, protocol):
    ChargerConnection.objects.update(protocol=protocol)
    path = f"charge-points/{charger.identity}/local-list"
    entries = [{"id_tag": name} for name in "ABCDE"]
    caller.send("put", path, {"entries": entries})
    answered(caller.send("post", f"{path}/send"), "ACCEPTED", status="Accepted")
    assert caller.send("get", path).json()["held_version"] == 1
    caller.send("put", path, {"entries": [{"id_tag": "A", "status": "Blocked"}, *entries[2:], {"id_tag": "F"}]})
    sent = caller.send("post", f"{path}/send")
    kind, told = last_list()
    named = [entry["idTag"] if protocol == "ocpp1.6" else entry["idToken"]["idToken"] for entry in told]
    # What has no information is taken out.
    assert (kind, named, list(told[-1])) == (
        "Differential",
        ["A", "F", "B"],
        ["idTag"] if protocol == "ocpp1.6" else ["idToken"],
    )
    answered(sent, "ACCEPTED", status="Accepted")
    assert LocalList.objects.get().held_version == 2
    # Again: the charger may have lost it.
    caller.send("post", f"{path}/send")
    assert last_list()[0] == "Full"


@pytest.mark.parametrize("result", ["FAILED", "REJECTED"], ids=["Failed", "VersionMismatch"])
def test_a_charger_that_cannot_do_with_the_changes_gets_all_of_it(caller, charger, result):
    path = f"charge-points/{charger.identity}/local-list"
    caller.send("put", path, {"entries": [{"id_tag": "A"}, {"id_tag": "B"}]})
    answered(caller.send("post", f"{path}/send"), "ACCEPTED", status="Accepted")
    caller.send("put", path, {"entries": [{"id_tag": "A"}, {"id_tag": "B"}, {"id_tag": "C"}]})
    sent = caller.send("post", f"{path}/send")
    assert last_list()[0] == "Differential"
    answered(sent, result)
    kind, told = last_list()
    assert (kind, len(told), OutgoingCall.objects.count()) == ("Full", 3, 3)
    calls.finish_call(OutgoingCall.objects.latest("pk").pk, result, {})
    drain()
    assert (OutgoingCall.objects.count(), LocalList.objects.get().held_version) == (3, None)


def test_a_list_that_cannot_be_sent_after_refused_changes_is_not_tried_again_and_again(caller, charger, caplog):
    path = f"charge-points/{charger.identity}/local-list"
    caller.send("put", path, {"entries": [{"id_tag": "A"}, {"id_tag": "B"}]})
    answered(caller.send("post", f"{path}/send"), "ACCEPTED", status="Accepted")
    caller.send("put", path, {"entries": [{"id_tag": "A"}, {"id_tag": "B"}, {"id_tag": "C"}]})
    sent = caller.send("post", f"{path}/send")
    assert last_list()[0] == "Differential"
    caller.send("put", path, {"entries": [{"id_tag": "x" * 36}]})
    answered(sent, "FAILED", status="Failed")
    assert not OutboxEvent.objects.filter(processed_at=None).exists()
    assert OutgoingCall.objects.count() == 2 and "cannot be sent all of it" in caplog.text
    caller.send("put", path, {"entries": [{"id_tag": "A"}]})
    caller.send("post", f"{path}/send")
    assert last_list()[0] == "Full"


@pytest.mark.parametrize(
    ("protocol", "component", "variable", "told"),
    [
        ("ocpp1.6", "", "LocalAuthListMaxLength", {"value": "2"}),
        ("ocpp1.6", "", "SendLocalListMaxLength", {"value": "2"}),
        ("ocpp2.0.1", "LocalAuthListCtrlr", "Entries", {"value": "0", "characteristics": {"maxLimit": 2.0}}),
        ("ocpp2.0.1", "LocalAuthListCtrlr", "ItemsPerMessage", {"value": "2"}),
    ],
)
def test_a_list_that_the_charger_cannot_take_is_refused_in_words(caller, charger, protocol, component, variable, told):
    ChargerConnection.objects.update(protocol=protocol)
    ChargerVariable.objects.create(charger=charger, component=component, variable=variable, **told)
    path = f"charge-points/{charger.identity}/local-list"
    caller.send("put", path, {"entries": [{"id_tag": name} for name in "ABC"]})
    refused = caller.send("post", f"{path}/send")
    assert refused.status_code == 400 and variable in str(refused.json())
    assert not OutgoingCall.objects.exists()
    caller.send("put", path, {"entries": [{"id_tag": name} for name in "AB"]})
    assert caller.send("post", f"{path}/send").status_code == 202


@pytest.mark.parametrize(
    ("action", "body", "answer"),
    [
        ("SendLocalList", {"listVersion": 7, "updateType": "Full"}, {"status": "Accepted"}),
        ("GetLocalListVersion", {}, {"listVersion": 0}),
    ],
)
def test_a_charger_that_holds_another_list_gets_all_of_it(caller, charger, action, body, answer):
    path = f"charge-points/{charger.identity}/local-list"
    caller.send("put", path, {"entries": [{"id_tag": "A"}, {"id_tag": "B"}]})
    answered(caller.send("post", f"{path}/send"), "ACCEPTED", status="Accepted")
    answered(caller.send("post", f"charge-points/{charger.identity}/commands/{action}", body), "ACCEPTED", **answer)
    caller.send("put", path, {"entries": [{"id_tag": "A"}]})
    caller.send("post", f"{path}/send")
    assert last_list()[0] == "Full"


def test_without_entries_it_holds_the_operators_id_tokens(caller, charger, id_token):
    path = f"charge-points/{charger.identity}/local-list"
    told = caller.send("put", path, {}).json()
    assert [(one["id_tag"], one["status"]) for one in told["entries"]] == [("Fleet-1", "Accepted")]
    assert caller.send("put", path, {"entries": []}).json()["version"] == 2
    assert LocalList.objects.get().entries == []


def test_2_0_1_gets_its_own_words(caller, charger, id_token):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    path = f"charge-points/{charger.identity}/local-list"
    caller.send("put", path, {})
    caller.send("post", f"{path}/send")
    assert OutgoingCall.objects.get().payload["payload"]["localAuthorizationList"] == [
        {
            "idToken": {"idToken": "Fleet-1", "type": "ISO14443"},
            "idTokenInfo": {"status": "Accepted", "groupIdToken": {"idToken": "FLEET", "type": "Central"}},
        }
    ]


def test_a_tag_too_long_for_1_6_is_told_and_nothing_is_sent(caller, charger):
    path = f"charge-points/{charger.identity}/local-list"
    caller.send("put", path, {"entries": [{"id_tag": "x" * 36}]})
    refused = caller.send("post", f"{path}/send")
    assert refused.status_code == 400
    assert "at most 20 characters. Take these from its list: " + "x" * 36 in refused.json()["entries"][0]
    assert LocalList.objects.get().sent_version is None


def test_a_list_is_not_sent_to_an_offline_charger(caller, charger):
    ChargerConnection.objects.update(channel_name="")
    assert caller.send("post", f"charge-points/{charger.identity}/local-list/send").status_code == 409


def test_a_tag_is_in_a_list_once(caller, charger):
    entries = [{"id_tag": "A"}, {"id_tag": "a"}]
    answer = caller.send("put", f"charge-points/{charger.identity}/local-list", {"entries": entries})
    assert (answer.status_code, list(answer.json())) == (400, ["entries"])


# -- charging profiles

PROFILE = {
    "stackLevel": 0,
    "chargingProfilePurpose": "ChargePointMaxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}]},
}


def test_a_profile_has_our_id_on_the_wire(caller, charger, operator):
    made = caller.send(
        "post", "charging-profiles", {"description": "Night", "profile": {**PROFILE, "chargingProfileId": 5}}
    )
    assert made.status_code == 201, made.json()
    number = made.json()["id"]
    assert made.json()["profile"]["chargingProfileId"] == number
    sent = caller.send("post", f"charging-profiles/{number}/set", {"charge_point": charger.identity})
    assert sent.status_code == 202
    assert OutgoingCall.objects.get().payload == {
        "action": "SetChargingProfile",
        "payload": {"connectorId": 0, "csChargingProfiles": {"chargingProfileId": number, **PROFILE}},
    }
    assert caller.send("get", f"charging-profiles/{number}").json()["description"] == "Night"
    assert caller.send("get", "charging-profiles?description=nigh").json()["count"] == 1
    patched = caller.send("patch", f"charging-profiles/{number}", {"description": "Day"})
    assert (patched.json()["description"], patched.json()["id"]) == ("Day", number)
    assert caller.send("delete", f"charging-profiles/{number}").status_code == 204


def test_its_id_is_no_sessions_own_profile(caller):
    made = caller.send("post", "charging-profiles", {"profile": PROFILE}).json()
    assert made["id"] == 1_000_000_000 + ChargingProfileTemplate.objects.get().pk < 2**31


def test_2_0_1_gets_a_profile_of_1_6_in_its_words(caller, charger):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    number = caller.send("post", "charging-profiles", {"profile": PROFILE}).json()["id"]
    body = {"charge_point": charger.identity, "evse": 1}
    assert caller.send("post", f"charging-profiles/{number}/set", body).status_code == 202
    wire = OutgoingCall.objects.get().payload["payload"]
    assert (wire["evseId"], wire["chargingProfile"]["id"]) == (1, number)
    assert wire["chargingProfile"]["chargingProfilePurpose"] == "ChargingStationMaxProfile"
    assert wire["chargingProfile"]["chargingSchedule"][0]["chargingRateUnit"] == "A"


def test_1_6_does_not_get_a_profile_of_2_0_1(caller, charger):
    profile = {
        **PROFILE,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingSchedule": [{"id": 1, **PROFILE["chargingSchedule"]}],
    }
    made = caller.send("post", "charging-profiles", {"profile": profile, "ocpp_version": "ocpp2.0.1"})
    assert made.json()["profile"]["id"] == made.json()["id"]
    answer = caller.send("post", f"charging-profiles/{made.json()['id']}/set", {"charge_point": charger.identity})
    assert (answer.status_code, list(answer.json())) == (400, ["charging_profile"])


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({}, "stackLevel"),
        ({**PROFILE, "extra": 1}, "extra"),
        ({**PROFILE, "chargingProfileKind": "Never"}, "chargingProfileKind"),
        ({**PROFILE, "chargingSchedule": {}}, "chargingSchedule.chargingRateUnit"),
    ],
)
def test_a_wrong_profile_is_told_by_field(caller, profile, field):
    answer = caller.send("post", "charging-profiles", {"profile": profile})
    assert (answer.status_code, f"profile.{field}" in answer.json()) == (400, True)


def test_a_profile_stays_with_the_chargers_of_its_operator(operator, charger):
    other = make_connector().evse.charger
    caller = make_caller(operator, other.location.operator)
    number = caller.send("post", "charging-profiles", {"profile": PROFILE, "operator": operator.pk}).json()["id"]
    answer = caller.send("post", f"charging-profiles/{number}/set", {"charge_point": other.identity})
    assert (answer.status_code, list(answer.json())) == (400, ["charge_point"])
