import pytest
from django.urls import reverse

from chargers.models import ChargerConnection, OutgoingCall, Reservation
from tests.chargers.factories import make_connector
from tests.chargers.test_admin import act
from tests.chargers.test_reservations import begin, reserve
from tests.infrastructure.factories import make_staff, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_superuser())
    return client


@pytest.fixture
def reservation():
    return reserve(make_connector())


def page(client, name, obj, **query):
    return client.get(reverse(f"admin:{name}", args=[obj.pk]), query).content.decode()


def state(reservation):
    return Reservation.objects.get(pk=reservation.pk).state


def test_reservations_are_listed_searched_and_shown(staff, reservation):
    listed = staff.get(reverse("admin:chargers_reservation_changelist"), {"q": reservation.charger.identity})
    assert "R1" in listed.content.decode() and "Accepted" in listed.content.decode()
    shown = page(staff, "chargers_reservation_change", reservation)
    assert reservation.session.id_tag in shown and f"{reservation.charger.identity} / 1" in shown
    assert "Cancel reservation" in shown


def test_staff_see_reservations_of_their_operators_only(client, reservation):
    address = reverse("admin:chargers_reservation_changelist")
    client.force_login(make_staff())
    assert reservation.charger.identity not in client.get(address).content.decode()
    client.force_login(make_staff("other", reservation.location.operator))
    assert reservation.charger.identity in client.get(address).content.decode()


def test_staff_cancel_reservations_in_the_list(staff, reservation):
    assert "done for 1 row" in act(staff, "reservation", "cancel_reservations", reservation)
    assert state(reservation) == "CANCELLED"
    assert "is cancelled" in act(staff, "reservation", "cancel_reservations", reservation)


def test_a_reservation_in_use_cannot_be_cancelled(staff, reservation):
    begin(reservation.session)
    assert "is used" in act(staff, "reservation", "cancel_reservations", reservation)
    assert state(reservation) == "USED"
    assert "Cancel reservation" not in page(staff, "chargers_reservation_change", reservation)


def test_the_page_of_a_reservation_asks_before_it_cancels(staff, reservation):
    address = reverse("admin:chargers_reservation_cancel_now", args=[reservation.pk])
    assert "nothing is billed" in staff.get(address).content.decode()
    assert state(reservation) == "ACCEPTED"
    assert "is cancelled" in staff.post(address, follow=True).content.decode()
    assert state(reservation) == "CANCELLED"


def test_who_may_only_look_cancels_and_unlocks_nothing(client, reservation):
    user = make_staff("viewer", reservation.location.operator)
    user.user_permissions.set(user.user_permissions.model.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    act(client, "reservation", "cancel_reservations", reservation)
    client.post(reverse("admin:chargers_reservation_cancel_now", args=[reservation.pk]))
    connection = reservation.charger.connection
    evse = reservation.charger.evses.get()
    client.post(reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk]), {"evse": evse.pk})
    assert state(reservation) == "ACCEPTED"
    assert not OutgoingCall.objects.filter(action="UNLOCK_CONNECTOR").exists()
    assert "unlock/" not in page(client, "infrastructure_evse_change", evse)


def test_staff_unlock_a_connector_from_its_page(staff):
    evse = make_connector().evse
    connection = evse.charger.connection
    address = reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk])
    assert f"{address}?evse={evse.pk}" in page(staff, "infrastructure_evse_change", evse)
    asked = staff.get(address, {"evse": evse.pk}).content.decode()
    assert "lets go of the cable" in asked and not OutgoingCall.objects.exists()
    assert "is asked to unlock" in staff.post(address, {"evse": evse.pk}, follow=True).content.decode()
    call = OutgoingCall.objects.get()
    assert call.payload == {"evse": 1}
    assert "no answer yet" in page(staff, "infrastructure_evse_change", evse)
    OutgoingCall.objects.filter(pk=call.pk).update(state="DONE", result="ACCEPTED")
    assert "The charger unlocked the connector" in page(staff, "infrastructure_evse_change", evse)


def test_an_offline_charger_stays_locked(staff):
    evse = make_connector().evse
    ChargerConnection.objects.update(channel_name="")
    address = reverse("admin:chargers_chargerconnection_unlock", args=[evse.charger.connection.pk])
    assert "The charger is offline." in staff.post(address, {"evse": evse.pk}, follow=True).content.decode()


def test_an_outlet_of_another_charger_is_no_choice(staff):
    connection = make_connector().evse.charger.connection
    other = make_connector().evse
    address = reverse("admin:chargers_chargerconnection_unlock", args=[connection.pk])
    assert "Select a valid choice" in staff.post(address, {"evse": other.pk}).content.decode()
    assert not OutgoingCall.objects.exists()
