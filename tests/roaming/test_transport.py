"""What holds for every OCPI address, whichever module it belongs to."""

import json
import re

import pytest

from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from roaming.services import tokens
from roaming.views.base import MAX_BODY
from tests.roaming.client import client_with
from tests.roaming.factories import DocumentFactory, PlatformFactory, ProfileFactory, make_role

pytestmark = pytest.mark.django_db

FUNCTIONAL = ["locations", "tariffs", "sessions?date_from=2025-01-01T00:00:00Z", "cdrs", "commands/START_SESSION"]
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")


@pytest.fixture(autouse=True)
def middleware(settings):
    name = "roaming.middleware.OcpiMiddleware"
    if name not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [name, *settings.MIDDLEWARE]


@pytest.mark.parametrize("path", ["versions", "2.2.1", "2.2.1/credentials", *(f"2.2.1/{p}" for p in FUNCTIONAL)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_known_token_everything_is_401(platform, path, method):
    for client in (client_with(""), client_with("unknown")):
        response = client.call(method, path, b"{not json")
        assert response.status_code == 401
        assert response.json()["status_code"] == 2001
        assert TIMESTAMP.fullmatch(response.json()["timestamp"])


@pytest.mark.parametrize("path", FUNCTIONAL)
def test_token_a_is_401_outside_versions_and_credentials(path):
    token = tokens.generate_registration_token(PlatformFactory())
    assert client_with(token).call("GET", f"2.2.1/{path}").status_code == 401


@pytest.mark.parametrize("path", ["versions", "2.2.1", "2.2.1/credentials"])
def test_token_a_is_good_for_versions_and_credentials(path):
    token = tokens.generate_registration_token(PlatformFactory())
    assert client_with(token).call("GET", path).status_code == 200


def test_success_has_code_and_timestamp(ocpi):
    body = ocpi.call("GET", "2.2.1/locations").json()
    assert body["status_code"] == 1000
    assert TIMESTAMP.fullmatch(body["timestamp"])


def test_ids_are_repeated_or_made(ocpi):
    response = ocpi.call("GET", "versions", **{"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"})
    assert (response["X-Request-ID"], response["X-Correlation-ID"]) == ("r-1", "c-1")
    one, two = ocpi.call("GET", "versions"), ocpi.call("GET", "versions")
    assert one["X-Request-ID"] and one["X-Request-ID"] != two["X-Request-ID"]
    refused = client_with("").call("GET", "versions", **{"X-Request-ID": "r-2"})
    assert refused["X-Request-ID"] == "r-2"


ROUTING = {
    "ocpi-FROM-country-code": "NL",
    "OCPI-from-party-id": "PTP",
    "OCPI-to-country-code": "at",
    "OCPI-to-party-id": "plg",
}


def test_routing_headers_come_back_swapped(ocpi, platform):
    make_role(platform)
    response = ocpi.call("GET", "2.2.1/locations", **ROUTING)
    assert response.json()["status_code"] == 1000
    assert response["OCPI-from-country-code"] == "at"
    assert response["OCPI-from-party-id"] == "plg"
    assert response["OCPI-to-country-code"] == "NL"
    assert response["OCPI-to-party-id"] == "PTP"


def test_configuration_modules_have_no_routing_headers(ocpi):
    for path in ("versions", "2.2.1", "2.2.1/credentials"):
        response = ocpi.call("GET", path, **{**ROUTING, "OCPI-to-party-id": "XXX"})
        assert response.status_code == 200
        assert response.json()["status_code"] == 1000
        assert not [name for name in response.headers if name.lower().startswith("ocpi-")]


def test_a_party_that_is_not_the_partners_is_2001_and_nothing_is_done(ocpi, platform, monkeypatch):
    make_role(platform, "ONE")
    monkeypatch.setattr("roaming.views.commands.receive_start_session", pytest.fail)
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", {}, **ROUTING)
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert "NL-PTP" in response.json()["status_message"]


def test_a_hub_speaks_for_the_parties_behind_it(ocpi, platform):
    make_role(platform, "HUB")
    RoamingPlatform.objects.update(type=PlatformType.HUB)
    assert ocpi.call("GET", "2.2.1/locations", **ROUTING).json()["status_code"] == 1000


def test_a_party_that_is_not_ours_is_2001(ocpi, platform):
    make_role(platform)
    DocumentFactory(platform=platform)
    response = ocpi.call("GET", "2.2.1/locations", **{**ROUTING, "OCPI-to-party-id": "XXX"})
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert "data" not in response.json()


@pytest.mark.parametrize("path", FUNCTIONAL[:-1])
def test_who_knows_several_parties_of_ours_says_which_one_it_means(ocpi, platform, path):
    DocumentFactory(platform=platform)
    assert ocpi.call("GET", f"2.2.1/{path}").json()["status_code"] == 1000
    platform.profiles.add(ProfileFactory(country_code="DE", party_id="BET"))
    response = ocpi.call("GET", f"2.2.1/{path}")
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert "OCPI-to" in response.json()["status_message"]
    assert "data" not in response.json()
    to = {"OCPI-to-country-code": "DE", "OCPI-to-party-id": "BET"}
    assert ocpi.call("GET", f"2.2.1/{path}", **to).json()["status_code"] == 1000


@pytest.mark.parametrize("path", ["versions", "2.2.1", "2.2.1/credentials", "2.2.1/payments/terminals"])
def test_what_is_for_none_of_our_parties_needs_no_addressee(ocpi, platform, path):
    platform.profiles.add(ProfileFactory(country_code="DE", party_id="BET"))
    assert ocpi.call("GET", path).json()["status_code"] == 1000


def test_a_command_without_an_addressee_is_not_executed_where_it_could_be_several(ocpi, platform, monkeypatch):
    monkeypatch.setattr("roaming.views.commands.receive_start_session", pytest.fail)
    platform.profiles.add(ProfileFactory(country_code="DE", party_id="BET"))
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", {})
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)


def test_a_command_for_a_party_that_is_not_ours_is_not_executed(ocpi, monkeypatch):
    monkeypatch.setattr("roaming.views.commands.receive_start_session", pytest.fail)
    headers = {**ROUTING, "OCPI-to-party-id": "XXX"}
    assert ocpi.call("POST", "2.2.1/commands/START_SESSION", {}, **headers).json()["status_code"] == 2001


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"[" * 100_000, b'{"token": NaN}', b"1" * 5000])
def test_what_is_not_json_is_400(ocpi, body):
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", body)
    assert response.status_code == 400
    assert response.json()["status_code"] == 2001


@pytest.mark.parametrize("body", [[], "text", 1, None, {}, {"response_url": 1}])
def test_json_that_is_no_such_object_is_200_with_2001(ocpi, body):
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", json.dumps(body).encode())
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)


def test_a_body_that_is_too_large_is_refused(ocpi):
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", b'"' + b"x" * MAX_BODY + b'"')
    assert response.status_code == 413
    assert response.json()["status_code"] == 2000


def test_an_odd_accept_header_gets_json(ocpi):
    response = ocpi.call("GET", "versions", Accept="text/html")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "versions"),
        ("PUT", "2.2.1"),
        ("PATCH", "2.2.1/credentials"),
        ("DELETE", "2.2.1/locations"),
        ("PUT", "2.2.1/locations/LOC1"),
        ("POST", "2.2.1/tariffs"),
        ("POST", "2.2.1/cdrs"),
        ("GET", "2.2.1/commands/START_SESSION"),
        ("OPTIONS", "2.2.1/locations"),
    ],
)
def test_a_method_that_does_not_exist_is_405(ocpi, method, path):
    response = ocpi.call(method, path)
    assert response.status_code == 405
    assert response.json()["status_code"] == 2000
    assert response["Allow"]


@pytest.mark.parametrize(
    "path",
    ["versions/", "/versions", "2.2.1/", "2.2.1//locations", "2.2.1/locations/", "2.2.1/credentials//"],
)
def test_trailing_and_doubled_slashes_lead_to_the_same_place(ocpi, path):
    response = ocpi.call("GET", path)
    assert response.status_code == 200
    assert response.json()["status_code"] == 1000


@pytest.mark.parametrize("path", ["", "nothing", "2.1.1", "2.2.1/nothing", "2.2.1/locations/a/b/c/d"])
def test_an_unknown_address_is_404_in_an_envelope(ocpi, path):
    response = ocpi.call("GET", path)
    assert response.status_code == 404
    assert response.json()["status_code"] == 2000


def test_a_fault_of_ours_is_an_envelope_without_details(ocpi, monkeypatch, caplog):
    def broken(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("roaming.services.credentials.own_credentials", broken)
    response = ocpi.call("GET", "2.2.1/credentials")
    assert response.status_code == 500
    assert response.json()["status_code"] == 3000
    assert "secret detail" not in response.content.decode()
    assert "secret detail" in caplog.text


def test_a_cookie_of_an_admin_opens_nothing(admin_client):
    assert admin_client.get("/ocpi/versions").status_code == 401


def test_each_request_costs_one_query_for_its_token(ocpi, django_assert_num_queries):
    with django_assert_num_queries(1):
        ocpi.call("GET", "2.2.1")


def test_versions_and_details_are_absolute_and_per_connection(ocpi, platform):
    assert ocpi.call("GET", "versions").json()["data"] == [{"version": "2.2.1", "url": "http://testserver/ocpi/2.2.1"}]
    details = ocpi.call("GET", "2.2.1").json()["data"]
    assert details["version"] == "2.2.1"
    modules = [(entry["identifier"], entry["role"]) for entry in details["endpoints"]]
    assert modules.count(("credentials", "SENDER")) == 1
    expected = {("locations", "SENDER"), ("tariffs", "SENDER"), ("sessions", "SENDER"), ("cdrs", "SENDER")}
    assert expected | {("commands", "RECEIVER"), ("payments", "RECEIVER")} <= set(modules)
    urls = {entry["identifier"]: entry["url"] for entry in details["endpoints"]}
    assert urls["locations"] == "http://testserver/ocpi/2.2.1/locations"
    RoamingPlatform.objects.filter(pk=platform.pk).update(type="EMSP")
    details = ocpi.call("GET", "2.2.1").json()["data"]
    assert "payments" not in [entry["identifier"] for entry in details["endpoints"]]
