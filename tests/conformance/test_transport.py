"""Statements 1 to 26: how requests are read and answers written, and how we call."""

import json
import re
from typing import Any

import pytest

from tests.conformance.charger import until
from tests.conformance.client import DATETIME, Client, basic64
from tests.conformance.marks import statement
from tests.conformance.partner import envelope
from tests.conformance.stage import Peer, Stage

PROTECTED = ["locations", "tariffs", "sessions?date_from=2020-01-01T00:00:00Z", "cdrs", "payments/terminals"]
ROUTING = {"ocpi-from-country-code", "ocpi-from-party-id", "ocpi-to-country-code", "ocpi-to-party-id"}


def without(client: Client, name: str, path: str) -> dict[str, str]:
    return {key: value for key, value in client.headers(path).items() if key != name}


@pytest.mark.parametrize("path", ["/ocpi/versions", "/ocpi/2.2.1", "credentials", *PROTECTED])
def test_001_no_authorization_header_is_401(ptp: Peer, path: str) -> None:
    answer = ptp.client.call("GET", path, all_headers=without(ptp.client, "Authorization", path))
    assert answer.http == 401
    assert answer.code >= 2000


@pytest.mark.parametrize("body", [b"{", b"", b'{"a": 1}'])
def test_002_an_unknown_token_is_401_whatever_the_body(ptp: Peer, body: bytes) -> None:
    stranger = ptp.client.with_token("nobody-has-this")
    assert stranger.get("locations").http == 401
    assert stranger.call("POST", "commands/START_SESSION", body).http == 401
    assert stranger.call("POST", "credentials", body).http == 401


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_003_base64_token_authenticates_even_with_a_newline(ptp: Peer, end: str) -> None:
    assert ptp.client.get("locations", Authorization=f"Token {basic64(ptp.client.token + end)}").both == (200, 1000)


def test_004_a_plain_token_authenticates_and_is_sent_to_who_wants_it(stage: Stage, ptp: Peer) -> None:
    assert ptp.client.get("locations", Authorization=f"Token {ptp.client.token}").both == (200, 1000)
    partner = stage.new_partner("RAW", is_plain=True)
    stage.register("new-1", partner)
    pushed = partner.wait("PUT", "/2.2.1/locations")
    assert pushed.headers["authorization"] == f"Token {partner.token}"


@pytest.mark.parametrize("path", PROTECTED)
def test_005_a_registration_token_is_401_outside_versions_and_credentials(stage: Stage, path: str) -> None:
    newcomer = Client(stage.base, stage.secrets["tokens"]["new-2"])
    assert newcomer.get(path).http == 401
    assert newcomer.post("commands/STOP_SESSION", {}).http == 401
    assert newcomer.get("/ocpi/versions").http == 200


@pytest.mark.parametrize("body", [b"", b"{", b'{"terminal_id": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_006_no_json_is_400(ptp: Peer, body: bytes) -> None:
    for path in ("payments/terminals", "commands/START_SESSION"):
        answer = ptp.client.call("POST", path, body)
        assert answer.both == (400, 2001)


@pytest.mark.parametrize("body", [{}, [], "text", {"terminal_id": 7}, {"terminal_id": "x" * 37}])
def test_007_json_against_the_schema_is_200_and_2001(ptp: Peer, body: Any) -> None:
    answer = ptp.client.post("payments/terminals", body)
    assert answer.both == (200, 2001)
    assert answer.body["status_message"]


def test_008_success_is_1000_with_a_utc_timestamp(ptp: Peer) -> None:
    answer = ptp.client.get("locations")
    assert answer.both == (200, 1000)
    assert answer.headers["content-type"].startswith("application/json")
    assert DATETIME.fullmatch(answer.body["timestamp"])


def test_009_request_and_correlation_ids_are_repeated_or_made(ptp: Peer) -> None:
    answer = ptp.client.get("locations", X_Request_ID="request-1", X_Correlation_ID="correlation-1")
    assert answer.headers["x-request-id"] == "request-1"
    assert answer.headers["x-correlation-id"] == "correlation-1"
    only_token = {"Authorization": ptp.client.headers()["Authorization"]}
    answer = ptp.client.call("GET", "locations", all_headers=only_token)
    assert answer.http == 200
    assert answer.headers["x-request-id"]
    assert answer.headers["x-correlation-id"]


def test_010_our_request_ids_differ(ptp: Peer) -> None:
    ids = [call.headers["x-request-id"] for call in ptp.partner.calls()]
    assert len(ids) > 5
    assert len(set(ids)) == len(ids)
    assert all(call.headers["x-correlation-id"] for call in ptp.partner.calls())


def test_011_answers_have_the_routing_swapped(ptp: Peer) -> None:
    headers = ptp.client.get("locations").headers
    assert {name: headers[name] for name in ROUTING} == {
        "ocpi-from-country-code": "AT",
        "ocpi-from-party-id": "VLT",
        "ocpi-to-country-code": "NL",
        "ocpi-to-party-id": "PTP",
    }


def test_012_configuration_modules_have_no_routing(stage: Stage, ptp: Peer) -> None:
    for peer, path in (
        (ptp, "/ocpi/versions"),
        (ptp, "/ocpi/2.2.1"),
        (ptp, "credentials"),
        (stage.hub, "hubclientinfo/DE/EMP"),
    ):
        # Who sends them all the same is not answered with them, and not judged by them.
        answers = [peer.client.get(path), peer.client.get(path, OCPI_to_country_code="XX", OCPI_to_party_id="XXX")]
        assert [answer.http for answer in answers] == [answers[0].http] * 2
        assert not any(ROUTING & set(answer.headers) for answer in answers)
    for call in ptp.partner.calls("GET"):
        if call.path in ("/versions", "/2.2.1"):
            assert not ROUTING & set(call.headers)
    assert ptp.partner.calls("PUT", "/2.2.1/locations")[0].headers.keys() >= ROUTING


def test_013_an_addressee_that_is_not_ours_is_2001(stage: Stage, ptp: Peer) -> None:
    evse, reference = stage.evse(), stage.reference()
    stranger = Client(ptp.client.base, ptp.client.token, ptp.client.own, ("AT", "XXX"))
    assert stranger.get("locations").both == (200, 2001)
    assert stranger.post("commands/START_SESSION", stage.start_body(evse, reference)).both == (200, 2001)
    assert not stage.charger.called("RemoteStartTransaction", connectorId=evse)


def test_014_header_names_in_any_case(ptp: Peer) -> None:
    for change in (str.lower, str.upper):
        headers = {change(name): value for name, value in ptp.client.headers().items()}
        answer = ptp.client.call("GET", "locations", all_headers=headers)
        assert answer.http == 200
        assert answer.headers["ocpi-to-party-id"] == "PTP"


@pytest.mark.parametrize("path", ["locations/", "locations//", "/ocpi//2.2.1/locations", "//ocpi/2.2.1//locations/"])
def test_015_trailing_and_doubled_slashes(ptp: Peer, path: str) -> None:
    assert ptp.client.get(path).both == (200, 1000)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "locations"),
        ("PUT", "locations/MAIN"),
        ("DELETE", "tariffs/ADHOC"),
        ("POST", "sessions"),
        ("PATCH", "cdrs/1"),
        ("GET", "commands/START_SESSION"),
        ("DELETE", "payments/terminals/1"),
        ("PATCH", "credentials"),
        ("POST", "/ocpi/versions"),
        ("DELETE", "tokens/NL/PTP/1"),
    ],
)
def test_016_a_method_that_is_not_there_is_405(ptp: Peer, method: str, path: str) -> None:
    answer = ptp.client.call(method, path, {})
    assert answer.http == 405
    assert answer.headers["allow"]


def test_017_unknown_fields_are_accepted(ptp: Peer) -> None:
    terminal = {"terminal_id": "UNKNOWN-FIELDS", "colour": "red", "nested": {"a": [1, None]}}
    assert ptp.client.post("payments/terminals", terminal).both == (201, 1000)
    stored = ptp.client.get("payments/terminals/UNKNOWN-FIELDS").data
    assert stored["terminal_id"] == "UNKNOWN-FIELDS"


@pytest.mark.parametrize(
    "path",
    [
        "locations/NOWHERE",
        "tariffs/NONE",
        "sessions/NONE",
        "cdrs/NONE",
        "tokens/NL/PTP/NONE",
        "payments/terminals/NONE",
        "payments/financial-advice-confirmations/NONE",
        "nothing-like-this",
    ],
)
def test_018_an_unknown_object_is_404(ptp: Peer, path: str) -> None:
    answer = ptp.client.get(path)
    assert answer.http == 404
    assert answer.code >= 2000


def test_019_patch_of_an_unknown_object_is_404_and_creates_nothing(ptp: Peer, emsp: Peer) -> None:
    changes = {"valid": False, "last_updated": "2026-01-01T00:00:00Z"}
    assert emsp.client.patch("tokens/DE/EMP/NEVER-PUT", changes).http == 404
    assert emsp.client.get("tokens/DE/EMP/NEVER-PUT").http == 404
    assert ptp.client.patch("payments/terminals/NEVER-POSTED", {"city": "Wien"}).http == 404
    assert ptp.client.get("payments/terminals/NEVER-POSTED").http == 404


def token(uid: str, **changes: Any) -> dict[str, Any]:
    return {
        "country_code": "DE",
        "party_id": "EMP",
        "uid": uid,
        "type": "RFID",
        "contract_id": f"DE-EMP-{uid}",
        "issuer": "Test",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes


def test_020_created_is_201_and_changed_200(ptp: Peer, emsp: Peer) -> None:
    assert emsp.client.put("tokens/DE/EMP/TWICE", token("TWICE")).both == (201, 1000)
    assert emsp.client.put("tokens/DE/EMP/TWICE", token("TWICE", valid=False)).both == (200, 1000)
    assert ptp.client.post("payments/terminals", {"terminal_id": "TWICE"}).both == (201, 1000)
    assert ptp.client.post("payments/terminals", {"terminal_id": "TWICE"}).both == (200, 1000)


def test_021_another_peers_party_is_404(ptp: Peer, emsp: Peer) -> None:
    emsp.client.put("tokens/DE/EMP/SECRET", token("SECRET"))
    assert ptp.client.get("tokens/DE/EMP/SECRET").http == 404
    answer = ptp.client.put("tokens/DE/EMP/SECRET", token("SECRET", valid=False))
    assert answer.http == 404
    assert b"SECRET" not in answer.raw
    assert emsp.client.get("tokens/DE/EMP/SECRET").data["valid"] is True


def test_022_another_id_in_the_body_is_2001_and_nothing_is_stored(ptp: Peer, emsp: Peer) -> None:
    assert emsp.client.put("tokens/DE/EMP/IN-URL", token("IN-BODY")).both == (200, 2001)
    assert emsp.client.put("tokens/DE/EMP/IN-URL", token("IN-URL", party_id="EM2")).both == (200, 2001)
    assert ptp.client.put("payments/terminals/IN-URL", {"terminal_id": "IN-BODY"}).both == (200, 2001)
    assert emsp.client.get("tokens/DE/EMP/IN-URL").http == emsp.client.get("tokens/DE/EMP/IN-BODY").http == 404
    assert ptp.client.get("payments/terminals/IN-BODY").http == 404


def test_023_ids_ignore_case_and_keep_their_spelling(ptp: Peer, emsp: Peer) -> None:
    assert ptp.client.get("locations/main/cp-1-1/1").http == 200
    assert ptp.client.get("locations/main").data["id"] == "MAIN"
    assert ptp.client.get("tariffs/adhoc").data["id"] == "ADHOC"
    emsp.client.put("tokens/DE/EMP/MiXed", token("MiXed"))
    assert emsp.client.get("tokens/de/emp/mIxED").data["uid"] == "MiXed"
    assert emsp.client.put("tokens/de/emp/MIXED", token("MIXED")).http == 200
    ptp.client.post("payments/terminals", {"terminal_id": "MiXed"})
    assert ptp.client.post("payments/terminals", {"terminal_id": "mixed"}).http == 200
    assert ptp.client.get("payments/terminals/MIXED").data["terminal_id"] == "MiXed"


@pytest.mark.parametrize("end", ["", "Z", ".5", ".123456Z", "+00:00"])
def test_024_datetimes_without_zone_or_with_fractions(ptp: Peer, end: str) -> None:
    moment = f"2026-01-01T12:00:00{end}"
    terminal = {"terminal_id": f"AT-{len(end)}", "last_updated": moment}
    assert ptp.client.post("payments/terminals", terminal).code == 1000
    stored = ptp.client.get(f"payments/terminals/AT-{len(end)}").data["last_updated"]
    assert stored.startswith("2026-01-01T12:00:00")


@statement(24)
@pytest.mark.parametrize("moment", ["2026-01-01T12:00:00+02:00", "2026-01-01", "2026-13-01T00:00:00Z", "now", 7, None])
def test_024_other_zones_and_forms_are_2001(ptp: Peer, emsp: Peer, moment: Any) -> None:
    answer = emsp.client.put("tokens/DE/EMP/WHEN", token("WHEN", last_updated=moment))
    assert answer.both == (200, 2001)
    assert emsp.client.get("tokens/DE/EMP/WHEN").http == 404


MOMENT = re.compile(r'"[^"]*(?:_date_time|last_updated|timestamp|period_begin|period_end)": ?"(\d{4}-[^"]*)"')


def test_025_our_datetimes_end_in_z(stage: Stage, ptp: Peer) -> None:
    stage.charged()
    sent = [json.dumps(call.body) for call in ptp.partner.calls() if call.body]
    answered = [ptp.client.get(path).raw.decode() for path in (*PROTECTED, "locations/MAIN")]
    moments = [moment for text in sent + answered for moment in MOMENT.findall(text)]
    assert len(moments) > 50
    assert [moment for moment in moments if not DATETIME.fullmatch(moment)] == []


def test_026_updates_missed_are_read_or_sent_as_they_are_then(stage: Stage) -> None:
    peer, place = stage.other, "/2.2.1/locations/AT/VLT/MAIN"
    evse = stage.evse()
    peer.partner.plan[f"PATCH {place}"] = peer.partner.plan[f"PUT {place}"] = (503, envelope(status_code=3000))
    since = peer.partner.now
    stage.charger.status(evse, "Unavailable")
    failed = peer.partner.wait("P", place, since)
    stage.charger.status(evse, "Faulted")
    stage.charger.status(evse, "Finishing")
    until("the present state", lambda: peer.client.get(f"locations/MAIN/CP-1-{evse}").data["status"] == "BLOCKED")
    peer.partner.plan.clear()
    since = peer.partner.now
    peer.partner.wait("P", place, since)
    told = [state_in(call.body, evse) for call in peer.partner.calls("P", place, since)]
    assert state_in(failed.body, evse) == "INOPERATIVE"
    # What it missed is not played back.
    assert set(told) == {"BLOCKED"}


def state_in(body: dict[str, Any], evse: int) -> str:
    if "evses" not in body:
        return str(body["status"])
    return next(str(one["status"]) for one in body["evses"] if one["uid"] == f"CP-1-{evse}")
