"""START_SESSION and STOP_SESSION: what is refused, what is forwarded, and what is told later."""

from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import CallResult, CallState, SessionStatus, StopReason
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls
from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from roaming.choices import CommandResponseType, Module, PlatformState
from roaming.models import Command, Document, Push, RoamingPlatform
from roaming.ocpi.errors import InvalidParameters, UnknownLocation
from roaming.services import documents
from roaming.services.commands import receive_start_session, receive_stop_session, receive_unlock_connector
from tests.roaming.factories import RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

TOKEN = {
    "country_code": "NL",
    "party_id": "PTP",
    "uid": "000123",
    "type": "AD_HOC_USER",
    "contract_id": "000123",
    "issuer": "Terminals",
    "valid": True,
    "whitelist": "NEVER",
    "last_updated": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def platform() -> RoamingPlatform:
    """The demo's provider, registered, with both chargers connected and free."""
    demo: DemoData = data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    documents.refresh_platform(demo.platform.pk)
    ChargerConnection.objects.update(channel_name="socket")
    EVSE.objects.update(status=EVSEStatus.AVAILABLE)
    return RoamingPlatform.objects.get()


def start(**changes: Any) -> dict[str, Any]:
    return {
        "response_url": "http://127.0.0.1:9/commands/1?token=a",
        "token": TOKEN,
        "location_id": "VIE-CITY",
        "evse_uid": "DEMO-AC-1-1",
        "connector_id": "1",
        "authorization_reference": "REF-1",
    } | changes


def results() -> list[tuple[str, str]]:
    """CommandResults waiting to be sent: address and result."""
    outbox.drain()
    return [(push.url, push.body["body"]["result"]) for push in Push.objects.filter(module=Module.COMMANDS)]


def test_between_a_change_of_profiles_and_of_the_documents_a_start_is_answered(platform: RoamingPlatform) -> None:
    for profile in platform.profiles.all():
        profile.operators.clear()
    with pytest.raises(UnknownLocation) as refused:
        receive_start_session(platform, start())
    assert refused.value.data["result"] == CommandResponseType.REJECTED
    assert not ChargingSession.objects.exists()


def test_a_start_is_accepted_and_forwarded(platform: RoamingPlatform) -> None:
    answer = receive_start_session(platform, start())
    assert (answer.result, answer.timeout) == (CommandResponseType.ACCEPTED, 30)
    session = ChargingSession.objects.get()
    assert (session.status, session.peer_id) == (SessionStatus.PENDING, platform.peer_id)
    assert (session.country_code, session.party_id) == ("AT", "VLT")
    assert session.authorization_reference == "REF-1"
    assert session.cdr_token == {
        name: TOKEN[name] for name in ("country_code", "party_id", "uid", "type", "contract_id")
    }
    assert session.limit == 40
    assert session.place["evse_id"] == "AT*VLT*EDEMOAC1*1"
    assert OutgoingCall.objects.get().state == CallState.PENDING
    assert results() == []


def test_ids_are_compared_without_regard_to_case(platform: RoamingPlatform) -> None:
    answer = receive_start_session(platform, start(location_id="vie-city", evse_uid="demo-ac-1-1"))
    assert answer.result == CommandResponseType.ACCEPTED


@pytest.mark.parametrize("name", ["evse_uid", "connector_id", "authorization_reference"])
def test_a_terminal_must_name_evse_connector_and_reference(platform: RoamingPlatform, name: str) -> None:
    with pytest.raises(InvalidParameters, match=name) as refusal:
        receive_start_session(platform, start(**{name: None}))
    assert refusal.value.data == {"result": "REJECTED", "timeout": 0}
    assert not ChargingSession.objects.exists()


@pytest.mark.parametrize("change", [{"location_id": "NOWHERE"}, {"evse_uid": "NONE"}, {"connector_id": "7"}])
def test_an_unknown_place_is_refused(platform: RoamingPlatform, change: dict[str, str]) -> None:
    with pytest.raises(UnknownLocation) as refusal:
        receive_start_session(platform, start(**change))
    assert refusal.value.data == {"result": "REJECTED", "timeout": 0}
    assert not Command.objects.exists()


def test_a_place_that_was_removed_is_unknown(platform: RoamingPlatform) -> None:
    document = Document.objects.get(object_id="VIE-CITY")
    document.body["evses"][0]["status"] = "REMOVED"
    document.save()
    with pytest.raises(UnknownLocation):
        receive_start_session(platform, start())


def test_another_platforms_place_is_unknown(platform: RoamingPlatform) -> None:
    other = RegisteredPlatformFactory()
    with pytest.raises(UnknownLocation):
        receive_start_session(other, start())


def test_a_repeated_reference_gets_the_first_answer_and_starts_nothing(platform: RoamingPlatform) -> None:
    receive_start_session(platform, start())
    again = receive_start_session(platform, start(response_url="http://127.0.0.1:9/commands/2"))
    assert again.result == CommandResponseType.ACCEPTED
    assert (ChargingSession.objects.count(), OutgoingCall.objects.count()) == (1, 1)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_start_repeated_with_another_address_is_reported_to_both(platform: RoamingPlatform, is_late: bool) -> None:
    first, second = "http://127.0.0.1:9/commands/1", "http://127.0.0.1:9/commands/2"
    receive_start_session(platform, start(response_url=first))
    if is_late:
        calls.finish_call(OutgoingCall.objects.get().pk, CallResult.ACCEPTED, {})
        assert results() == [(first, "ACCEPTED")]
    for _ in range(2):
        receive_start_session(platform, start(response_url=second))
    if not is_late:
        calls.finish_call(OutgoingCall.objects.get().pk, CallResult.ACCEPTED, {})
    assert sorted(results()) == [(first, "ACCEPTED"), (second, "ACCEPTED")]


def test_a_start_repeated_word_for_word_is_reported_once(platform: RoamingPlatform) -> None:
    for _ in range(2):
        receive_start_session(platform, start())
    calls.finish_call(OutgoingCall.objects.get().pk, CallResult.ACCEPTED, {})
    assert len(results()) == 1


def test_a_reference_used_for_another_start_is_rejected(platform: RoamingPlatform) -> None:
    receive_start_session(platform, start())
    again = receive_start_session(platform, start(authorization_reference="ref-1", evse_uid="DEMO-AC-1-2"))
    assert again.result == CommandResponseType.REJECTED
    assert ChargingSession.objects.count() == 1


def test_two_platforms_may_use_the_same_reference(platform: RoamingPlatform) -> None:
    receive_start_session(platform, start())
    other = RegisteredPlatformFactory(profiles=list(platform.profiles.all()))
    other.tariffs.set(platform.tariffs.all())
    documents.refresh_platform(other.pk)
    answer = receive_start_session(other, start(evse_uid="DEMO-AC-1-2"))
    assert answer.result == CommandResponseType.ACCEPTED
    assert ChargingSession.objects.filter(authorization_reference="REF-1").count() == 2


def test_an_offline_charger_is_told_at_once(platform: RoamingPlatform) -> None:
    ChargerConnection.objects.update(channel_name="")
    assert receive_start_session(platform, start()).result == CommandResponseType.ACCEPTED
    assert results() == [("http://127.0.0.1:9/commands/1?token=a", "EVSE_INOPERATIVE")]
    assert ChargingSession.objects.get().status == SessionStatus.INVALID


def test_an_occupied_evse_is_told_at_once(platform: RoamingPlatform) -> None:
    EVSE.objects.update(status=EVSEStatus.CHARGING)
    receive_start_session(platform, start())
    assert [result for _, result in results()] == ["EVSE_OCCUPIED"]


def test_without_a_tariff_nothing_starts(platform: RoamingPlatform) -> None:
    platform.tariffs.clear()
    assert receive_start_session(platform, start()).result == CommandResponseType.REJECTED
    assert not ChargingSession.objects.exists()
    assert receive_start_session(platform, start()).result == CommandResponseType.REJECTED


def test_a_result_is_told_once(platform: RoamingPlatform) -> None:
    receive_start_session(platform, start())
    OutgoingCall.objects.update(state=CallState.DONE, result=CallResult.ACCEPTED)
    for _ in range(2):
        outbox.record("call", OutgoingCall.objects.get().pk)
    assert [result for _, result in results()] == ["ACCEPTED"]


def active_session(platform: RoamingPlatform) -> ChargingSession:
    receive_start_session(platform, start())
    ChargingSession.objects.update(status=SessionStatus.ACTIVE, transaction_id="1", started_at=timezone.now())
    return ChargingSession.objects.get()


def stop(session_id: str, number: int = 1) -> dict[str, Any]:
    return {"response_url": f"http://127.0.0.1:9/commands/stop-{number}", "session_id": session_id}


def test_a_stop_is_forwarded_and_remembers_who_asked(platform: RoamingPlatform) -> None:
    session = active_session(platform)
    assert receive_stop_session(platform, stop(session.uid)).result == CommandResponseType.ACCEPTED
    session.refresh_from_db()
    assert session.stop_requested_by == StopReason.PARTNER


def test_a_second_stop_is_answered_without_another_call(platform: RoamingPlatform) -> None:
    session = active_session(platform)
    receive_stop_session(platform, stop(session.uid, 1))
    receive_stop_session(platform, stop(session.uid, 2))
    assert OutgoingCall.objects.filter(action="STOP_TRANSACTION").count() == 1
    assert results() == [("http://127.0.0.1:9/commands/stop-2", "ACCEPTED")]


def test_an_unknown_session_cannot_be_stopped(platform: RoamingPlatform) -> None:
    assert receive_stop_session(platform, stop("none")).result == CommandResponseType.UNKNOWN_SESSION


def test_another_partys_session_cannot_be_stopped(platform: RoamingPlatform) -> None:
    session = active_session(platform)
    other = RegisteredPlatformFactory()
    assert receive_stop_session(other, stop(session.uid)).result == CommandResponseType.REJECTED
    assert not OutgoingCall.objects.filter(action="STOP_TRANSACTION").exists()


def test_a_connector_is_required_where_the_evse_says_so(platform: RoamingPlatform) -> None:
    RoamingPlatform.objects.update(type="EMSP")
    EVSE.objects.update(capabilities=["START_SESSION_CONNECTOR_REQUIRED"])
    with pytest.raises(InvalidParameters, match="connector_id is required"):
        receive_start_session(RoamingPlatform.objects.get(), start(connector_id=None))


def unlock(**changes: Any) -> dict[str, Any]:
    return {
        "response_url": "http://127.0.0.1:9/commands/unlock",
        "location_id": "VIE-CITY",
        "evse_uid": "DEMO-AC-1-1",
        "connector_id": "1",
    } | changes


@pytest.mark.parametrize("result", ["ACCEPTED", "FAILED", "NOT_SUPPORTED", "TIMEOUT"])
def test_an_unlock_is_forwarded_and_its_result_told(platform: RoamingPlatform, result: str) -> None:
    EVSE.objects.update(capabilities=["UNLOCK_CAPABLE"])
    answer = receive_unlock_connector(platform, unlock())
    assert (answer.result, answer.timeout) == (CommandResponseType.ACCEPTED, 30)
    call = OutgoingCall.objects.get()
    assert (call.action, call.payload) == ("UNLOCK_CONNECTOR", {"evse": 1})
    calls.finish_call(call.pk, CallResult(result), {})
    assert results() == [("http://127.0.0.1:9/commands/unlock", result)]
    pushed = Push.objects.get(module=Module.COMMANDS).body
    assert (pushed["country_code"], pushed["party_id"]) == ("AT", "VLT")


def test_an_evse_that_cannot_be_unlocked_is_not_supported(platform: RoamingPlatform) -> None:
    assert receive_unlock_connector(platform, unlock()).result == CommandResponseType.NOT_SUPPORTED
    assert not OutgoingCall.objects.exists()


def test_an_unknown_connector_cannot_be_unlocked(platform: RoamingPlatform) -> None:
    with pytest.raises(UnknownLocation):
        receive_unlock_connector(platform, unlock(connector_id="9"))


def test_an_offline_charger_cannot_be_unlocked(platform: RoamingPlatform) -> None:
    EVSE.objects.update(capabilities=["UNLOCK_CAPABLE"])
    ChargerConnection.objects.update(channel_name="")
    receive_unlock_connector(platform, unlock())
    assert [result for _, result in results()] == ["EVSE_INOPERATIVE"]


def test_an_ended_session_cannot_be_stopped(platform: RoamingPlatform) -> None:
    session = active_session(platform)
    ChargingSession.objects.update(status=SessionStatus.COMPLETED)
    assert receive_stop_session(platform, stop(session.uid)).result == CommandResponseType.REJECTED
