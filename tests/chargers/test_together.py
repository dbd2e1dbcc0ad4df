"""Statuses, starts with own cards and stops of several chargers in one transaction: as each by itself."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.choices import CallState, SessionStatus
from chargers.models import CDR, ChargingSession, IdToken, MeterSample, OutgoingCall, ParkingSpan, Reservation
from chargers.services import authorize, commands, metering, own_starts, sessions
from chargers.services.events import StatusChanged, TransactionEnded, TransactionStarted
from chargers.services.status import record_status, record_statuses
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Location, OutboxEvent
from tests.chargers.factories import (
    METER_START,
    charger_of,
    everyone,
    make_active,
    make_connector,
    make_pending,
    meter_values,
    minutes,
    tell_all,
)
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db


@contextmanager
def queries():
    with CaptureQueriesContext(connection) as context:
        yield context


def statements(context):
    return [query["sql"] for query in context if "SAVEPOINT" not in query["sql"]]


# -- statuses


def told(charger_id, word="Charging", number=1):
    return charger_id, StatusChanged(number, word, timezone.now())


def test_statuses_of_many_take_as_many_queries_as_of_two():
    chargers = [make_connector(status=EVSEStatus.UNKNOWN).evse.charger_id for _ in range(7)]
    OutboxEvent.objects.all().delete()
    with queries() as few:
        assert record_statuses([told(charger_id) for charger_id in chargers[:2]]) == everyone(chargers[:2])
    with queries() as many:
        assert record_statuses([told(charger_id) for charger_id in chargers[2:]]) == everyone(chargers[2:])
    assert len(statements(few)) == len(statements(many)) == 7, "\n".join(statements(many))
    assert set(EVSE.objects.values_list("status", flat=True)) == {"CHARGING"}
    assert sorted(events()) == sorted(("status", pk) for pk in EVSE.objects.values_list("pk", flat=True))


def test_only_what_changes_is_stamped_and_told():
    connectors = [make_connector() for _ in range(3)]
    long_ago = timezone.now() - timedelta(days=9)
    EVSE.objects.update(last_updated=long_ago)
    Location.objects.update(last_updated=long_ago)
    OutboxEvent.objects.all().delete()
    words = ["Available", "Faulted", "Unavailable"]
    told_now = [told(one.evse.charger_id, word) for one, word in zip(connectors, words, strict=True)]
    assert record_statuses(told_now) == everyone(told_now)
    found = EVSE.objects.order_by("pk").values_list("status", "last_updated", "charger__location__last_updated")
    assert [status for status, _, _ in found] == ["AVAILABLE", "OUTOFORDER", "INOPERATIVE"]
    assert [at > long_ago for _, at, _ in found] == [at > long_ago for _, _, at in found] == [False, True, True]
    assert sorted(events()) == [("status", one.evse_id) for one in connectors[1:]]


def test_words_of_a_session_that_goes_on_go_with_the_others():
    parked, charging, free = (make_active() for _ in range(3))
    ParkingSpan.objects.create(session=parked, started_at=parked.started_at)
    ChargingSession.objects.filter(pk=free.pk).update(over_since=timezone.now())
    words = [(parked, "SuspendedEV"), (charging, "Charging"), (free, "Available")]
    assert record_statuses([told(charger_of(session), word) for session, word in words]) == everyone(words)
    assert ParkingSpan.objects.get().ended_at is None


def test_words_that_change_a_session_do_so():
    ends, begins, over = (make_active() for _ in range(3))
    ParkingSpan.objects.create(session=ends, started_at=ends.started_at)
    words = [(ends, "Charging"), (begins, "SuspendedEV"), (over, "Available")]
    told_now = [told(charger_of(session), word) for session, word in words]
    assert tell_all(record_statuses, record_status, told_now) == [None] * 3
    assert {(span.session_id, span.ended_at is None) for span in ParkingSpan.objects.all()} == {
        (ends.pk, False),
        (begins.pk, True),
    }
    assert ChargingSession.objects.get(pk=over.pk).over_since is not None


def test_unknown_outlets_and_words_are_passed_over():
    charger_id = make_connector().evse.charger_id
    words = [told(charger_id, number=0), told(charger_id, number=9), told(charger_id, "Odd")]
    assert tell_all(record_statuses, record_status, words) == [None] * 3
    assert EVSE.objects.get().status == "AVAILABLE" and events() == []


def test_two_words_of_one_outlet_count_in_their_order():
    charger_id, other = make_connector().evse.charger_id, make_connector().evse.charger_id
    words = [told(charger_id, "Faulted"), told(other), told(charger_id, "Finishing")]
    assert tell_all(record_statuses, record_status, words) == [None] * 3
    assert EVSE.objects.get(charger=charger_id).status == "BLOCKED"


def test_one_status_that_fails_does_not_keep_the_others(monkeypatch):
    good, bad = (make_connector().evse.charger_id for _ in range(2))

    def fail(charger_id, event):
        if charger_id == bad:
            raise ValueError("no status")
        record_status(charger_id, event)

    monkeypatch.setattr("chargers.services.status._record_together", lambda told: 1 / 0)
    outcomes = tell_all(record_statuses, fail, [told(bad), told(good)])
    assert isinstance(outcomes[0], ValueError) and outcomes[1] is None
    assert EVSE.objects.get(charger=good).status == "CHARGING"


# -- starts


def own_card(connector, **changes):
    values = {"id_tag": f"FLEET-{connector.pk}", "parent_id_tag": "FLEET", **changes}
    return IdToken.objects.create(operator=connector.evse.charger.location.operator, **values)


def start(connector, tag=None, number=1):
    tag = tag or f"FLEET-{connector.pk}"
    return connector.evse.charger_id, TransactionStarted(number, tag, Decimal(METER_START), timezone.now())


def test_starts_of_many_take_as_many_queries_as_of_two():
    connectors = [make_connector() for _ in range(7)]
    for connector in connectors:
        own_card(connector)
    with queries() as few:
        own_starts.start_sessions([start(connector) for connector in connectors[:2]])
    with queries() as many:
        answers = own_starts.start_sessions([start(connector) for connector in connectors[2:]])
    assert len(statements(few)) == len(statements(many)) == 7, "\n".join(statements(many))
    assert {(answer.tag.status, answer.tag.parent_id_tag) for answer in answers.values()} == {("Accepted", "FLEET")}
    stored = ChargingSession.objects.filter(pk__in=[answer.transaction_id for answer in answers.values()]).order_by(
        "pk"
    )
    assert [session.connector for session in stored] == connectors[2:]
    assert {session.transaction_id for session in stored} == {str(answer.transaction_id) for answer in answers.values()}


def test_a_start_together_and_one_alone_write_the_same():
    connectors = [make_connector() for _ in range(3)]
    for connector in connectors:
        own_card(connector)
    charger_id, event = start(connectors[0])
    permit = authorize.permit_start(charger_id, event)
    alone = sessions.start_session(charger_id, event, permit)
    told = [(one.evse.charger_id, replace(event, id_tag=f"FLEET-{one.pk}")) for one in connectors[1:]]
    together = own_starts.start_sessions(told)[0]
    own = {"id", "uid", "connector_id", "transaction_id", "created_at", "accepted_at", "last_updated"}
    own |= {"id_tag", "cdr_token"}
    written = [
        {name: value for name, value in row.items() if name not in own}
        for row in ChargingSession.objects.filter(pk__in=[alone.transaction_id, together.transaction_id]).values()
    ]
    assert written[0] == written[1] and written[0]["status"] == SessionStatus.ACTIVE
    assert sorted(events()) == [("session", session.pk) for session in ChargingSession.objects.order_by("pk")]


def test_what_is_no_fresh_start_with_an_own_card_is_left_to_a_closer_look():
    """Nobody is asked, nothing is written: whatever it is, it goes its own way."""
    fresh, stranger, blocked, expired, elsewhere = (make_connector() for _ in range(5))
    own_card(fresh)
    own_card(blocked, is_blocked=True)
    own_card(expired, expires_at=timezone.now())
    waited_for = make_pending(connector := make_connector())
    reserved = make_connector()
    own_card(reserved)
    kept = make_pending(make_connector())
    ChargingSession.objects.filter(pk=kept.pk).update(status=SessionStatus.RESERVATION, connector=None)
    Reservation.objects.create(
        session=kept, charger=reserved.evse.charger, evse_number=0, expires_at=timezone.now() + minutes(5)
    )
    left = [
        start(stranger, "CARD"),
        start(blocked),
        start(expired),
        start(elsewhere, f"FLEET-{fresh.pk}"),
        start(connector, waited_for.id_tag),
        start(reserved),
        start(fresh, number=9),
    ]
    before = ChargingSession.objects.count()
    assert own_starts.start_sessions(left) == everyone(left)
    assert ChargingSession.objects.count() == before
    answers = own_starts.start_sessions([start(fresh), *left[:2]])
    assert answers[0].is_accepted and answers[1] is answers[2] is None


def test_a_start_told_twice_at_once_begins_once():
    connector, other = make_connector(), make_connector()
    own_card(connector)
    own_card(other)
    again = start(connector)
    first, second, third = own_starts.start_sessions([again, again, start(other)]).values()
    assert first.is_accepted and second is None and third.is_accepted
    assert sessions.start_session(*again).transaction_id == first.transaction_id


def test_starts_that_fail_together_are_looked_at_one_by_one(monkeypatch):
    connectors = [make_connector() for _ in range(2)]
    for connector in connectors:
        own_card(connector)
    monkeypatch.setattr(metering, "price_start", lambda session: 1 / 0)
    assert own_starts.start_sessions([start(connector) for connector in connectors]) == everyone(connectors)
    assert not ChargingSession.objects.exists()


# -- stops


def stop(session, wh=500, **changes):
    values = {"meter_stop": Decimal(METER_START + wh), "at": session.started_at + minutes(30), **changes}
    return charger_of(session), TransactionEnded(session.pk, **values)


def test_stops_of_many_take_as_many_queries_as_of_two():
    running = [make_active() for _ in range(7)]
    OutboxEvent.objects.all().delete()
    words = [stop(session) for session in running]
    with queries() as few:
        assert sessions.end_sessions(words[:2]) == dict(enumerate(running[:2]))
    with queries() as many:
        assert sessions.end_sessions(words[2:]) == dict(enumerate(running[2:]))
    assert len(statements(few)) == len(statements(many)) == 7, "\n".join(statements(many))
    assert set(ChargingSession.objects.values_list("status", "kwh")) == {("COMPLETED", Decimal("0.5"))}
    wanted = {("session", session.pk) for session in running} | {("cdr", cdr.pk) for cdr in CDR.objects.all()}
    assert set(events()) == wanted and len(wanted) == 14


def test_a_stop_together_and_one_alone_write_the_same():
    alone, together, other = (make_active() for _ in range(3))
    now = timezone.now()
    for session in (alone, together, other):
        ChargingSession.objects.filter(pk=session.pk).update(
            started_at=now - minutes(60), told_started_at=now - minutes(60)
        )
        session.started_at = now - minutes(60)
        ParkingSpan.objects.create(session=session, started_at=session.started_at + minutes(20))
    values = meter_values(alone, (alone.started_at + minutes(10), 300, None)).readings
    sessions.end_session(*stop(alone, readings=values, reason="Local"))
    last = stop(other, 900, readings=values, reason="EmergencyStop")
    assert sessions.end_sessions([stop(together, readings=values, reason="Local"), last]) == {0: together, 1: other}
    own = {"id", "uid", "session_id", "created_at"}
    one, same, another = ({k: v for k, v in row.items() if k not in own} for row in CDR.objects.order_by("pk").values())
    # Each has a tariff of its own.
    one["charging_periods"], same["charging_periods"] = (
        [{k: v for k, v in period.items() if k != "tariff_id"} for period in bill["charging_periods"]]
        for bill in (one, same)
    )
    assert one == same and one["total_cost_incl_vat"] > 0 and one["total_parking_time"] > 0
    assert (another["total_energy"], another["remark"]) == (Decimal("0.9"), "Stopped by the charger.")
    assert set(ParkingSpan.objects.values_list("ended_at", flat=True)) == {now - minutes(30)}
    assert MeterSample.objects.count() == 3
    rows = ChargingSession.objects.order_by("pk").values_list("status", "ended_at", "meter_stop", "stop_reason")
    assert rows[0] == rows[1] == ("COMPLETED", now - minutes(30), METER_START + 500, "DRIVER")


def test_stops_of_others_of_nothing_and_again_are_done_alone():
    running, over, other = (make_active() for _ in range(3))
    sessions.end_session(*stop(over))
    of_another = (charger_of(running), stop(other)[1])
    unknown = (charger_of(running), TransactionEnded(4711, Decimal(1), timezone.now()))
    words = [stop(over), of_another, unknown, stop(running), stop(running, 900)]
    answers = tell_all(sessions.end_sessions, sessions.end_session, words)
    assert answers == [over, None, None, running, running]
    assert CDR.objects.count() == 2
    assert {cdr.session_id: cdr.total_energy for cdr in CDR.objects.all()}[running.pk] == Decimal("0.5")
    assert ChargingSession.objects.get(pk=other.pk).status == SessionStatus.ACTIVE


def test_a_stop_that_was_asked_for_closes_its_request():
    asked, other = make_active(), make_active()
    commands.request_stop(asked, "PARTNER", timezone.now() + minutes(1))
    sessions.end_sessions([stop(asked), stop(other)])
    assert OutgoingCall.objects.get(action="STOP_TRANSACTION").state == CallState.DONE
    assert ChargingSession.objects.get(pk=asked.pk).stop_reason == "PARTNER"


def test_one_stop_that_fails_does_not_keep_the_others(monkeypatch):
    good, bad = make_active(), make_active()
    price = metering.price

    def fail(measured, *args, **options):
        if measured.session.pk == bad.pk:
            raise ValueError("no price")
        return price(measured, *args, **options)

    monkeypatch.setattr(metering, "price", fail)
    outcomes = tell_all(sessions.end_sessions, sessions.end_session, [stop(good), stop(bad)])
    assert outcomes[0] == good and isinstance(outcomes[1], ValueError)
    assert [cdr.session_id for cdr in CDR.objects.all()] == [good.pk]
    assert ChargingSession.objects.get(pk=bad.pk).status == SessionStatus.ACTIVE
