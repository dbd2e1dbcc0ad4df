"""Statements 83 to 90: sessions as partners hear of them while a charger charges."""

from datetime import UTC, datetime, timedelta

from tests.conformance.charger import until
from tests.conformance.client import Json
from tests.conformance.marks import statement
from tests.conformance.partner import Partner
from tests.conformance.seed import EVSES
from tests.conformance.stage import Peer, Run, Stage

HALF_AN_HOUR = timedelta(minutes=30)
ALL = "sessions?date_from=2020-01-01T00:00:00Z"


def held(partner: Partner, run: Run) -> Json:
    """The partner's copy: PUT replaces, PATCH changes, and appends charging periods."""
    copy: Json = {}
    for call in partner.calls("P", run.path):
        if call.method == "PUT":
            copy = call.body
        else:
            periods = copy.get("charging_periods", []) + call.body.get("charging_periods", [])
            copy = copy | call.body | ({"charging_periods": periods} if periods else {})
    return copy


def test_083_the_list_needs_date_from(ptp: Peer) -> None:
    assert ptp.client.get("sessions").both == (200, 2001)
    assert ptp.client.get("sessions?date_to=2030-01-01T00:00:00Z").both == (200, 2001)
    assert ptp.client.get(ALL).both == (200, 1000)


def test_084_the_start_becomes_the_moment_of_activation(stage: Stage, ptp: Peer) -> None:
    evse, reference = stage.evse(), stage.reference()
    stage.command(evse, reference)
    pending = ptp.partner.wait("PUT", "/2.2.1/sessions", authorization_reference=reference, status="PENDING")
    tag = stage.charger.wait("RemoteStartTransaction", connectorId=evse)["idTag"]
    began = datetime.now(UTC) - timedelta(seconds=90)
    run = Run(reference, evse, stage.charger.start(evse, tag, began), pending.body, began)
    active = stage.wait_for_status(run, "ACTIVE")
    assert active["start_date_time"] == began.strftime("%Y-%m-%dT%H:%M:%SZ") != pending.body["start_date_time"]
    until("the partner's copy", lambda: held(ptp.partner, run) == active)
    stage.end(run, wh=1000, after=timedelta(minutes=1))


@statement(85, 86)
def test_085_what_the_partner_holds_is_the_session(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(stage.evse(), ago=HALF_AN_HOUR)
    for minute in (5, 10):
        stage.charger.meter(run.evse, run.transaction, run.began + timedelta(minutes=minute), 1000 + minute * 100)
    stage.charger.status(run.evse, "SuspendedEV", run.began + timedelta(minutes=12))
    stage.charger.meter(run.evse, run.transaction, run.began + timedelta(minutes=15), 2200)
    until("two periods", lambda: len(stage.session(run).get("charging_periods", [])) >= 1)
    until("the partner's copy", lambda: held(ptp.partner, run) == stage.session(run))
    stage.end(run, wh=2200, after=HALF_AN_HOUR)
    completed = stage.wait_for_status(run, "COMPLETED")
    until("the partner's copy", lambda: held(ptp.partner, run) == completed)
    assert len(completed["charging_periods"]) >= 2


def test_086_nothing_follows_completed(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(stage.evse(), ago=HALF_AN_HOUR)
    stage.end(run, wh=5000, after=timedelta(minutes=20))
    last = ptp.partner.wait("P", run.path, status="COMPLETED")
    stage.charger.meter(run.evse, run.transaction, run.began + timedelta(minutes=25), 9000)
    stage.charger.stop(run.transaction, run.began + timedelta(minutes=26), 9000)
    # Once this one is through, a change of the other would have come, too.
    stage.charged()
    assert [call.number for call in ptp.partner.calls(path=run.path, since=last.number + 1)] == []
    assert stage.session(run)["kwh"] == 4


def test_087_a_commanded_session_names_its_command(stage: Stage, ptp: Peer) -> None:
    run, cdr = stage.charged()
    for found in (run.session, stage.session(run), cdr):
        assert found["auth_method"] == "COMMAND"
        assert found["authorization_reference"] == run.reference
        assert found["cdr_token"]["uid"] == f"CARD-{run.reference}"
    assert run.session["id"] in [one["id"] for one in ptp.client.get(ALL).data]


@statement(88)
def test_088_a_reservation_is_a_session(stage: Stage, emsp: Peer) -> None:
    reference = stage.reference()
    body = reservation(stage, emsp, reference, stage.evse())
    assert emsp.client.post("commands/RESERVE_NOW", body).data["result"] == "ACCEPTED"
    pushed = emsp.partner.wait("PUT", "/2.2.1/sessions", authorization_reference=reference)
    assert pushed.body["status"] == "RESERVATION"
    assert stage.result(reference, emsp).body["result"] == "ACCEPTED"
    assert emsp.client.get(f"sessions/{pushed.body['id']}").data["status"] == "RESERVATION"


def reservation(stage: Stage, peer: Peer, reference: str, evse: int) -> Json:
    body = stage.start_body(evse, reference, peer=peer)
    del body["connector_id"]
    return body | {"reservation_id": f"R-{reference}", "expiry_date": "2030-01-01T00:00:00Z"}


def test_089_an_evse_without_preferences_is_404_and_2001(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(EVSES)
    answer = ptp.client.put(f"sessions/{run.session['id']}/charging_preferences", {"profile_type": "REGULAR"})
    assert answer.both == (404, 2001)
    unknown = ptp.client.put("sessions/NONE/charging_preferences", {"profile_type": "REGULAR"})
    assert unknown.http == 404
    stage.end(run, wh=1000, after=timedelta(minutes=1))


def test_090_accepted_preferences_are_a_string(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(stage.evse())
    path = f"sessions/{run.session['id']}/charging_preferences"
    answer = ptp.client.put(path, {"profile_type": "REGULAR", "departure_time": "2030-01-01T00:00:00Z"})
    assert answer.both == (200, 1000)
    assert answer.data == "ACCEPTED"
    assert ptp.client.put(path, {"profile_type": "SLOW"}).both == (200, 2001)
    stage.end(run, wh=1000, after=timedelta(minutes=1))
