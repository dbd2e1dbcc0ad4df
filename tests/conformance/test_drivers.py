"""Statements 113 to 119: cards, charging profiles, and parties behind a hub."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.conformance.client import Json
from tests.conformance.marks import statement
from tests.conformance.partner import HANG_UP, PATIENCE, Received, Reply, envelope
from tests.conformance.stage import RESULTS, Peer, Run, Stage

TOKENS = "/2.2.1/tokens"


def token(uid: str, **changes: object) -> Json:
    return {
        "country_code": "DE",
        "party_id": "EMP",
        "uid": uid,
        "type": "RFID",
        "contract_id": f"DE-EMP-{uid}",
        "issuer": "Test",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes


def give(emsp: Peer, uid: str, **changes: object) -> None:
    assert emsp.client.put(f"tokens/DE/EMP/{uid}", token(uid, **changes)).code == 1000


def test_113_a_token_is_named_with_its_type(emsp: Peer) -> None:
    give(emsp, "TYPED")
    assert emsp.client.get("tokens/DE/EMP/TYPED").data["type"] == "RFID"
    assert emsp.client.get("tokens/DE/EMP/TYPED?type=RFID").http == 200
    assert emsp.client.get("tokens/DE/EMP/TYPED?type=APP_USER").http == 404
    app = token("TYPED", type="APP_USER", contract_id="DE-EMP-APP")
    assert emsp.client.put("tokens/DE/EMP/TYPED?type=APP_USER", app).both == (201, 1000)
    assert emsp.client.get("tokens/DE/EMP/TYPED").data["contract_id"] == "DE-EMP-TYPED"
    assert emsp.client.get("tokens/DE/EMP/TYPED?type=APP_USER").data["contract_id"] == "DE-EMP-APP"


def test_114_a_patch_needs_last_updated(emsp: Peer) -> None:
    give(emsp, "PATCHED")
    assert emsp.client.patch("tokens/DE/EMP/PATCHED", {"valid": False}).both == (200, 2001)
    assert emsp.client.get("tokens/DE/EMP/PATCHED").data["valid"] is True
    changes = {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}
    assert emsp.client.patch("tokens/DE/EMP/PATCHED", changes).both == (200, 1000)
    assert emsp.client.get("tokens/DE/EMP/PATCHED").data == token("PATCHED", **changes)


def allowed(request: Received) -> Reply:
    uid = request.path.split("/")[-2]
    return 200, envelope({"allowed": "ALLOWED", "token": token(uid), "authorization_reference": f"AUTH-{uid}"})


def asked(emsp: Peer, uid: str) -> int:
    return len(emsp.partner.calls("POST", f"{TOKENS}/{uid}/authorize"))


def test_115_never_asks(stage: Stage, emsp: Peer) -> None:
    give(emsp, "ASK-ME")
    emsp.partner.plan[f"POST {TOKENS}/ASK-ME"] = allowed
    assert stage.charger.authorize("ASK-ME") == "Accepted"
    assert asked(emsp, "ASK-ME") == 1
    assert emsp.partner.calls("POST", f"{TOKENS}/ASK-ME")[0].body["location_id"] == "MAIN"


@statement(115)
def test_115_always_does_not_ask(stage: Stage, emsp: Peer) -> None:
    give(emsp, "TRUSTED", whitelist="ALWAYS")
    assert stage.charger.authorize("TRUSTED") == "Accepted"
    assert asked(emsp, "TRUSTED") == 0


@statement(115)
@pytest.mark.parametrize(("whitelist", "status"), [("ALLOWED_OFFLINE", "Accepted"), ("NEVER", "Invalid")])
def test_115_when_the_emsp_cannot_be_reached(stage: Stage, emsp: Peer, whitelist: str, status: str) -> None:
    uid = f"OFF-{whitelist}"[:20]
    give(emsp, uid, whitelist=whitelist)
    emsp.partner.plan[f"POST {TOKENS}/{uid}"] = HANG_UP
    assert stage.charger.authorize(uid) == status
    assert asked(emsp, uid) == 1


def test_116_an_unknown_token_is_refused_without_a_retry(stage: Stage, emsp: Peer) -> None:
    give(emsp, "GONE")
    emsp.partner.plan[f"POST {TOKENS}/GONE"] = (404, envelope(status_code=2004))
    assert stage.charger.authorize("GONE") == "Invalid"
    # Another card, to be sure that nothing of this one is still on its way.
    assert stage.charger.authorize("TRUSTED-TOO") != "Accepted"
    assert asked(emsp, "GONE") == 1


# Charging profiles


@pytest.fixture
def run(stage: Stage) -> Iterator[Run]:
    running = stage.begin(stage.evse())
    yield running
    stage.end(running, wh=1000, after=timedelta(minutes=1))


PROFILE = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 10.5}]}


def set_profile(peer: Peer, session_id: str, name: str) -> Json:
    address = f"{peer.partner.url}{RESULTS}{name}"
    answer = peer.client.put(f"chargingprofiles/{session_id}", {"charging_profile": PROFILE, "response_url": address})
    assert answer.both == (200, 1000)
    found: Json = answer.data
    return found


def get_profile(peer: Peer, session_id: str, name: str) -> Json:
    address = f"{peer.partner.url}{RESULTS}{name}"
    found: Json = peer.client.get(f"chargingprofiles/{session_id}?duration=600&response_url={address}").data
    return found


def test_117_unknown_sessions_and_too_many_requests(stage: Stage, ptp: Peer, run: Run) -> None:
    assert set_profile(ptp, "NONE", "x")["result"] == "UNKNOWN_SESSION"
    assert get_profile(ptp, "NONE", "x")["result"] == "UNKNOWN_SESSION"
    cleared = ptp.client.call("DELETE", f"chargingprofiles/NONE?response_url={ptp.partner.url}/x")
    assert cleared.data["result"] == "UNKNOWN_SESSION"
    assert set_profile(stage.other, run.session["id"], "x")["result"] == "REJECTED"
    session_id = stage.wait_for_status(run, "ACTIVE")["id"]
    results = [set_profile(ptp, session_id, f"often-{number}")["result"] for number in range(8)]
    assert results[0] == "ACCEPTED"
    assert results[-1] == "TOO_OFTEN"


def test_118_profiles_in_force_are_for_who_set_one(stage: Stage, ptp: Peer, run: Run) -> None:
    session_id = stage.wait_for_status(run, "ACTIVE")["id"]
    active = f"/2.2.1/chargingprofiles/{session_id}"
    for name in ("look", "look-again"):
        assert get_profile(ptp, session_id, name)["result"] == "ACCEPTED"
        told = ptp.partner.wait("POST", f"{RESULTS}{name}").body
        assert told["profile"]["charging_profile"]["charging_profile_period"][0]["limit"] == 16
    cleared = f"chargingprofiles/{session_id}?response_url={ptp.partner.url}{RESULTS}clear"
    assert ptp.client.call("DELETE", cleared).data["result"] == "ACCEPTED"
    assert ptp.partner.wait("POST", f"{RESULTS}clear").body == {"result": "ACCEPTED"}
    assert get_profile(ptp, session_id, "look-at-last")["result"] == "ACCEPTED"
    ptp.partner.wait("POST", f"{RESULTS}look-at-last")
    # What is in force is asked for before it is told: the charger was asked for the three answers, and for no more.
    assert len(stage.charger.called("GetCompositeSchedule", connectorId=run.evse)) == 3
    assert ptp.partner.calls("PUT", active) == []
    assert set_profile(ptp, session_id, "set")["result"] == "ACCEPTED"
    assert ptp.partner.wait("POST", f"{RESULTS}set").body == {"result": "ACCEPTED"}
    wanted = stage.charger.wait("SetChargingProfile", connectorId=run.evse)["csChargingProfiles"]
    assert wanted["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.5}]
    assert ptp.partner.wait("PUT", active).body.keys() == {"start_date_time", "charging_profile"}


# A hub


def tell(hub: Peer, party: str, status: str, day: int) -> None:
    body = {
        "country_code": "DE",
        "party_id": party,
        "role": "EMSP",
        "status": status,
        "last_updated": f"2026-01-{day:02}T00:00:00Z",
    }
    assert hub.client.put(f"hubclientinfo/DE/{party}", body).code == 1000
    assert hub.client.get(f"hubclientinfo/DE/{party}").data == body


@pytest.mark.parametrize(("party", "status"), [("HA1", "OFFLINE"), ("HA2", "SUSPENDED"), ("HA3", "PLANNED")])
def test_119_nothing_is_sent_to_a_party_that_is_away(stage: Stage, party: str, status: str) -> None:
    hub = stage.hub
    tell(hub, party, status, 1)
    tell(hub, "HOM", "CONNECTED", 1)
    away, home = (charge_behind_hub(stage, name) for name in (party, "HOM"))
    hub.partner.wait("POST", "/2.2.1/cdrs", authorization_reference=home)
    assert hub.partner.calls("P", "/2.2.1/sessions", authorization_reference=away) == []
    assert hub.partner.calls("POST", "/2.2.1/cdrs", authorization_reference=away) == []


@statement(119)
def test_119_a_party_that_is_back_gets_the_present_state(stage: Stage) -> None:
    hub = stage.hub
    tell(hub, "BAC", "OFFLINE", 1)
    reference = charge_behind_hub(stage, "BAC")
    wait_until_listed(hub, reference, "COMPLETED")
    tell(hub, "BAC", "CONNECTED", 2)
    told = hub.partner.wait("P", "/2.2.1/sessions", authorization_reference=reference)
    assert (told.method, told.body["status"]) == ("PUT", "COMPLETED")
    hub.partner.wait("POST", "/2.2.1/cdrs", authorization_reference=reference)


def wait_until_listed(peer: Peer, reference: str, status: str) -> None:
    """What is told from now on is this state, and not one on the way to it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        sessions = [
            session for page in peer.client.pages("sessions?date_from=2020-01-01T00:00:00Z") for session in page.data
        ]
        if any((one.get("authorization_reference"), one["status"]) == (reference, status) for one in sessions):
            return
        assert time.monotonic() < deadline, f"{reference} is not {status}"
        time.sleep(0.1)


def charge_behind_hub(stage: Stage, party: str) -> str:
    """A whole session with a token of the party; its authorization reference."""
    evse, reference = stage.evse(), stage.reference()
    body = stage.start_body(evse, reference, peer=stage.hub)
    owner = {"country_code": "DE", "party_id": party}
    answer = stage.hub.client.post("commands/START_SESSION", body | {"token": body["token"] | owner})
    assert answer.data["result"] == "ACCEPTED", answer.raw
    assert stage.result(reference, stage.hub).body["result"] == "ACCEPTED"
    tag = stage.charger.wait("RemoteStartTransaction", connectorId=evse)["idTag"]
    began = stage.now()
    transaction = stage.charger.start(evse, tag, began)
    stage.charger.stop(transaction, began + timedelta(minutes=1), 1000)
    return reference
