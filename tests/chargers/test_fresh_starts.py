"""One query says that nothing known stands behind a start: it must never overlook what a closer look would find."""

from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import AuthMethod, SessionStatus, TokenType
from chargers.models import ChargingSession, Reservation
from chargers.services.events import TransactionStarted
from chargers.services.fresh_starts import is_fresh
from tests.chargers.factories import charger_of, make_active, make_connector, make_pending

pytestmark = pytest.mark.django_db


def start(tag="CARD", register=5000):
    return TransactionStarted(1, tag, Decimal(register), timezone.now())


def test_a_card_at_an_idle_charger_is_fresh():
    assert is_fresh(make_connector().evse.charger_id, start())
    assert is_fresh(make_connector().evse.charger_id, start(register=Decimal("5000.125")))


def test_elsewhere_does_not_count():
    make_pending()
    make_active()
    assert is_fresh(make_connector().evse.charger_id, start())


def test_what_waits_for_a_card_is_found_by_the_charger():
    session = make_pending()
    ChargingSession.objects.update(cdr_token={"type": TokenType.RFID.value, "uid": "card"})
    assert not is_fresh(charger_of(session), start())


def test_what_was_forgotten_there_is_found():
    assert not is_fresh(charger_of(make_active()), start())


@pytest.mark.parametrize("told", [Decimal("5000"), Decimal("5000.125")])
def test_a_start_told_again_is_found_though_it_has_ended(told):
    session = make_active()
    changes = {"id_tag": "CARD", "meter_start": told, "auth_method": AuthMethod.WHITELIST}
    ChargingSession.objects.update(status=SessionStatus.COMPLETED, **changes)
    assert not is_fresh(charger_of(session), start(register=told))
    assert is_fresh(charger_of(session), start(register=told + 1))


def test_a_tag_that_we_made_up_is_found_wherever_it_was_for():
    session = make_pending()
    ChargingSession.objects.update(status=SessionStatus.INVALID)
    assert not is_fresh(make_connector().evse.charger_id, start(session.id_tag))


def test_a_reservation_at_the_charger_is_found():
    session = make_pending()
    charger_id = charger_of(session)
    ChargingSession.objects.update(status=SessionStatus.RESERVATION, connector=None)
    Reservation.objects.create(session=session, charger_id=charger_id, evse_number=0, expires_at=timezone.now())
    assert not is_fresh(charger_id, start())
