"""The partner registers at ours (we are the Receiver)."""

import threading
from typing import Any

import pytest
from django.db import connection

from infrastructure.models import OutboxEvent
from infrastructure.secrets import decrypt
from roaming.choices import PlatformState, PlatformType
from roaming.models import RoamingPlatform
from roaming.services import peers, tokens
from tests.roaming.client import client_with
from tests.roaming.factories import (
    PlatformFactory,
    ProfileFactory,
    RegisteredPlatformFactory,
    make_operator,
    make_role,
)
from tests.roaming.peer import FakePeer, envelope

PATH = "2.2.1/credentials"
PEER_TOKEN = "token-b-of-the-peer"


@pytest.fixture
def waiting(db: None, peer: FakePeer) -> tuple[RoamingPlatform, str]:
    """A platform whose partner holds token A and answers to PEER_TOKEN."""
    peer.accepted = {PEER_TOKEN}
    operator = make_operator(website="https://acme.example")
    profile = ProfileFactory(country_code="AT", party_id="PLG", operators=[operator])
    platform = PlatformFactory(profiles=[profile])
    return platform, tokens.generate_registration_token(platform)


def state_of(platform: RoamingPlatform) -> dict[str, Any]:
    """Everything of a platform that a failed handshake must leave alone."""
    row = RoamingPlatform.objects.filter(pk=platform.pk).values().get()
    del row["last_error"], row["last_error_at"]
    return {
        **row,
        "roles": sorted(platform.roles.values_list("party_id", flat=True)),
        "endpoints": sorted(platform.endpoints.values_list("url", flat=True)),
    }


def test_registration_stores_the_peer_and_hands_out_a_fresh_token(waiting, peer):
    platform, token_a = waiting
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert response.status_code == 200, response.content
    assert response.json()["status_code"] == 1000
    data = response.json()["data"]
    assert data["url"] == "http://testserver/ocpi/versions"
    assert data["roles"] == [
        {
            "role": "CPO",
            "country_code": "AT",
            "party_id": "PLG",
            "business_details": {"name": "Acme Charging", "website": "https://acme.example"},
        }
    ]
    platform.refresh_from_db()
    assert platform.state == PlatformState.REGISTERED
    assert decrypt(platform.client_token_encrypted) == PEER_TOKEN
    assert PEER_TOKEN not in platform.client_token_encrypted
    assert data["token"] not in platform.server_token_hash
    assert platform.url == peer.versions_url
    assert [(r.role, r.country_code, r.party_id) for r in platform.roles.all()] == [("OTHER", "NL", "PTP")]
    assert {e.identifier for e in platform.endpoints.all()} == {"credentials", "payments", "cdrs"}
    assert client_with(data["token"]).call("GET", "versions").status_code == 200
    assert [call.path for call in peer.requests] == ["/versions", "/2.2.1"]


def test_token_a_is_used_up_by_the_registration(waiting, peer):
    _, token_a = waiting
    client = client_with(token_a)
    client.call("POST", PATH, peer.credentials(PEER_TOKEN))
    for method, path in [("GET", "versions"), ("GET", "2.2.1"), ("GET", PATH), ("POST", PATH)]:
        assert client.call(method, path).status_code == 401


def test_registration_is_told_to_the_rest_of_plugtill(waiting, peer, monkeypatch, django_capture_on_commit_callbacks):
    platform, token_a = waiting
    woken = []
    monkeypatch.setattr("infrastructure.wakeups._send_task", lambda name, args: woken.append((name, args)))
    with django_capture_on_commit_callbacks(execute=True):
        client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert OutboxEvent.objects.filter(topic="platform", object_id=platform.pk).count() == 1
    assert ("roaming.tasks.start_pulls", (platform.pk,)) in woken


def test_a_peer_that_expects_its_token_as_it_is_gets_it_so(waiting, peer):
    platform, token_a = waiting
    peer.answers["GET", "/versions"] = lambda request: (
        (200, envelope([{"version": "2.2.1", "url": f"{peer.url}/2.2.1"}]))
        if request.headers["authorization"] == f"Token {PEER_TOKEN}"
        else (401, envelope(None, 2001))
    )
    assert client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN)).status_code == 200
    platform.refresh_from_db()
    assert platform.encode_token is False


WRONG_PEERS = {
    "versions answer 500": (("GET", "/versions"), (500, envelope(None, 3000)), 3001),
    "versions are HTML": (("GET", "/versions"), (200, b"<html>"), 3001),
    "versions are no list": (("GET", "/versions"), (200, envelope({"version": "2.2.1"})), 3001),
    "other versions only": (
        ("GET", "/versions"),
        (200, envelope([{"version": "2.3.0", "url": "http://127.0.0.1:9/2.3.0"}])),
        3002,
    ),
    "details unknown": (("GET", "/2.2.1"), (404, envelope(None, 2000)), 3001),
    "versions that no database keeps": (
        ("GET", "/versions"),
        (200, envelope([{"version": "\ud800", "url": "http://127.0.0.1:9/"}])),
        3002,
    ),
    "required endpoint cannot be called": (
        ("GET", "/2.2.1"),
        (
            200,
            envelope(
                {
                    "version": "2.2.1",
                    "endpoints": [
                        {"identifier": "credentials", "role": "SENDER", "url": "http://127.0.0.1:9/credentials"},
                        {"identifier": "payments", "role": "SENDER", "url": "/payments"},
                    ],
                }
            ),
        ),
        3003,
    ),
    "no endpoints": (("GET", "/2.2.1"), (200, envelope({"version": "2.2.1", "endpoints": []})), 3003),
}


@pytest.mark.parametrize(("where", "answer", "code"), WRONG_PEERS.values(), ids=WRONG_PEERS.keys())
def test_a_peer_that_cannot_be_used_is_refused_and_may_try_again(waiting, peer, where, answer, code):
    platform, token_a = waiting
    client = client_with(token_a)
    before = state_of(platform)
    peer.answers[where] = answer
    response = client.call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert (response.status_code, response.json()["status_code"]) == (200, code)
    assert state_of(platform) == before
    platform.refresh_from_db()
    assert platform.last_error.startswith("The partner's credentials were refused: ")
    assert not OutboxEvent.objects.exists()
    del peer.answers[where]
    assert client.call("POST", PATH, peer.credentials(PEER_TOKEN)).json()["status_code"] == 1000
    platform.refresh_from_db()
    assert platform.last_error == ""


def test_a_peer_that_does_not_accept_its_own_token_cannot_be_used(waiting, peer):
    _, token_a = waiting
    response = client_with(token_a).call("POST", PATH, peer.credentials("not-the-one"))
    assert response.json()["status_code"] == 3001


def test_a_terminal_provider_must_offer_payments_an_emsp_need_not(waiting, peer):
    platform, token_a = waiting
    endpoints = [entry for entry in peer.endpoints() if entry["identifier"] != "payments"]
    peer.answers["GET", "/2.2.1"] = (200, envelope({"version": "2.2.1", "endpoints": endpoints}))
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert response.json()["status_code"] == 3003
    assert "payments (SENDER)" in response.json()["status_message"]
    RoamingPlatform.objects.filter(pk=platform.pk).update(type=PlatformType.EMSP)
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert response.json()["status_code"] == 1000


def test_a_peer_that_is_slow_is_not_waited_for_longer_than_it_waits_for_us(waiting, peer, monkeypatch):
    platform, token_a = waiting
    before = state_of(platform)
    monkeypatch.setattr(peers, "READ_SECONDS", 0.2)
    is_answered = threading.Event()

    def hesitate(request: Any) -> tuple[int, Any]:
        is_answered.wait(30)
        return 500, b""

    peer.answers["GET", "/versions"] = hesitate
    try:
        response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    finally:
        is_answered.set()
    assert (response.status_code, response.json()["status_code"]) == (200, 3001)
    assert "not complete after 0.2 seconds" in response.json()["status_message"]
    assert state_of(platform) == before


def test_an_internal_address_of_the_peer_is_not_called(waiting, peer, settings):
    settings.PEERS_ALLOW_PRIVATE_ADDRESSES = False
    _, token_a = waiting
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert response.json()["status_code"] == 3001
    assert peer.requests == []


@pytest.mark.parametrize("token", ["", "two words", "new\nline", "tökén", "\x7f"])
def test_a_token_that_no_header_may_carry_is_refused_before_the_peer_is_called(waiting, peer, token):
    platform, token_a = waiting
    before = state_of(platform)
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN) | {"token": token})
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert "token" in response.json()["status_message"]
    assert peer.requests == []
    assert state_of(platform) == before


def test_the_same_role_twice_is_refused_before_the_peer_is_called(waiting, peer):
    platform, token_a = waiting
    peer.roles.append({**peer.roles[0], "country_code": "nl", "business_details": {"name": "Again"}})
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert peer.requests == []
    platform.refresh_from_db()
    assert platform.state == PlatformState.NEW


@pytest.mark.parametrize("name", ["country_code", "party_id"])
def test_a_role_of_nobody_is_refused_before_the_peer_is_called(waiting, peer, name):
    platform, token_a = waiting
    before = state_of(platform)
    peer.roles[0] = peer.roles[0] | {name: ""}
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert response.json()["status_message"] == f"roles[0].{name}: must not be empty"
    assert peer.requests == []
    assert state_of(platform) == before


def test_several_different_roles_are_kept(waiting, peer):
    platform, token_a = waiting
    peer.roles.append({**peer.roles[0], "party_id": "TWO"})
    client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert sorted(platform.roles.values_list("party_id", flat=True)) == ["PTP", "TWO"]


@pytest.mark.parametrize("body", [{}, [], "text", {"token": "x", "url": "http://p.example", "roles": []}])
def test_incomplete_credentials_are_answered_2001(waiting, peer, body):
    platform, token_a = waiting
    response = client_with(token_a).call("POST", PATH, body)
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    platform.refresh_from_db()
    assert "Credentials" in platform.last_error


def test_without_a_profile_we_cannot_say_who_we_are(waiting, peer):
    platform, token_a = waiting
    platform.profiles.clear()
    response = client_with(token_a).call("POST", PATH, peer.credentials(PEER_TOKEN))
    assert (response.status_code, response.json()["status_code"]) == (200, 3000)


def test_post_of_a_registered_peer_is_405(ocpi, peer):
    assert ocpi.call("POST", PATH, peer.credentials(PEER_TOKEN)).status_code == 405
    assert peer.requests == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_put_and_delete_with_token_a_are_405(waiting, peer, method):
    _, token_a = waiting
    response = client_with(token_a).call(method, PATH, peer.credentials(PEER_TOKEN))
    assert response.status_code == 405
    assert response.json()["status_code"] == 2000


def test_get_returns_the_token_that_the_peer_uses(ocpi):
    data = ocpi.call("GET", PATH).json()["data"]
    assert data["token"] == "our-partner"
    assert [role["party_id"] for role in data["roles"]] == ["PLG"]


def test_put_reads_the_peer_again_and_changes_both_tokens(ocpi, platform, peer):
    peer.accepted = {"renewed"}
    make_role(platform, "OLD")
    response = ocpi.call("PUT", PATH, peer.credentials("renewed"))
    new = response.json()["data"]["token"]
    assert new != "our-partner"
    assert [call.path for call in peer.requests] == ["/versions", "/2.2.1"]
    platform.refresh_from_db()
    assert decrypt(platform.client_token_encrypted) == "renewed"
    assert [role.party_id for role in platform.roles.all()] == ["PTP"]
    # The answer may be lost: the old token works until the peer shows that it has the new one.
    assert ocpi.call("GET", "versions").status_code == 200
    assert client_with(new).call("GET", "versions").status_code == 200
    assert ocpi.call("GET", "versions").status_code == 401


def test_put_whose_answer_was_lost_can_be_repeated_with_the_old_token(ocpi, platform, peer):
    peer.accepted = {"renewed"}
    lost = ocpi.call("PUT", PATH, peer.credentials("renewed")).json()["data"]["token"]
    second = ocpi.call("PUT", PATH, peer.credentials("renewed")).json()["data"]["token"]
    assert client_with(lost).call("GET", "versions").status_code == 401
    assert client_with(second).call("GET", "versions").status_code == 200


def test_failed_put_leaves_everything_as_it_was(ocpi, platform, peer):
    make_role(platform)
    before = state_of(platform)
    response = ocpi.call("PUT", PATH, peer.credentials("not-accepted-by-the-peer"))
    assert (response.status_code, response.json()["status_code"]) == (200, 3001)
    assert state_of(platform) == before
    assert ocpi.call("GET", "versions").status_code == 200


def test_delete_ends_the_connection(ocpi, platform):
    make_role(platform)
    assert ocpi.call("DELETE", PATH).json()["status_code"] == 1000
    assert ocpi.call("GET", "versions").status_code == 401
    platform.refresh_from_db()
    assert platform.state == PlatformState.INVALIDATED
    assert platform.client_token_encrypted == ""
    assert not platform.roles.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_registrations_with_one_token_exactly_one_wins(peer):
    platform = PlatformFactory(profiles=[ProfileFactory()])
    token_a = tokens.generate_registration_token(platform)
    peer.accepted = {"b-0", "b-1"}
    both_checked = threading.Barrier(2, timeout=10)

    def details(request: Any) -> tuple[int, Any]:
        both_checked.wait()
        return 200, envelope({"version": "2.2.1", "endpoints": peer.endpoints()})

    peer.answers["GET", "/2.2.1"] = details
    responses: dict[int, Any] = {}

    def post(number: int) -> None:
        try:
            responses[number] = client_with(token_a).call("POST", PATH, peer.credentials(f"b-{number}"))
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(response.status_code for response in responses.values()) == [200, 405]
    winner = next(number for number, response in responses.items() if response.status_code == 200)
    platform.refresh_from_db()
    assert decrypt(platform.client_token_encrypted) == f"b-{winner}"
    assert platform.roles.count() == 1
    handed_out = responses[winner].json()["data"]["token"]
    assert client_with(handed_out).call("GET", "versions").status_code == 200


def test_registered_peers_do_not_share_a_token(db):
    one, two = RegisteredPlatformFactory(), RegisteredPlatformFactory()
    assert one.server_token_hash != two.server_token_hash
