"""What a driver wishes for a running session, and what we say to it."""

from typing import Any

import pytest

from chargers.models import ChargingSession
from chargers.services.preferences import record_preferences
from infrastructure import outbox
from infrastructure.models import EVSE
from roaming.models import Document
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff
from tests.chargers.factories import end, make_active, minutes, reread
from tests.roaming.client import client_with
from tests.roaming.emsp import make_emsp

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform():
    return make_emsp(server_token="emsp")


@pytest.fixture
def session(platform) -> ChargingSession:
    """A running session of the platform at an EVSE that takes preferences."""
    token = {"country_code": "DE", "party_id": "EMP", "uid": "CARD", "type": "RFID", "contract_id": "C1"}
    session = make_active(peer_id=platform.peer_id, cdr_token=token)
    EVSE.objects.update(capabilities=["CHARGING_PREFERENCES_CAPABLE"])
    outbox.drain()
    return session


def put(session: ChargingSession, client: str = "emsp", **body: Any) -> tuple[int, int, Any]:
    path = f"2.2.1/sessions/{session.uid}/charging_preferences"
    response = client_with(client).call("PUT", path, body)
    answer = response.json()
    return response.status_code, answer["status_code"], answer.get("data")


def offer(platform, profile: str) -> None:
    tariff = RoamingTariff.objects.create(name=profile, code=profile, type=profile, status=TariffStatus.ACTIVE)
    platform.tariffs.add(tariff)


@pytest.mark.parametrize("profile", ["REGULAR", "FAST"])
def test_preferences_are_accepted_and_kept(session, profile):
    wish = {"profile_type": profile, "departure_time": "2099-01-01T00:00:00Z", "energy_need": 20.5}
    assert put(session, **wish) == (200, 1000, "ACCEPTED")
    assert reread(session).charging_preferences == wish


def test_the_newest_wish_counts(session):
    put(session, profile_type="FAST")
    put(session, profile_type="REGULAR")
    assert reread(session).charging_preferences == {"profile_type": "REGULAR"}


def test_an_evse_that_takes_none_is_404_with_2001(session):
    EVSE.objects.update(capabilities=[])
    assert put(session, profile_type="REGULAR") == (404, 2001, None)
    assert reread(session).charging_preferences is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"profile_type": "CHEAP"}, "DEPARTURE_REQUIRED"),
        ({"profile_type": "CHEAP", "departure_time": "2099-01-01T00:00:00Z"}, "ENERGY_NEED_REQUIRED"),
        ({"profile_type": "GREEN"}, "PROFILE_TYPE_NOT_SUPPORTED"),
        ({"profile_type": "REGULAR", "departure_time": "2020-01-01T00:00:00Z"}, "NOT_POSSIBLE"),
        ({"profile_type": "REGULAR", "energy_need": -1}, "NOT_POSSIBLE"),
    ],
)
def test_what_cannot_be_done_is_said(platform, session, body, expected):
    offer(platform, "PROFILE_CHEAP")
    assert put(session, **body) == (200, 1000, expected)
    assert reread(session).charging_preferences is None


def test_a_profile_with_a_tariff_is_accepted_with_what_it_needs(platform, session):
    offer(platform, "PROFILE_GREEN")
    wish = {"profile_type": "GREEN", "departure_time": "2099-01-01T00:00:00Z", "energy_need": "20"}
    assert put(session, **wish) == (200, 1000, "ACCEPTED")


@pytest.mark.parametrize("body", [{}, {"profile_type": "LAZY"}, {"profile_type": "FAST", "departure_time": "soon"}])
def test_what_is_no_preference_is_2001(session, body):
    assert put(session, **body)[:2] == (200, 2001)


def test_a_session_that_is_over_takes_no_preferences(session):
    end(session, session.started_at + minutes(30), 100)
    assert put(session, profile_type="REGULAR") == (200, 1000, "NOT_POSSIBLE")
    assert not record_preferences(session, {})


def test_another_platforms_session_is_as_unknown_as_none(session):
    make_emsp(server_token="other")
    assert put(session, "other", profile_type="REGULAR") == (404, 2000, None)
    assert put(ChargingSession(uid="none"), profile_type="REGULAR") == (404, 2000, None)
    assert reread(session).charging_preferences is None


def test_a_session_that_the_platform_was_not_told_of_is_unknown(session):
    Document.objects.all().delete()
    assert put(session, profile_type="REGULAR")[0] == 404
