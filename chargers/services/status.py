"""StatusNotification: what partners see of an EVSE, and when a car stops to draw power."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, ParkingSpan
from chargers.services import clock
from chargers.services.events import StatusChanged
from chargers.services.lock_order import lock_session
from chargers.services.together import take_together
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services.status import set_evse_status, set_evse_statuses

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

Told = tuple[int, StatusChanged]


def record_status(charger_id: int, event: StatusChanged) -> None:
    """Numbers without an EVSE are passed over, also 0, the charger as a whole."""
    here = EVSE.objects.filter(charger_id=charger_id, number=event.evse_number)
    evse = here.order_by("pk").values_list("pk", "status").first()
    if evse is None or event.status not in OCPI_STATUS:
        return
    evse_id, status = evse
    if status == OCPI_STATUS[event.status] and not _concerns_session(evse_id, event):
        return  # told again
    with transaction.atomic():
        if event.status in PARKING_STARTS | PARKING_ENDS:
            _record_parking(evse_id, event)
        if event.status in FREE:
            _note_over(evse_id, event)
        set_evse_status(evse_id, OCPI_STATUS[event.status])


def record_statuses(told: Sequence[Told]) -> Mapping[int, None]:
    """`record_status` with the words of several chargers, by id, in one transaction; the numbers of those that it took
    in. Raises OperationalError when there is no database."""
    return take_together(told, _record_together)


def _record_together(told: Sequence[Told]) -> dict[int, None]:
    """Takes in the first words of EVSEs whose session, if there is one, goes on as before."""
    chargers = {charger_id for charger_id, _ in told}
    evses = EVSE.objects.filter(charger__in=chargers, number__in={event.evse_number for _, event in told})
    known: dict[tuple[int, int], tuple[int, str]] = {}
    for pk, charger_id, evse_number, status in evses.order_by("pk").values_list("pk", "charger_id", "number", "status"):
        known.setdefault((charger_id, evse_number), (pk, status))
    # The number of what is told of each EVSE.
    numbers: dict[int, int] = {}
    for number, (charger_id, event) in enumerate(told):
        if event.status in OCPI_STATUS and (charger_id, event.evse_number) in known:
            numbers.setdefault(known[charger_id, event.evse_number][0], number)
    words = {evse_id: told[number][1].status for evse_id, number in numbers.items()}
    for evse_id in _changing_session(words):
        del words[evse_id]
    before = dict(known.values())
    set_evse_statuses({pk: OCPI_STATUS[word] for pk, word in words.items() if before[pk] != OCPI_STATUS[word]})
    return {numbers[evse_id]: None for evse_id in words}


def _changing_session(words: Mapping[int, str]) -> set[int]:
    """Of EVSEs with the words told of them, those of which parking begins or ends or a session is over."""
    concerned = [evse_id for evse_id, word in words.items() if word in PARKING_STARTS | PARKING_ENDS | FREE]
    running = ChargingSession.objects.filter(connector__evse__in=concerned, status=SessionStatus.ACTIVE)
    is_parked = Exists(ParkingSpan.objects.filter(session=OuterRef("pk"), ended_at=None))
    changing = set()
    for evse_id, over_since, parked in running.values_list("connector__evse_id", "over_since", is_parked):
        word = words[evse_id]
        is_same = parked if word in PARKING_STARTS else not parked if word in PARKING_ENDS else over_since is not None
        if not is_same:
            changing.add(evse_id)
    return changing


def _concerns_session(evse_id: int, event: StatusChanged) -> bool:
    if event.status not in PARKING_STARTS | PARKING_ENDS | FREE:
        return False
    return ChargingSession.objects.filter(connector__evse_id=evse_id, status=SessionStatus.ACTIVE).exists()


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
