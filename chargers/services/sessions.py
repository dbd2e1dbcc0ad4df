"""Begin and end of charging sessions, as the charger tells them."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chargers.choices import AuthMethod, AuthorizationStatus, Network, SessionStatus, StopReason
from chargers.models import ChargingSession
from chargers.ports import AuthorizedStart, Permit
from chargers.services import calls, cdrs, commands, metering, reservations, status
from chargers.services.authorize import TagInfo, is_meant
from chargers.services.events import TransactionEnded, TransactionStarted
from chargers.services.lock_order import lock_charger, lock_session
from infrastructure import outbox
from infrastructure.models import Charger, Connector

logger = logging.getLogger(__name__)

LARGEST_CLOCK_ERROR = timedelta(minutes=5)

# OCPP 1.6 Reason -> who ended it, where nobody asked us to; any other reason is the charger's own.
STOPPED_BY = {
    "": StopReason.DRIVER,
    "Local": StopReason.DRIVER,
    "EVDisconnected": StopReason.DRIVER,
    "DeAuthorized": StopReason.STAFF,
    "UnlockCommand": StopReason.STAFF,
}


@dataclass(frozen=True, slots=True)
class StartAnswer:
    transaction_id: int
    tag: TagInfo

    @property
    def is_accepted(self) -> bool:
        return self.tag.status == AuthorizationStatus.ACCEPTED


def start_session(charger_id: int, event: TransactionStarted, permit: Permit | None = None) -> StartAnswer:
    """Activates the session that waits for this id tag on this EVSE, or begins one that `permit` stands behind.

    A tag that may not charge is recorded too, refused and stopped. A repeated message changes nothing.
    """
    with transaction.atomic():
        lock_charger(charger_id)
        repeated = _repeated(charger_id, event)
        if repeated is not None:
            return _answer(repeated)
        _warn_of_clock(charger_id, event.at)
        _end_forgotten(charger_id, event)
        session = _pending(charger_id, event) or reservations.take_up(charger_id, event, permit)
        if session is not None:
            session.accepted_at = session.accepted_at or timezone.now()
            session.id_tag = event.id_tag
        elif permit is not None and permit.start is not None:
            session = _create_permitted(event.id_tag, permit.parent_id_tag, permit.start)
        else:
            session = _record_unknown(charger_id, event)
            return _answer(session, AuthorizationStatus.INVALID if permit is None else permit.status)
        _begin(session, event)
    return _answer(session)


def _answer(session: ChargingSession, refusal: AuthorizationStatus = AuthorizationStatus.INVALID) -> StartAnswer:
    is_accepted = session.accepted_at is not None
    tag = TagInfo(AuthorizationStatus.ACCEPTED, session.parent_id_tag) if is_accepted else TagInfo(refusal)
    return StartAnswer(session.pk, tag)


def _repeated(charger_id: int, event: TransactionStarted) -> ChargingSession | None:
    """The session of a StartTransaction whose answer was lost: same outlet, tag, time and register."""
    here = Q(connector__evse__charger_id=charger_id, connector__evse__number=event.evse_number)
    unknown_outlet = Q(connector=None, calls__charger_id=charger_id)
    same = ChargingSession.objects.filter(id_tag=event.id_tag, started_at=event.at, meter_start=event.meter_start)
    return same.filter(here | unknown_outlet).first()


def _warn_of_clock(charger_id: int, at: datetime) -> None:
    if abs(at - timezone.now()) > LARGEST_CLOCK_ERROR:
        logger.warning("charger %s says that a session began at %s: was it offline?", charger_id, at)


def _end_forgotten(charger_id: int, event: TransactionStarted) -> None:
    """One outlet, one transaction: an older one whose end was never told ended with its last reading."""
    older = ChargingSession.objects.filter(
        connector__evse__charger_id=charger_id,
        connector__evse__number=event.evse_number,
        status=SessionStatus.ACTIVE,
        started_at__lt=event.at,
    )
    for session_id in older.values_list("pk", flat=True):
        _end_with_last_reading(session_id)


def _end_with_last_reading(session_id: int) -> None:
    """Bills what was measured. Needs a transaction; a StopTransaction that comes later changes nothing."""
    session = lock_session(session_id)
    if session is not None and session.status == SessionStatus.ACTIVE:
        logger.warning("session %s was never ended by its charger", session)
        last = metering.measure(session).last
        _complete(session, last.at, last.register_wh, StopReason(session.stop_requested_by or StopReason.CHARGER))


def end_lost_sessions() -> None:
    """Ends sessions whose outlet has been free for a while without a StopTransaction: it was lost."""
    before = timezone.now() - settings.LOST_STOP_GRACE
    lost = ChargingSession.objects.filter(status=SessionStatus.ACTIVE, over_since__lt=before)
    for session_id in list(lost.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                _end_with_last_reading(session_id)
        except Exception:  # one session that cannot be billed must not keep the others from their CDRs
            logger.exception("session %s cannot be ended", session_id)


def _pending(charger_id: int, event: TransactionStarted) -> ChargingSession | None:
    waiting = ChargingSession.objects.filter(
        is_meant(event.id_tag),
        status=SessionStatus.PENDING,
        connector__evse__charger_id=charger_id,
        connector__evse__number=event.evse_number,
    )
    session_id = waiting.values_list("pk", flat=True).first()
    session = lock_session(session_id) if session_id else None
    return session if session is not None and session.status == SessionStatus.PENDING else None


def _create_permitted(id_tag: str, parent_id_tag: str, start: AuthorizedStart) -> ChargingSession:
    location = start.connector.evse.charger.location
    version = start.tariff_version
    return ChargingSession.objects.create(
        connector=start.connector,
        network=Network.AWAY if start.peer_id else Network.HOME,
        peer_id=start.peer_id,
        country_code=start.country_code,
        party_id=start.party_id,
        authorization_reference=start.authorization_reference,
        auth_method=start.auth_method,
        cdr_token=start.cdr_token,
        id_tag=id_tag,
        parent_id_tag=parent_id_tag,
        place=start.place,
        currency=version.content["currency"] if version else location.effective_currency,
        time_zone=location.effective_time_zone,
        tariff_version=version,
        limit=start.limit,
        accepted_at=timezone.now(),
    )


def _record_unknown(charger_id: int, event: TransactionStarted) -> ChargingSession:
    """Somebody charges whom nobody let: whatever flows is written down, and a stop is asked for."""
    logger.warning("charger %s started for an unknown id tag", charger_id)
    charger = Charger.objects.select_related("location__operator__site").get(pk=charger_id)
    outlet = Connector.objects.filter(evse__charger=charger, evse__number=event.evse_number)
    session = ChargingSession.objects.create(
        connector=outlet.select_related("evse").first(),
        auth_method=AuthMethod.WHITELIST,
        id_tag=event.id_tag,
        currency=charger.location.effective_currency,
        time_zone=charger.location.effective_time_zone,
    )
    _begin(session, event)
    commands.create_stop(session, charger_id, StopReason.STAFF, timezone.now() + settings.COMMAND_TIMEOUT)
    return session


def _begin(session: ChargingSession, event: TransactionStarted) -> None:
    session.status = SessionStatus.ACTIVE
    session.transaction_id = str(session.pk)
    session.started_at, session.meter_start = event.at, event.meter_start
    session.last_updated = timezone.now()
    metering.write_progress(session, metering.price_start(session))
    session.save(
        update_fields=[
            "status",
            "accepted_at",
            "id_tag",
            "transaction_id",
            "started_at",
            "meter_start",
            *metering.PROGRESS_FIELDS,
        ]
    )
    outbox.record("session", session.pk)


def end_session(charger_id: int, event: TransactionEnded) -> bool:
    """Ends the session and writes its CDR; repetitions change nothing. False for a transaction we never saw."""
    with transaction.atomic():
        session = lock_session(event.transaction_id)
        if session is None or not belongs_to(session, charger_id) or session.started_at is None:
            logger.warning("charger %s ended an unknown transaction: %s", charger_id, event)
            return False
        if session.status == SessionStatus.ACTIVE:
            metering.record_samples(session, event.readings)
            stopped_by = session.stop_requested_by or STOPPED_BY.get(event.reason, StopReason.CHARGER)
            _complete(session, event.at, event.meter_stop, StopReason(stopped_by))
    return True


def belongs_to(session: ChargingSession, charger_id: int) -> bool:
    """A charger may tell of its own transactions only."""
    if session.connector is not None:
        return session.connector.evse.charger_id == charger_id
    return session.calls.filter(charger_id=charger_id).exists()


def _complete(session: ChargingSession, at: datetime, meter_stop: Decimal, reason: StopReason) -> None:
    """The last register counts, except one below the first: then what was measured on the way does."""
    began = metering.begin_of(session)
    if meter_stop < began.register_wh:
        logger.warning("session %s ended with a register below its start", session)
        meter_stop = metering.measure(session).last.register_wh
    session.status, session.stop_reason = SessionStatus.COMPLETED, reason
    session.ended_at, session.meter_stop = max(at, began.at), meter_stop
    session.last_updated = timezone.now()
    status.end_parking(session, session.ended_at)
    priced = metering.price(metering.measure(session), session.ended_at, limit=session.limit)
    metering.write_progress(session, priced)
    session.save(update_fields=["status", "stop_reason", "ended_at", "meter_stop", *metering.PROGRESS_FIELDS])
    outbox.record("session", session.pk)
    cdrs.create_cdr(session, priced)
    calls.close_stops(session)


def expire_pending_sessions() -> None:
    """Gives up sessions for which nobody plugged a car in, so that partners can release the money."""
    before = timezone.now() - settings.PLUG_IN_TIMEOUT
    waiting = ChargingSession.objects.filter(status=SessionStatus.PENDING, accepted_at__lt=before)
    for session_id in list(waiting.values_list("pk", flat=True)):
        with transaction.atomic():
            session = lock_session(session_id)
            if session is not None and session.status == SessionStatus.PENDING:
                commands.give_up(session)
