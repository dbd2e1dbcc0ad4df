"""Sessions that their charger never ends, and what it tells of them later."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.models import CDR, ChargerConnection, ChargingSession, LateStop, MeterSample
from chargers.services import completion, progress, sessions, settling
from chargers.services.events import Reading, StatusChanged, TransactionEnded
from chargers.services.status import record_status
from infrastructure.choices import AlertState
from infrastructure.models import Alert
from tests.chargers.factories import (
    METER_START,
    charger_of,
    end,
    make_active,
    make_version,
    meter_values,
    minutes,
    reread,
)
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def session(settings) -> ChargingSession:
    settings.LOST_STOP_GRACE = timedelta(seconds=60)
    settings.LOST_STOP_GRACE_OFFLINE = minutes(15)
    settings.LOST_CHARGER_AFTER = 2 * HOUR
    settings.LONGEST_SESSION = 24 * HOUR
    session = make_active(tariff_version=make_version(energy="0.5", hour="1.20"), limit=Decimal("20.00"))
    report(session, session.started_at + minutes(20), 2000)
    return reread(session)


def report(session, at, wh):
    progress.update_session(charger_of(session), meter_values(session, (at, wh, None)))


def lose(ago):
    ChargerConnection.objects.update(channel_name="", disconnected_at=timezone.now() - ago)


def settle(session):
    lose(2 * HOUR + minutes(1))
    settling.end_lost_sessions()
    events()
    return reread(session)


def stops(session):
    return session.calls.filter(action="STOP_TRANSACTION")


# The outlet is free


def report_free(session, ago):
    record_status(charger_of(session), StatusChanged(1, "Available", timezone.now()))
    ChargingSession.objects.filter(pk=session.pk).update(over_since=timezone.now() - ago)


def test_a_charger_that_was_away_gets_time_to_tell_the_end_from_its_queue(session):
    ChargerConnection.objects.update(connected_at=timezone.now() - minutes(5))
    report_free(session, minutes(5))
    settling.end_lost_sessions()
    assert reread(session).status == "ACTIVE"
    end(session, session.started_at + minutes(50), 5000)
    assert CDR.objects.get().total_energy == 5 and reread(session).settlement == ""


def test_its_time_is_not_endless(session):
    ChargerConnection.objects.update(connected_at=timezone.now() - minutes(20))
    report_free(session, minutes(16))
    settling.end_lost_sessions()
    assert (reread(session).status, reread(session).settlement) == ("COMPLETED", "FREE")


def test_a_charger_that_went_again_gets_that_time_too(session):
    ChargerConnection.objects.update(connected_at=session.started_at - HOUR)
    report_free(session, minutes(5))
    lose(minutes(4))
    settling.end_lost_sessions()
    assert reread(session).status == "ACTIVE"


def test_a_charger_that_was_there_all_the_time_does_not(session):
    ChargerConnection.objects.update(connected_at=session.started_at - HOUR)
    report_free(session, minutes(5))
    settling.end_lost_sessions()
    assert reread(session).status == "COMPLETED"


# The charger is gone


def test_a_session_of_a_lost_charger_is_settled_with_its_last_reading(session):
    lose(2 * HOUR - minutes(1))
    settling.end_lost_sessions()
    assert reread(session).status == "ACTIVE"
    lose(2 * HOUR + minutes(1))
    settling.end_lost_sessions()
    session, cdr = reread(session), CDR.objects.get()
    assert (session.status, session.settlement, session.stop_reason) == ("COMPLETED", "LOST", "CHARGER")
    assert (cdr.total_energy, cdr.end_date_time) == (2, session.started_at + minutes(20))
    assert cdr.remark == settling.LOST


def test_the_end_told_later_is_kept_and_bills_nothing(session):
    session = settle(session)
    billed = CDR.objects.get().total_cost_incl_vat
    readings = (Reading(session.started_at + minutes(30), Decimal(METER_START + 3000)),)
    assert end(session, session.started_at + minutes(40), 4000, reason="EVDisconnected", readings=readings)
    late = LateStop.objects.get()
    assert (late.session, late.kwh, late.reason) == (session, 4, "EVDisconnected")
    assert late.ended_at == session.started_at + minutes(40) and late.meter_stop == METER_START + 4000
    # 4 kWh of 0.50 and 40 minutes of 1.20 an hour, with 20 % of VAT
    assert late.total_cost_incl_vat == Decimal("3.3600") and late.cost["total"]["incl_vat"] == "3.3600"
    assert CDR.objects.get().total_cost_incl_vat == billed < late.total_cost_incl_vat
    assert events() == [] and reread(session).kwh == 2


def test_only_the_first_late_end_is_kept(session):
    session = settle(session)
    end(session, session.started_at + minutes(40), 4000)
    end(session, session.started_at + minutes(50), 9000)
    assert LateStop.objects.get().kwh == 4


def test_a_late_end_is_never_dearer_than_the_limit(session):
    session = settle(session)
    end(session, session.started_at + minutes(40), 90_000)
    assert LateStop.objects.get().total_cost_incl_vat == Decimal("20.0000")


def test_the_repeated_end_of_a_session_that_was_ended_is_no_late_one(session):
    end(session, session.started_at + minutes(40), 4000)
    end(session, session.started_at + minutes(40), 4000)
    assert not LateStop.objects.exists()


def test_a_settled_session_that_goes_on_is_stopped(session):
    session = settle(session)
    ChargerConnection.objects.update(channel_name="specific.test!back")
    report(session, timezone.now(), 6000)
    report(session, timezone.now(), 6100)
    assert stops(session).count() == 1 and stops(session).get().state == "PENDING"
    assert (reread(session).kwh, CDR.objects.count()) == (2, 1)


def test_late_values_of_a_session_that_its_charger_ended_stop_nothing(session):
    end(session, session.started_at + minutes(40), 4000)
    report(session, timezone.now(), 4000)
    assert not stops(session).exists() and session.samples.count() == 1


def test_one_that_cannot_be_settled_does_not_keep_the_others(session):
    other = make_active()
    ChargingSession.objects.filter(pk=session.pk).update(meter_start=None)
    lose(3 * HOUR)
    settling.end_lost_sessions()
    assert (reread(session).status, reread(other).status) == ("ACTIVE", "COMPLETED")


def test_staff_are_told_of_one_that_cannot_be_settled_until_it_can(session):
    ChargingSession.objects.filter(pk=session.pk).update(meter_start=None)
    settle(session)
    alert = Alert.objects.get(state=AlertState.OPEN)
    assert alert.title == f"Session {session} cannot be ended" and f"/{session.pk}/" in alert.path
    assert [one.pk for one in alert.operators.all()] == [session.connector.evse.charger.location.operator_id]
    settle(session)
    assert Alert.objects.count() == 1
    ChargingSession.objects.filter(pk=session.pk).update(meter_start=METER_START)
    assert settle(session).status == "COMPLETED"
    assert not Alert.objects.filter(state=AlertState.OPEN).exists()


# Too long


def make_overlong(session, **changes):
    at = timezone.now() - 25 * HOUR
    ChargingSession.objects.filter(pk=session.pk).update(started_at=at, accepted_at=at, **changes)
    settling.end_lost_sessions()
    return reread(session)


def test_a_session_longer_than_the_maximum_is_asked_to_stop_once(session):
    session = make_overlong(session)
    settling.end_lost_sessions()
    assert stops(session).count() == 1 and session.overlong_at is not None
    assert (session.status, session.stop_requested_by) == ("ACTIVE", "STAFF")


def test_one_that_does_not_stop_is_settled(session):
    session = make_overlong(session, overlong_at=timezone.now() - 2 * HOUR - minutes(1))
    assert (session.status, session.settlement, session.stop_reason) == ("COMPLETED", "OVERLONG", "STAFF")
    assert CDR.objects.get().remark == settling.OVERLONG


def test_what_began_long_ago_but_was_told_now_is_not_too_long(session):
    ChargingSession.objects.update(started_at=timezone.now() - 25 * HOUR)
    settling.end_lost_sessions()
    assert not stops(session).exists()


def test_without_a_maximum_sessions_may_be_as_long_as_they_like(session, settings):
    settings.LONGEST_SESSION = timedelta(0)
    assert not stops(make_overlong(session)).exists()


# Registers


def test_what_a_meter_counted_after_its_reset_is_billed_too(session):
    began = session.started_at
    report(session, began + minutes(30), -METER_START)
    report(session, began + minutes(40), -METER_START + 700)
    assert reread(session).kwh == Decimal("2.7")
    end(session, began + minutes(50), -METER_START + 1500)
    assert CDR.objects.get().total_energy == Decimal("3.5")


def test_a_meter_that_falls_to_nothing_and_comes_back_has_not_counted_that(session):
    ChargingSession.objects.update(meter_start=50_000_000)
    MeterSample.objects.update(register_wh=50_002_000)
    report(session, session.started_at + minutes(30), -METER_START)
    report(session, session.started_at + minutes(40), 49_900_000)
    assert reread(session).kwh == 2
    end(session, session.started_at + minutes(50), 49_900_000)
    assert CDR.objects.get().total_energy == 2


def test_a_single_value_that_fell_is_forgotten(session):
    report(session, session.started_at + minutes(30), -METER_START)
    report(session, session.started_at + minutes(40), 3000)
    assert reread(session).kwh == 3


def test_a_reset_meter_that_counts_beyond_the_start_again_is_billed_whole(session):
    began = session.started_at
    report(session, began + minutes(25), 20_000)
    report(session, began + minutes(30), -METER_START)
    report(session, began + minutes(35), -METER_START + 700)
    report(session, began + minutes(40), 900)
    assert reread(session).kwh == Decimal(METER_START + 20_900) / 1000
    end(session, began + minutes(50), 2000)
    assert CDR.objects.get().total_energy == Decimal(METER_START + 22_000) / 1000


@pytest.mark.parametrize("values", [[-METER_START], [-METER_START, -METER_START]])
def test_a_meter_that_says_nothing_for_a_moment_was_not_reset(session, values):
    began = session.started_at
    report(session, began + minutes(25), 3040)
    for number, value in enumerate(values):
        report(session, began + minutes(30 + number), value)
    end(session, began + minutes(50), 3000)
    assert CDR.objects.get().total_energy == 3


def test_a_register_that_no_charger_can_reach_is_left_out(session):
    report(session, session.started_at + minutes(30), 4_294_967_295)
    assert reread(session).kwh == 2
    end(session, session.started_at + minutes(40), 4_294_967_295)
    assert CDR.objects.get().total_energy == 2


def test_the_end_by_a_clock_that_is_behind_is_the_last_value(session):
    told = session.started_at - HOUR
    assert completion.end_of(session, told, timezone.now()) == session.started_at + minutes(20)


def test_a_late_end_of_another_charger_is_nobodys(session):
    session = settle(session)
    ended = TransactionEnded(session.pk, Decimal(METER_START), timezone.now())
    assert not sessions.end_session(charger_of(make_active()), ended)
    assert not LateStop.objects.exists()
