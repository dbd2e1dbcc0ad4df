"""Tokens that eMSPs send us: who may own them, what names them, what overwrites what, and pulling them."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from chargers.models import Token
from roaming.choices import PlatformType
from roaming.models import ClientInfo, Pull
from roaming.ocpi.types import format_datetime
from roaming.services import driver_tokens, pulls
from roaming.services.driver_tokens import Key
from tests.roaming.client import client_with
from tests.roaming.emsp import make_emsp, make_token, running_emsp

pytestmark = pytest.mark.django_db

UID = "04A1B2C3D4"
PATH = f"2.2.1/tokens/DE/EMP/{UID}"


@pytest.fixture
def emsp():
    return make_emsp(server_token="emsp")


@pytest.fixture
def ocpi(emsp):
    return client_with("emsp")


def put(client, path=PATH, **changes: Any) -> tuple[int, int]:
    return codes(client.call("PUT", path, make_token(**changes)))


def codes(response) -> tuple[int, int]:
    return response.status_code, response.json()["status_code"]


def get(client, path=PATH) -> dict[str, Any]:
    response = client.call("GET", path)
    assert codes(response) == (200, 1000), response.content
    data: dict[str, Any] = response.json()["data"]
    return data


def test_a_token_is_created_then_replaced(ocpi, emsp):
    assert put(ocpi, visual_number="DF-1") == (201, 1000)
    assert put(ocpi, whitelist="NEVER", last_updated="2026-01-02T00:00:00Z") == (200, 1000)
    token = Token.objects.get()
    assert (token.peer_id, token.whitelist, token.is_valid) == (emsp.peer_id, "NEVER", True)
    # A PUT is the whole object: what it does not have is gone.
    assert "visual_number" not in get(ocpi)


def test_unknown_fields_come_back(ocpi):
    put(ocpi, tier={"name": "gold"})
    assert get(ocpi)["tier"] == {"name": "gold"}


def test_names_are_compared_without_regard_to_case_and_returned_as_stored(ocpi):
    put(ocpi)
    assert put(ocpi, "2.2.1/tokens/de/emp/04a1b2c3d4", uid="04a1B2c3d4") == (200, 1000)
    assert Token.objects.get().uid == UID
    assert get(ocpi, "2.2.1/tokens/De/Emp/04a1b2c3D4")["uid"] == "04a1B2c3d4"


def test_without_a_type_rfid_is_meant(ocpi):
    put(ocpi)
    assert get(ocpi)["type"] == "RFID"
    assert ocpi.call("GET", f"{PATH}?type=APP_USER").status_code == 404


def test_a_put_without_a_type_is_meant_as_its_body_says(ocpi):
    assert put(ocpi, type="APP_USER") == (201, 1000)
    assert ocpi.call("GET", PATH).status_code == 404
    assert get(ocpi, f"{PATH}?type=APP_USER")["type"] == "APP_USER"


def test_one_uid_may_be_of_several_types(ocpi):
    assert put(ocpi) == (201, 1000)
    assert put(ocpi, f"{PATH}?type=OTHER", type="OTHER") == (201, 1000)
    assert Token.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (PATH, {"uid": "OTHER"}),
        (PATH, {"party_id": "XXX"}),
        (PATH, {"country_code": "NL"}),
        (f"{PATH}?type=OTHER", {}),
        (f"{PATH}?type=PAPER", {}),
        (PATH, {"type": "PAPER"}),
        (PATH, {"valid": "yes"}),
        (PATH, {"whitelist": None}),
        (PATH, {"last_updated": "yesterday"}),
        (PATH, {"last_updated": "2026-01-01T12:00:00+02:00"}),
    ],
)
def test_what_contradicts_itself_is_2001_and_stored_nowhere(ocpi, path, changes):
    assert put(ocpi, path, **changes) == (200, 2001)
    assert not Token.objects.exists()


def test_another_party_than_the_platforms_is_404(ocpi):
    assert put(ocpi, f"2.2.1/tokens/DE/XXX/{UID}", party_id="XXX")[0] == 404
    assert not Token.objects.exists()


def test_a_party_behind_a_hub_may_own_tokens_while_it_is_connected():
    hub = make_emsp(server_token="hub", type=PlatformType.HUB)
    path = f"2.2.1/tokens/DE/XXX/{UID}"
    party = ClientInfo.objects.create(
        platform=hub,
        country_code="DE",
        party_id="XXX",
        role="EMSP",
        status="CONNECTED",
        body={},
        last_updated="2026-01-01T00:00:00Z",
    )
    assert put(client_with("hub"), path, party_id="XXX") == (201, 1000)
    ClientInfo.objects.filter(pk=party.pk).update(status="SUSPENDED")
    assert put(client_with("hub"), path, party_id="XXX")[0] == 404


def test_an_older_token_does_not_overwrite_a_newer_one(ocpi):
    put(ocpi, whitelist="NEVER", last_updated="2026-01-02T00:00:00Z")
    assert put(ocpi, whitelist="ALWAYS", last_updated="2026-01-01T23:59:59Z") == (200, 1000)
    changes = {"whitelist": "ALWAYS", "last_updated": "2026-01-01T23:59:59Z"}
    assert codes(ocpi.call("PATCH", PATH, changes)) == (200, 1000)
    assert get(ocpi)["whitelist"] == Token.objects.get().whitelist == "NEVER"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_clock_that_is_ahead_does_not_keep_a_lost_card_valid(ocpi, method):
    put(ocpi, last_updated="9999-12-31T23:59:59Z")
    lost = make_token(valid=False, last_updated=format_datetime(timezone.now() + timedelta(seconds=1)))
    body = lost if method == "PUT" else {name: lost[name] for name in ("valid", "last_updated")}
    assert codes(ocpi.call(method, PATH, body)) == (200, 1000)
    assert not Token.objects.get().is_valid


def test_a_patch_changes_what_it_names(ocpi):
    put(ocpi, group_id="G1", visual_number="DF-1")
    changes = {"valid": False, "group_id": None, "last_updated": "2026-02-01T00:00:00Z"}
    assert codes(ocpi.call("PATCH", PATH, changes)) == (200, 1000)
    token = get(ocpi)
    assert (token["valid"], token["visual_number"], token.get("group_id")) == (False, "DF-1", None)
    assert not Token.objects.get().is_valid


@pytest.mark.parametrize(
    "changes",
    [
        {"valid": False},
        {"valid": None, "last_updated": "2026-02-01T00:00:00Z"},
        {"valid": "no", "last_updated": "2026-02-01T00:00:00Z"},
        {"uid": "OTHER", "last_updated": "2026-02-01T00:00:00Z"},
        {"type": "OTHER", "last_updated": "2026-02-01T00:00:00Z"},
    ],
)
def test_a_wrong_patch_is_2001_and_changes_nothing(ocpi, changes):
    put(ocpi)
    assert codes(ocpi.call("PATCH", PATH, changes)) == (200, 2001)
    assert get(ocpi) == make_token()


def test_a_patch_of_an_unknown_token_creates_nothing(ocpi):
    changes = {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}
    assert codes(ocpi.call("PATCH", PATH, changes)) == (404, 2000)
    assert not Token.objects.exists()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_tokens_are_never_deleted(ocpi, method):
    put(ocpi)
    assert ocpi.call(method, PATH, make_token()).status_code == 405
    assert Token.objects.exists()


def test_a_uid_may_have_characters_that_mean_something_in_an_address(ocpi):
    assert put(ocpi, "2.2.1/tokens/DE/EMP/A%2FB%3F%25", uid="A/B?%") == (201, 1000)
    assert get(ocpi, "2.2.1/tokens/DE/EMP/A%2FB%3F%25")["uid"] == "A/B?%"


def test_platforms_see_their_own_tokens_only(ocpi):
    """Even if two platforms have the same party."""
    make_emsp(server_token="other")
    other = client_with("other")
    put(ocpi)
    assert other.call("GET", PATH).status_code == 404
    assert put(other, whitelist="NEVER") == (201, 1000)
    assert get(ocpi)["whitelist"] == "ALLOWED"


@pytest.mark.parametrize("platform_type", PlatformType)
def test_every_kind_of_platform_is_offered_the_module(platform_type):
    make_emsp(server_token="any", type=platform_type)
    details = client_with("any").call("GET", "2.2.1").json()["data"]["endpoints"]
    assert {"identifier": "tokens", "role": "RECEIVER", "url": "http://testserver/ocpi/2.2.1/tokens"} in details


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_the_newer_one_remains(emsp):
    barrier = threading.Barrier(6)
    created: list[bool] = []

    def receive(minute: int) -> None:
        body = make_token(last_updated=f"2026-01-01T00:0{minute}:00Z", visual_number=str(minute))
        barrier.wait(10)
        try:
            created.append(driver_tokens.receive_token(emsp, Key("DE", "EMP", UID), body))
        finally:
            connection.close()

    threads = [threading.Thread(target=receive, args=[minute]) for minute in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False] * 5 + [True]
    assert Token.objects.get().body["visual_number"] == "5"


# Pulling


@pytest.fixture
def listed():
    """An eMSP that lists its tokens, and our platform for it."""
    with running_emsp() as running:
        yield running, make_emsp(running.url)


def pull(platform) -> Pull:
    """Runs the pull of tokens as the schedule would."""
    pulls.start_pulls(platform.pk)
    row = Pull.objects.get(platform=platform, source="tokens")
    return run_again(row)


def run_again(row) -> Pull:
    pulls.run(row.pk)
    row.refresh_from_db()
    return row


def test_all_pages_are_pulled_and_a_bad_token_is_passed_over_and_reported(listed):
    running, platform = listed
    running.tokens = [make_token(f"CARD{n}", last_updated=f"2026-01-0{n + 1}T00:00:00Z") for n in range(4)]
    running.tokens[1] = make_token("BAD", whitelist="SOMETIMES")
    running.tokens.append(make_token("FOREIGN", party_id="XXX"))
    row = pull(platform)
    assert sorted(Token.objects.values_list("uid", flat=True)) == ["CARD0", "CARD2", "CARD3"]
    assert (row.last_received, row.last_error) == (3, "")
    assert len(row.last_problems) == 2 and "whitelist" in row.last_problems[0]
    assert "BAD" not in str(row.last_problems)
    assert row.high_water.isoformat() == "2026-01-04T00:00:00+00:00"


def test_the_next_pull_asks_for_what_changed_and_a_little_before(listed):
    running, platform = listed
    running.tokens = [make_token(last_updated="2026-01-02T00:00:00Z")]
    row = pull(platform)
    Pull.objects.update(next_run_at=row.last_run_at - timedelta(hours=1))
    run_again(row)
    queries = [request.path for request in running.requests]
    assert queries[0] == "/tokens" and queries[1].startswith("/tokens?date_from=2026-01-01T23:")
    assert Token.objects.count() == 1


def test_a_full_list_retires_what_it_does_not_have(listed):
    running, platform = listed
    for uid in ("STAYS", "GOES"):
        driver_tokens.receive_listed(platform, make_token(uid))
    driver_tokens.receive_listed(make_emsp(), make_token("OF ANOTHER"))
    running.tokens = [make_token("STAYS")]
    pull(platform)
    assert dict(Token.objects.values_list("uid", "is_valid")) == {"STAYS": True, "GOES": False, "OF ANOTHER": True}
    assert Token.objects.get(uid="GOES").body["valid"] is False


@pytest.mark.parametrize("tokens", [[], [make_token("NEW"), make_token("BAD", valid=None)]])
def test_an_empty_or_partly_bad_list_retires_nothing(listed, tokens):
    running, platform = listed
    driver_tokens.receive_listed(platform, make_token("STAYS"))
    running.tokens = tokens
    pull(platform)
    assert Token.objects.get(uid="STAYS").is_valid


def test_a_token_that_was_pushed_newer_than_the_list_is_kept(listed):
    running, platform = listed
    driver_tokens.receive_listed(platform, make_token(whitelist="NEVER", last_updated="2026-03-01T00:00:00Z"))
    running.tokens = [make_token()]
    pull(platform)
    token = Token.objects.get()
    assert (token.whitelist, token.is_valid) == ("NEVER", True)
