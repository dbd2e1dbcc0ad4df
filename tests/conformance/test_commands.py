"""Statements 101 to 112: commands, and what a charger makes of them."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from tests.conformance.charger import ACCEPTED, SILENCE, until
from tests.conformance.client import Json
from tests.conformance.marks import statement
from tests.conformance.stage import RESULTS, Peer, Stage

REMOTE_START = "RemoteStartTransaction"
# Where no charger is connected.
OFFLINE = {"location_id": "NIGHT", "evse_uid": "CP-OFF-1"}


def outcome(stage: Stage, reference: str, peer: Peer | None = None) -> str:
    return str(stage.result(reference, peer).body["result"])


@pytest.mark.parametrize("wrong", [{"location_id": "NONE"}, {"evse_uid": "CP-1-99"}, {"connector_id": "9"}])
def test_101_an_unknown_place_is_2003_and_has_no_result(stage: Stage, ptp: Peer, wrong: Json) -> None:
    reference, later = stage.reference(), stage.reference()
    answer = stage.command(1, reference, **wrong)
    assert answer.both == (200, 2003)
    assert answer.data["result"] == "REJECTED"
    # The result of a later command is there, the one of this would be, too.
    stage.command(1, later, **OFFLINE)
    stage.result(later)
    assert ptp.partner.calls("POST", f"{RESULTS}{reference}") == []


def test_102_accepted_comes_before_the_chargers_answer(stage: Stage, ptp: Peer) -> None:
    evse, reference, may_answer = stage.evse(), stage.reference(), threading.Event()

    def hesitate(request: Json) -> Json:
        may_answer.wait(5)
        return ACCEPTED

    stage.charger.plan[REMOTE_START, evse] = hesitate
    answer = stage.command(evse, reference)
    assert not may_answer.is_set()
    assert answer.both == (200, 1000)
    assert answer.data["result"] == "ACCEPTED"
    assert answer.data["timeout"] > 0
    assert ptp.partner.calls("POST", f"{RESULTS}{reference}") == []
    may_answer.set()
    assert outcome(stage, reference) == "ACCEPTED"


def test_103_one_result_to_the_very_address(stage: Stage, ptp: Peer) -> None:
    reference, later = stage.reference(), stage.reference()
    path = f"{RESULTS}{reference}/a%20b?x=1&y=%2F&command={reference}"
    stage.command(stage.evse(), reference, response_url=f"{ptp.partner.url}{path}")
    told = stage.result(reference)
    assert told.path == f"{RESULTS}{reference}/a%20b"
    assert told.query == {"x": ["1"], "y": ["/"], "command": [reference]}
    assert told.token == ptp.partner.token
    assert told.body["result"] == "ACCEPTED"
    stage.command(stage.evse(), later)
    stage.result(later)
    assert len(ptp.partner.calls("POST", f"{RESULTS}{reference}")) == 1


@statement(9)
def test_103_the_correlation_id_goes_to_the_charger_and_back(stage: Stage) -> None:
    evse, reference = stage.evse(), stage.reference()
    asked = stage.command(evse, reference).headers["x-correlation-id"]
    assert stage.result(reference).headers["x-correlation-id"] == asked
    # Staff find the call, its frame and the charger's answer by it.
    for model, count in (("chargers/outgoingcall", 1), ("chargers/chargermessage", 2)):
        until(f"{model} of {asked}", lambda model=model, count=count: len(stage.admin.rows(model, asked)) == count)


def test_104_a_silent_charger_is_told_of_in_time(stage: Stage) -> None:
    evse, reference = stage.evse(), stage.reference()
    stage.charger.plan[REMOTE_START, evse] = SILENCE
    answer = stage.command(evse, reference)
    answered = time.monotonic()
    told = stage.result(reference)
    assert told.body["result"] == "TIMEOUT"
    assert told.at - answered < answer.data["timeout"]


@pytest.mark.parametrize(
    ("status", "result"),
    [("Charging", "EVSE_OCCUPIED"), ("Finishing", "EVSE_OCCUPIED"), ("Faulted", "EVSE_INOPERATIVE")],
)
def test_105_occupied_and_inoperative(stage: Stage, status: str, result: str) -> None:
    evse, reference = stage.evse(), stage.reference()
    stage.charger.status(evse, status)
    assert stage.command(evse, reference).data["result"] == "ACCEPTED"
    assert outcome(stage, reference) == result
    assert not stage.charger.called(REMOTE_START, connectorId=evse)


@statement(105)
def test_105_offline_and_taken(stage: Stage) -> None:
    offline, second, evse = stage.reference(), stage.reference(), stage.evse()
    stage.command(1, offline, **OFFLINE)
    assert outcome(stage, offline) == "EVSE_INOPERATIVE"
    run = stage.begin(evse)
    stage.command(evse, second)
    assert outcome(stage, second) == "EVSE_OCCUPIED"
    stage.end(run, wh=1000, after=timedelta(minutes=1))


@pytest.mark.parametrize("kind", ["AD_HOC_USER", "APP_USER", "RFID"])
def test_106_no_token_is_checked(stage: Stage, emsp: Peer, kind: str) -> None:
    evse, reference = stage.evse(), stage.reference()
    body = stage.start_body(evse, reference, peer=emsp)
    token = body["token"] | {"type": kind, "valid": False}
    if kind == "RFID":
        emsp.client.put(f"tokens/DE/EMP/{token['uid']}", token)
    answer = emsp.client.post("commands/START_SESSION", body | {"token": token})
    assert answer.data["result"] == "ACCEPTED"
    assert outcome(stage, reference, emsp) == "ACCEPTED"
    assert len(stage.charger.called(REMOTE_START, connectorId=evse)) == 1
    assert not [call for call in emsp.partner.calls("POST", "/2.2.1/tokens") if token["uid"] in call.path]


def test_107_a_connector_needs_its_evse_and_some_evses_a_connector(stage: Stage, emsp: Peer) -> None:
    body = stage.start_body(1, stage.reference(), peer=emsp)
    without_evse = {name: value for name, value in body.items() if name != "evse_uid"}
    assert emsp.client.post("commands/START_SESSION", without_evse).both == (200, 2001)
    without_connector = {name: value for name, value in (body | OFFLINE).items() if name != "connector_id"}
    answer = emsp.client.post("commands/START_SESSION", without_connector)
    assert answer.both == (200, 2001)
    assert answer.data["result"] == "REJECTED"


@pytest.mark.parametrize("missing", ["evse_uid", "connector_id", "authorization_reference"])
def test_108_what_a_terminal_must_name(stage: Stage, ptp: Peer, missing: str) -> None:
    body = stage.start_body(1, stage.reference())
    del body[missing]
    answer = ptp.client.post("commands/START_SESSION", body)
    assert answer.both == (200, 2001)
    assert missing in answer.body["status_message"]


def stop(peer: Peer, session_id: str, **changes: Any) -> Json:
    body = {"response_url": f"{peer.partner.url}{RESULTS}stop-{session_id}", "session_id": session_id} | changes
    answer = peer.client.post("commands/STOP_SESSION", body)
    assert answer.both == (200, 1000)
    found: Json = answer.data
    return found


def test_109_whose_session_may_be_stopped(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(stage.evse())
    assert stop(ptp, "no-such-session")["result"] == "UNKNOWN_SESSION"
    assert stop(stage.other, run.session["id"])["result"] == "REJECTED"
    assert not stage.charger.called("RemoteStopTransaction", transactionId=run.transaction)
    assert stop(ptp, run.session["id"])["result"] == "ACCEPTED"
    stage.charger.wait("RemoteStopTransaction", transactionId=run.transaction)
    stage.end(run, wh=1000, after=timedelta(minutes=1))
    assert ptp.partner.wait("POST", f"{RESULTS}stop-{run.session['id']}").body["result"] == "ACCEPTED"
    assert stop(ptp, run.session["id"])["result"] == "REJECTED"


def reserve(stage: Stage, peer: Peer, evse: int, reservation_id: str, expiry: str = "2030-01-01T00:00:00Z") -> str:
    """Reserves and waits for the result; the reference of this request."""
    reference = stage.reference()
    body = stage.start_body(evse, reference, peer=peer) | {"reservation_id": reservation_id, "expiry_date": expiry}
    del body["connector_id"]
    answer = peer.client.post("commands/RESERVE_NOW", body)
    assert answer.data["result"] == "ACCEPTED", answer.raw
    assert outcome(stage, reference, peer) == "ACCEPTED"
    return reference


def test_110_the_same_reservation_is_replaced(stage: Stage, ptp: Peer, emsp: Peer) -> None:
    first, second, elsewhere = stage.evse(), stage.evse(), stage.evse()
    reserve(stage, emsp, first, "SAME")
    replaced = reserve(stage, emsp, second, "SAME", "2031-01-01T00:00:00Z")
    reserve(stage, ptp, elsewhere, "SAME")
    ids = [stage.charger.wait("ReserveNow", connectorId=evse)["reservationId"] for evse in (first, second, elsewhere)]
    assert ids[0] == ids[1] != ids[2]
    # One session, that of the last request.
    pushed = emsp.partner.wait("P", "/2.2.1/sessions", authorization_reference=replaced)
    session = emsp.client.get(f"sessions/{pushed.path.rsplit('/', 1)[1]}").data
    assert (session["status"], session["evse_uid"]) == ("RESERVATION", f"CP-1-{second}")


@statement(110)
def test_110_a_partner_cancels_its_reservation(stage: Stage, ptp: Peer) -> None:
    evse = stage.evse()
    reserve(stage, ptp, evse, "MINE")
    known = {"response_url": f"{ptp.partner.url}{RESULTS}cancel-mine", "reservation_id": "MINE"}
    unknown = {"response_url": f"{ptp.partner.url}{RESULTS}cancel-none", "reservation_id": "NONE"}
    for body in (known, unknown):
        assert ptp.client.post("commands/CANCEL_RESERVATION", body).data["result"] == "ACCEPTED"
    assert ptp.partner.wait("POST", f"{RESULTS}cancel-mine").body["result"] == "ACCEPTED"
    assert ptp.partner.wait("POST", f"{RESULTS}cancel-none").body["result"] == "UNKNOWN_RESERVATION"
    asked = stage.charger.wait("ReserveNow", connectorId=evse)["reservationId"]
    stage.charger.wait("CancelReservation", reservationId=asked)


def test_111_our_cancellation_goes_where_the_reservation_was_asked(stage: Stage, ptp: Peer) -> None:
    reference = reserve(stage, ptp, stage.evse(), "TAKEN-BACK")
    stage.admin.submit(f"{stage.row('chargers/reservation', 'TAKEN-BACK')}cancel/")
    told = ptp.partner.wait("POST", f"{RESULTS}{reference}", count=2)
    assert told.body["result"] == "CANCELED_RESERVATION"
    assert told.query == {"command": [reference]}
    session = ptp.partner.wait("PUT", "/2.2.1/sessions", authorization_reference=reference).body
    until("the end", lambda: ptp.client.get(f"sessions/{session['id']}").data["status"] == "COMPLETED")


def test_112_a_repeated_reference_starts_nothing(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(stage.evse())
    assert stage.command(run.evse, run.reference).data["result"] == "ACCEPTED"
    assert stage.command(stage.evse(), run.reference).data["result"] == "REJECTED"
    assert stage.command(run.evse, run.reference.upper()).data["result"] == "ACCEPTED"
    stage.end(run, wh=1000, after=timedelta(minutes=1))
    assert len(stage.charger.called(REMOTE_START, connectorId=run.evse)) == 1
    listed = ptp.client.get("sessions?date_from=2020-01-01T00:00:00Z&limit=100").data
    found = [one["id"] for one in listed if one["authorization_reference"].lower() == run.reference]
    assert found == [run.session["id"]]
    assert until("one CDR", lambda: len(ptp.partner.calls("POST", "/2.2.1/cdrs", session_id=run.session["id"]))) == 1
