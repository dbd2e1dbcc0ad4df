from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from chargers.models import ChargerConnection, ParkingSpan
from chargers.services import lifecycle
from chargers.services.events import Booted
from chargers.services.status import StatusChanged, record_status
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Charger
from infrastructure.services import masterdata
from tests.chargers.factories import CHANNEL, charger_of, make_active, make_connector, minutes
from tests.infrastructure.factories import LocationFactory, events

pytestmark = pytest.mark.django_db


def report(charger_id, word, number=1, at=None):
    record_status(charger_id, StatusChanged(number, word, at or timezone.now()))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Available", "AVAILABLE"),
        ("Preparing", "AVAILABLE"),
        ("Charging", "CHARGING"),
        ("SuspendedEVSE", "CHARGING"),
        ("Finishing", "BLOCKED"),
        ("Unavailable", "INOPERATIVE"),
        ("Faulted", "OUTOFORDER"),
    ],
)
def test_partners_see_the_status_in_their_words(word, status):
    connector = make_connector(status=EVSEStatus.UNKNOWN)
    report(connector.evse.charger_id, word)
    assert EVSE.objects.get().status == status
    assert events() == [("status", connector.evse_id)]


def test_outlets_that_do_not_exist_are_passed_over():
    charger_id = make_connector().evse.charger_id
    report(charger_id, "Faulted", number=0)
    report(charger_id, "Faulted", number=9)
    assert EVSE.objects.get().status == "AVAILABLE" and events() == []


def test_parking_lasts_from_suspended_by_the_car_to_charging():
    session = make_active()
    began, charger_id = session.started_at, charger_of(session)
    report(charger_id, "SuspendedEV", at=began + minutes(1))
    report(charger_id, "SuspendedEV", at=began + minutes(2))
    report(charger_id, "Charging", at=began + minutes(3))
    report(charger_id, "SuspendedEVSE", at=began + minutes(4))
    span = ParkingSpan.objects.get()
    assert (span.started_at, span.ended_at) == (began + minutes(1), began + minutes(3))


def test_nobody_parks_without_a_session():
    report(make_connector().evse.charger_id, "SuspendedEV")
    assert not ParkingSpan.objects.exists()


def connection():
    return ChargerConnection.objects.get()


def test_the_newer_socket_wins_and_the_older_does_not_take_the_charger_offline():
    charger_id = make_connector(online=False).evse.charger_id
    assert lifecycle.connected(charger_id, "older", "ocpp1.6") == ""
    assert lifecycle.connected(charger_id, "newer", "ocpp1.6") == "older"
    assert not lifecycle.disconnected(charger_id, "older")
    assert not lifecycle.seen(charger_id, "older")
    assert connection().is_online
    assert lifecycle.disconnected(charger_id, "newer")
    assert not connection().is_online


def test_a_socket_that_was_given_up_too_early_is_taken_back():
    charger_id = make_connector().evse.charger_id
    lifecycle.forget_connections()
    assert not connection().is_online
    assert lifecycle.seen(charger_id, CHANNEL)
    assert connection().is_online


def test_a_boot_writes_down_what_the_charger_is():
    charger_id = make_connector().evse.charger_id
    lifecycle.booted(charger_id, Booted("Maker", "Model", "S1", "1.0"))
    assert (connection().vendor, connection().firmware_version) == ("Maker", "1.0")
    assert connection().booted_at is not None


def test_a_charger_that_fell_silent_is_offline():
    make_connector()
    lifecycle.mark_silent_chargers()
    assert connection().is_online
    ChargerConnection.objects.update(last_seen_at=timezone.now() - lifecycle.SILENT_AFTER - timedelta(seconds=1))
    lifecycle.mark_silent_chargers()
    assert not connection().is_online


def test_a_status_is_unknown_once_the_charger_is_gone_for_a_while():
    connector = make_connector(online=False)
    lifecycle.mark_silent_chargers()
    assert EVSE.objects.get().status == "AVAILABLE"
    ChargerConnection.objects.update(disconnected_at=timezone.now() - minutes(2))
    lifecycle.mark_silent_chargers()
    assert EVSE.objects.get().status == "UNKNOWN"
    assert events() == [("status", connector.evse_id)]


def test_the_status_of_a_charger_that_comes_back_meanwhile_stays(monkeypatch):
    connector = make_connector(online=False)
    charger_id = connector.evse.charger_id
    ChargerConnection.objects.update(disconnected_at=timezone.now() - minutes(2))
    set_evse_status = lifecycle.set_evse_status

    def set_late(*args, **options):
        lifecycle.connected(charger_id, "newer", "ocpp1.6")
        set_evse_status(connector.evse_id, EVSEStatus.CHARGING)
        return set_evse_status(*args, **options)

    monkeypatch.setattr(lifecycle, "set_evse_status", set_late)
    lifecycle.mark_silent_chargers()
    assert EVSE.objects.get().status == "CHARGING"


def test_a_new_charger_has_a_connection_to_give_a_password_to():
    charger = Charger(location=LocationFactory(), identity="CP-NEW")
    masterdata.save(charger)
    assert charger.connection.password_hash == ""
    masterdata.delete(charger)
    assert not ChargerConnection.objects.exists()


def test_an_outlet_in_use_cannot_be_deleted():
    session = make_active()
    for obj in (session.connector, session.connector.evse, session.connector.evse.charger):
        with pytest.raises(ValidationError, match="running"):
            masterdata.delete(obj)
