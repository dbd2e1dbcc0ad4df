"""A start that was accepted, and the transaction that comes late or never."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import CallResult
from chargers.models import CDR, ChargerConnection, ChargingSession
from chargers.services import authorize, calls, commands, sessions
from chargers.services.events import TransactionStarted
from tests.chargers.factories import METER_START, charger_of, end, make_pending, make_version, minutes, reread, start
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(settings) -> ChargingSession:
    settings.PLUG_IN_TIMEOUT = minutes(3)
    settings.PLUG_IN_TIMEOUT_OFFLINE = minutes(15)
    return accepted(make_pending(tariff_version=make_version(flat="1.00")), minutes(5))


def accepted(session, ago):
    calls.finish_call(session.calls.get().pk, CallResult.ACCEPTED, {})
    at = timezone.now() - ago
    ChargingSession.objects.filter(pk=session.pk).update(accepted_at=at, created_at=at)
    return reread(session)


def give_up(session, ago):
    commands.give_up(reread(session))
    ChargingSession.objects.filter(pk=session.pk).update(last_updated=timezone.now() - ago)


def test_a_charger_that_is_there_loses_the_session_in_time(session):
    sessions.expire_pending_sessions()
    assert reread(session).status == "INVALID"


def test_a_charger_that_came_just_before_it_accepted_has_no_queue(session):
    at = timezone.now() - timedelta(seconds=30)
    ChargingSession.objects.update(accepted_at=at)
    ChargerConnection.objects.update(connected_at=at - timedelta(seconds=1))
    assert sessions._is_heard(reread(session))


@pytest.mark.parametrize(
    "connection", [{"channel_name": ""}, {"connected_at": timedelta(seconds=20)}], ids=["offline", "just back"]
)
def test_a_start_may_be_in_the_queue_of_a_charger_that_is_or_was_offline(session, connection):
    told = {name: timezone.now() - value if name == "connected_at" else value for name, value in connection.items()}
    ChargerConnection.objects.update(**told)
    sessions.expire_pending_sessions()
    assert reread(session).status == "PENDING"
    ChargingSession.objects.update(accepted_at=timezone.now() - minutes(16))
    sessions.expire_pending_sessions()
    assert reread(session).status == "INVALID"


def test_one_that_cannot_be_given_up_does_not_keep_the_others(session, monkeypatch):
    other = accepted(make_pending(), minutes(5))
    give_up = commands.give_up

    def fail_first(one):
        if one.pk == session.pk:
            raise RuntimeError
        give_up(one)

    monkeypatch.setattr(sessions.commands, "give_up", fail_first)
    sessions.expire_pending_sessions()
    assert (reread(session).status, reread(other).status) == ("PENDING", "INVALID")


def test_what_began_before_we_gave_it_up_is_billed_and_stopped(session):
    give_up(session, minutes(1))
    began = session.created_at + minutes(2)
    answer = start(session, began)
    session = reread(session)
    assert (answer.transaction_id, session.status, session.started_at) == (session.pk, "ACTIVE", began)
    stop = session.calls.get(action="STOP_TRANSACTION")
    assert (stop.state, stop.payload) == ("PENDING", {"transaction_id": str(session.pk)})
    end(session, timezone.now(), 2000)
    assert CDR.objects.get().total_cost_incl_vat == Decimal("2.4000")
    assert ChargingSession.objects.count() == 1


def test_what_began_afterwards_is_refused_stopped_and_never_billed(session):
    give_up(session, minutes(1))
    events()
    at = timezone.now()
    answer = start(session, at)
    assert (answer.transaction_id, answer.is_accepted) == (session.pk, False)
    assert start(session, at) == answer
    session = reread(session)
    assert (session.status, session.transaction_id) == ("INVALID", str(session.pk))
    assert session.calls.get(action="STOP_TRANSACTION").payload == {"transaction_id": str(session.pk)}
    end(session, timezone.now(), 10)
    session = reread(session)
    assert (session.meter_start, session.meter_stop) == (METER_START, METER_START + 10)
    assert session.kwh == Decimal("0.01") and session.ended_at is not None
    assert ChargingSession.objects.count() == 1 and not CDR.objects.exists()
    assert [topic for topic, _ in events() if topic != "call"] == []


def test_a_start_that_was_never_accepted_is_refused_whenever_it_began():
    session = make_pending()
    calls.finish_call(session.calls.get().pk, CallResult.TIMEOUT, {})
    assert not start(session, timezone.now()).is_accepted
    assert reread(session).status == "INVALID" and ChargingSession.objects.count() == 1


def test_no_partner_is_asked_about_the_tag(session):
    give_up(session, minutes(1))
    event = TransactionStarted(1, session.id_tag, Decimal(METER_START), timezone.now())
    permit = authorize.permit_start(charger_of(session), event)
    assert permit == authorize.REFUSED
