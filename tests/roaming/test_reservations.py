"""RESERVE_NOW and CANCEL_RESERVATION: what is refused, what is forwarded, and what is told later."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import CallResult, SessionStatus
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall, Reservation
from chargers.services import calls, reservations, reserving
from config.demo import data
from infrastructure import outbox
from infrastructure.choices import Capability, EVSEStatus
from infrastructure.models import EVSE
from roaming.choices import CommandResponseType, Module, PlatformState
from roaming.models import Command, Document, Push, RoamingPlatform
from roaming.ocpi.errors import UnknownLocation
from roaming.ocpi.objects import validate
from roaming.ocpi.types import format_datetime
from roaming.services import documents
from roaming.services.commands import (
    receive_cancel_reservation,
    receive_reserve_now,
    receive_start_session,
    receive_stop_session,
)
from tests.roaming.factories import RegisteredPlatformFactory
from tests.roaming.test_commands import TOKEN, results, start, stop

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:9/commands/reserve?x=1"
CANCEL_URL = "http://127.0.0.1:9/commands/cancel"


@pytest.fixture
def platform() -> RoamingPlatform:
    """The demo's provider, registered, with chargers that are connected and can be reserved."""
    demo = data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    EVSE.objects.update(status=EVSEStatus.AVAILABLE, capabilities=[Capability.RESERVABLE])
    documents.refresh_platform(demo.platform.pk)
    ChargerConnection.objects.update(channel_name="socket")
    return RoamingPlatform.objects.get()


def another(platform: RoamingPlatform) -> RoamingPlatform:
    """A second provider that sees the same."""
    other = RegisteredPlatformFactory(profiles=list(platform.profiles.all()))
    other.tariffs.set(platform.tariffs.all())
    documents.refresh_platform(other.pk)
    return other


def reserve(**changes: Any) -> dict[str, Any]:
    return {
        "response_url": URL,
        "token": TOKEN,
        "expiry_date": format_datetime(timezone.now() + timedelta(hours=1)),
        "reservation_id": "R1",
        "location_id": "VIE-CITY",
        "evse_uid": "DEMO-AC-1-1",
        "authorization_reference": "REF-1",
    } | changes


def cancel(reservation_id: str = "R1") -> dict[str, Any]:
    return {"response_url": CANCEL_URL, "reservation_id": reservation_id}


def answer(result: str, action: str = "RESERVE_NOW") -> None:
    """The charger's word on the newest call of this kind."""
    call = OutgoingCall.objects.filter(action=action).latest("pk")
    calls.finish_call(call.pk, CallResult(result), {})


def reserved(platform: RoamingPlatform, **changes: Any) -> Reservation:
    receive_reserve_now(platform, reserve(**changes))
    answer("ACCEPTED")
    return Reservation.objects.select_related("session").latest("pk")


def session_document() -> dict[str, Any]:
    outbox.drain()
    body: dict[str, Any] = Document.objects.get(module=Module.SESSIONS).body
    return body


@pytest.mark.parametrize("value", [1, "2", {"a": 1}, [None], True])
def test_a_connector_id_which_it_has_not_is_passed_over(platform: RoamingPlatform, value: object) -> None:
    response = receive_reserve_now(platform, reserve(connector_id=value))
    assert response.result == CommandResponseType.ACCEPTED


def test_a_reservation_is_forwarded_and_its_session_pushed(platform: RoamingPlatform) -> None:
    response = receive_reserve_now(platform, reserve())
    assert (response.result, response.timeout) == (CommandResponseType.ACCEPTED, 30)
    assert results() == [] and not Document.objects.filter(module=Module.SESSIONS).exists()
    answer("ACCEPTED")
    assert results() == [(URL, "ACCEPTED")]
    session = session_document()
    assert (session["status"], session["auth_method"]) == ("RESERVATION", "COMMAND")
    assert (session["evse_uid"], session["connector_id"]) == ("DEMO-AC-1-1", "#NA")
    assert session["authorization_reference"] == "REF-1" and session["cdr_token"]["uid"] == TOKEN["uid"]
    assert Push.objects.filter(module=Module.SESSIONS).count() == 1


@pytest.mark.parametrize(
    "result", ["EVSE_OCCUPIED", "EVSE_INOPERATIVE", "REJECTED", "NOT_SUPPORTED", "FAILED", "TIMEOUT"]
)
def test_a_refusal_is_told_and_no_session_seen(platform: RoamingPlatform, result: str) -> None:
    receive_reserve_now(platform, reserve())
    answer(result)
    assert results() == [(URL, result)]
    assert not Document.objects.filter(module=Module.SESSIONS).exists()


def test_a_charger_that_is_offline_is_told_at_once(platform: RoamingPlatform) -> None:
    ChargerConnection.objects.update(channel_name="")
    assert receive_reserve_now(platform, reserve()).result == CommandResponseType.ACCEPTED
    assert results() == [(URL, "EVSE_INOPERATIVE")]


@pytest.mark.parametrize("changes", [{"location_id": "NOWHERE"}, {"evse_uid": "NOTHING"}])
def test_an_unknown_place_is_2003_and_rejected(platform: RoamingPlatform, changes: dict[str, str]) -> None:
    with pytest.raises(UnknownLocation) as refusal:
        receive_reserve_now(platform, reserve(**changes))
    assert refusal.value.data == {"result": "REJECTED", "timeout": 0}
    assert not OutgoingCall.objects.exists()


def test_a_place_that_has_just_left_all_profiles_is_2003(platform: RoamingPlatform) -> None:
    for profile in platform.profiles.all():
        profile.operators.clear()
    with pytest.raises(UnknownLocation):
        receive_reserve_now(platform, reserve())
    assert not Reservation.objects.exists()


def test_a_place_that_cannot_be_reserved_is_not_supported(platform: RoamingPlatform) -> None:
    EVSE.objects.update(capabilities=[])
    assert receive_reserve_now(platform, reserve()).result == CommandResponseType.NOT_SUPPORTED
    assert not OutgoingCall.objects.exists()


def test_a_reservation_for_the_past_is_rejected(platform: RoamingPlatform) -> None:
    response = receive_reserve_now(platform, reserve(expiry_date="2020-01-01T00:00:00Z"))
    assert response.result == CommandResponseType.REJECTED


def test_without_a_tariff_nothing_is_reserved(platform: RoamingPlatform) -> None:
    platform.tariffs.clear()
    assert receive_reserve_now(platform, reserve()).result == CommandResponseType.REJECTED


def test_a_reference_in_use_is_rejected(platform: RoamingPlatform) -> None:
    reserved(platform)
    again = receive_reserve_now(platform, reserve(reservation_id="R2"))
    assert again.result == CommandResponseType.REJECTED
    assert Command.objects.count() == 1


def test_without_an_evse_any_of_a_charger_is_reserved(platform: RoamingPlatform) -> None:
    EVSE.objects.filter(number=1).update(status=EVSEStatus.CHARGING)
    reservation = reserved(platform, evse_uid=None)
    assert OutgoingCall.objects.get().payload["evse"] == 0
    assert len(reservation.outlets) == EVSE.objects.filter(charger=reservation.charger).count() > 1
    assert {session_document()[name] for name in ("evse_uid", "connector_id")} == {"#NA"}


def test_the_same_id_at_the_same_place_replaces(platform: RoamingPlatform) -> None:
    first = reserved(platform)
    second = reserved(platform, reservation_id="r1", evse_uid="DEMO-AC-1-2", authorization_reference="REF-2")
    assert (second.pk, second.evse_number) == (first.pk, 2)
    session = session_document()
    assert (session["evse_uid"], session["authorization_reference"]) == ("DEMO-AC-1-2", "REF-2")
    assert results() == [(URL, "ACCEPTED")] * 2


def test_the_same_id_of_another_platform_is_another_reservation(platform: RoamingPlatform) -> None:
    first, second = reserved(platform), reserved(another(platform), evse_uid="DEMO-AC-1-2")
    assert first.pk != second.pk
    assert OutgoingCall.objects.count() == 2


def test_a_start_with_the_reserved_token_makes_its_session_active(platform: RoamingPlatform) -> None:
    reservation = reserved(platform)
    EVSE.objects.update(status=EVSEStatus.RESERVED)
    assert receive_start_session(platform, start()).result == CommandResponseType.ACCEPTED
    call = OutgoingCall.objects.get(action="START_TRANSACTION")
    assert call.payload["id_tag"] == reservation.session.id_tag
    assert ChargingSession.objects.count() == 1
    answer("ACCEPTED", "START_TRANSACTION")
    assert sorted(results()) == sorted([(URL, "ACCEPTED"), (start()["response_url"], "ACCEPTED")])
    assert session_document()["connector_id"] == "1"


def test_another_platforms_start_finds_the_place_occupied(platform: RoamingPlatform) -> None:
    reserved(platform)
    receive_start_session(another(platform), start())
    assert ("EVSE_OCCUPIED") in [result for _, result in results()]


def test_a_reference_of_a_reservation_elsewhere_cannot_start(platform: RoamingPlatform) -> None:
    reserved(platform)
    response = receive_start_session(platform, start(evse_uid="DEMO-AC-1-2"))
    assert response.result == CommandResponseType.REJECTED
    assert not Command.objects.filter(type="START_SESSION").exists()


def test_a_reservation_is_not_stopped_but_cancelled(platform: RoamingPlatform) -> None:
    reservation = reserved(platform)
    assert receive_stop_session(platform, stop(reservation.session.uid)).result == CommandResponseType.REJECTED


# CANCEL_RESERVATION


@pytest.mark.parametrize("result", ["ACCEPTED", "UNKNOWN_RESERVATION", "NOT_SUPPORTED", "TIMEOUT"])
def test_a_cancellation_is_forwarded_and_its_result_told(platform: RoamingPlatform, result: str) -> None:
    reserved(platform)
    assert receive_cancel_reservation(platform, cancel("r1")).result == CommandResponseType.ACCEPTED
    assert results() == [(URL, "ACCEPTED")]
    answer(result, "CANCEL_RESERVATION")
    assert sorted(results()) == sorted([(URL, "ACCEPTED"), (CANCEL_URL, result)])
    is_over = result in ("ACCEPTED", "UNKNOWN_RESERVATION")
    assert session_document()["status"] == ("COMPLETED" if is_over else "RESERVATION")


def test_an_unknown_reservation_is_told_by_the_result(platform: RoamingPlatform) -> None:
    assert receive_cancel_reservation(platform, cancel()).result == CommandResponseType.ACCEPTED
    assert results() == [(CANCEL_URL, "UNKNOWN_RESERVATION")]
    assert not OutgoingCall.objects.exists()


def test_another_platforms_reservation_is_as_unknown_as_none(platform: RoamingPlatform) -> None:
    reservation = reserved(platform)
    receive_cancel_reservation(another(platform), cancel())
    assert (CANCEL_URL, "UNKNOWN_RESERVATION") in results()
    reservation.refresh_from_db()
    assert reservation.state == "ACCEPTED"


def test_a_reservation_that_is_over_is_unknown(platform: RoamingPlatform) -> None:
    reserved(platform)
    Reservation.objects.update(expires_at=timezone.now())
    reservations.expire_reservations()
    receive_cancel_reservation(platform, cancel())
    assert (CANCEL_URL, "UNKNOWN_RESERVATION") in results()


# Its end


def test_our_cancellation_is_told_where_the_reservation_was_asked_for(platform: RoamingPlatform) -> None:
    reservation = reserved(platform)
    assert results() == [(URL, "ACCEPTED")]
    reserving.cancel_reservation(reservation)
    assert sorted(results()) == [(URL, "ACCEPTED"), (URL, "CANCELED_RESERVATION")]
    assert Command.objects.get().result == "CANCELED_RESERVATION"
    outbox.record("reservation", reservation.pk)
    assert len(results()) == 2


def test_a_partners_own_cancellation_is_not_told_as_ours(platform: RoamingPlatform) -> None:
    reservation = reserved(platform)
    receive_cancel_reservation(platform, cancel())
    answer("ACCEPTED", "CANCEL_RESERVATION")
    outbox.record("reservation", reservation.pk)
    assert "CANCELED_RESERVATION" not in [result for _, result in results()]


def test_an_expired_reservation_completes_its_session(platform: RoamingPlatform) -> None:
    reserved(platform)
    Reservation.objects.update(expires_at=timezone.now())
    reservations.expire_reservations()
    session = session_document()
    assert session["status"] == SessionStatus.COMPLETED and session["total_cost"]["incl_vat"] == 0
    assert "end_date_time" in session


def test_an_expired_reservation_that_costs_has_a_cdr_without_an_outlet(platform: RoamingPlatform) -> None:
    reservation = reserved(platform)
    version = reservation.session.tariff_version
    hourly = {"price_components": [{"type": "TIME", "price": 6.0, "vat": 20.0, "step_size": 1}]}
    version.content["elements"].insert(0, hourly | {"restrictions": {"reservation": "RESERVATION"}})
    version.save()
    began = timezone.now() - timedelta(minutes=10)
    ChargingSession.objects.update(reserved_at=began)
    Reservation.objects.update(expires_at=timezone.now())
    reservations.expire_reservations()
    outbox.drain()
    cdr = Document.objects.get(module=Module.CDRS).body
    validate("CDR", cdr)
    place = cdr["cdr_location"]
    assert [place[name] for name in ("evse_uid", "evse_id", "connector_id")] == ["#NA"] * 3
    assert cdr["start_date_time"] == format_datetime(began)
    assert cdr["total_reservation_cost"] == cdr["total_cost"] == {"excl_vat": 1, "incl_vat": 1.2}
    assert cdr["invoice_reference_id"] and cdr["total_time"] == 0
