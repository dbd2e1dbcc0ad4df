"""Energy and cost of running sessions: with each meter value, and in between because time costs too."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import ChargingSession
from chargers.services import display, limits, metering, settling
from chargers.services.events import MeterValuesReceived
from chargers.services.lock_order import lock_free_sessions, lock_session
from chargers.services.sessions import belongs_to
from chargers.services.together import take_together
from infrastructure import outbox

logger = logging.getLogger(__name__)


def update_session(charger_id: int, event: MeterValuesReceived) -> None:
    """Records and prices meter values of a running session; any others have nothing to say to us."""
    if not event.readings:
        return
    with transaction.atomic():
        now = timezone.now()
        session = _told_of(charger_id, event)
        if session is None:
            return
        if session.status != SessionStatus.ACTIVE:
            return settling.note_after_end(session, charger_id, event.readings, now)
        metering.record_samples(session, event.readings, now)
        if session.over_since is not None:  # it goes on after all
            session.over_since = None
            session.save(update_fields=["over_since"])
        measured = metering.measure(session)
        _write(measured, now)
        limits.stop_if_reached(measured, now)
    return None


Told = tuple[int, MeterValuesReceived]


def update_sessions(told: Sequence[Told]) -> Mapping[int, None]:
    """`update_session` with the words of several chargers in one transaction; the numbers of those that it took in.

    Raises OperationalError when there is no database.
    """
    return take_together(told, lambda many: dict.fromkeys(update_together(many)))


def update_together(told: Sequence[Told]) -> dict[int, ChargingSession]:
    """Takes in the first ones of sessions that run and that nobody else is at work on; the sessions, by number. Needs a
    transaction."""
    now = timezone.now()
    numbers: dict[int, int] = {}
    for number, (_, event) in enumerate(told):
        if event.transaction_id is not None and event.readings:
            numbers.setdefault(event.transaction_id, number)
    sessions = [
        session
        for session in lock_free_sessions(numbers)
        if session.status == SessionStatus.ACTIVE
        and session.over_since is None
        and session.connector is not None
        and session.connector.evse.charger_id == told[numbers[session.pk]][0]
    ]
    metering.record_samples_of([(session, told[numbers[session.pk]][1].readings) for session in sessions], now)
    measured = metering.measure_all(sessions)
    changed = [one.session for one in measured if metering.write_progress(one.session, metering.price_now(one, now))]
    for session in changed:
        session.last_updated = now
    metering.save_all(changed, metering.PROGRESS_FIELDS)
    outbox.record("progress", *(session.pk for session in changed))
    for one in measured:
        limits.stop_if_reached(one, now)
    return {numbers[session.pk]: session for session in sessions}


def _told_of(charger_id: int, event: MeterValuesReceived) -> ChargingSession | None:
    """By transaction; chargers that do not name one mean the session that runs on that outlet."""
    session_id = event.transaction_id
    if session_id is None:
        active = ChargingSession.objects.filter(
            connector__evse__charger_id=charger_id,
            connector__evse__number=event.evse_number,
            status=SessionStatus.ACTIVE,
        )
        session_id = active.values_list("pk", flat=True).first()
    session = lock_session(session_id) if session_id is not None else None
    return session if session is not None and belongs_to(session, charger_id) else None


def _write(measured: metering.Measured, now: datetime) -> None:
    session = measured.session
    if metering.write_progress(session, metering.price_now(measured, now)):
        session.last_updated = now
        session.save(update_fields=metering.PROGRESS_FIELDS)
        outbox.record("progress", session.pk)


def price_active_sessions() -> None:
    """Looks at the cost of every running session as it is now, and stops those that come to their limit."""
    running = ChargingSession.objects.filter(status=SessionStatus.ACTIVE, tariff_version__isnull=False)
    for session_id in list(running.values_list("pk", flat=True)):
        try:
            _price_active(session_id)
        except Exception:  # one session that cannot be priced must not keep the others from being stopped
            logger.exception("session %s cannot be priced", session_id)


def _price_active(session_id: int) -> None:
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None or session.status != SessionStatus.ACTIVE:
            return
        measured = metering.measure(session)
        now = timezone.now()
        if now - session.last_updated >= settings.SESSION_PROGRESS_INTERVAL:
            before = session.total_cost_incl_vat
            _write(measured, now)
            if session.total_cost_incl_vat != before:
                display.show_cost(measured, now)
        limits.stop_if_reached(measured, now)
