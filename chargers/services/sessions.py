"""Begin and end of charging sessions, as the charger tells them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from chargers.choices import AuthMethod, AuthorizationStatus, Network, SessionStatus, Settlement, StopReason
from chargers.models import ChargerConnection, ChargingSession
from chargers.ports import AuthorizedStart, Permit
from chargers.services import clock, commands, completion, metering, outgoing, reservations, settling
from chargers.services.authorize import TagInfo, is_meant, same_start
from chargers.services.completion import End
from chargers.services.events import TransactionEnded, TransactionStarted
from chargers.services.fresh_starts import is_fresh
from chargers.services.lock_order import lock_charger, lock_free_sessions, lock_session
from chargers.services.together import take_together
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import Charger, Connector

logger = logging.getLogger(__name__)

# Within this time of coming back, a charger has sent what it could not send before.
QUEUE_TIME = timedelta(seconds=60)

# What the beginning of a session that waited for it changes, beside its transaction.
BEGIN_FIELDS = (
    "status",
    "accepted_at",
    "id_tag",
    "started_at",
    "told_started_at",
    "reserved_at",
    "meter_start",
    *metering.PROGRESS_FIELDS,
)

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
        session = None
        warn_of_clock(charger_id, event.at)
        if not is_fresh(charger_id, event):
            repeated = _repeated(charger_id, event)
            if repeated is not None:
                return answer(repeated)
            _end_forgotten(charger_id, event)
            session = _pending(charger_id, event) or reservations.take_up(charger_id, event, permit)
        if session is not None:
            session.accepted_at = session.accepted_at or timezone.now()
            session.id_tag = event.id_tag
        elif permit is not None and permit.start is not None:
            session = permitted(event.id_tag, permit.parent_id_tag, permit.start)
        elif (given_up := _given_up(charger_id, event)) is not None:
            return answer(_begin_late(given_up, charger_id, event))
        else:
            session = _record_unknown(charger_id, event)
            return answer(session, AuthorizationStatus.INVALID if permit is None else permit.status)
        _begin(session, event)
    return answer(session)


def answer(session: ChargingSession, refusal: AuthorizationStatus = AuthorizationStatus.INVALID) -> StartAnswer:
    is_accepted = session.accepted_at is not None and session.status != SessionStatus.INVALID
    tag = TagInfo(AuthorizationStatus.ACCEPTED, session.parent_id_tag) if is_accepted else TagInfo(refusal)
    return StartAnswer(session.pk, tag)


def _repeated(charger_id: int, event: TransactionStarted) -> ChargingSession | None:
    """The session of a StartTransaction whose answer was lost."""
    here = Q(connector__evse__charger_id=charger_id, connector__evse__number=event.evse_number)
    unknown_outlet = Q(connector=None, calls__charger_id=charger_id)
    return ChargingSession.objects.filter(same_start(event)).filter(here | unknown_outlet).first()


def warn_of_clock(charger_id: int, at: datetime) -> None:
    if abs(at - timezone.now()) > clock.LARGEST_CLOCK_ERROR:
        logger.warning("charger %s says that a session began at %s: was it offline?", charger_id, at)


def _end_forgotten(charger_id: int, event: TransactionStarted) -> None:
    """One outlet, one transaction: an older one whose end was never told ended with its last reading.

    The register tells which is older as well, whatever happened to the clock.
    """
    at = clock.start_of(None, event.at, timezone.now())
    running = ChargingSession.objects.filter(
        connector__evse__charger_id=charger_id,
        connector__evse__number=event.evse_number,
        status=SessionStatus.ACTIVE,
    )
    older = running.filter(Q(started_at__lt=at) | Q(meter_start__lt=event.meter_start))
    for session_id in older.values_list("pk", flat=True):
        try:
            with transaction.atomic():
                completion.end_with_last_reading(session_id, Settlement.NEXT)
        except (OperationalError, InterfaceError):  # the charger tells it again
            raise
        except Exception:  # one session that cannot be billed must not keep the next driver from charging
            logger.exception("session %s cannot be ended", session_id)
            # Its outlet is another's: it is in nobody's way, and `settling.end_lost_sessions` tries again.
            running.filter(pk=session_id, over_since=None).update(over_since=timezone.now())


def _given_up(charger_id: int, event: TransactionStarted) -> ChargingSession | None:
    """The session that this tag was made for, and nothing else: we gave it up before the charger told of it."""
    gone = ChargingSession.objects.filter(
        id_tag=event.id_tag,
        auth_method=AuthMethod.COMMAND,
        status=SessionStatus.INVALID,
        started_at=None,
        connector__evse__charger_id=charger_id,
        connector__evse__number=event.evse_number,
    )
    session_id = gone.values_list("pk", flat=True).first()
    return lock_session(session_id) if session_id else None


def _begin_late(session: ChargingSession, charger_id: int, event: TransactionStarted) -> ChargingSession:
    """Nobody may charge on it, as the money may have been released, so that a stop is asked for at once.

    What began before we gave it up was paid for: it is billed. Anything else is only written down and refused.
    """
    logger.warning("charger %s started session %s, which was given up", charger_id, session)
    now = timezone.now()
    is_in_time = session.accepted_at is not None and event.at <= session.last_updated
    if is_in_time and clock.start_of(session, event.at, now) == event.at:
        _begin(session, event)
        commands.create_stop(session, charger_id, StopReason.STAFF, now + settings.COMMAND_TIMEOUT)
        return session
    session.transaction_id = event.transaction_id or str(session.pk)
    session.told_started_at, session.started_at = event.at, clock.start_of(session, event.at, now)
    session.meter_start = event.meter_start
    session.save(update_fields=["transaction_id", "told_started_at", "started_at", "meter_start"])
    settling.stop_stray(session, charger_id, now)
    return session


class NotStale(Exception):
    """The session is over, or its charger says that it runs."""


def close_stale(session_id: int, *, although_charging: bool = False) -> None:
    """Staff end a session that its charger will not: with its last reading, billed like a lost one.

    What is charged afterwards would not be billed, hence NotStale while the charger is there and reports charging,
    unless staff know better.
    """
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None or session.status != SessionStatus.ACTIVE:
            raise NotStale("This transaction is closed already.")
        if not although_charging and _is_reported_charging(session):
            raise NotStale(
                "The charger is online and reports that it charges: ask it to stop instead. To close the transaction "
                "all the same, force it; what is charged from now on is not billed."
            )
        completion.end_with_last_reading(session_id, Settlement.STAFF, StopReason.STAFF)


def _is_reported_charging(session: ChargingSession) -> bool:
    evse = session.connector.evse if session.connector else None
    return evse is not None and evse.status == EVSEStatus.CHARGING and outgoing.is_online(evse.charger_id)


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


def permitted(id_tag: str, parent_id_tag: str, start: AuthorizedStart) -> ChargingSession:
    """Not saved: `_begin` does."""
    location = start.connector.evse.charger.location
    version = start.tariff_version
    return ChargingSession(
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
        retail=start.retail,
        accepted_at=timezone.now(),
    )


def _record_unknown(charger_id: int, event: TransactionStarted) -> ChargingSession:
    """Somebody charges whom nobody let: whatever flows is written down, and a stop is asked for."""
    logger.warning("charger %s started for an unknown id tag", charger_id)
    charger = Charger.objects.select_related("location__operator__site").get(pk=charger_id)
    outlet = Connector.objects.filter(evse__charger=charger, evse__number=event.evse_number)
    session = ChargingSession(
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
    set_start(session, event)
    written: tuple[str, ...] = BEGIN_FIELDS
    if session._state.adding:
        session.save()
        written = ()
    session.transaction_id = event.transaction_id or str(session.pk)
    session.save(update_fields=["transaction_id", *written])
    outbox.record("session", session.pk)


def set_start(session: ChargingSession, event: TransactionStarted) -> None:
    """The session as it begins; not saved."""
    session.status = SessionStatus.ACTIVE
    now = timezone.now()
    session.told_started_at, session.started_at = event.at, clock.start_of(session, event.at, now)
    session.meter_start = event.meter_start
    if session.reserved_at is not None:  # the clock may be behind ours
        session.reserved_at = min(session.reserved_at, session.started_at)
    session.last_updated = now
    metering.write_progress(session, metering.price_start(session))


def end_session(charger_id: int, event: TransactionEnded) -> ChargingSession | None:
    """Ends the session and writes its CDR; repetitions change nothing. None for a transaction we never saw.

    The end of a session that was settled meanwhile, or given up before, is kept and bills nothing.
    """
    with transaction.atomic():
        session = lock_session(event.transaction_id)
        if session is None or not belongs_to(session, charger_id) or session.started_at is None:
            logger.warning("charger %s ended an unknown transaction: %s", charger_id, event)
            return None
        if session.status == SessionStatus.ACTIVE:
            now = timezone.now()
            metering.record_samples(session, event.readings, now)
            completion.complete(_end_of(session, event, now))
        elif session.status == SessionStatus.INVALID:
            settling.record_unbilled(session, event)
        else:
            settling.record_late_stop(session, event)
    return session


def end_sessions(told: Sequence[tuple[int, TransactionEnded]]) -> Mapping[int, ChargingSession | None]:
    """`end_session` with the words of several chargers, by id, in one transaction; the answers of those that it took
    in, by number. Raises OperationalError when there is no database."""
    return take_together(told, _end_together)


def _end_together(told: Sequence[tuple[int, TransactionEnded]]) -> dict[int, ChargingSession | None]:
    """Ends those that run and that nobody else is at work on."""
    now = timezone.now()
    numbers: dict[int, int] = {}
    for number, (_, event) in enumerate(told):
        numbers.setdefault(event.transaction_id, number)
    ended = [
        (session, told[numbers[session.pk]][1])
        for session in lock_free_sessions(numbers)
        if session.status == SessionStatus.ACTIVE
        and session.connector is not None
        and session.connector.evse.charger_id == told[numbers[session.pk]][0]
    ]
    metering.record_samples_of([(session, event.readings) for session, event in ended], now)
    completion.complete(*(_end_of(session, event, now) for session, event in ended))
    return {numbers[session.pk]: session for session, _ in ended}


def _end_of(session: ChargingSession, event: TransactionEnded, now: datetime) -> End:
    stopped_by = session.stop_requested_by or STOPPED_BY.get(event.reason, StopReason.CHARGER)
    return End(session, completion.end_of(session, event.at, now), event.meter_stop, StopReason(stopped_by))


def belongs_to(session: ChargingSession, charger_id: int) -> bool:
    """A charger may tell of its own transactions only."""
    if session.connector is not None:
        return session.connector.evse.charger_id == charger_id
    return session.calls.filter(charger_id=charger_id).exists()


def expire_pending_sessions() -> None:
    """Gives up sessions for which nobody plugged a car in, so that partners can release the money.

    A charger that is offline, or has just come back, may have its beginning in a queue: it gets more time.
    """
    waiting = ChargingSession.objects.filter(
        status=SessionStatus.PENDING, accepted_at__lt=timezone.now() - settings.PLUG_IN_TIMEOUT
    )
    for session_id in list(waiting.values_list("pk", flat=True)):
        try:
            _expire_pending(session_id)
        except Exception:  # one session that cannot be given up must not keep the others' money
            logger.exception("session %s cannot be given up", session_id)


def _expire_pending(session_id: int) -> None:
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None or session.status != SessionStatus.PENDING or session.accepted_at is None:
            return
        is_overdue = session.accepted_at < timezone.now() - settings.PLUG_IN_TIMEOUT_OFFLINE
        if is_overdue or _is_heard(session):
            commands.give_up(session)


def _is_heard(session: ChargingSession) -> bool:
    """Whether the charger has been there long enough to have told all that it had to tell."""
    if session.connector is None:
        return True
    connection = ChargerConnection.objects.filter(charger_id=session.connector.evse.charger_id).first()
    if connection is None or not connection.is_online:
        return False
    came_at, accepted_at = connection.connected_at, session.accepted_at
    if came_at is None or (accepted_at is not None and came_at <= accepted_at):
        return True
    return came_at < timezone.now() - QUEUE_TIME
