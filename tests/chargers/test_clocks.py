"""Chargers whose clocks are wrong: nothing is billed for free, and nothing for time that never passed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import AuthMethod
from chargers.models import CDR, ChargingSession, ParkingSpan
from chargers.services import clock, progress, sessions
from chargers.services.events import StatusChanged, TransactionStarted
from chargers.services.status import record_status
from tests.chargers.factories import (
    METER_START,
    charger_of,
    end,
    make_active,
    make_connector,
    make_pending,
    make_version,
    meter_values,
    minutes,
    reread,
    start,
)

pytestmark = pytest.mark.django_db

YEARS_AGO = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
BY_TIME = {"energy": "0.5", "hour": "6.00"}


def values(session, *told):
    progress.update_session(charger_of(session), meter_values(session, *told))
    return reread(session)


def test_a_stop_at_the_instant_of_the_start_bills_the_energy():
    session = make_active()
    end(session, session.started_at, 4000)
    assert CDR.objects.get().total_energy == 4
    assert CDR.objects.get().total_cost_incl_vat == Decimal("2.4000")


def test_a_clock_set_back_to_before_the_start_loses_no_energy():
    session = make_active(tariff_version=make_version(**BY_TIME), ago=minutes(30))
    began = session.started_at
    values(session, (began + minutes(10), 2000, None))
    before = timezone.now()
    session = values(session, (began - timedelta(days=1), 3000, None))
    assert session.kwh == 3
    end(session, began - timedelta(days=1) + minutes(1), 4000)
    cdr = CDR.objects.get()
    assert cdr.total_energy == 4
    assert before <= cdr.end_date_time <= timezone.now()  # when the last value came
    assert Decimal("0.49") < cdr.total_time < Decimal("0.52")


def test_values_after_a_clock_was_set_back_are_billed_even_if_the_stop_is_lost():
    session = make_active(ago=minutes(30))
    told = session.started_at - timedelta(days=1)
    session = values(session, (told, 1000, None), (told + minutes(1), 1500, None))
    assert session.kwh == Decimal("1.5") and session.samples.count() == 2


def test_a_value_from_before_the_session_says_nothing():
    session = make_active()
    session = values(session, (session.started_at - minutes(1), 0, None), (session.started_at - minutes(2), -5, None))
    assert session.samples.count() == 0


@pytest.mark.parametrize("told", [YEARS_AGO, datetime(2099, 1, 1, tzinfo=UTC)])
def test_a_start_years_off_does_not_bill_the_years(told):
    session = make_pending(tariff_version=make_version(**BY_TIME))
    before = timezone.now()
    start(session, told)
    session = reread(session)
    assert before <= session.started_at <= timezone.now() and session.told_started_at == told
    progress.price_active_sessions()
    assert not session.calls.filter(action="STOP_TRANSACTION").exists()


def test_the_error_of_the_clock_at_the_start_is_taken_off_what_follows():
    session = make_active(tariff_version=make_version(**BY_TIME), ago=minutes(60))
    began = session.started_at
    ChargingSession.objects.update(told_started_at=YEARS_AGO)
    session = values(session, (YEARS_AGO + minutes(10), 2000, None))
    assert session.samples.get().at == began + minutes(10)
    record_status(charger_of(session), StatusChanged(1, "SuspendedEV", YEARS_AGO + minutes(15)))
    assert ParkingSpan.objects.get().started_at == began + minutes(15)
    end(session, YEARS_AGO + minutes(20), 3000)
    assert reread(session).ended_at == began + minutes(20)


def test_a_clock_that_was_set_right_after_the_start_is_believed():
    session = make_active(ago=minutes(60))
    ChargingSession.objects.update(told_started_at=YEARS_AGO)
    began = session.started_at
    session = values(session, (began + minutes(10), 2000, None))
    end(session, began + minutes(20), 3000)
    assert (session.samples.get().at, reread(session).ended_at) == (began + minutes(10), began + minutes(20))


def test_a_start_whose_time_was_wrong_is_known_again():
    session = make_pending()
    first = start(session, YEARS_AGO)
    assert start(session, YEARS_AGO) == first
    assert start(session, timezone.now()) == first  # its clock was set before it sent again
    end(session, timezone.now(), 100)
    assert start(session, YEARS_AGO).transaction_id == first.transaction_id
    assert ChargingSession.objects.count() == 1


def test_a_session_told_from_a_queue_by_a_wrong_clock_loses_no_energy():
    session = make_pending()
    start(session, YEARS_AGO)
    end(session, YEARS_AGO + minutes(40), 60_000)
    assert CDR.objects.get().total_energy == 60


def test_nothing_ends_in_the_future():
    session = make_active(tariff_version=make_version(**BY_TIME), ago=minutes(30))
    end(session, timezone.now() + timedelta(days=400), 1000)
    assert reread(session).ended_at <= timezone.now()
    assert CDR.objects.get().total_time < Decimal("0.51")


def test_an_end_told_late_keeps_its_time():
    session = make_active(ago=timedelta(hours=9))
    at = session.started_at + minutes(42)
    end(session, at, 1000)
    assert reread(session).ended_at == at


def test_a_value_from_the_future_counts_when_it_came():
    session = make_active()
    session = values(session, (timezone.now() + timedelta(hours=2), 1000, None))
    assert session.kwh == 1 and session.samples.get().at <= timezone.now()


def test_a_start_at_the_reader_is_believed_as_long_as_an_outage_can_last():
    now = timezone.now()
    charger_id = make_connector().evse.charger_id
    sessions.start_session(charger_id, TransactionStarted(1, "CARD", Decimal(1), now - timedelta(days=3)))
    assert ChargingSession.objects.get().started_at == now - timedelta(days=3)
    card = ChargingSession(auth_method=AuthMethod.WHITELIST)
    assert clock.start_of(card, YEARS_AGO, now) == now


def test_the_next_session_ends_the_older_one_also_by_a_clock_that_was_set_back():
    session = make_active(ago=minutes(30))
    values(session, (session.started_at + minutes(10), 2000, None))
    start(session, session.started_at - minutes(20), id_tag="NEXT", meter_start=Decimal(METER_START + 2100))
    session = reread(session)
    assert (session.status, session.kwh, session.settlement) == ("COMPLETED", 2, "NEXT")


def test_a_session_told_late_does_not_end_the_one_that_runs():
    session = make_active(ago=minutes(30))
    earlier = session.started_at - timedelta(hours=1)
    start(session, earlier, id_tag="EARLIER", meter_start=Decimal(METER_START - 2100))
    assert reread(session).status == "ACTIVE"


def test_a_free_outlet_is_seen_by_a_wrong_clock():
    session = make_active()
    ChargingSession.objects.update(told_started_at=YEARS_AGO)
    record_status(charger_of(session), StatusChanged(1, "Available", YEARS_AGO + minutes(50)))
    assert reread(session).over_since is not None


def make_active_in_our_future():
    """Our own clock was set back by two hours since the session began."""
    session = make_active(tariff_version=make_version(**BY_TIME))
    began = timezone.now() + minutes(120)
    ChargingSession.objects.filter(pk=session.pk).update(started_at=began, told_started_at=began)
    return reread(session), began


def test_our_clock_set_back_to_before_the_start_loses_neither_end_nor_time():
    session, began = make_active_in_our_future()
    values(session, (began + minutes(10), 2000, None))
    end(session, began + minutes(30), 4000)
    cdr = CDR.objects.get()
    assert (cdr.total_energy, cdr.total_time) == (4, Decimal("0.5"))
    assert cdr.end_date_time == began + minutes(30)


def test_an_end_that_no_clock_explains_is_not_before_the_start():
    session, began = make_active_in_our_future()
    end(session, began + timedelta(days=400), 4000)
    cdr = CDR.objects.get()
    assert (cdr.total_energy, cdr.total_time) == (4, 0)
