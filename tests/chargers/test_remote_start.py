from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from chargers.choices import CallResult
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls, commands
from chargers.services.sessions import expire_pending_sessions
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from tests.chargers.factories import (
    CHANNEL,
    end,
    make_active,
    make_connector,
    make_pending,
    make_start,
    reread,
    start,
)
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db


def test_a_start_waits_for_the_charger_with_a_tag_of_its_own():
    session = make_pending()
    other = make_pending()
    call = session.calls.get()
    assert (call.state, call.payload) == ("PENDING", {"evse": 1, "id_tag": session.id_tag})
    assert len(session.id_tag) == 20 and session.id_tag != other.id_tag
    assert (session.status, session.network, session.currency) == ("PENDING", "AWAY", "EUR")
    assert events() == []


def test_an_offline_charger_is_inoperative_at_once():
    call = commands.request_start(make_start(make_connector(online=False)))
    assert (call.state, call.result) == ("DONE", "EVSE_INOPERATIVE")
    assert call.session.status == "INVALID" and call.session.accepted_at is None
    assert ("call", call.pk) in events()


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (EVSEStatus.CHARGING, "EVSE_OCCUPIED"),
        (EVSEStatus.BLOCKED, "EVSE_OCCUPIED"),
        (EVSEStatus.OUTOFORDER, "EVSE_INOPERATIVE"),
        (EVSEStatus.INOPERATIVE, "EVSE_INOPERATIVE"),
        (EVSEStatus.UNKNOWN, ""),
    ],
)
def test_the_status_of_the_outlet_decides(status, result):
    assert commands.request_start(make_start(make_connector(status=status))).result == result


def test_an_outlet_that_waits_for_a_car_is_occupied():
    connector = make_connector()
    make_pending(connector)
    assert commands.request_start(make_start(connector)).result == "EVSE_OCCUPIED"


def test_a_reference_is_used_once_per_peer():
    make_pending(authorization_reference="abc")
    with pytest.raises(IntegrityError):
        make_pending(authorization_reference="ABC")


def test_a_call_is_claimed_once_and_by_the_current_socket_only():
    session = make_pending()
    charger_id = session.connector.evse.charger_id
    assert calls.claim_next(charger_id, "specific.test!older") is None
    assert calls.claim_next(charger_id, CHANNEL).payload["id_tag"] == session.id_tag
    assert calls.claim_next(charger_id, CHANNEL) is None
    assert session.calls.get().state == "SENT"


def test_a_socket_that_is_replaced_meanwhile_claims_nothing():
    session = make_pending()

    def replace(execute, query, *args):
        if query.startswith("UPDATE") and "outgoingcall" in query:
            ChargerConnection.objects.update(channel_name="specific.test!newer")
        return execute(query, *args)

    with connection.execute_wrapper(replace):
        assert calls.claim_next(session.connector.evse.charger_id, CHANNEL) is None
    assert calls.claim_next(session.connector.evse.charger_id, "specific.test!newer") is not None


def test_a_call_that_was_given_back_wakes_the_socket_that_came_meanwhile(monkeypatch):
    woken = []
    monkeypatch.setattr(calls, "wake", woken.append)
    session = make_pending()
    call, charger_id = session.calls.get(), session.connector.evse.charger_id
    calls.claim_next(charger_id, CHANNEL)
    calls.give_back(call.pk, CHANNEL)
    assert woken == []  # it would be sent the same dead way again
    calls.claim_next(charger_id, CHANNEL)
    ChargerConnection.objects.update(channel_name="specific.test!newer")
    calls.give_back(call.pk, CHANNEL)
    assert woken == [charger_id]
    assert calls.claim_next(charger_id, "specific.test!newer") is not None
    calls.finish_call(call.pk, CallResult.ACCEPTED, {})
    calls.give_back(call.pk, CHANNEL)
    assert session.calls.get().state == "DONE"


def test_an_accepted_start_is_told():
    session = make_pending()
    calls.finish_call(session.calls.get().pk, CallResult.ACCEPTED, {"status": "Accepted"})
    assert reread(session).accepted_at is not None
    assert reread(session).status == "PENDING"
    assert events() == [("call", session.calls.get().pk), ("session", session.pk)]


def test_a_rejected_start_is_over_and_was_never_accepted():
    session = make_pending()
    calls.finish_call(session.calls.get().pk, CallResult.REJECTED, {"status": "Rejected"})
    assert (reread(session).status, reread(session).accepted_at) == ("INVALID", None)


def test_a_call_finishes_once():
    session = make_pending()
    call_id = session.calls.get().pk
    calls.finish_call(call_id, CallResult.ACCEPTED, {})
    events()
    calls.finish_call(call_id, CallResult.TIMEOUT, {})
    assert session.calls.get().result == "ACCEPTED"
    assert reread(session).status == "PENDING"
    assert events() == []


def expire(session):
    OutgoingCall.objects.filter(session=session).update(expires_at=timezone.now() - timedelta(seconds=1))
    calls.expire_calls()


@pytest.mark.parametrize("state", ["PENDING", "SENT"])
def test_a_call_without_answer_times_out_even_if_its_process_died(state):
    session = make_pending()
    session.calls.update(state=state)
    expire(session)
    assert session.calls.get().result == "TIMEOUT"
    assert reread(session).status == "INVALID"


def test_an_expired_call_is_not_sent_any_more():
    session = make_pending(expires_at=timezone.now())
    assert calls.claim_next(session.connector.evse.charger_id, CHANNEL) is None


@pytest.mark.parametrize("late", ["answer", "expiry"])
def test_a_transaction_that_began_before_the_answer_counts_as_accepted(late):
    session = make_pending()
    session.calls.update(state="SENT")
    answer = start(session, timezone.now())
    assert answer.is_accepted and reread(session).accepted_at is not None
    if late == "answer":
        calls.finish_call(session.calls.get().pk, CallResult.REJECTED, {"status": "Rejected"})
    else:
        expire(session)
    assert session.calls.get().result == "ACCEPTED"
    assert reread(session).status == "ACTIVE"


def test_a_stop_is_asked_for_once():
    session = make_active()
    expires_at = timezone.now() + timedelta(seconds=30)
    first = commands.request_stop(session, commands.StopReason.PARTNER, expires_at)
    second = commands.request_stop(session, commands.StopReason.STAFF, expires_at)
    assert first.pk == second.pk and first.payload == {"transaction_id": str(session.pk)}
    assert reread(session).stop_requested_by == "PARTNER"


def test_a_stop_at_an_offline_charger_fails_at_once_and_leaves_no_trace_of_blame():
    session = make_active()
    ChargerConnection.objects.update(channel_name="")
    call = commands.request_stop(session, commands.StopReason.PARTNER, timezone.now())
    assert (call.state, call.result) == ("DONE", "EVSE_INOPERATIVE")
    end(session, timezone.now(), 100, reason="EVDisconnected")
    assert reread(session).stop_reason == "DRIVER"


def test_a_session_that_waits_for_its_car_is_given_up_without_the_charger():
    session = make_pending()
    calls.finish_call(session.calls.get().pk, CallResult.ACCEPTED, {})
    events()
    call = commands.request_stop(session, commands.StopReason.PARTNER, timezone.now())
    assert (call.state, call.result, reread(session).status) == ("DONE", "ACCEPTED", "INVALID")
    assert set(events()) == {("session", session.pk), ("call", call.pk)}


def test_the_end_of_the_transaction_answers_an_open_stop():
    session = make_active()
    call = commands.request_stop(session, commands.StopReason.PARTNER, timezone.now() + timedelta(seconds=30))
    end(session, timezone.now(), 100, reason="Remote")
    call.refresh_from_db()
    assert (call.state, call.result, reread(session).stop_reason) == ("DONE", "ACCEPTED", "PARTNER")


def test_waiting_calls_are_woken_again_at_chargers_that_are_online(monkeypatch):
    make_pending()
    woken = []
    # By its channel: after a loss of Redis' memory nobody is in a group any more.
    monkeypatch.setattr(calls, "wake_channel", lambda channel, message: woken.append(channel))
    calls.sweep_calls()
    assert woken == [ChargerConnection.objects.exclude(channel_name="").get().channel_name]
    ChargerConnection.objects.update(channel_name="")
    calls.sweep_calls()
    assert len(woken) == 1


def test_a_session_without_its_car_is_given_up_after_a_while(settings):
    waiting, fresh = make_pending(), make_pending()
    for session in (waiting, fresh):
        calls.finish_call(session.calls.get().pk, CallResult.ACCEPTED, {})
    ChargingSession.objects.filter(pk=waiting.pk).update(
        accepted_at=timezone.now() - settings.PLUG_IN_TIMEOUT - timedelta(seconds=1)
    )
    events()
    expire_pending_sessions()
    assert (reread(waiting).status, reread(fresh).status) == ("INVALID", "PENDING")
    assert events() == [("session", waiting.pk)]


def test_an_evse_is_free_again_after_its_session():
    session = make_active()
    end(session, timezone.now(), 0)
    EVSE.objects.update(status=EVSEStatus.AVAILABLE)
    assert commands.request_start(make_start(session.connector)).result == ""
