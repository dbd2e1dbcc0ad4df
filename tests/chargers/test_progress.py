from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.models import ChargerConnection, ChargingSession, MeterSample
from chargers.services import calls, limits, metering, progress
from chargers.services.events import MeterValuesReceived, Reading
from chargers.services.status import StatusChanged, record_status
from tariffs.pricing import ocpi_number, price_periods, read_periods
from tariffs.services.versions import pricing_tariff
from tests.chargers.factories import (
    METER_START,
    charger_of,
    end,
    make_active,
    make_pending,
    make_version,
    meter_values,
    minutes,
    reread,
)
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db


def update(session, *values):
    progress.update_session(charger_of(session), meter_values(session, *values))
    return reread(session)


def test_meter_values_move_energy_and_cost_and_are_told():
    session = make_active()
    events()
    session = update(session, (session.started_at + minutes(20), 4000, 12000))
    assert session.kwh == 4 and session.total_cost_incl_vat == Decimal("2.4000")
    assert events() == [("progress", session.pk)]


def test_the_running_cost_is_that_of_the_published_periods():
    version = make_version(energy="0.4083", hour="1.20")
    session = make_active(tariff_version=version, ago=minutes(33))
    session = update(session, (session.started_at + minutes(20), 4321, 12000))
    periods = read_periods(session.charging_periods)
    cost = price_periods(pricing_tariff(version, session.limit), periods, timezone.now(), session.time_zone)
    assert session.total_cost_incl_vat == ocpi_number(cost.total.incl_vat)


def test_repeated_values_change_nothing():
    session = make_active(tariff_version=make_version())
    value = (session.started_at + minutes(20), 4000, 12000)
    before = update(session, value)
    events()
    after = update(session, value)
    assert MeterSample.objects.count() == 1 and events() == []
    assert after.last_updated == before.last_updated


def test_values_out_of_order_do_no_harm():
    session = make_active()
    began = session.started_at
    update(session, (began + minutes(20), 4000, 12000))
    session = update(session, (began + minutes(10), 2000, 12000))
    assert session.kwh == 4 and MeterSample.objects.count() == 2


def test_a_register_that_falls_is_passed_over():
    session = make_active()
    began = session.started_at
    session = update(session, (began + minutes(10), 4000, None), (began + minutes(20), 100, None))
    assert session.kwh == 4


def test_values_without_a_transaction_belong_to_the_session_on_the_outlet():
    session = make_active()
    readings = (Reading(session.started_at + minutes(1), Decimal(METER_START + 700)),)
    progress.update_session(charger_of(session), MeterValuesReceived(1, None, readings))
    assert reread(session).kwh == Decimal("0.7")


def test_values_of_an_ended_session_are_passed_over():
    session = make_active()
    end(session, session.started_at + minutes(5), 1000)
    events()
    assert update(session, (session.started_at + minutes(4), 900, None)).kwh == 1
    assert events() == []


def test_values_of_nobody_are_passed_over():
    session = make_pending()
    readings = (Reading(timezone.now(), Decimal(1)),)
    for transaction_id in (None, session.pk, 999_999):
        progress.update_session(charger_of(session), MeterValuesReceived(1, transaction_id, readings))
    assert MeterSample.objects.count() == 0


def test_time_that_costs_is_told_between_meter_values_but_not_too_often(settings):
    session = make_active(tariff_version=make_version(energy="0", hour="6.00"), ago=minutes(10))
    events()
    progress.price_active_sessions()
    assert events() == []
    long_ago = timezone.now() - settings.SESSION_PROGRESS_INTERVAL
    ChargingSession.objects.update(last_updated=long_ago)
    progress.price_active_sessions()
    assert events() == [("progress", session.pk)]
    assert Decimal("1.20") <= reread(session).total_cost_incl_vat < Decimal("1.25")


def test_a_session_whose_cost_stands_still_is_not_told():
    session = make_active()
    ChargingSession.objects.update(last_updated=timezone.now() - minutes(5))
    events()
    progress.price_active_sessions()
    assert events() == [] and reread(session).kwh == 0


def test_one_session_that_cannot_be_priced_does_not_keep_the_others_from_it():
    broken, session = make_active(), make_active(tariff_version=make_version(hour="6.00"))
    ChargingSession.objects.update(last_updated=timezone.now() - minutes(5))
    ChargingSession.objects.filter(pk=broken.pk).update(meter_start=None)
    progress.price_active_sessions()
    assert reread(session).total_cost_incl_vat > 0


def stops(session):
    return list(session.calls.filter(action="STOP_TRANSACTION").order_by("pk"))


def test_the_stop_leaves_before_the_next_value_could_exceed_the_limit_and_once():
    # 60 kW at 0.60 gross: 0.60 per minute. The next value, a minute on, would be 5.40 + 0.60 + what the stop takes.
    session = make_active(limit=Decimal("6.00"), ago=minutes(9))
    began = session.started_at
    session = update(session, (began + minutes(7), 7000, 60000), (began + minutes(8), 8000, 60000))
    assert stops(session) == []
    session = update(session, (began + minutes(9), 9000, 60000))
    assert len(stops(session)) == 1 and session.stop_requested_by == "LIMIT"
    assert session.total_cost_incl_vat == Decimal("5.4000")
    update(session, (began + minutes(9.5), 9500, 60000))
    progress.price_active_sessions()
    assert len(stops(session)) == 1


def test_energy_faster_than_the_power_that_the_charger_tells_is_seen():
    session = make_active(limit=Decimal("6.50"), ago=minutes(2))
    session = update(session, (session.started_at + minutes(1), 4800, 22000))
    assert stops(session) == []
    session = update(session, (session.started_at + minutes(2), 9600, 22000))
    assert len(stops(session)) == 1


def test_time_alone_reaches_the_limit_too():
    session = make_active(tariff_version=make_version(energy="0", hour="60"), limit=Decimal("12.00"), ago=minutes(9))
    progress.price_active_sessions()
    assert stops(session) == []
    ChargingSession.objects.update(started_at=timezone.now() - minutes(10) + timedelta(seconds=2))
    progress.price_active_sessions()
    assert len(stops(session)) == 1


def test_a_parked_car_is_not_forecast_to_charge():
    session = make_active(limit=Decimal("6.00"), ago=minutes(9))
    began = session.started_at
    record_status(charger_of(session), StatusChanged(1, "SuspendedEV", began + minutes(8)))
    session = update(session, (began + minutes(8), 9000, 0), (began + minutes(9), 9900, 0))
    assert stops(session) == []


def test_a_tariff_that_is_capped_at_the_limit_needs_no_stop():
    cap = {"excl_vat": 5.0, "incl_vat": 6.0}
    session = make_active(tariff_version=make_version(max_price=cap), limit=Decimal("6.00"))
    session = update(session, (session.started_at + minutes(10), 50_000, 200_000))
    assert stops(session) == [] and session.total_cost_incl_vat == 6


def test_no_limit_no_stop():
    session = make_active(limit=None)
    assert stops(update(session, (session.started_at + minutes(10), 500_000, None))) == []


def test_a_stop_that_the_charger_did_not_take_is_repeated():
    session = make_active(limit=Decimal("6.00"))
    update(session, (session.started_at + minutes(10), 10_000, 60000))
    calls.finish_call(stops(session)[0].pk, calls.CallResult.REJECTED, {})
    progress.price_active_sessions()
    assert len(stops(session)) == 1
    ChargingSession.objects.update(stop_requested_at=timezone.now() - limits.REPEAT_STOP_AFTER)
    progress.price_active_sessions()
    assert len(stops(session)) == 2


def test_an_offline_charger_is_stopped_once_it_is_back():
    session = make_active(limit=Decimal("6.00"))
    ChargerConnection.objects.update(channel_name="")
    update(session, (session.started_at + minutes(10), 10_000, 60000))
    assert stops(session) == []
    ChargerConnection.objects.update(channel_name="specific.test!back")
    progress.price_active_sessions()
    assert len(stops(session)) == 1


def test_a_silent_meter_is_not_taken_to_run_on_for_ever():
    session = make_active(ago=minutes(60))
    began = session.started_at
    update(session, (began + minutes(0.5), 50, None), (began + minutes(1), 100, None))
    measured = metering.measure(reread(session))
    far = limits._forecast(measured, timezone.now())
    assert METER_START + 100 < far.last.register_wh < METER_START + 100 + 6000 * 3 / 60
