"""Reservations from the request to the session that uses them, or to their end without one."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from chargers.choices import AuthorizationStatus, CallResult
from chargers.models import CDR, ChargerConnection, ChargingSession, OutgoingCall, Reservation
from chargers.ports import AuthorizedStart, Permit
from chargers.services import authorize, calls, commands, reservations, reserving, sessions
from chargers.services.events import TransactionStarted
from chargers.services.reserving import Outlet, ReserveRequest
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Connector
from tariffs.models import TariffVersion
from tests.chargers.factories import (
    METER_START,
    PEER,
    charger_of,
    end,
    make_connector,
    make_start,
    make_version,
    minutes,
    reread,
)
from tests.infrastructure.factories import ConnectorFactory, EVSEFactory, events

pytestmark = pytest.mark.django_db

TOKEN = {"country_code": "NL", "party_id": "EMS", "uid": "card-1", "type": "RFID", "contract_id": "C1"}
OTHER_TOKEN = TOKEN | {"uid": "card-2"}


def reserving_version(expires: float | None = None, **changes: Any) -> TariffVersion:
    """Reserved time costs 6.00 net an hour, and an expired reservation `expires` more."""
    version = make_version(**changes)
    hourly = {"price_components": [{"type": "TIME", "price": 6.0, "vat": 20.0, "step_size": 1}]}
    elements = [hourly | {"restrictions": {"reservation": "RESERVATION"}}, *version.content["elements"]]
    if expires is not None:
        fee = {"price_components": [{"type": "FLAT", "price": expires, "vat": 20.0, "step_size": 1}]}
        elements.insert(0, fee | {"restrictions": {"reservation": "RESERVATION_EXPIRES"}})
    version.content = {**version.content, "elements": elements}
    version.save()
    return version


def outlet(connector: Connector, version: TariffVersion | None = None) -> Outlet:
    uid = f"EVSE-{connector.evse.number}"
    place = {"id": "LOC-1", "evse_uid": uid, "evse_id": f"AT*PLG*E{uid}", "connector_id": "1"}
    return Outlet(connector, version or reserving_version(), Decimal("50.00"), place)


def make_request(connector: Connector, **changes: Any) -> ReserveRequest:
    values: dict[str, Any] = {
        "charger": connector.evse.charger,
        "outlets": [outlet(connector)],
        "evse_number": connector.evse.number,
        "peer_id": PEER,
        "country_code": "AT",
        "party_id": "PLG",
        "reservation_id": "R1",
        "authorization_reference": "",
        "cdr_token": TOKEN,
        "parent_id_tag": "card-1",
        "reserve_until": timezone.now() + minutes(30),
        "expires_at": timezone.now() + timedelta(seconds=30),
    }
    return ReserveRequest(**{**values, **changes})


def reserve(connector: Connector, result: CallResult = CallResult.ACCEPTED, **changes: Any) -> Reservation:
    """A reservation as the charger answered."""
    call = reserving.request_reservation(make_request(connector, **changes))
    OutgoingCall.objects.filter(pk=call.pk).update(state="SENT", sent_at=timezone.now())
    calls.finish_call(call.pk, result, {"status": "whatever"})
    return Reservation.objects.select_related("session").get(session=call.session_id)


def held_since(reservation: Reservation, ago: timedelta) -> None:
    """Moves the begin of the reservation back."""
    ChargingSession.objects.filter(pk=reservation.session_id).update(reserved_at=timezone.now() - ago)


def expire(reservation: Reservation, at: datetime) -> None:
    Reservation.objects.filter(pk=reservation.pk).update(expires_at=at)
    reservations.expire_reservations()


def now_of(reservation: Reservation) -> tuple[str, str]:
    state = Reservation.objects.values_list("state", flat=True).get(pk=reservation.pk)
    return state, reread(reservation.session).status


def begin(session: ChargingSession, at: datetime | None = None, **changes: Any) -> sessions.StartAnswer:
    values: dict[str, Any] = {"evse_number": 1, "id_tag": session.id_tag, "meter_start": Decimal(METER_START)}
    permit = changes.pop("permit", None)
    event = TransactionStarted(**{**values, **changes}, at=at or timezone.now())
    return sessions.start_session(charger_of(session), event, permit)


def start_again(connector: Connector, **changes: Any) -> OutgoingCall:
    return commands.request_start(make_start(connector, **{"cdr_token": TOKEN, **changes}))


# What goes to the charger, and its answer


def test_the_charger_gets_a_number_of_ours_and_a_random_tag():
    call = reserving.request_reservation(make_request(make_connector()))
    reservation = Reservation.objects.get()
    assert call.action == "RESERVE_NOW" and call.payload["reservation"] == reservation.pk
    assert (call.payload["evse"], call.payload["parent_id_tag"]) == (1, "card-1")
    assert len(call.payload["id_tag"]) == 20 and call.payload["id_tag"] == reservation.session.id_tag
    assert now_of(reservation) == ("PENDING", "RESERVATION")
    assert events() == []


def test_an_accepted_reservation_is_told_as_a_session_without_a_connector():
    reservation = reserve(make_connector())
    session = reread(reservation.session)
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")
    assert session.accepted_at is not None and session.reserved_at is not None
    assert (session.place["evse_uid"], session.place["connector_id"]) == ("EVSE-1", "#NA")
    assert ("session", session.pk) in events()


@pytest.mark.parametrize("result", ["REJECTED", "EVSE_OCCUPIED", "EVSE_INOPERATIVE", "NOT_SUPPORTED", "TIMEOUT"])
def test_a_refused_reservation_was_never_seen_and_frees_its_reference(result):
    connector = make_connector()
    reservation = reserve(connector, CallResult(result), authorization_reference="REF")
    assert now_of(reservation) == ("REJECTED", "INVALID")
    assert reread(reservation.session).accepted_at is None
    assert start_again(connector, authorization_reference="REF").result == ""


def test_a_charger_that_did_not_answer_in_time_is_told_to_forget():
    reservation = reserve(make_connector(), CallResult.TIMEOUT)
    release = OutgoingCall.objects.get(action="CANCEL_RESERVATION")
    assert (release.session, release.payload) == (None, {"reservation": reservation.pk})
    calls.finish_call(release.pk, CallResult.UNKNOWN_RESERVATION, {})


def test_an_offline_charger_is_inoperative_at_once():
    call = reserving.request_reservation(make_request(make_connector(online=False)))
    assert (call.state, call.result) == ("DONE", "EVSE_INOPERATIVE")
    assert Reservation.objects.get().state == "REJECTED"


def test_two_partners_may_use_the_same_id_and_the_charger_sees_two():
    connector = make_connector()
    first, second = reserve(connector), reserve(connector, peer_id="peer-2")
    assert first.pk != second.pk and first.reservation_id == second.reservation_id


def test_a_reference_of_another_session_is_refused():
    connector = make_connector()
    start_again(connector, authorization_reference="REF", cdr_token=OTHER_TOKEN)
    with pytest.raises(IntegrityError):
        reserving.request_reservation(make_request(connector, authorization_reference="ref"))


# Replacing


def test_the_same_id_replaces_the_reservation_with_the_same_number():
    connector = make_connector()
    first = reserve(connector)
    until = timezone.now() + minutes(90)
    second = reserve(connector, reservation_id="r1", reserve_until=until, authorization_reference="NEW")
    assert second.pk == first.pk and second.session.pk == first.session.pk
    assert (second.expires_at, second.session.authorization_reference) == (until, "NEW")
    assert Reservation.objects.count() == 1


def test_a_replacement_with_another_card_is_for_that_card():
    connector = make_connector()
    own: dict[str, Any] = {"peer_id": "", "authorization_reference": ""}
    first = reserve(connector, id_tag="CARD-1", **own)
    refused = reserve(connector, CallResult.REJECTED, id_tag="CARD-2", **own)
    assert refused.session.id_tag == "CARD-1"
    second = reserve(connector, id_tag="CARD-2", **own)
    asked = OutgoingCall.objects.filter(action="RESERVE_NOW").order_by("pk").values_list("payload__id_tag", flat=True)
    assert list(asked) == ["CARD-1", "CARD-2", "CARD-2"]
    assert (second.pk, second.session.id_tag) == (first.pk, "CARD-2")


def test_a_partners_replacement_keeps_the_tag_that_was_made_up():
    connector = make_connector()
    first = reserve(connector)
    second = reserve(connector, cdr_token={**TOKEN, "uid": "ANOTHER"})
    call = OutgoingCall.objects.filter(action="RESERVE_NOW").latest("pk")
    assert call.payload["id_tag"] == second.session.id_tag == first.session.id_tag != ""


def test_a_refused_replacement_leaves_the_reservation_as_it_was():
    connector = make_connector()
    first = reserve(connector)
    second = reserve(connector, CallResult.REJECTED, reserve_until=timezone.now() + minutes(90))
    assert second.expires_at == first.expires_at
    assert now_of(second) == ("ACCEPTED", "RESERVATION")


def test_a_replacement_at_another_charger_of_the_area_frees_the_first():
    connector = make_connector()
    first = reserve(connector)
    charger = connector.evse.charger
    evse = EVSEFactory(number=1, charger__location=charger.location)
    ChargerConnection.objects.create(charger=evse.charger, channel_name="second")
    second = reserve(ConnectorFactory(evse=evse))
    assert (second.pk, second.charger_id) == (first.pk, evse.charger_id)
    assert OutgoingCall.objects.get(action="CANCEL_RESERVATION").charger_id == charger.pk


def test_the_same_id_after_the_end_is_a_new_reservation():
    connector = make_connector()
    first = reserve(connector)
    reserving.cancel_reservation(first)
    assert reserve(connector).pk != first.pk


# Using it


def test_the_reserved_tag_makes_the_session_active_and_pays_the_reserved_time():
    reservation = reserve(make_connector())
    held_since(reservation, minutes(40))
    at = timezone.now() - minutes(30)
    assert begin(reservation.session, at, reservation_id=reservation.pk).is_accepted
    assert now_of(reservation) == ("USED", "ACTIVE")
    session = reread(reservation.session)
    assert session.place["connector_id"] == "1"
    end(session, timezone.now(), 10_000)
    cdr = CDR.objects.get()
    assert cdr.cost["reservation"]["incl_vat"] == "1.2000"  # ten minutes of 6.00 and VAT
    assert cdr.cost["energy"]["incl_vat"] == "6.0000"
    assert cdr.start_date_time == reread(session).reserved_at
    assert [one["type"] for one in cdr.charging_periods[0]["dimensions"]] == ["RESERVATION_TIME"]


def test_the_card_itself_uses_the_reservation():
    reservation = reserve(make_connector())
    charger_id = charger_of(reservation.session)
    tag = authorize.authorize(charger_id, "CARD-1")
    assert (tag.status, tag.parent_id_tag) == (AuthorizationStatus.ACCEPTED, "card-1")
    event = TransactionStarted(1, "CARD-1", Decimal(METER_START), timezone.now())
    assert authorize.permit_start(charger_id, event) is None
    assert begin(reservation.session, id_tag="CARD-1").is_accepted
    assert now_of(reservation) == ("USED", "ACTIVE")


def test_a_card_of_the_same_group_uses_it_when_the_charger_names_the_reservation():
    connector = make_connector()
    reservation = reserve(connector, parent_id_tag="GROUP")
    start = make_start(connector)
    own = AuthorizedStart(
        connector, PEER, "AT", "PLG", "", "WHITELIST", OTHER_TOKEN, start.tariff_version, None, start.place
    )
    permit = Permit(AuthorizationStatus.ACCEPTED, "GROUP", own)
    begin(reservation.session, id_tag="CARD-2", permit=permit, reservation_id=reservation.pk)
    assert now_of(reservation) == ("USED", "ACTIVE")


def test_a_stranger_does_not_use_it():
    reservation = reserve(make_connector())
    assert not begin(reservation.session, id_tag="STRANGER", reservation_id=reservation.pk).is_accepted
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")


def test_a_transaction_before_the_answer_counts_as_accepted():
    call = reserving.request_reservation(make_request(make_connector()))
    begin(call.session)
    calls.finish_call(call.pk, CallResult.TIMEOUT, {})
    assert OutgoingCall.objects.get(pk=call.pk).result == "ACCEPTED"
    assert Reservation.objects.get().state == "USED"


def test_a_start_with_the_reserved_token_takes_its_session_and_tag():
    connector = make_connector()
    reservation = reserve(connector, authorization_reference="OLD")
    EVSE.objects.update(status=EVSEStatus.RESERVED)
    call = start_again(connector, authorization_reference="NEW")
    assert call.session_id == reservation.session_id
    assert call.payload == {"evse": 1, "id_tag": reservation.session.id_tag}
    calls.finish_call(call.pk, CallResult.ACCEPTED, {})
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")
    begin(reservation.session)
    assert now_of(reservation) == ("USED", "ACTIVE")
    session = reread(reservation.session)
    assert (session.authorization_reference, session.place) == ("NEW", {"id": "LOC-1"})


def test_a_refused_start_leaves_the_reservation():
    connector = make_connector()
    reservation = reserve(connector)
    calls.finish_call(start_again(connector).pk, CallResult.REJECTED, {})
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")


@pytest.mark.parametrize("status", [EVSEStatus.RESERVED, EVSEStatus.AVAILABLE])
@pytest.mark.parametrize("changes", [{"cdr_token": OTHER_TOKEN}, {"peer_id": "peer-2"}])
def test_another_token_finds_the_reserved_outlet_occupied(status, changes):
    connector = make_connector(status=status)
    reserve(connector)
    assert start_again(connector, **changes).result == "EVSE_OCCUPIED"


# Any outlet of a charger


@pytest.fixture
def two():
    """The connectors of a charger with two outlets."""
    first = make_connector()
    evse = EVSEFactory(number=2, charger=first.evse.charger, status=EVSEStatus.AVAILABLE)
    return [first, ConnectorFactory(evse=evse)]


def test_any_outlet_is_settled_when_the_car_is_plugged_in(two):
    reservation = reserve(two[0], evse_number=0, outlets=[outlet(connector) for connector in two])
    session = reread(reservation.session)
    assert reservation.session.calls.get().payload["evse"] == 0
    assert [session.place[name] for name in ("evse_uid", "evse_id", "connector_id")] == ["#NA"] * 3
    begin(session, evse_number=2)
    session = reread(session)
    assert (session.connector, session.place["evse_uid"]) == (two[1], "EVSE-2")
    assert session.tariff_version_id == Reservation.objects.get().outlet(2)["tariff_version"]


def test_a_start_elsewhere_is_the_chargers_to_refuse_when_any_outlet_is_reserved(two):
    reserve(two[0], evse_number=0, outlets=[outlet(connector) for connector in two])
    assert start_again(two[1], cdr_token=OTHER_TOKEN).result == ""
    assert start_again(two[0]).session.reservation is not None


# Its end without a session


def test_an_expired_reservation_costs_its_time_and_the_fee_of_the_tariff():
    version = reserving_version(expires=4.0)
    connector = make_connector()
    reservation = reserve(connector, outlets=[outlet(connector, version)])
    held_since(reservation, minutes(40))
    expire(reservation, timezone.now() - minutes(10))
    assert now_of(reservation) == ("EXPIRED", "COMPLETED")
    cdr = CDR.objects.get()
    assert cdr.cost["total"] == {"excl_vat": "7.0000", "incl_vat": "8.4000"}  # 4.00, and half an hour of 6.00
    assert cdr.remark == "The reservation expired unused." and cdr.total_energy == 0
    assert cdr.start_date_time == reread(reservation.session).reserved_at
    assert reread(reservation.session).total_cost_incl_vat == Decimal("8.4")
    reservations.expire_reservations()
    assert CDR.objects.count() == 1


def test_a_reservation_that_costs_nothing_has_no_record_and_no_minimum_price():
    connector = make_connector()
    version = make_version()
    version.content["min_price"] = {"excl_vat": 5.0, "incl_vat": 6.0}
    version.save()
    reservation = reserve(connector, outlets=[outlet(connector, version)])
    held_since(reservation, minutes(40))
    expire(reservation, timezone.now() - minutes(10))
    assert now_of(reservation) == ("EXPIRED", "COMPLETED")
    assert reread(reservation.session).total_cost_incl_vat == 0
    assert not CDR.objects.exists()


def test_a_reservation_lasts_until_its_time_is_over():
    reservation = reserve(make_connector())
    reservations.expire_reservations()
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")


def test_a_reservation_does_not_expire_while_its_driver_is_about_to_plug_in():
    connector = make_connector()
    reservation = reserve(connector)
    held_since(reservation, minutes(40))
    calls.finish_call(start_again(connector).pk, CallResult.ACCEPTED, {})
    expire(reservation, timezone.now() - minutes(1))
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")
    OutgoingCall.objects.update(finished_at=timezone.now() - minutes(10))
    reservations.expire_reservations()
    assert now_of(reservation) == ("EXPIRED", "COMPLETED")


def test_a_partners_cancellation_ends_it_and_costs_the_time():
    version = reserving_version(expires=4.0)
    connector = make_connector()
    reservation = reserve(connector, outlets=[outlet(connector, version)])
    held_since(reservation, minutes(30))
    call = reserving.request_cancellation(reservation, timezone.now() + minutes(1))
    assert call.payload == {"reservation": reservation.pk}
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")
    calls.finish_call(call.pk, CallResult.ACCEPTED, {})
    assert now_of(reservation) == ("CANCELLED", "COMPLETED")
    assert CDR.objects.get().cost["total"]["excl_vat"] == "3.0000"
    assert reread(reservation.session).stop_reason == "PARTNER"


def test_a_reservation_that_the_charger_forgot_is_over_too():
    reservation = reserve(make_connector())
    call = reserving.request_cancellation(reservation, timezone.now() + minutes(1))
    calls.finish_call(call.pk, CallResult.UNKNOWN_RESERVATION, {})
    assert now_of(reservation) == ("CANCELLED", "COMPLETED")
    assert OutgoingCall.objects.get(pk=call.pk).result == "UNKNOWN_RESERVATION"


@pytest.mark.parametrize("result", ["TIMEOUT", "FAILED", "NOT_SUPPORTED"])
def test_a_cancellation_that_failed_leaves_the_reservation(result):
    reservation = reserve(make_connector())
    call = reserving.request_cancellation(reservation, timezone.now() + minutes(1))
    calls.finish_call(call.pk, CallResult(result), {})
    assert now_of(reservation) == ("ACCEPTED", "RESERVATION")


def test_an_ended_reservation_cannot_be_cancelled():
    reservation = reserve(make_connector())
    begin(reservation.session)
    with pytest.raises(Reservation.DoesNotExist):
        reserving.request_cancellation(reservation, timezone.now() + minutes(1))
    assert not reserving.cancel_reservation(reservation)


@pytest.mark.parametrize("is_online", [True, False])
def test_our_own_cancellation_is_free_told_and_holds_whatever_the_charger_says(is_online):
    reservation = reserve(make_connector())
    held_since(reservation, minutes(30))
    if not is_online:
        ChargerConnection.objects.update(channel_name="")
    events()
    assert reserving.cancel_reservation(reservation)
    assert now_of(reservation) == ("CANCELLED", "COMPLETED")
    assert not CDR.objects.exists()
    assert ("reservation", reservation.pk) in events()
    assert OutgoingCall.objects.filter(action="CANCEL_RESERVATION").exists() is is_online


def test_a_late_yes_to_a_reservation_that_is_over_is_taken_back():
    connector = make_connector()
    reservation = reserve(connector)
    again = reserving.request_reservation(make_request(connector))
    reserving.cancel_reservation(reservation)
    OutgoingCall.objects.filter(action="CANCEL_RESERVATION").delete()
    calls.finish_call(again.pk, CallResult.ACCEPTED, {})
    assert OutgoingCall.objects.filter(action="CANCEL_RESERVATION").count() == 1
    assert now_of(reservation) == ("CANCELLED", "COMPLETED")
