from datetime import timedelta
from decimal import Decimal
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import CDR, ChargingSession, MeterSample, OutgoingCall
from chargers.services import completion, progress, sessions, settling
from chargers.services.events import Reading, TransactionStarted
from chargers.services.status import StatusChanged, record_status
from tariffs.pricing import ocpi_number, price_periods, read_periods
from tariffs.services.versions import pricing_tariff
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
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db


def test_a_start_with_the_tag_we_gave_activates_the_session():
    session = make_pending()
    at = timezone.now()
    answer = start(session, at)
    session = reread(session)
    assert (answer.transaction_id, answer.is_accepted) == (session.pk, True)
    assert (session.status, session.transaction_id) == ("ACTIVE", str(session.pk))
    assert (session.started_at, session.meter_start) == (at, METER_START)
    assert ("session", session.pk) in events()


def test_a_flat_price_is_on_the_bill_from_the_first_moment():
    session = make_active(tariff_version=make_version(flat="1.00"))
    assert session.total_cost_incl_vat == Decimal("1.2000")


def test_a_repeated_start_gets_the_same_answer_and_changes_nothing():
    session = make_pending()
    at = timezone.now()
    first = start(session, at)
    events()
    assert start(session, at) == first
    assert ChargingSession.objects.count() == 1 and OutgoingCall.objects.count() == 1
    assert events() == []


def test_a_start_repeated_after_the_end_does_not_open_a_new_session():
    session = make_active()
    end(session, timezone.now(), 100)
    assert start(session, session.started_at).transaction_id == session.pk
    assert reread(session).status == "COMPLETED" and CDR.objects.count() == 1


def test_an_unknown_tag_is_recorded_refused_and_stopped():
    connector = make_connector()
    charger_id = connector.evse.charger_id
    event = TransactionStarted(1, "STRANGER", Decimal(5), timezone.now())
    answer = sessions.start_session(charger_id, event)
    session = ChargingSession.objects.get()
    assert (answer.transaction_id, answer.is_accepted) == (session.pk, False)
    assert (session.status, session.network, session.tariff_version) == ("ACTIVE", "HOME", None)
    call = session.calls.get()
    assert (call.action, call.payload) == ("STOP_TRANSACTION", {"transaction_id": str(session.pk)})
    assert sessions.start_session(charger_id, event) == answer
    assert OutgoingCall.objects.count() == 1


def test_what_an_unknown_tag_drew_is_kept_and_costs_nothing():
    connector = make_connector()
    at = timezone.now() - minutes(10)
    event = TransactionStarted(1, "STRANGER", Decimal(METER_START), at)
    sessions.start_session(connector.evse.charger_id, event)
    session = ChargingSession.objects.get()
    end(session, timezone.now(), 1500)
    assert CDR.objects.get().total_energy == Decimal("1.5")
    assert CDR.objects.get().total_cost_incl_vat == 0


def test_an_outlet_that_we_do_not_know_loses_nothing():
    charger_id = make_connector().evse.charger_id
    event = TransactionStarted(7, "STRANGER", Decimal(METER_START), timezone.now())
    answer = sessions.start_session(charger_id, event)
    assert sessions.start_session(charger_id, event) == answer
    session = ChargingSession.objects.get()
    assert session.connector is None
    ended = sessions.TransactionEnded(session.pk, Decimal(METER_START + 100), timezone.now())
    assert sessions.end_session(charger_id, ended)
    assert CDR.objects.get().total_energy == Decimal("0.1")


def test_the_tag_of_one_outlet_starts_nothing_at_another():
    session = make_pending()
    answer = start(session, timezone.now(), evse_number=2)
    assert not answer.is_accepted
    assert reread(session).status == "PENDING"


def test_the_end_writes_one_record_whose_cost_is_that_of_its_periods():
    version = make_version(energy="0.4083", hour="1.20", parking="6.00", flat="0.35")
    session = make_active(tariff_version=version, ago=minutes(50))
    began = session.started_at
    progress.update_session(charger_of(session), meter_values(session, (began + minutes(20), 7000, 22000)))
    record_status(charger_of(session), StatusChanged(1, "SuspendedEV", began + minutes(30)))
    record_status(charger_of(session), StatusChanged(1, "Charging", began + minutes(37)))
    events()
    end(session, began + minutes(50), 11_111)

    session, cdr = reread(session), CDR.objects.get()
    assert [topic for topic, _ in events()] == ["session", "cdr"]
    assert (session.status, session.kwh, session.ended_at) == ("COMPLETED", Decimal("11.111"), began + minutes(50))
    periods = read_periods(cdr.charging_periods)
    zone = session.time_zone
    cost = price_periods(pricing_tariff(version, session.limit), periods, session.ended_at, zone)
    assert cdr.charging_periods == session.charging_periods and len(periods) == 3
    assert cdr.total_cost_incl_vat == session.total_cost_incl_vat == ocpi_number(cost.total.incl_vat)
    assert cdr.total_energy == Decimal("11.111")
    assert cdr.total_parking_time == sum(period.parking_h for period in periods)
    assert cdr.total_time == sum(period.parking_h + period.time_h for period in periods)
    assert cdr.remark == "Stopped by the driver."
    assert {line["dimension"] for line in cdr.cost["lines"]} == {"FLAT", "ENERGY", "TIME", "PARKING_TIME"}
    assert cdr.cost["total"]["incl_vat"] == str(cdr.total_cost_incl_vat)
    assert cdr.cost["vat_totals"][0]["gross"] == str(cost.gross)


def test_a_repeated_end_is_answered_and_bills_once():
    session = make_active()
    at = timezone.now()
    assert end(session, at, 1000)
    events()
    assert end(session, at + minutes(1), 9000)
    assert CDR.objects.get().total_energy == 1 and events() == []


def test_the_end_of_a_transaction_that_we_never_saw_is_answered():
    session = make_pending()
    assert not end(session, timezone.now(), 1)
    assert not end(session, timezone.now(), 1, transaction_id=987_654_321)
    assert not end(session, timezone.now(), 1, transaction_id=10**30)


def test_a_charger_cannot_end_the_session_of_another():
    session = make_active()
    stranger = make_connector()
    event = sessions.TransactionEnded(session.pk, Decimal(METER_START), timezone.now())
    assert not sessions.end_session(stranger.evse.charger_id, event)
    assert reread(session).status == "ACTIVE"


@pytest.mark.parametrize(
    ("reason", "stopped_by"),
    [
        ("", "DRIVER"),
        ("Local", "DRIVER"),
        ("EVDisconnected", "DRIVER"),
        ("Remote", "CHARGER"),
        ("PowerLoss", "CHARGER"),
    ],
)
def test_the_charger_says_who_stopped(reason, stopped_by):
    session = make_active()
    end(session, timezone.now(), 1000, reason=reason)
    assert reread(session).stop_reason == stopped_by


def test_the_last_register_counts_against_values_above_it():
    session = make_active()
    began = session.started_at
    progress.update_session(charger_of(session), meter_values(session, (began + minutes(1), 5000, None)))
    end(session, began + minutes(2), 3000)
    assert CDR.objects.get().total_energy == 3


def test_a_register_that_was_reset_does_not_make_energy_negative():
    session = make_active()
    began = session.started_at
    progress.update_session(charger_of(session), meter_values(session, (began + minutes(1), 5000, None)))
    end(session, began + minutes(2), -METER_START)
    assert CDR.objects.get().total_energy == 5


def test_a_session_that_ends_before_it_began_takes_no_time():
    session = make_active(tariff_version=make_version(hour="60"))
    end(session, session.started_at - minutes(5), 1000)
    cdr = CDR.objects.get()
    assert (cdr.total_time, cdr.end_date_time) == (0, session.started_at)


def test_values_inside_the_end_message_are_recorded():
    session = make_active()
    began = session.started_at
    readings = (Reading(began + minutes(1), Decimal(METER_START + 400)),)
    end(session, began + minutes(2), 1000, readings=readings)
    assert MeterSample.objects.get().register_wh == METER_START + 400


def test_parking_still_open_at_the_end_ends_with_it():
    session = make_active(tariff_version=make_version(energy="0", parking="6.00"))
    record_status(charger_of(session), StatusChanged(1, "SuspendedEV", session.started_at + minutes(10)))
    end(session, session.started_at + minutes(40), 0)
    assert session.parking_spans.get().ended_at == session.started_at + minutes(40)
    assert CDR.objects.get().total_cost_excl_vat == Decimal("3.0000")


def test_a_transaction_that_was_never_ended_ends_when_the_next_begins():
    session = make_active(ago=minutes(30))
    began = session.started_at
    progress.update_session(charger_of(session), meter_values(session, (began + minutes(10), 2000, None)))
    start(session, began + minutes(29), id_tag="NEXT", meter_start=Decimal(METER_START + 9000))
    session = reread(session)
    assert (session.status, session.stop_reason) == ("COMPLETED", "CHARGER")
    assert (session.kwh, session.ended_at) == (2, began + minutes(10))


def test_the_minimum_price_is_due_for_a_few_watt_hours_too():
    session = make_active(tariff_version=make_version(energy="0.01", min_price={"excl_vat": 0.8333, "incl_vat": 1.0}))
    end(session, session.started_at + minutes(1), 4)
    cdr = CDR.objects.get()
    assert (cdr.total_energy, cdr.total_cost_incl_vat) == (Decimal("0.004"), 1)
    assert cdr.cost["vat_totals"] == [{"vat": "20.0", "net": "0.83", "vat_amount": "0.17", "gross": "1.00"}]


def test_one_that_cannot_be_billed_does_not_keep_the_next_driver_from_charging(caplog):
    session = make_active(ago=minutes(30))
    ChargingSession.objects.filter(pk=session.pk).update(meter_start=None)
    began = start(session, session.started_at + minutes(29), id_tag="NEXT")
    assert ChargingSession.objects.get(pk=began.transaction_id).status == SessionStatus.ACTIVE
    assert f"session {session.pk} cannot be ended" in caplog.messages
    known_to_be_over = ChargingSession.objects.filter(pk=session.pk).exclude(over_since=None)
    known_to_be_over.update(meter_start=METER_START, over_since=timezone.now() - timedelta(days=1))
    settling.end_lost_sessions()
    assert reread(session).status == SessionStatus.COMPLETED and CDR.objects.get().session_id == session.pk


def test_a_start_that_finds_no_database_is_not_answered(monkeypatch):
    session = make_active(ago=minutes(30))
    monkeypatch.setattr(completion, "complete", Mock(side_effect=OperationalError))
    with pytest.raises(OperationalError):
        start(session, session.started_at + minutes(29), id_tag="NEXT")
    assert ChargingSession.objects.count() == 1


def test_the_bill_never_exceeds_the_limit():
    session = make_active(limit=Decimal("5.00"))
    end(session, timezone.now(), 100_000)
    assert CDR.objects.get().total_cost_incl_vat == Decimal("5.0000")
    assert CDR.objects.get().cost["vat_totals"][0]["gross"] == "5.00"


def test_hours_of_a_session_of_exact_length():
    session = make_active(tariff_version=make_version(hour="6.00", energy="0"), ago=timedelta(seconds=300))
    end(session, session.started_at + timedelta(seconds=300), 0)
    assert CDR.objects.get().total_cost_excl_vat == Decimal("0.5000")
