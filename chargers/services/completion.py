"""The end of a charging session: its last register, its price, its CDR."""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from chargers.choices import SessionStatus, Settlement, StopReason
from chargers.models import ChargingSession
from chargers.services import calls, cdrs, clock, metering, registers, status
from chargers.services.events import Reading
from chargers.services.lock_order import lock_session
from infrastructure import outbox

logger = logging.getLogger(__name__)

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class End:
    """How an ACTIVE session ends: at an instant of its own time, with what register, by whom and why."""

    session: ChargingSession
    at: datetime
    meter_stop: Decimal | None
    reason: StopReason
    settlement: Settlement | None = None
    remark: str = ""


SAVED = ("status", "stop_reason", "settlement", "ended_at", "meter_stop", *metering.PROGRESS_FIELDS)


def complete(*ends: End) -> None:
    """Ends sessions and writes their CDRs. Needs their locks."""
    sessions = [end.session for end in ends]
    for end in ends:
        _set_end(end)
    measured = metering.measure_all(sessions)
    priced = [_price(one) for one in measured]
    for session, bill in zip(sessions, priced, strict=True):
        metering.write_progress(session, bill)
    metering.save_all(sessions, SAVED)
    outbox.record("session", *(session.pk for session in sessions))
    cdrs.create_cdrs((end.session, bill, end.remark) for end, bill in zip(ends, priced, strict=True))
    for session in sessions:
        if session.stop_requested_at is not None:
            calls.close_stops(session)


def _set_end(end: End) -> None:
    session = end.session
    session.meter_stop, session.ended_at = last_register(session, end.at, end.meter_stop), end.at
    session.status, session.stop_reason = SessionStatus.COMPLETED, end.reason
    session.settlement = end.settlement or ""
    session.last_updated = timezone.now()


def _price(measured: metering.Measured) -> metering.Priced:
    """The bill; with it ends the parking."""
    session = measured.session
    at = measured.last.at
    if metering.is_parked(measured):
        status.end_parking(session, at)
        measured = metering.measure(session)
    return metering.price(measured, at, limit=session.limit)


def last_register(session: ChargingSession, at: datetime, meter_stop: Decimal | None) -> Decimal:
    """The register told at the end counts, unless it cannot be true: then what was measured on the way does.

    Below the start, or below what was counted until the meter fell below the start: it was reset. What it counted
    since its first value after that comes on top. None, or no
    more than at the start from a charger that told the energy of intervals: they count.
    """
    began = registers.begin_of(session)
    if meter_stop is None or _is_no_register(session, meter_stop, began.register_wh):
        return metering.measure(session).last.register_wh
    if not registers.is_possible(session, meter_stop, timezone.now()):
        logger.warning("session %s ended with an impossible register of %s Wh", session, meter_stop)
        return metering.measure(session).last.register_wh
    stop = Reading(at, meter_stop)
    # Looks closer only where less is told than was counted.
    if _is_less(session, meter_stop - began.register_wh) and metering.is_after_reset(session, stop):
        logger.warning("session %s ended with the register of a meter that was reset", session)
        return metering.measure(session, stop).last.register_wh
    return meter_stop


def _is_less(session: ChargingSession, energy_wh: Decimal) -> bool:
    return energy_wh < max(session.kwh, ZERO) * metering.WATT_HOURS_PER_KWH


def _is_no_register(session: ChargingSession, meter_stop: Decimal, start_wh: Decimal) -> bool:
    """OCPP 1.6 wants a number at the end even from chargers without a register; without one at the start, the
    difference says nothing."""
    is_open = meter_stop <= start_wh or not session.is_meter_start_known
    return is_open and metering.has_intervals(session)


def end_of(session: ChargingSession, told: datetime, now: datetime) -> datetime:
    """When a session ended that the charger says ended at `told`.

    By a clock that was set back to before the start, the last value that we have of it; ahead of ours, now.
    """
    at = clock.place(session, told, now)
    if at is not None:
        return at
    last = metering.measure(session).last.at
    return max(now, last) if told > now else last


def end_with_last_reading(
    session_id: int, settlement: Settlement, by: StopReason = StopReason.CHARGER, remark: str = ""
) -> None:
    """Bills what was measured. Needs a transaction; a StopTransaction that comes later is only kept (`LateStop`)."""
    session = lock_session(session_id)
    if session is not None and session.status == SessionStatus.ACTIVE:
        logger.warning("session %s was never ended by its charger: %s", session, settlement)
        last = metering.measure(session).last
        by = StopReason(session.stop_requested_by or by)
        complete(End(session, last.at, last.register_wh, by, settlement, remark))
