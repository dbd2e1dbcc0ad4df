"""Statements 37 to 54: versions, and the handshake with partners that are well or badly prepared."""

from typing import Any

import pytest

from tests.conformance.charger import until
from tests.conformance.client import Client
from tests.conformance.marks import statement
from tests.conformance.partner import Partner, Received, Reply, envelope
from tests.conformance.stage import Peer, Stage
from tests.e2e.admin_site import text_of

PLATFORMS = "roaming/roamingplatform"
TOUCH_QUEUE = """
    UPDATE roaming_push SET attempts = attempts WHERE state IN ('PENDING', 'IN_FLIGHT')
    AND platform_id = (SELECT id FROM roaming_roamingplatform WHERE code = %s)
"""


def listed(client: Client) -> list[tuple[str, str]]:
    return [(one["identifier"], one["role"]) for one in client.get("/ocpi/2.2.1").data["endpoints"]]


def test_037_versions_for_any_valid_token(stage: Stage, ptp: Peer) -> None:
    newcomer = Client(stage.base, stage.secrets["tokens"]["new-2"])
    for client in (newcomer, ptp.client):
        assert client.get("/ocpi/versions").data == [{"version": "2.2.1", "url": f"{stage.base}/ocpi/2.2.1"}]
    assert ptp.client.with_token("nobody").get("/ocpi/versions").http == 401


def test_038_version_details(stage: Stage, ptp: Peer) -> None:
    details = ptp.client.get("/ocpi/2.2.1").data
    assert details["version"] == "2.2.1"
    assert all(one["url"] == f"{stage.base}/ocpi/2.2.1/{one['identifier']}" for one in details["endpoints"])
    assert {role for _, role in listed(ptp.client)} == {"SENDER", "RECEIVER"}
    assert [name for name, _ in listed(ptp.client)].count("credentials") == 1


def test_039_payments_for_ptps_only(stage: Stage, ptp: Peer, emsp: Peer) -> None:
    assert ("payments", "RECEIVER") in listed(ptp.client)
    for peer in (emsp, stage.hub):
        assert not [name for name, _ in listed(peer.client) if name == "payments"]
        assert peer.client.get("payments/terminals").http == 404


def test_040_the_peer_is_read_with_its_token_before_the_answer(stage: Stage) -> None:
    partner = stage.new_partner("SLO")
    newcomer = stage.newcomer("new-3", partner)
    assert newcomer.post("credentials", partner.credentials()).code == 1000
    read = [(call.path, call.token) for call in partner.calls("GET")[:2]]
    assert read == [("/versions", partner.token), ("/2.2.1", partner.token)]


def test_041_a_fresh_token_and_the_registration_token_is_dead(stage: Stage) -> None:
    partner = stage.new_partner("FRE")
    newcomer = stage.newcomer("new-4", partner)
    answer = newcomer.post("credentials", partner.credentials())
    token = answer.data["token"]
    assert token not in (newcomer.token, partner.token)
    assert 0 < len(token) <= 64
    assert answer.data["url"] == f"{stage.base}/ocpi/versions"
    parties = [(role["role"], role["country_code"], role["party_id"]) for role in answer.data["roles"]]
    assert parties == [("CPO", "AT", "VLT"), ("CPO", "AT", "AMP")]
    assert all(role["business_details"]["name"] for role in answer.data["roles"])
    for path in ("/ocpi/versions", "/ocpi/2.2.1", "credentials", "locations"):
        assert newcomer.get(path).http == 401
    assert newcomer.with_token(token).get("locations").http == 200


@pytest.fixture(scope="module")
def refused(stage: Stage) -> tuple[Partner, Client]:
    """A partner that gets it wrong in every way, then right: see `test_042_a_refused_partner_can_try_again`."""
    partner = stage.new_partner("BAD")
    return partner, stage.newcomer("new-5", partner)


@pytest.mark.parametrize(
    "failure",
    [
        {"GET /versions": (500, b"<html>sorry</html>")},
        {"GET /versions": (200, b"<html>welcome</html>")},
        {"GET /versions": (200, envelope({"not": "a list"}))},
        {"GET /versions": (401, envelope(status_code=2001))},
        {"GET /2.2.1": (404, envelope(status_code=2000))},
        {"GET /2.2.1": (200, envelope([]))},
        {"GET /2.2.1": (0, None)},
    ],
)
def test_042_a_peer_that_cannot_be_read_is_3001(refused: tuple[Partner, Client], failure: dict[str, Reply]) -> None:
    partner, newcomer = refused
    partner.plan |= failure
    try:
        answer = newcomer.post("credentials", partner.credentials())
    finally:
        partner.plan.clear()
    assert answer.both == (200, 3001)
    assert newcomer.get("locations").http == 401
    assert newcomer.get("credentials").http == 200


def test_043_a_peer_without_our_version_is_3002(refused: tuple[Partner, Client]) -> None:
    partner, newcomer = refused
    partner.plan["GET /versions"] = (200, envelope([{"version": "2.1.1", "url": f"{partner.url}/2.1.1"}]))
    answer = newcomer.post("credentials", partner.credentials())
    partner.plan.clear()
    assert answer.both == (200, 3002)


def test_044_missing_endpoints_are_3003(refused: tuple[Partner, Client]) -> None:
    partner, newcomer = refused
    whole = partner.endpoints
    partner.endpoints = {name: role for name, role in whole.items() if name != "payments"}
    answer = newcomer.post("credentials", partner.credentials())
    partner.endpoints = whole
    assert answer.both == (200, 3003)
    assert "payments" in answer.body["status_message"]


def test_054_the_same_role_twice_is_2001(refused: tuple[Partner, Client]) -> None:
    partner, newcomer = refused
    twice = partner.credentials()
    twice["roles"] *= 2
    assert newcomer.post("credentials", twice).both == (200, 2001)
    twice["roles"][1] = {**twice["roles"][1], "country_code": "nl"}
    assert newcomer.post("credentials", twice).both == (200, 2001)


def test_046_put_and_delete_with_a_registration_token_are_405(refused: tuple[Partner, Client]) -> None:
    partner, newcomer = refused
    assert newcomer.put("credentials", partner.credentials()).http == 405
    assert newcomer.call("DELETE", "credentials").http == 405


@statement(42)
def test_042_a_refused_partner_can_try_again(refused: tuple[Partner, Client]) -> None:
    partner, newcomer = refused
    answer = newcomer.post("credentials", partner.credentials())
    assert answer.both == (200, 1000)


def test_045_post_of_a_registered_peer_is_405(ptp: Peer) -> None:
    answer = ptp.client.post("credentials", ptp.partner.credentials("another-token"))
    assert answer.http == 405
    assert ptp.client.get("locations").http == 200


@pytest.fixture(scope="module")
def renewed(stage: Stage) -> Peer:
    return stage.register("new-6", stage.new_partner("REN"))


def test_047_put_reads_the_peer_again_and_renews_both_tokens(stage: Stage, renewed: Peer) -> None:
    partner, old = renewed.partner, renewed.client
    since = partner.now
    partner.token = "another-token-b"
    answer = old.put("credentials", partner.credentials())
    assert answer.both == (200, 1000)
    # A pull that is due at this moment may come between.
    read = [call for call in partner.calls("GET", since=since) if call.path in ("/versions", "/2.2.1")]
    assert [call.path for call in read] == ["/versions", "/2.2.1"]
    assert {call.token for call in read} == {"another-token-b"}
    new = old.with_token(answer.data["token"])
    assert new.token != old.token
    # The answer may have been lost: the old token lives until the new one is used.
    assert old.get("credentials").http == 200
    assert new.get("locations").http == 200
    assert old.get("locations").http == 401
    renewed.client.token = new.token


@statement(47)
def test_047_a_failed_put_changes_nothing(renewed: Peer) -> None:
    renewed.partner.plan["GET /2.2.1"] = (500, b"")
    answer = renewed.client.put("credentials", renewed.partner.credentials("never-used"))
    renewed.partner.plan.clear()
    assert answer.code == 3001
    assert renewed.client.get("locations").http == 200


def test_050_get_credentials_has_the_token_in_use(stage: Stage, renewed: Peer) -> None:
    data = renewed.client.get("credentials").data
    assert data["token"] == renewed.client.token
    assert data["url"] == f"{stage.base}/ocpi/versions"
    assert {role["role"] for role in data["roles"]} == {"CPO"}


def test_049_after_delete_the_token_is_dead_and_nobody_calls(stage: Stage) -> None:
    gone = stage.register("new-7", stage.new_partner("END"))
    gone.partner.wait("PUT", "/2.2.1/locations", count=4)
    assert gone.client.call("DELETE", "credentials").both == (200, 1000)
    for path in ("/ocpi/versions", "credentials", "locations"):
        assert gone.client.get(path).http == 401
    since, others = gone.partner.now, stage.ptp.partner.now
    stage.save("infrastructure/location", "NIGHT", name="After the end")
    stage.ptp.partner.wait("P", "/2.2.1/locations/AT/VLT/NIGHT", others)
    # What is to be told of the change stands in the queue by now, for every partner.
    until("its queue", lambda: stage.plugtill.execute(TOUCH_QUEUE, "new-7") == 0)
    assert gone.partner.calls(since=since) == []


def ours_to_begin(stage: Stage, code: str, partner: Partner) -> str:
    """Staff enters what the partner gave us; the path of the platform's page."""
    row = stage.row(PLATFORMS, code)
    given = {"initiation": "CPO", "url": partner.versions_url, "partner_token": partner.token}
    stage.admin.save(f"{row}change/", **given)
    return row


def press_register(stage: Stage, row: str) -> str:
    return text_of(stage.admin.submit(f"{row}register/").text)


def test_051_we_do_not_post_where_endpoints_are_missing(stage: Stage) -> None:
    partner = stage.new_partner("LAC")
    partner.endpoints = {"credentials": "RECEIVER"}
    text = press_register(stage, ours_to_begin(stage, "new-8", partner))
    assert "payments" in text
    assert "Registered: " not in text
    assert partner.calls("POST") == []


@statement(12, 52)
def test_052_our_token_is_valid_while_our_post_is_on_its_way(stage: Stage) -> None:
    partner = stage.new_partner("MID")
    seen: dict[str, Any] = {}

    def call_back(request: Received) -> Reply:
        client = Client(stage.base, request.body["token"], (partner.country, partner.party))
        seen["versions"] = client.get("/ocpi/versions").http
        seen["details"] = client.get("/ocpi/2.2.1").http
        seen["client"] = client
        partner.token = "the-last-token"
        return 200, envelope(partner.credentials("the-last-token"))

    partner.plan["POST /2.2.1/credentials"] = call_back
    assert "Registered: " in press_register(stage, ours_to_begin(stage, "new-8", partner))
    assert "ocpi-to-party-id" not in partner.calls("POST", "/2.2.1/credentials")[0].headers
    assert (seen["versions"], seen["details"]) == (200, 200)
    assert seen["client"].get("locations").http == 200
    assert partner.wait("PUT", "/2.2.1/locations").token == "the-last-token"


def test_053_every_party_of_the_peer_owns_its_addresses(emsp: Peer) -> None:
    for party in ("EMP", "EM2"):
        token = {
            "country_code": "DE",
            "party_id": party,
            "uid": "SHARED",
            "type": "RFID",
            "contract_id": f"DE-{party}-1",
            "issuer": "Test",
            "valid": True,
            "whitelist": "ALLOWED",
            "last_updated": "2026-01-01T00:00:00Z",
        }
        assert emsp.client.put(f"tokens/DE/{party}/SHARED", token).both == (201, 1000)
        assert emsp.client.get(f"tokens/DE/{party}/SHARED").data["contract_id"] == f"DE-{party}-1"
    assert emsp.client.get("tokens/DE/EM3/SHARED").http == 404
