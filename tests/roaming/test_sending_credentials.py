"""We register at the partner (we are the Sender)."""

import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.db import connection
from django.utils import timezone

from infrastructure.models import OutboxEvent
from infrastructure.secrets import decrypt, encrypt
from roaming.choices import PlatformState
from roaming.models import RoamingPlatform
from roaming.ocpi.headers import encode_token
from roaming.services import connections, credentials, tokens
from tests.roaming.client import client_with
from tests.roaming.factories import PlatformFactory, ProfileFactory, RegisteredPlatformFactory, make_role
from tests.roaming.peer import FakePeer, envelope

TOKEN_A = "token-a-of-the-peer"


@pytest.fixture
def ready(db: None, peer: FakePeer) -> RoamingPlatform:
    """A platform whose partner gave us token A and its versions URL."""
    peer.accepted = {TOKEN_A}
    platform = PlatformFactory(url=peer.versions_url, profiles=[ProfileFactory(party_id="PLG")])
    tokens.store_partner_token(platform, TOKEN_A)
    return platform


@pytest.fixture
def connected(db: None, peer: FakePeer) -> RoamingPlatform:
    """A platform registered at the peer: we send it `client-token`, it sends us `ours`."""
    peer.accepted = {"client-token"}
    platform = RegisteredPlatformFactory(
        url=peer.versions_url, server_token="ours", profiles=[ProfileFactory(party_id="PLG")]
    )
    make_role(platform)
    platform.endpoints.create(identifier="credentials", role="SENDER", url=f"{peer.url}/2.2.1/credentials")
    return platform


def sent(peer: FakePeer, method: str = "POST") -> dict[str, Any]:
    [call] = peer.calls(method, "/2.2.1/credentials")
    return call.body


def is_token_of_ours(token: str) -> bool:
    return client_with(token).call("GET", "versions").status_code == 200


def test_registration_exchanges_the_credentials(ready, peer):
    report = credentials.register(ready)
    assert report.is_ok, report.error
    assert len(report.steps) == 5
    assert "Terminals BV (OTHER NL-PTP)" in report.steps[-1].text
    assert ready.state == PlatformState.REGISTERED
    assert decrypt(ready.client_token_encrypted) == peer.handed_out
    assert {entry.identifier for entry in ready.endpoints.all()} == {"credentials", "payments", "cdrs"}
    assert [role.party_id for role in ready.roles.all()] == ["PTP"]
    assert OutboxEvent.objects.filter(topic="platform", object_id=ready.pk).count() == 1
    ours = sent(peer)
    assert ours["url"] == "http://testserver/ocpi/versions"
    assert [role["party_id"] for role in ours["roles"]] == ["PLG"]
    assert is_token_of_ours(ours["token"])
    assert not {"ocpi-to-party-id", "ocpi-from-party-id"} & set(peer.requests[-1].headers)


@pytest.mark.parametrize("url", ["junk", "/versions", "ftp://ptp.example/versions"])
def test_an_address_in_the_answer_that_cannot_be_called_leaves_the_one_that_works(ready, peer, url):
    peer.answers["POST", "/2.2.1/credentials"] = (200, envelope(peer.credentials() | {"url": url}))
    assert credentials.register(ready).is_ok
    assert ready.url == peer.versions_url


def test_token_a_of_the_partner_is_forgotten_after_use(ready):
    credentials.register(ready)
    assert ready.registration_token_encrypted == ""


@pytest.mark.django_db(transaction=True)
def test_our_token_is_valid_while_the_post_is_still_open(live_server, settings, peer):
    settings.PUBLIC_URL = live_server.url
    peer.accepted = {TOKEN_A}
    platform = PlatformFactory(url=peer.versions_url, profiles=[ProfileFactory()])
    tokens.store_partner_token(platform, TOKEN_A)
    seen: list[Any] = []

    def call_back(request: Any) -> tuple[int, Any]:
        assert not connection.in_atomic_block
        headers = {"Authorization": f"Token {encode_token(request.body['token'])}"}
        with urlopen(Request(request.body["url"], headers=headers), timeout=10) as response:
            [version] = json.load(response)["data"]
        with urlopen(Request(version["url"], headers=headers), timeout=10) as response:
            seen.extend(json.load(response)["data"]["endpoints"])
        return 200, envelope(peer.credentials())

    peer.answers["POST", "/2.2.1/credentials"] = call_back
    report = credentials.register(platform)
    assert report.is_ok, report.error
    assert {"credentials", "locations", "commands"} <= {entry["identifier"] for entry in seen}
    assert all(entry["url"].startswith(f"{live_server.url}/ocpi/2.2.1/") for entry in seen)


def test_without_the_needed_endpoints_we_do_not_post(ready, peer):
    endpoints = [entry for entry in peer.endpoints() if entry["identifier"] != "payments"]
    peer.answers["GET", "/2.2.1"] = (200, envelope({"version": "2.2.1", "endpoints": endpoints}))
    report = credentials.register(ready)
    assert not report.is_ok
    assert report.error.startswith("The partner does not offer payments (SENDER).")
    assert not peer.calls("POST")


NO_ROLES = {"token": "c", "url": "http://127.0.0.1:9/versions", "roles": []}
REFUSALS = {
    "2001": ((200, envelope(None, 2001, "No")), "refused"),
    "3001": ((200, envelope(None, 3001, "Cannot call you")), "Cannot call you"),
    "500": ((500, b"oops"), "HTTP 500"),
    "already registered": ((405, envelope(None, 2000)), "registered already"),
    "credentials without roles": ((200, envelope(NO_ROLES)), "roles"),
    "no credentials": ((200, envelope("thanks")), "not valid"),
    "HTML": ((200, b"<html>"), "not valid JSON"),
}


@pytest.mark.parametrize(("answer", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refused_post_leaves_the_old_state_and_says_why(ready, peer, answer, words):
    peer.answers["POST", "/2.2.1/credentials"] = answer
    report = credentials.register(ready)
    assert not report.is_ok
    assert words in report.error
    ready.refresh_from_db()
    assert ready.state == PlatformState.NEW
    assert ready.last_error == report.error
    assert decrypt(ready.registration_token_encrypted) == TOKEN_A
    assert ready.client_token_encrypted == ready.server_token_hash == ready.next_server_token_hash == ""
    assert not ready.roles.exists() and not ready.endpoints.exists()
    assert not is_token_of_ours(sent(peer)["token"])
    del peer.answers["POST", "/2.2.1/credentials"]
    assert credentials.register(ready).is_ok
    assert ready.last_error == ""


def test_a_wrong_token_of_the_partner_is_explained(ready, peer):
    peer.accepted = {"another"}
    report = credentials.register(ready)
    assert "does not accept our token" in report.error
    assert not peer.calls("POST")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": ""}, "versions URL"),
        ({"registration_token_encrypted": ""}, "token that the partner gave"),
        ({"registration_token_encrypted": "made with a lost key"}, "FIELD_ENCRYPTION_KEYS"),
        ({"state": PlatformState.REGISTERED}, "Already registered"),
    ],
)
def test_what_is_not_ready_is_said_before_anything_is_sent(ready, peer, fields, words):
    RoamingPlatform.objects.filter(pk=ready.pk).update(**fields)
    ready.refresh_from_db()
    assert words in credentials.register(ready).error
    assert peer.requests == []


def test_registration_needs_a_profile(ready, peer):
    ready.profiles.clear()
    assert "roaming profile" in credentials.register(ready).error
    assert peer.requests == []


def test_an_unreachable_partner_is_explained(ready, peer):
    RoamingPlatform.objects.filter(pk=ready.pk).update(url="http://127.0.0.1:9/versions")
    ready.refresh_from_db()
    report = credentials.register(ready)
    assert not report.is_ok
    ready.refresh_from_db()
    assert ready.last_error == report.error
    assert ready.last_error_at is not None


def test_update_renews_the_tokens_of_both_sides(connected, peer):
    report = credentials.update(connected)
    assert report.is_ok, report.error
    assert decrypt(connected.client_token_encrypted) == peer.handed_out
    new = sent(peer, "PUT")["token"]
    assert is_token_of_ours("ours")
    assert is_token_of_ours(new)
    assert not is_token_of_ours("ours")


def test_a_refused_update_leaves_both_tokens_as_they_were(connected, peer):
    peer.answers["PUT", "/2.2.1/credentials"] = (200, envelope(None, 3001, "Cannot call you"))
    assert "Cannot call you" in credentials.update(connected).error
    assert decrypt(connected.client_token_encrypted) == "client-token"
    assert is_token_of_ours("ours")
    assert not is_token_of_ours(sent(peer, "PUT")["token"])


def test_an_update_without_an_answer_keeps_both_tokens_valid(connected, peer):
    """The partner may have taken it and lost only the answer."""
    peer.answers["PUT", "/2.2.1/credentials"] = (504, b"<html>gateway timeout")
    assert not credentials.update(connected).is_ok
    assert is_token_of_ours(sent(peer, "PUT")["token"])
    assert is_token_of_ours("ours")


def test_call_backs_with_the_announced_token_do_not_end_the_present_one(connected):
    """The partner may still refuse the update after it called us back."""
    RoamingPlatform.objects.filter(pk=connected.pk).update(
        next_server_token_hash=tokens.hash_token("announced"),
        next_server_token_until=timezone.now() + tokens.ANNOUNCED,
    )
    assert is_token_of_ours("announced")
    assert is_token_of_ours("ours")


def test_update_needs_a_registration(ready, peer):
    assert "register credentials first" in credentials.update(ready).error
    assert peer.requests == []


def test_invalidation_tells_the_partner_and_ends_all_tokens(connected, peer):
    report = credentials.invalidate(connected)
    assert report.is_ok
    assert peer.calls("DELETE")[0].tokens[0] == "client-token"
    assert connected.state == PlatformState.INVALIDATED
    assert connected.client_token_encrypted == ""
    assert not is_token_of_ours("ours")


def test_invalidation_works_when_the_partner_does_not_answer(connected, peer):
    peer.answers["DELETE", "/2.2.1/credentials"] = (500, b"")
    report = credentials.invalidate(connected)
    assert "could not be told" in report.steps[0].text
    assert not is_token_of_ours("ours")


def test_invalidation_also_ends_a_token_that_was_only_handed_out(db):
    platform = PlatformFactory()
    token = tokens.generate_registration_token(platform)
    credentials.invalidate(platform)
    assert client_with(token).call("GET", "versions").status_code == 401


def test_a_client_calls_as_our_party_to_the_partners(connected, peer):
    with credentials.client_for(connected) as client, pytest.raises(Exception, match="does not know"):
        client.get(f"{peer.url}/somewhere")
    headers = peer.requests[-1].headers
    assert headers["ocpi-from-country-code"] == "AT"
    assert headers["ocpi-from-party-id"] == "PLG"
    assert headers["ocpi-to-country-code"] == "NL"
    assert headers["ocpi-to-party-id"] == "PTP"


def test_endpoint_is_found_by_module_and_role(connected):
    connected.endpoints.create(identifier="cdrs", role="RECEIVER", url="http://p.example/cdrs")
    assert credentials.endpoint(connected, "cdrs", "RECEIVER") == "http://p.example/cdrs"
    assert credentials.endpoint(connected, "cdrs", "SENDER") is None


def test_a_client_of_an_unregistered_platform_is_refused(ready):
    with pytest.raises(credentials.PeerError, match="not registered"):
        credentials.client_for(ready)


def test_encrypted_tokens_are_what_is_sent(ready, peer):
    RoamingPlatform.objects.filter(pk=ready.pk).update(registration_token_encrypted=encrypt(TOKEN_A))
    ready.refresh_from_db()
    credentials.register(ready)
    assert all(TOKEN_A in call.tokens for call in peer.requests)


def test_a_token_announced_in_a_first_handshake_opens_versions_and_credentials_only(db):
    platform = PlatformFactory()
    token = connections.announce_token(platform)
    assert client_with(token).call("GET", "versions").status_code == 200
    assert client_with(token).call("GET", "2.2.1/locations").status_code == 401
    assert client_with(token).call("POST", "2.2.1/credentials", {}).status_code != 500
    platform.refresh_from_db()
    assert not platform.is_registered


def test_a_token_that_the_partner_never_confirmed_ends(connected):
    token = connections.announce_token(connected)
    assert client_with(token).call("GET", "2.2.1/locations").status_code == 200
    RoamingPlatform.objects.update(next_server_token_until=timezone.now())
    assert client_with(token).call("GET", "versions").status_code == 401
