"""Charging profiles: who may set them, what is told later, and what is in force afterwards."""

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chargers.choices import CallResult, SessionStatus
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls
from infrastructure import outbox
from infrastructure.choices import Capability
from infrastructure.models import Connector
from roaming.choices import InterfaceRole, Module
from roaming.models import PlatformEndpoint, ProfileRequest, Push, RoamingPlatform
from roaming.ocpi.objects import validate
from roaming.services import profile_results, profiles
from roaming.views.charging_profiles import read_response_url
from tests.chargers.factories import make_active, make_connector
from tests.infrastructure.factories import make_superuser
from tests.roaming.client import OcpiTestClient
from tests.roaming.factories import RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

RESULT_URL = "https://emsp.example/results/1?for=me"
PROFILE = {
    "charging_rate_unit": "W",
    "duration": 3600,
    "charging_profile_period": [{"start_period": 0, "limit": 11000.0}],
}


@pytest.fixture
def session(platform: RoamingPlatform) -> ChargingSession:
    """A running session of the platform at an EVSE that can follow a profile."""
    connector = make_connector()
    connector.evse.capabilities = [Capability.CHARGING_PROFILE_CAPABLE]
    connector.evse.save()
    return make_active(connector, peer_id=platform.peer_id)


def put(ocpi: OcpiTestClient, session_id: str, **changes: Any) -> dict[str, Any]:
    body = {"charging_profile": PROFILE | changes, "response_url": RESULT_URL}
    response = ocpi.call("PUT", f"2.2.1/chargingprofiles/{session_id}", body)
    assert (response.status_code, response.json()["status_code"]) == (200, 1000), response.content
    data: dict[str, Any] = response.json()["data"]
    return data


def get(ocpi: OcpiTestClient, session_id: str, query: str = "") -> Any:
    query = query or f"duration=900&response_url={quote(RESULT_URL, safe='')}"
    return ocpi.call("GET", f"2.2.1/chargingprofiles/{session_id}?{query}").json()


def delete(ocpi: OcpiTestClient, session_id: str) -> Any:
    path = f"2.2.1/chargingprofiles/{session_id}?response_url={quote(RESULT_URL, safe='')}"
    return ocpi.call("DELETE", path).json()


def answer(result: str, told: dict[str, Any] | None = None) -> None:
    """The charger's word on the newest call."""
    calls.finish_call(OutgoingCall.objects.latest("pk").pk, CallResult(result), told or {})
    outbox.drain()


def pushed() -> list[tuple[str, str, dict[str, Any]]]:
    outbox.drain()
    pushes = Push.objects.filter(module=Module.CHARGINGPROFILES).order_by("pk")
    return [(push.method, push.url, push.body["body"]) for push in pushes]


# Setting


def test_a_profile_is_forwarded_and_its_result_told(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    data = put(ocpi, session.uid.upper())
    validate("ChargingProfileResponse", data)
    assert data == {"result": "ACCEPTED", "timeout": 30}
    call = OutgoingCall.objects.latest("pk")
    assert call.action == "SET_CHARGING_PROFILE"
    assert call.payload["profile"]["charging_profile_period"] == [{"start_period": 0, "limit": 11000}]
    assert pushed() == []
    answer("ACCEPTED")
    assert pushed() == [("POST", RESULT_URL, {"result": "ACCEPTED"})]


@pytest.mark.parametrize("result", ["REJECTED", "NOT_SUPPORTED", "FAILED", "TIMEOUT"])
def test_a_profile_that_the_charger_does_not_take_is_rejected(
    ocpi: OcpiTestClient, session: ChargingSession, result: str
) -> None:
    put(ocpi, session.uid)
    answer(result)
    assert pushed() == [("POST", RESULT_URL, {"result": "REJECTED"})]
    assert not OutgoingCall.objects.filter(action="GET_COMPOSITE_SCHEDULE").exists()


def test_numbers_and_times_written_as_text_are_understood(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    period = {"start_period": "60", "limit": "16.5"}
    put(ocpi, session.uid, start_date_time="2026-01-01T12:00:00", charging_profile_period=[period])
    profile = OutgoingCall.objects.latest("pk").payload["profile"]
    assert profile["start_date_time"] == "2026-01-01T12:00:00Z"
    assert profile["charging_profile_period"] == [{"start_period": 60, "limit": 16.5}]


def test_a_profile_without_periods_is_rejected(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    assert put(ocpi, session.uid, charging_profile_period=[])["result"] == "REJECTED"


def test_a_body_that_is_not_valid_is_2001_and_rejected(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    response = ocpi.call("PUT", f"2.2.1/chargingprofiles/{session.uid}", {"response_url": RESULT_URL}).json()
    assert (response["status_code"], response["data"]) == (2001, {"result": "REJECTED", "timeout": 0})


# Who may not


def test_an_unknown_session_is_told(ocpi: OcpiTestClient) -> None:
    assert put(ocpi, "none") == {"result": "UNKNOWN_SESSION", "timeout": 0}
    assert get(ocpi, "none")["data"]["result"] == "UNKNOWN_SESSION"
    assert delete(ocpi, "none")["data"]["result"] == "UNKNOWN_SESSION"


def test_another_platforms_session_is_rejected(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    ChargingSession.objects.update(peer_id=RegisteredPlatformFactory().peer_id)
    assert put(ocpi, session.uid) == {"result": "REJECTED", "timeout": 0}
    assert not ProfileRequest.objects.exists()


def test_a_session_that_does_not_charge_is_rejected(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    ChargingSession.objects.update(status=SessionStatus.COMPLETED)
    assert put(ocpi, session.uid)["result"] == "REJECTED"


def test_an_evse_without_the_capability_does_not_support_it(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    evse = session.connector.evse
    evse.capabilities = []
    evse.save()
    assert put(ocpi, session.uid)["result"] == "NOT_SUPPORTED"


def test_too_often_passes_with_time(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    for _ in range(profiles.MOST_REQUESTS):
        assert put(ocpi, session.uid)["result"] == "ACCEPTED"
    assert put(ocpi, session.uid) == {"result": "TOO_OFTEN", "timeout": 0}
    ProfileRequest.objects.update(received_at=timezone.now() - profiles.WINDOW)
    assert put(ocpi, session.uid)["result"] == "ACCEPTED"


def test_an_offline_charger_rejects_by_the_result(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    ChargerConnection.objects.update(channel_name="")
    assert put(ocpi, session.uid)["result"] == "ACCEPTED"
    assert pushed() == [("POST", RESULT_URL, {"result": "REJECTED"})]


# Asking and clearing


def test_the_profile_in_force_is_told(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    assert get(ocpi, session.uid)["data"] == {"result": "ACCEPTED", "timeout": 30}
    assert OutgoingCall.objects.latest("pk").payload["duration"] == 900
    answer("ACCEPTED", {"start": "2026-01-01T12:00:00.000Z", "profile": PROFILE})
    active = {"start_date_time": "2026-01-01T12:00:00.000Z", "charging_profile": PROFILE}
    assert pushed() == [("POST", RESULT_URL, {"result": "ACCEPTED", "profile": active})]
    validate("ActiveChargingProfileResult", pushed()[0][2])


@pytest.mark.parametrize(("power", "unit", "limit"), [(None, "A", 32), (22000, "W", 22000)])
def test_without_a_limit_the_evse_gives_what_it_can(
    ocpi: OcpiTestClient, session: ChargingSession, power: int | None, unit: str, limit: int
) -> None:
    Connector.objects.update(max_amperage=32, max_electric_power=power)
    get(ocpi, session.uid)
    answer("ACCEPTED", {"start": None, "profile": None})
    profile = pushed()[0][2]["profile"]["charging_profile"]
    assert profile == {"charging_rate_unit": unit, "charging_profile_period": [{"start_period": 0, "limit": limit}]}


def test_a_refused_question_has_no_profile(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    get(ocpi, session.uid)
    answer("REJECTED")
    assert pushed() == [("POST", RESULT_URL, {"result": "REJECTED"})]


@pytest.mark.parametrize(
    ("result", "told"), [("ACCEPTED", "ACCEPTED"), ("UNKNOWN", "UNKNOWN"), ("TIMEOUT", "REJECTED")]
)
def test_a_profile_is_cleared(ocpi: OcpiTestClient, session: ChargingSession, result: str, told: str) -> None:
    assert delete(ocpi, session.uid)["data"]["result"] == "ACCEPTED"
    answer(result)
    assert pushed() == [("POST", RESULT_URL, {"result": told})]


ADDRESS = "response_url=https://a.example"
WHOLE_SECONDS = "is not a whole number of seconds from 1 to 10000000"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (ADDRESS, "duration: is required"),
        (f"{ADDRESS}&duration=", "duration: is required"),
        (f"duration=0&{ADDRESS}", f"duration: '0' {WHOLE_SECONDS}"),
        (f"duration=1.5&{ADDRESS}", f"duration: '1.5' {WHOLE_SECONDS}"),
        ("duration=900", "response_url: is required"),
        ("duration=900&response_url=NaN", "response_url: 'NaN' must begin with https:// or http://."),
        ("duration=900&response_url=https://a.example:0/", "response_url: 'https://a.example:0/' names port 0."),
        (f"duration=900&{ADDRESS}/{'x' * 240}", "response_url: must be at most 255 characters, has 258"),
    ],
)
def test_a_question_needs_a_duration_and_an_address(
    ocpi: OcpiTestClient, session: ChargingSession, query: str, problem: str
) -> None:
    response = get(ocpi, session.uid, query)
    assert (response["status_code"], response["status_message"]) == (2001, problem)
    assert response["data"] == {"result": "REJECTED", "timeout": 0}
    assert not ProfileRequest.objects.exists()


def test_without_an_address_for_the_result_nothing_is_changed(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    path = f"2.2.1/chargingprofiles/{session.uid}"
    answers = [
        ocpi.call("PUT", path, {"charging_profile": PROFILE, "response_url": "ftp://emsp.example/1"}).json(),
        ocpi.call("DELETE", f"{path}?response_url=ftp://emsp.example/1").json(),
    ]
    for response in answers:
        assert (response["status_code"], response["data"]["result"]) == (2001, "REJECTED")
        assert "response_url: 'ftp://emsp.example/1' must begin with https://" in response["status_message"]
    assert not ProfileRequest.objects.exists()


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ("duration=9&response_url=https%3A%2F%2Fa.example%2Fx%3Fy%3D1%26z%3D2", "https://a.example/x?y=1&z=2"),
        ("response_url=https%3A%2F%2Fa.example%2Fx&duration=9", "https://a.example/x"),
        ("duration=9&response_url=https://a.example/x?y=1&z=2", "https://a.example/x?y=1&z=2"),
        ("response_url=https://a.example/x?y=1&z=%20&duration=9", "https://a.example/x?y=1&z=%20"),
        ("response_url=https://a.example/x&duration=9", "https://a.example/x"),
        ("duration=9", ""),
    ],
)
def test_the_address_may_be_percent_encoded_or_not(query: str, url: str) -> None:
    assert read_response_url(query) == url


# What is in force


@pytest.fixture
def endpoint(platform: RoamingPlatform) -> None:
    PlatformEndpoint.objects.create(
        platform=platform,
        identifier=Module.CHARGINGPROFILES,
        role=InterfaceRole.SENDER,
        url="https://emsp.example/ocpi/chargingprofiles",
    )


def test_after_a_set_the_profile_in_force_is_pushed(
    ocpi: OcpiTestClient, session: ChargingSession, endpoint: None
) -> None:
    put(ocpi, session.uid)
    answer("ACCEPTED")
    call = OutgoingCall.objects.latest("pk")
    assert (call.action, call.payload["duration"]) == ("GET_COMPOSITE_SCHEDULE", 3600)
    answer("ACCEPTED", {"start": "2026-01-01T12:00:00.000Z", "profile": PROFILE})
    result, active = pushed()
    assert result == ("POST", RESULT_URL, {"result": "ACCEPTED"})
    assert active[0] == "PUT"
    validate("ActiveChargingProfile", active[2])
    request = profile_results.build(Push.objects.get(method="PUT"))
    assert request is not None
    assert request.url == f"https://emsp.example/ocpi/chargingprofiles/{session.uid}"
    assert (request.body, request.country_code) == (active[2], "AT")


def test_a_result_goes_to_its_address_unchanged(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    put(ocpi, session.uid)
    answer("REJECTED")
    request = profile_results.build(Push.objects.get())
    assert request is not None and (request.method, request.url) == ("POST", RESULT_URL)


def test_who_never_set_a_profile_is_not_told_of_changes(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    delete(ocpi, session.uid)
    answer("ACCEPTED")
    get(ocpi, session.uid)
    answer("ACCEPTED", {"start": None, "profile": None})
    assert [method for method, _, _ in pushed()] == ["POST", "POST"]
    assert OutgoingCall.objects.filter(action="GET_COMPOSITE_SCHEDULE").count() == 1


def test_after_a_clear_the_new_limit_is_pushed(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    put(ocpi, session.uid)
    answer("ACCEPTED")
    answer("REJECTED")
    delete(ocpi, session.uid)
    answer("ACCEPTED")
    answer("ACCEPTED", {"start": None, "profile": None})
    assert [method for method, _, _ in pushed()] == ["POST", "POST", "PUT"]
    assert PlatformEndpoint.objects.count() == 0
    assert profile_results.build(Push.objects.get(method="PUT")) is None


def test_a_session_that_ended_meanwhile_has_nothing_in_force(ocpi: OcpiTestClient, session: ChargingSession) -> None:
    put(ocpi, session.uid)
    ChargingSession.objects.update(status=SessionStatus.COMPLETED)
    answer("ACCEPTED")
    assert [body for _, _, body in pushed()] == [{"result": "ACCEPTED"}]


def test_staff_see_what_was_asked(client: Client, ocpi: OcpiTestClient, session: ChargingSession) -> None:
    put(ocpi, session.uid)
    answer("REJECTED")
    client.force_login(make_superuser())
    page = client.get(reverse("admin:roaming_profilerequest_changelist"), {"q": session.uid}).content.decode()
    assert "Rejected" in page
    request = ProfileRequest.objects.get()
    assert client.get(reverse("admin:roaming_profilerequest_change", args=[request.pk])).status_code == 200


def test_the_module_is_offered(ocpi: OcpiTestClient) -> None:
    endpoints = ocpi.call("GET", "2.2.1").json()["data"]["endpoints"]
    offered = [(one["identifier"], one["role"]) for one in endpoints]
    assert ("chargingprofiles", "RECEIVER") in offered
