"""Reservations, unlocking and charging profiles as OCPP 1.6 frames, and the charger's answers as results."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.models import ChargerConnection, ChargingSession, OutgoingCall, Reservation
from chargers.ocpp import database
from chargers.services import commands, lifecycle, profiles, reserving
from infrastructure.models import EVSE
from tests.chargers.charger_socket import PASSWORD, ChargerSocket
from tests.chargers.factories import make_active, make_connector
from tests.chargers.test_reservations import make_request
from tests.chargers.test_socket import now, row, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connector():
    connector = make_connector(online=False)
    lifecycle.set_password(connector.evse.charger, PASSWORD)
    return connector


@pytest.fixture
def identity(connector):
    return connector.evse.charger.identity


def soon():
    return timezone.now() + timedelta(seconds=30)


async def carry_out(charger, request, reply):
    """Sends the request that `request` makes, answers it; gives what was on the wire and the finished call."""
    call = await database.run(request)
    frame = await charger.frame()
    await (charger.answer(frame[1], **reply) if isinstance(reply, dict) else charger.send(reply % frame[1]))
    finished = await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())
    return frame[2:], finished


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ({"status": "Accepted"}, "ACCEPTED"),
        ({"status": "Faulted"}, "EVSE_INOPERATIVE"),
        ({"status": "Occupied"}, "EVSE_OCCUPIED"),
        ({"status": "Rejected"}, "REJECTED"),
        ({"status": "Unavailable"}, "EVSE_INOPERATIVE"),
        ('[3,"%s",{"status":"Accepted","watts":1e999}]', "ACCEPTED"),
        ('[4,"%s","NotSupported","",{}]', "NOT_SUPPORTED"),
        ('[4,"%s","NotImplemented","",{}]', "NOT_SUPPORTED"),
        ('[4,"%s","InternalError","",{}]', "FAILED"),
    ],
)
async def test_reserve_now(connector, identity, reply, result):
    charger = await ChargerSocket(identity).open()
    wanted = await database.run(lambda: make_request(connector))
    sent, call = await carry_out(charger, lambda: reserving.request_reservation(wanted), reply)
    reservation = await row(Reservation)
    session = await row(ChargingSession)
    expiry = wanted.reserve_until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert sent == [
        "ReserveNow",
        {
            "connectorId": 1,
            "expiryDate": expiry,
            "idTag": session.id_tag,
            "reservationId": reservation.pk,
            "parentIdTag": "card-1",
        },
    ]
    assert call.result == result
    await charger.close()


async def test_a_reservation_is_reserved_used_and_charged(connector, identity):
    charger = await ChargerSocket(identity).open()
    wanted = await database.run(lambda: make_request(connector, parent_id_tag=""))
    sent, call = await carry_out(charger, lambda: reserving.request_reservation(wanted), {"status": "Accepted"})
    assert "parentIdTag" not in sent[1]
    await charger.ask("StatusNotification", connectorId=1, errorCode="NoError", status="Reserved")
    assert (await row(EVSE)).status == "RESERVED"
    reserved = {"idTag": sent[1]["idTag"], "reservationId": sent[1]["reservationId"]}
    answer = await charger.ask("StartTransaction", connectorId=1, meterStart=5, timestamp=now(), **reserved)
    assert answer == {"transactionId": call.session_id, "idTagInfo": {"status": "Accepted"}}
    assert ((await row(Reservation)).state, (await row(ChargingSession)).status) == ("USED", "ACTIVE")
    await charger.close()


@pytest.mark.parametrize(
    ("reply", "result", "state"),
    [
        ({"status": "Accepted"}, "ACCEPTED", "CANCELLED"),
        ({"status": "Rejected"}, "UNKNOWN_RESERVATION", "CANCELLED"),
        ('[4,"%s","NotSupported","",{}]', "NOT_SUPPORTED", "ACCEPTED"),
    ],
)
async def test_cancel_reservation(connector, identity, reply, result, state):
    charger = await ChargerSocket(identity).open()
    wanted = await database.run(lambda: make_request(connector))
    await carry_out(charger, lambda: reserving.request_reservation(wanted), {"status": "Accepted"})
    reservation = await row(Reservation)
    sent, call = await carry_out(charger, lambda: reserving.request_cancellation(reservation, soon()), reply)
    assert sent == ["CancelReservation", {"reservationId": reservation.pk}]
    assert (call.result, (await row(Reservation)).state) == (result, state)
    await charger.close()


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ({"status": "Unlocked"}, "ACCEPTED"),
        ({"status": "UnlockFailed"}, "FAILED"),
        ({"status": "NotSupported"}, "NOT_SUPPORTED"),
        ('[4,"%s","NotImplemented","",{}]', "NOT_SUPPORTED"),
    ],
)
async def test_unlock_connector(connector, identity, reply, result):
    charger = await ChargerSocket(identity).open()
    sent, call = await carry_out(charger, lambda: commands.request_unlock(connector.evse, soon()), reply)
    assert sent == ["UnlockConnector", {"connectorId": 1}]
    assert call.result == result
    await charger.close()


def test_an_offline_charger_cannot_unlock(connector):
    call = commands.request_unlock(connector.evse, soon())
    assert (call.state, call.result) == ("DONE", "EVSE_INOPERATIVE")


PROFILE = {
    "start_date_time": None,
    "duration": 3600,
    "charging_rate_unit": "A",
    "min_charging_rate": 6,
    "charging_profile_period": [{"start_period": 0, "limit": 16.19}, {"start_period": 600, "limit": 0}],
}


@pytest.fixture
def session(connector):
    ChargerConnection.objects.update(channel_name="specific.test!socket")
    return make_active(connector)


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ({"status": "Accepted"}, "ACCEPTED"),
        ({"status": "Rejected"}, "REJECTED"),
        ({"status": "NotSupported"}, "NOT_SUPPORTED"),
    ],
)
async def test_set_charging_profile(session, identity, reply, result):
    charger = await ChargerSocket(identity).open()
    sent, call = await carry_out(charger, lambda: profiles.request_profile(session, PROFILE, soon()), reply)
    periods = [{"startPeriod": 0, "limit": 16.1}, {"startPeriod": 600, "limit": 0.0}]
    schedule = {"duration": 3600, "chargingRateUnit": "A", "chargingSchedulePeriod": periods, "minChargingRate": 6.0}
    profile = {
        "chargingProfileId": session.pk,
        "transactionId": session.pk,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    }
    assert sent == ["SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}]
    assert call.result == result
    await charger.close()


async def test_a_profile_with_a_start_is_absolute(session, identity):
    charger = await ChargerSocket(identity).open()
    start = {"start_date_time": "2026-01-01T12:00:00Z", "duration": None, "min_charging_rate": None}
    wanted = PROFILE | start | {"charging_rate_unit": "W"}
    sent, _ = await carry_out(
        charger, lambda: profiles.request_profile(session, wanted, soon()), {"status": "Accepted"}
    )
    profile = sent[1]["csChargingProfiles"]
    assert profile["chargingProfileKind"] == "Absolute"
    assert profile["chargingSchedule"].keys() == {"startSchedule", "chargingRateUnit", "chargingSchedulePeriod"}
    assert profile["chargingSchedule"]["startSchedule"] == "2026-01-01T12:00:00Z"
    await charger.close()


@pytest.mark.parametrize(("status", "result"), [("Accepted", "ACCEPTED"), ("Unknown", "UNKNOWN")])
async def test_clear_charging_profile(session, identity, status, result):
    charger = await ChargerSocket(identity).open()
    sent, call = await carry_out(charger, lambda: profiles.request_clearing(session, soon()), {"status": status})
    assert sent == ["ClearChargingProfile", {"id": session.pk}]
    assert call.result == result
    await charger.close()


async def test_get_composite_schedule(session, identity):
    charger = await ChargerSocket(identity).open()
    period = {"startPeriod": 0, "limit": 11000.5, "numberPhases": 3}
    schedule = {"duration": 900, "chargingRateUnit": "W", "chargingSchedulePeriod": [period], "minChargingRate": 4.2}
    reply = {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": "2026-01-01T13:00:00+01:00",
        "chargingSchedule": schedule,
    }
    sent, call = await carry_out(charger, lambda: profiles.request_schedule(session, 900, soon()), reply)
    assert sent == ["GetCompositeSchedule", {"connectorId": 1, "duration": 900}]
    assert call.result == "ACCEPTED"
    assert call.answer["start"] == "2026-01-01T12:00:00.000Z"
    assert call.answer["profile"] == {
        "duration": 900,
        "charging_rate_unit": "W",
        "min_charging_rate": 4.2,
        "charging_profile_period": [{"start_period": 0, "limit": 11000.5}],
    }
    await charger.close()


@pytest.mark.parametrize(
    ("reply", "result"), [({"status": "Accepted"}, "ACCEPTED"), ({"status": "Rejected"}, "REJECTED")]
)
async def test_a_schedule_without_limits_is_told_as_such(session, identity, reply, result):
    charger = await ChargerSocket(identity).open()
    _, call = await carry_out(charger, lambda: profiles.request_schedule(session, 900, soon()), reply)
    assert (call.result, call.answer["profile"], call.answer["start"]) == (result, None, None)
    await charger.close()


async def test_only_a_running_session_has_a_profile(session, identity):
    await sync_to_async(ChargingSession.objects.update)(status="COMPLETED")
    with pytest.raises(profiles.NotCharging):
        await database.run(lambda: profiles.request_clearing(session, soon()))
