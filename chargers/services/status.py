"""StatusNotification: what partners see of an EVSE, and when a car stops to draw power."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, ParkingSpan
from chargers.services import clock
from chargers.services.events import StatusChanged
from chargers.services.lock_order import lock_session
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services.status import set_evse_status

# OCPP 1.6 ChargePointStatus -> OCPI EVSE.status. A driver who plugs in first must still be able to pay, so
# Preparing is AVAILABLE; with Finishing the car is still in the way.
OCPI_STATUS = {
    "Available": EVSEStatus.AVAILABLE,
    "Preparing": EVSEStatus.AVAILABLE,
    "Charging": EVSEStatus.CHARGING,
    "SuspendedEV": EVSEStatus.CHARGING,
    "SuspendedEVSE": EVSEStatus.CHARGING,
    "Finishing": EVSEStatus.BLOCKED,
    "Reserved": EVSEStatus.RESERVED,
    "Unavailable": EVSEStatus.INOPERATIVE,
    "Faulted": EVSEStatus.OUTOFORDER,
}
# The outlet is free, so whatever ran there is over, told or not.
FREE = {"Available"}
PARKING_STARTS = {"SuspendedEV"}
# When we hold the power back (SuspendedEVSE) the driver pays for charging time, not for parking.
PARKING_ENDS = {"Charging", "SuspendedEVSE"}


def record_status(charger_id: int, event: StatusChanged) -> None:
    """Numbers without an EVSE are passed over, also 0, the charger as a whole."""
    evse_id = EVSE.objects.filter(charger_id=charger_id, number=event.evse_number).values_list("pk").first()
    if evse_id is None or event.status not in OCPI_STATUS:
        return
    with transaction.atomic():
        if event.status in PARKING_STARTS | PARKING_ENDS:
            _record_parking(evse_id[0], event)
        if event.status in FREE:
            _note_over(evse_id[0], event)
        set_evse_status(evse_id[0], OCPI_STATUS[event.status])


def _note_over(evse_id: int, event: StatusChanged) -> None:
    """Its StopTransaction may still be under way, or lost: `settling.end_lost_sessions` waits a while."""
    running = ChargingSession.objects.filter(connector__evse_id=evse_id, status=SessionStatus.ACTIVE, over_since=None)
    now = timezone.now()
    for session in running:
        at = clock.place(session, event.at, now)
        is_after = at is not None and session.started_at is not None and at > session.started_at
        if is_after or event.at > now:  # a status from before the session says nothing of it
            ChargingSession.objects.filter(pk=session.pk).update(over_since=now)


def _record_parking(evse_id: int, event: StatusChanged) -> None:
    running = ChargingSession.objects.filter(connector__evse_id=evse_id, status=SessionStatus.ACTIVE)
    session_id = running.values_list("pk", flat=True).first()
    session = lock_session(session_id) if session_id else None
    if session is None or session.status != SessionStatus.ACTIVE:
        return
    at = clock.place_status(session, event.at, timezone.now())
    if event.status in PARKING_STARTS:
        ParkingSpan.objects.get_or_create(session=session, ended_at=None, defaults={"started_at": at})
    else:
        end_parking(session, at)


def end_parking(session: ChargingSession, at: datetime) -> None:
    """Closes the open span, if there is one. The caller holds the session's lock."""
    session.parking_spans.filter(ended_at=None).update(ended_at=at)
