"""The commands module as partners call it; what a command does is tested with its service."""

import pytest

from roaming.choices import CommandResponseType, PlatformType
from roaming.models import RoamingPlatform
from roaming.ocpi.errors import UnknownLocation
from roaming.services.commands import CommandAnswer
from roaming.views import commands

pytestmark = pytest.mark.django_db

TOKEN = {
    "country_code": "NL",
    "party_id": "PTP",
    "uid": "card-1",
    "type": "AD_HOC_USER",
    "contract_id": "NL-PTP-1",
    "issuer": "Terminals BV",
    "valid": True,
    "whitelist": "NEVER",
    "last_updated": "2025-01-01T12:00:00Z",
}
RESPONSE_URL = "https://ptp.example/results/1"
START = {
    "response_url": RESPONSE_URL,
    "token": TOKEN,
    "location_id": "VIE-HQ",
    "evse_uid": "VIE-HQ-01-1",
    "connector_id": "1",
    "authorization_reference": "REF-1",
}
BODIES = {
    "CANCEL_RESERVATION": {"response_url": RESPONSE_URL, "reservation_id": "R1"},
    "RESERVE_NOW": {
        "response_url": RESPONSE_URL,
        "token": TOKEN,
        "expiry_date": "2025-01-01T12:00:00Z",
        "reservation_id": "R1",
        "location_id": "VIE-HQ",
    },
    "UNLOCK_CONNECTOR": {
        "response_url": RESPONSE_URL,
        "location_id": "VIE-HQ",
        "evse_uid": "VIE-HQ-01-1",
        "connector_id": "1",
    },
}


senders: list[tuple[str, str]] = []


@pytest.fixture
def answer(monkeypatch):
    """Lets the service give this answer, or raise it; returns what reached the service."""
    received = []
    senders.clear()

    def use(result, command="START_SESSION"):
        def receive(platform, body, *, sender):
            received.append((platform, body))
            senders.append(sender)
            if isinstance(result, Exception):
                raise result
            return result

        type_name, _ = commands._COMMANDS[command]
        monkeypatch.setitem(commands._COMMANDS, command, (type_name, receive))
        return received

    return use


def test_an_accepted_start_names_result_and_timeout(ocpi, platform, answer):
    received = answer(CommandAnswer(CommandResponseType.ACCEPTED, timeout=30, message=""))
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", START)
    assert response.status_code == 200
    assert response.json()["status_code"] == 1000
    assert response.json()["data"] == {"result": "ACCEPTED", "timeout": 30}
    assert received == [(platform, START)]


@pytest.mark.parametrize("party", [("DE", "ONE"), ("FR", "TWO"), ("", "")])
def test_a_start_is_of_the_party_that_the_hub_names(ocpi, platform, answer, party):
    """To which the result is addressed then."""
    RoamingPlatform.objects.update(type=PlatformType.HUB)
    answer(CommandAnswer(CommandResponseType.ACCEPTED, timeout=30, message=""))
    names = ("OCPI-from-country-code", "OCPI-from-party-id")
    headers = {name: value for name, value in zip(names, party, strict=True) if value}
    assert ocpi.call("POST", "2.2.1/commands/START_SESSION", START, **headers).json()["status_code"] == 1000
    assert senders == [party]


def test_an_unknown_location_is_2003_and_rejected(ocpi, answer):
    answer(UnknownLocation("There is no such location.", data={"result": "REJECTED", "timeout": 0}))
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", START)
    assert (response.status_code, response.json()["status_code"]) == (200, 2003)
    assert response.json()["data"]["result"] == "REJECTED"


def test_a_status_code_of_the_answer_becomes_that_of_the_envelope(ocpi, answer):
    answer(CommandAnswer(CommandResponseType.REJECTED, timeout=0, message="Not now.", status_code=2000))
    body = ocpi.call("POST", "2.2.1/commands/START_SESSION", START).json()
    assert (body["status_code"], body["status_message"]) == (2000, "Not now.")
    assert body["data"]["message"] == [{"language": "en", "text": "Not now."}]


def test_a_stop_reaches_its_service(ocpi, answer):
    answer(CommandAnswer(CommandResponseType.UNKNOWN_SESSION, timeout=0, message=""), "STOP_SESSION")
    body = {"response_url": RESPONSE_URL, "session_id": "S1"}
    response = ocpi.call("POST", "2.2.1/commands/STOP_SESSION", body).json()
    assert (response["status_code"], response["data"]["result"]) == (1000, "UNKNOWN_SESSION")


def test_a_body_that_is_not_valid_is_2001_and_rejected(ocpi, answer):
    received = answer(CommandAnswer(CommandResponseType.ACCEPTED, timeout=30, message=""))
    response = ocpi.call("POST", "2.2.1/commands/START_SESSION", {**START, "token": {"uid": "card-1"}})
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert response.json()["data"]["result"] == "REJECTED"
    assert "token.type" in response.json()["status_message"]
    assert received == []


UNUSABLE = {
    "NaN": "must begin with https://",
    "\U0001f600": "must begin with https://",
    "/results/1": "must begin with https://",
    "//ptp.example/results/1": "must begin with https://",
    "ftp://ptp.example/results/1": "must begin with https://",
    "https://": "no usable host",
    "https:///results/1": "no usable host",
    "https://[::1/": "not a valid web address",
    "https://ptp.example:99999/": "not a valid web address",
    "https://ptp.example:0/": "names port 0",
    "https://me:secret@ptp.example/": "carries a user name or password",
    "https://ptp.example/a b": "contains a blank",
    "https://0.0.0.0/": "no address of a single computer",
    f"https://ptp.example/{'x' * 240}": "must be at most 255 characters",
    "": "must not be empty",
}


@pytest.mark.parametrize("url", UNUSABLE)
@pytest.mark.parametrize("command", ["START_SESSION", *BODIES])
def test_where_no_result_can_be_sent_nothing_is_done(ocpi, answer, command, url):
    received = answer(CommandAnswer(CommandResponseType.ACCEPTED, timeout=30), command)
    body = {"START_SESSION": START, **BODIES}[command] | {"response_url": url}
    response = ocpi.call("POST", f"2.2.1/commands/{command}", body)
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)
    assert response.json()["data"]["result"] == "REJECTED"
    assert "response_url: " in response.json()["status_message"]
    assert UNUSABLE[url] in response.json()["status_message"]
    assert "secret" not in response.content.decode()
    assert received == []


def test_a_result_goes_where_this_installation_sends_at_all(ocpi, answer, settings):
    """The advice for staff, how to allow it, is not for partners."""
    settings.PEERS_REQUIRE_HTTPS, settings.PEERS_ALLOW_PRIVATE_ADDRESSES = True, False
    received = answer(CommandAnswer(CommandResponseType.ACCEPTED, timeout=30))
    for url, rule in (("http://ptp.example/1", "not encrypted"), ("https://10.0.0.1/1", "private network")):
        response = ocpi.call("POST", "2.2.1/commands/START_SESSION", START | {"response_url": url}).json()
        assert response["status_code"] == 2001
        assert rule in response["status_message"]
        assert "PEERS_" not in response["status_message"]
    assert received == []


@pytest.mark.parametrize("command", BODIES)
def test_every_command_reaches_its_service(ocpi, platform, answer, command):
    received = answer(CommandAnswer(CommandResponseType.NOT_SUPPORTED, message="Not here."), command)
    response = ocpi.call("POST", f"2.2.1/commands/{command}", BODIES[command])
    assert (response.status_code, response.json()["status_code"]) == (200, 1000)
    assert response.json()["data"]["result"] == "NOT_SUPPORTED"
    assert received == [(platform, BODIES[command])]


@pytest.mark.parametrize("command", ["RESERVE_NOW", "UNLOCK_CONNECTOR"])
def test_an_unknown_place_of_any_command_is_2003_and_rejected(ocpi, command):
    response = ocpi.call("POST", f"2.2.1/commands/{command}", BODIES[command])
    assert (response.status_code, response.json()["status_code"]) == (200, 2003)
    assert response.json()["data"] == {"result": "REJECTED", "timeout": 0}


@pytest.mark.parametrize("command", ["start_session", "REBOOT"])
def test_an_unknown_command_is_404(ocpi, command):
    assert ocpi.call("POST", f"2.2.1/commands/{command}", START).status_code == 404
