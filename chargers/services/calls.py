"""The life of a request to a charger: PENDING -> SENT (claimed by the socket's process) -> DONE with a result.

The row is the message; a wake-up through the channel layer only saves waiting for the next look at it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from chargers.choices import CallAction, CallResult, CallState, SessionStatus
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import lifecycle, masking, reservations
from chargers.services.lock_order import lock_call, lock_session
from chargers.services.new_passwords import asked_password, new_password
from chargers.services.outgoing import CALL_WAITS, Json, wake
from infrastructure import outbox
from infrastructure.wakeups import wake_channel

logger = logging.getLogger(__name__)

# What proves that the charger did as told, whatever became of its answer.
_PROOF = {
    CallAction.START_TRANSACTION: (SessionStatus.ACTIVE, SessionStatus.COMPLETED),
    CallAction.STOP_TRANSACTION: (SessionStatus.COMPLETED,),
    CallAction.RESERVE_NOW: (SessionStatus.ACTIVE,),
}


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call that this process, and no other, has to send now."""

    id: int
    action: CallAction
    payload: Json
    expires_at: datetime
    correlation_id: str = ""


def claim_next(charger_id: int, channel_name: str) -> ClaimedCall | None:
    """Takes the oldest waiting call, if this socket is the charger's current one."""
    while True:
        waiting = OutgoingCall.objects.filter(
            charger_id=charger_id,
            charger__connection__channel_name=channel_name,
            state=CallState.PENDING,
            expires_at__gt=timezone.now(),
        )
        call = waiting.order_by("pk").first()
        if call is None:
            return None
        # The conditions are in the UPDATE: two sockets of one charger must not both send, nor one that was replaced.
        # No join, which would hide the state in a subquery that is not looked at again after a wait.
        current = ChargerConnection.objects.filter(channel_name=channel_name).values("charger_id")
        mine = OutgoingCall.objects.filter(pk=call.pk, state=CallState.PENDING, charger_id__in=current)
        if mine.update(state=CallState.SENT, sent_at=timezone.now()):
            if call.action == CallAction.OCPP and (password := asked_password(call.payload)):
                # Before it leaves: the charger may come back with it sooner than it answers.
                lifecycle.expect_password(charger_id, password)
            return ClaimedCall(call.pk, CallAction(call.action), call.payload, call.expires_at, call.correlation_id)


def give_back(call_id: int, channel_name: str) -> None:
    """A claimed call never left through this socket: it waits for the charger's next one."""
    with transaction.atomic():
        call = lock_call(call_id)
        if call is None or call.state != CallState.SENT:
            return
        if call.action == CallAction.OCPP and (password := asked_password(call.payload)):
            lifecycle.forget_password(call.charger_id, password)
        call.state, call.sent_at = CallState.PENDING, None
        call.save(update_fields=["state", "sent_at"])
        current = ChargerConnection.objects.filter(charger_id=call.charger_id).exclude(channel_name=channel_name)
        if current.exclude(channel_name="").exists():
            wake(call.charger_id)


def finish_call(call_id: int, result: CallResult, answer: Json | None) -> None:
    """Writes down how a call ended and what that means for its session. Repetitions change nothing."""
    with transaction.atomic():
        session_id = OutgoingCall.objects.values_list("session_id", flat=True).get(pk=call_id)
        session = lock_session(session_id) if session_id else None
        call = lock_call(call_id)
        if call is not None and call.state != CallState.DONE:
            close_call(call, session, result, answer)


def close_call(call: OutgoingCall, session: ChargingSession | None, result: CallResult, answer: Json | None) -> None:
    """`finish_call` for a caller that holds the locks."""
    action = CallAction(call.action)
    if session is not None and _is_proven(action, session):
        result = CallResult.ACCEPTED
    password = asked_password(call.payload) if action == CallAction.OCPP and call.sent_at else None
    if password and new_password(call.payload, result, answer) is None:
        lifecycle.forget_password(call.charger_id, password)
    call.state, call.result = CallState.DONE, result
    # A password that was set, or that a charger tells, is needed no longer; nobody shall read it later.
    call.payload = masking.without_secrets(call.payload)
    call.answer = masking.without_secrets(answer) if answer else answer
    call.finished_at = timezone.now()
    call.save(update_fields=["state", "result", "answer", "payload", "finished_at"])
    outbox.record("call", call.pk)
    if session is not None:
        _settle(call, action, session, result)


def _is_proven(action: CallAction, session: ChargingSession) -> bool:
    if action == CallAction.CANCEL_RESERVATION:
        return reservations.is_cancelled(session)
    return session.status in _PROOF.get(action, ())


def _settle(call: OutgoingCall, action: CallAction, session: ChargingSession, result: CallResult) -> None:
    """What the end of a call means for its session."""
    match action:
        case CallAction.START_TRANSACTION:
            _settle_start(session, result)
        case CallAction.STOP_TRANSACTION if result not in (CallResult.ACCEPTED, CallResult.TIMEOUT):
            _withdraw_stop(session)
        case CallAction.RESERVE_NOW:
            reservations.settle_reservation(call, session, result)
        case CallAction.CANCEL_RESERVATION:
            reservations.settle_cancellation(session, result)


def _settle_start(session: ChargingSession, result: CallResult) -> None:
    """A start that the charger did not take is over before any partner has seen the session."""
    if session.status != SessionStatus.PENDING:
        return
    if result == CallResult.ACCEPTED:
        session.accepted_at = timezone.now()
    else:
        session.status = SessionStatus.INVALID
        session.transaction_id = ""  # what the charger begins with it after all is another session
    session.last_updated = timezone.now()
    session.save(update_fields=["accepted_at", "status", "transaction_id", "last_updated"])
    outbox.record("session", session.pk)


def _withdraw_stop(session: ChargingSession) -> None:
    """The charger goes on: when it ends later, that was not because of this request."""
    session.stop_requested_by = ""
    session.save(update_fields=["stop_requested_by"])


def close_stops(session: ChargingSession) -> None:
    """Stop requests of a session that has ended have got what they wanted. Needs the session's lock."""
    stops = session.calls.filter(action=CallAction.STOP_TRANSACTION).exclude(state=CallState.DONE)
    for call in stops.select_for_update(no_key=True):
        close_call(call, session, CallResult.ACCEPTED, {"reason": "The transaction has ended."})


def expire_calls() -> None:
    """Gives up calls whose time is over: never taken up, unanswered, or sent by a process that died."""
    overdue = OutgoingCall.objects.exclude(state=CallState.DONE).filter(expires_at__lte=timezone.now())
    for call_id in list(overdue.order_by("pk").values_list("pk", flat=True)):
        logger.info("call %s got no answer in time", call_id)
        try:
            finish_call(call_id, CallResult.TIMEOUT, {"reason": "The charger did not answer in time."})
        except Exception:  # one call that cannot be closed must not keep the others open
            logger.exception("call %s cannot be closed", call_id)


def sweep_calls() -> None:
    """Wakes the sockets of calls that still wait: their first wake-up may have been lost.

    Each by its own channel: a Redis that was emptied has forgotten who listens to which group.
    """
    waiting = OutgoingCall.objects.filter(state=CallState.PENDING, expires_at__gt=timezone.now())
    online = waiting.exclude(charger__connection__channel_name="")
    for channel in set(online.values_list("charger__connection__channel_name", flat=True)):
        wake_channel(channel, CALL_WAITS)
