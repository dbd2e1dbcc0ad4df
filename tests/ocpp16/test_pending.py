"""Unknown identities: refused, and where the installation wants it, listed for staff to accept."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError

from chargers.models import ChargerConnection, PendingCharger
from chargers.ocpp import auth
from chargers.services import pending
from chargers.services.pending import MinuteBudget
from infrastructure.models import Charger
from tests.chargers.charger_socket import ChargerSocket, basic
from tests.infrastructure.factories import ChargerFactory, LocationFactory

NEW = "NEW-1"


@pytest.fixture(autouse=True)
def listed(settings: Any, monkeypatch: Any) -> None:
    settings.PENDING_CHARGERS = True
    monkeypatch.setattr(pending, "budget", MinuteBudget(pending.NEW_PER_MINUTE))


def knock(identity: str = NEW, password: str | None = "the first password") -> int:
    headers = basic(identity, password) if password is not None else []
    scope = {"headers": headers, "client": ("203.0.113.7", 5), "subprotocols": ["ocpp2.0.1", "ocpp1.6"]}
    try:
        auth.let_in(identity, scope)
    except auth.Refused as refused:
        return refused.status
    return 101


@pytest.mark.django_db
def test_who_knocks_is_refused_and_listed_without_its_password():
    assert knock() == 404
    row = PendingCharger.objects.get()
    assert (row.identity, row.address, row.protocols) == (NEW, "203.0.113.7", "ocpp2.0.1, ocpp1.6")
    assert row.password_hash and "first" not in row.password_hash


@pytest.mark.django_db
def test_without_the_setting_nothing_is_kept(settings: Any):
    settings.PENDING_CHARGERS = False
    assert knock() == 404
    assert not PendingCharger.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("identity", ["", "a b", "x" * 49, "../etc", "<script>"])
def test_what_could_be_no_identity_is_not_kept(identity: str):
    assert knock(identity) == 404
    assert not PendingCharger.objects.exists()


@pytest.mark.django_db
def test_the_list_is_bounded_in_number_and_in_rate(monkeypatch: Any):
    for number in range(pending.NEW_PER_MINUTE + 5):
        knock(f"NEW-{number}")
    assert PendingCharger.objects.count() == pending.NEW_PER_MINUTE
    monkeypatch.setattr(pending, "budget", MinuteBudget(1000))
    monkeypatch.setattr(pending, "MAX_PENDING", pending.NEW_PER_MINUTE + 1)
    for number in range(100, 105):
        knock(f"NEW-{number}")
    assert PendingCharger.objects.count() == pending.NEW_PER_MINUTE + 1


def test_a_budget_renews_each_minute():
    now = 0.0
    budget = MinuteBudget(2, clock=lambda: now)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    now = 61.0
    assert budget.take()


@pytest.mark.django_db
def test_an_accepted_charger_is_let_in_with_the_password_that_it_showed():
    knock()
    location = LocationFactory()
    charger = pending.accept(PendingCharger.objects.get(), location, name="Yard", evses=2)
    assert (charger.identity, charger.location, charger.name) == (NEW, location, "Yard")
    assert [evse.number for evse in charger.evses.order_by("number")] == [1, 2]
    assert not PendingCharger.objects.exists()
    assert knock() == 101
    assert knock(password="another password") == 401


@pytest.mark.django_db
def test_after_different_passwords_none_of_them_opens():
    knock()
    knock(password="of somebody else")
    row = PendingCharger.objects.get()
    assert row.has_conflict
    pending.accept(row, LocationFactory())
    assert knock() == knock(password="of somebody else") == 401


@pytest.mark.django_db
@pytest.mark.parametrize("order", [(None, "a password"), ("a password", None)])
def test_a_password_only_now_and_then_is_a_conflict_too(order: Any):
    for password in order:
        knock(password=password)
    assert PendingCharger.objects.get().has_conflict


@pytest.mark.django_db
def test_without_a_password_it_is_not_let_in_by_acceptance_alone():
    knock(password=None)
    pending.accept(PendingCharger.objects.get(), LocationFactory())
    assert knock(password=None) == knock(password="") == 401


@pytest.mark.django_db
def test_an_identity_that_was_configured_meanwhile_cannot_be_accepted_twice():
    knock()
    row = PendingCharger.objects.get()
    pending.accept(row, LocationFactory())
    with pytest.raises(ValidationError):
        pending.accept(row, LocationFactory())
    assert Charger.objects.count() == 1


@pytest.mark.django_db(transaction=True)
async def test_over_the_socket_it_is_not_found():
    begin, _ = await ChargerSocket("NEW-2").refused()
    assert begin["status"] == 404
    assert await PendingCharger.objects.filter(identity="NEW-2").aexists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["CP-7/CP-7", "CP-7/"])
async def test_a_charger_that_adds_its_identity_to_an_address_that_has_it_is_told_to_staff(path: str):
    charger = await sync_to_async(ChargerFactory)(identity="CP-7")
    await ChargerConnection.objects.aget_or_create(charger=charger)
    begin, _ = await ChargerSocket(path).refused()
    assert begin["status"] == 404
    assert "its identity twice" in (await ChargerConnection.objects.aget(charger=charger)).refusal
    assert not await PendingCharger.objects.aexists()
