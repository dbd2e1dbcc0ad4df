"""Sessions whose end is never told: each is settled with its last reading, and what is told later is kept."""

import logging
from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.urls import reverse
from django.utils import timezone

from chargers.choices import CallAction, CallState, SessionStatus, Settlement, StopReason
from chargers.models import ChargerConnection, ChargingSession, LateStop
from chargers.services import calls, clock, completion, limits, metering, outgoing, registers
from chargers.services.cdrs import cost_as_json
from chargers.services.events import Reading, TransactionEnded
from chargers.services.lock_order import lock_session
from infrastructure.services import alerts
from infrastructure.services.alerts import Finding
from tariffs.pricing import ocpi_number

logger = logging.getLogger(__name__)

SOURCE = "unended-sessions"

LOST = "The connection to the charger was lost. Settled with the last known meter value."
# Contactors open late and registers step: less than this after the end is no charging.
RUN_OUT_WH = Decimal(100)
OVERLONG = "The charger did not end the session. Settled with the last known meter value."


def end_lost_sessions() -> None:
    """Ends what its charger will not: outlets free again, chargers that are gone, sessions that do not stop."""
    now = timezone.now()
    running = ChargingSession.objects.filter(status=SessionStatus.ACTIVE)
    over = running.filter(over_since__lt=now - settings.LOST_STOP_GRACE)
    failed = _each(over, _end_if_free)
    connection = "connector__evse__charger__connection"
    gone = {f"{connection}__channel_name": "", f"{connection}__disconnected_at__lt": now - settings.LOST_CHARGER_AFTER}
    failed += _each(running.filter(**gone), _end_if_gone)
    if settings.LONGEST_SESSION:
        # By our clock: what began offline may be old when we hear of it, and over.
        told = running.annotate(heard_at=Greatest("started_at", Coalesce("accepted_at", "started_at")))
        failed += _each(told.filter(heard_at__lt=now - settings.LONGEST_SESSION), _stop_overlong)
    alerts.settle(SOURCE, failed)


def _each(chosen: QuerySet[ChargingSession], act: Callable[[ChargingSession, datetime], None]) -> list[Finding]:
    """What staff must know of: those that cannot be ended."""
    findings = []
    for session_id in list(chosen.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                session = lock_session(session_id)
                if session is not None and session.status == SessionStatus.ACTIVE:
                    act(session, timezone.now())
        except Exception as error:  # one session that cannot be billed must not keep the others from their CDRs
            logger.exception("session %s cannot be ended", session_id)
            if not isinstance(error, OperationalError):  # that passes by itself
                findings.append(_finding(session_id, error))
    return findings


def _finding(session_id: int, error: Exception) -> Finding:
    session = ChargingSession.objects.select_related("connector__evse__charger__location").get(pk=session_id)
    text = (
        f"It is over but cannot be billed: {type(error).__name__}, {error}. Until this is mended there is no CDR and "
        "nobody pays. It is tried again and again; the log has the details."
    )
    page = reverse("admin:chargers_chargingsession_change", args=[session_id])
    outlet = session.connector
    operators = () if outlet is None else (outlet.evse.charger.location.operator_id,)
    return Finding(str(session_id), f"Session {session} cannot be ended", text, page, operators)


def _end_if_free(session: ChargingSession, now: datetime) -> None:
    grace = settings.LOST_STOP_GRACE_OFFLINE if _was_away(session) else settings.LOST_STOP_GRACE
    if session.over_since is not None and session.over_since < now - grace:
        completion.end_with_last_reading(session.pk, Settlement.FREE)


def _was_away(session: ChargingSession) -> bool:
    """Whether the charger may still have the end of this session in a queue."""
    if session.connector is None:
        return False
    connection = ChargerConnection.objects.filter(charger_id=session.connector.evse.charger_id).first()
    if connection is None or connection.connected_at is None:
        return False
    return not connection.is_online or connection.connected_at > metering.measure(session).last.at


def _end_if_gone(session: ChargingSession, now: datetime) -> None:
    completion.end_with_last_reading(session.pk, Settlement.LOST, remark=LOST)


def _stop_overlong(session: ChargingSession, now: datetime) -> None:
    """Asks for the stop, again and again; a session that has not ended after as long as for a lost charger is."""
    if session.overlong_at is None:
        session.overlong_at = now
        session.save(update_fields=["overlong_at"])
    elif session.overlong_at < now - settings.LOST_CHARGER_AFTER:
        return completion.end_with_last_reading(session.pk, Settlement.OVERLONG, StopReason.STAFF, OVERLONG)
    limits.ask_to_stop(session, StopReason.STAFF, now)
    return None


# What comes after all


def record_late_stop(session: ChargingSession, event: TransactionEnded) -> None:
    """Keeps the true end of a session, priced, for staff: nothing is billed. The first one counts.

    Of a session that was settled; and of one whose charger charged on after the end that it had told.
    """
    if not (session.settlement or _ran_on(session, event.meter_stop)):
        return
    if LateStop.objects.filter(session=session).exists():
        return
    now = timezone.now()
    metering.record_samples(session, event.readings, now)
    true = copy(session)  # as if it had not ended yet; never saved
    true.ended_at = true.meter_stop = None
    at = completion.end_of(true, event.at, now)
    true.meter_stop, true.ended_at = completion.last_register(true, at, event.meter_stop), at
    if not (session.settlement or _ran_on(session, true.meter_stop)):  # a register that cannot be
        return
    priced = metering.price(metering.measure(true), at, limit=true.limit)
    total = priced.cost.total if priced.cost else None
    LateStop.objects.create(
        session=session,
        received_at=now,
        ended_at=at,
        meter_stop=true.meter_stop,
        reason=event.reason[:20],
        kwh=priced.kwh,
        total_time=priced.hours,
        total_parking_time=priced.parking_hours,
        total_cost_excl_vat=ocpi_number(total.excl_vat) if total else None,
        total_cost_incl_vat=ocpi_number(total.incl_vat) if total else None,
        retail_total_incl_vat=priced.retail_total,
        cost=cost_as_json(priced.cost),
        charging_periods=priced.to_ocpi(true.tariff_version.content["id"] if true.tariff_version else None),
    )


def _ran_on(session: ChargingSession, register_wh: Decimal | None) -> bool:
    """Whether more energy flowed after the session's end than a charger needs to come to rest."""
    if session.meter_stop is None or register_wh is None:
        return False
    return register_wh - session.meter_stop > RUN_OUT_WH


def _flows(session: ChargingSession, reading: Reading) -> bool:
    return reading.register_wh > RUN_OUT_WH if reading.is_interval else _ran_on(session, reading.register_wh)


def record_unbilled(session: ChargingSession, event: TransactionEnded) -> None:
    """What flowed on a session that had been given up, for staff. Needs the session's lock; the first end counts."""
    if session.status != SessionStatus.INVALID or session.ended_at is not None:
        return
    now = timezone.now()
    metering.record_samples(session, event.readings, now)
    at = completion.end_of(session, event.at, now)
    session.meter_stop, session.ended_at = completion.last_register(session, at, event.meter_stop), at
    session.save(update_fields=["meter_stop", "ended_at"])
    _note_unbilled(session)
    calls.close_stops(session)


def _note_unbilled(session: ChargingSession) -> None:
    """The energy of a session without a bill: what it could be billed with."""
    flowed = metering.measure(session).last.register_wh - registers.begin_of(session).register_wh
    session.kwh = flowed / metering.WATT_HOURS_PER_KWH
    session.save(update_fields=["kwh"])


def note_after_end(session: ChargingSession, charger_id: int, readings: Sequence[Reading], now: datetime) -> None:
    """Meter values of a session that is over for us: kept, and as nobody would pay for what goes on, it is stopped.

    Needs the session's lock. What the charger ended itself may have values that are merely late.
    """
    is_ours = session.settlement or (session.status == SessionStatus.INVALID and session.transaction_id)
    if not is_ours or session.started_at is None:
        return
    metering.record_samples(session, readings, now)
    if session.status == SessionStatus.INVALID and session.ended_at is None:
        _note_unbilled(session)
    newest = max(clock.place(session, one.at, now) or now for one in readings)
    if session.ended_at is None or newest > session.ended_at:
        stop_stray(session, charger_id, now)


def is_after_end(session: ChargingSession, told: datetime) -> bool:
    """Whether a charger told of something later than the end of a session that is over and has a bill."""
    if session.status != SessionStatus.COMPLETED or session.ended_at is None:
        return False
    now = timezone.now()
    at = clock.place(session, told, now)
    return told > now if at is None else at > session.ended_at


def note_going_on(
    session: ChargingSession, charger_id: int, readings: Sequence[Reading], now: datetime, *, is_on: bool
) -> None:
    """Energy flows again, or is about to (`is_on`), in a transaction whose end the charger told: kept and stopped.

    Needs the session's lock.
    """
    if session.started_at is None:
        return
    metering.record_samples(session, readings, now)
    if is_on or any(_flows(session, one) for one in readings):
        stop_stray(session, charger_id, now)


def stop_stray(session: ChargingSession, charger_id: int, now: datetime) -> None:
    """Asks for the end of a transaction whose session is over for us. Needs the session's lock."""
    stops = session.calls.filter(action=CallAction.STOP_TRANSACTION)
    if stops.filter(Q(created_at__gt=now - limits.REPEAT_STOP_AFTER) | ~Q(state=CallState.DONE)).exists():
        return
    logger.warning("session %s goes on at its charger though it is over for us", session)
    payload = {"transaction_id": session.transaction_id}
    expires_at = now + settings.COMMAND_TIMEOUT
    outgoing.create_call(charger_id, session, CallAction.STOP_TRANSACTION, payload, expires_at)
