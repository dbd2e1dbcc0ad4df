"""The end of a charging session: its last register, its price, its CDR."""

import logging
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from chargers.choices import SessionStatus, Settlement, StopReason
from chargers.models import ChargingSession
from chargers.services import calls, cdrs, clock, metering, status
from chargers.services.events import Reading
from chargers.services.lock_order import lock_session
from infrastructure import outbox

logger = logging.getLogger(__name__)


def complete(
    session: ChargingSession,
    at: datetime,
    meter_stop: Decimal,
    reason: StopReason,
    settlement: Settlement | None = None,
    remark: str = "",
) -> None:
    """Ends an ACTIVE session at an instant of its own time and writes its CDR. Needs the session's lock."""
    session.meter_stop, session.ended_at = last_register(session, at, meter_stop), at
    session.status, session.stop_reason = SessionStatus.COMPLETED, reason
    session.settlement = settlement or ""
    session.last_updated = timezone.now()
    status.end_parking(session, session.ended_at)
    priced = metering.price(metering.measure(session), session.ended_at, limit=session.limit)
    metering.write_progress(session, priced)
    session.save(
        update_fields=["status", "stop_reason", "settlement", "ended_at", "meter_stop", *metering.PROGRESS_FIELDS]
    )
    outbox.record("session", session.pk)
    cdrs.create_cdr(session, priced, remark)
    calls.close_stops(session)


def last_register(session: ChargingSession, at: datetime, meter_stop: Decimal) -> Decimal:
    """The register told at the end counts, unless it cannot be true: then what was measured on the way does.

    Below the start, the meter was reset: what it counted since its first value after that comes on top.
    """
    if not metering.is_possible(session, meter_stop, timezone.now()):
        logger.warning("session %s ended with an impossible register of %s Wh", session, meter_stop)
        return metering.measure(session).last.register_wh
    if meter_stop < metering.begin_of(session).register_wh:
        logger.warning("session %s ended with a register below its start", session)
        return metering.measure(session, Reading(at, meter_stop)).last.register_wh
    return meter_stop


def end_of(session: ChargingSession, told: datetime, now: datetime) -> datetime:
    """When a session ended that the charger says ended at `told`.

    By a clock that was set back to before the start, the last value that we have of it; ahead of ours, now.
    """
    at = clock.place(session, told, now)
    if at is not None:
        return at
    return now if told > now else metering.measure(session).last.at


def end_with_last_reading(
    session_id: int, settlement: Settlement, by: StopReason = StopReason.CHARGER, remark: str = ""
) -> None:
    """Bills what was measured. Needs a transaction; a StopTransaction that comes later is only kept (`LateStop`)."""
    session = lock_session(session_id)
    if session is not None and session.status == SessionStatus.ACTIVE:
        logger.warning("session %s was never ended by its charger: %s", session, settlement)
        last = metering.measure(session).last
        complete(session, last.at, last.register_wh, StopReason(session.stop_requested_by or by), settlement, remark)
