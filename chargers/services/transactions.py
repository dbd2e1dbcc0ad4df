"""Sessions of chargers that tell a transaction as numbered events (OCPP 2.0.1, part E).

Events are repeated, late and out of order: what comes before its session can begin is held as a row.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from chargers.choices import AuthorizationStatus, SessionStatus
from chargers.models import ChargingSession, HeldEvent
from chargers.ports import Permit
from chargers.services import authorize, clock, commands, openings, progress, sessions, settling
from chargers.services import status as status_service
from chargers.services.authorize import TagInfo
from chargers.services.events import MeterValuesReceived, StatusChanged, TransactionEnded
from chargers.services.lock_order import lock_charger, lock_session
from chargers.services.openings import Opening
from chargers.services.together import take_together
from chargers.services.transaction_events import NO_ENERGY, ChargingState, EventKind, TransactionReported
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services.status import set_evse_status
from tariffs.pricing.rounding import money

logger = logging.getLogger(__name__)

ACCEPTED = TagInfo(AuthorizationStatus.ACCEPTED)
# Of a transaction that is never told to the end, nothing is of use after so long.
FORGET_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """`tag` where the event named somebody; `total_cost` is gross, None for a session without tariff.

    `group`: the event shows a card that is not of the session's driver, who has this group ("": none); what it may do
    is for `judge_card` to say.
    """

    tag: TagInfo | None
    total_cost: Decimal | None = None
    group: str | None = None


def continue_session(charger_id: int, event: TransactionReported) -> EventAnswer | None:
    """Takes in an event of a session that has begun; None when there is none yet. Repetitions change nothing."""
    session_id = _find(charger_id, event.transaction_id)
    if session_id is None:
        return None
    _apply(charger_id, session_id, event)
    return _answer(charger_id, session_id, event)


Told = tuple[int, TransactionReported]


def continue_sessions(told: Sequence[Told]) -> Mapping[int, EventAnswer | None]:
    """`continue_session` with measurements of several chargers in one transaction; the answers of those that it took
    in, by number. Raises OperationalError when there is no database."""
    return take_together(told, _continue_together)


def _continue_together(told: Sequence[Told]) -> dict[int, EventAnswer | None]:
    """The first ones of transactions whose sessions run and began with a register."""
    numbers: dict[tuple[int, str], int] = {}
    for number, (charger_id, event) in enumerate(told):
        if event.is_measurement:
            numbers.setdefault((charger_id, event.transaction_id), number)
    running = ChargingSession.objects.filter(
        transaction_id__in={transaction_id for _, transaction_id in numbers},
        connector__evse__charger__in={charger_id for charger_id, _ in numbers},
        status=SessionStatus.ACTIVE,
        is_meter_start_known=True,
    )
    columns = ("pk", "connector__evse__charger", "connector__evse__number", "transaction_id")
    measured: dict[int, progress.Told] = {}
    for session_id, charger_id, evse_number, transaction_id in running.values_list(*columns):
        if (charger_id, transaction_id) in numbers:
            number = numbers[charger_id, transaction_id]
            readings = told[number][1].readings
            measured[number] = (charger_id, MeterValuesReceived(evse_number, session_id, readings))
    taken = progress.update_together(list(measured.values()))
    return {number: EventAnswer(None, _cost(taken[place])) for place, number in enumerate(measured) if place in taken}


def judge_card(charger_id: int, event: TransactionReported, answer: EventAnswer) -> EventAnswer:
    """The answer with a word on a card that is not the driver's.

    At the end chargers remember the word for the card's next use; before, a card may only stop what its group began.
    May wait for partners: not with a transaction open, not on the event loop.
    """
    if event.id_tag is None or answer.group is None:
        return answer
    if event.is_over:
        return replace(answer, tag=authorize.authorize(charger_id, event.id_tag))
    return replace(answer, tag=authorize.authorize_other(charger_id, answer.group, event.id_tag))


def ask_permit(charger_id: int, event: TransactionReported, *, is_overdue: bool = False) -> Permit | None:
    """Who stands behind the transaction; None when its session waits for it or nobody is named.

    May wait for partners: not with a transaction open, not on the event loop.
    """
    timeline = openings.read_timeline(charger_id, event)
    opening = openings.find_opening(charger_id, timeline, is_overdue=is_overdue)
    if opening is not None:
        return authorize.permit_start(charger_id, opening.start) if opening.start.id_tag else None
    if event.id_tag is None or is_overdue:
        return None  # what is overdue has got its answer
    tag = authorize.authorize(charger_id, event.id_tag)
    return Permit(tag.status, tag.parent_id_tag)


def begin_session(
    charger_id: int, event: TransactionReported, permit: Permit | None, *, is_overdue: bool = False
) -> EventAnswer:
    """Begins the session if the events so far allow it, else holds the event until they do."""
    with transaction.atomic():
        lock_charger(charger_id)
        begun = continue_session(charger_id, event)
        if begun is not None:
            return begun
        timeline = openings.read_timeline(charger_id, event)
        opening = openings.find_opening(charger_id, timeline, is_overdue=is_overdue)
        if opening is not None:
            return _open(charger_id, opening, timeline, event, permit)
        if is_overdue:
            _forget_if_over(charger_id, timeline)
        else:
            _hold(charger_id, event, timeline)
            _note_pending(charger_id, timeline)
    if event.id_tag is None:
        return EventAnswer(None)
    return EventAnswer(ACCEPTED if permit is None else TagInfo(permit.status, permit.parent_id_tag))


def settle_held_events() -> None:
    """Begins sessions whose first event never came, and forgets what came to nothing."""
    forget_before = timezone.now() - FORGET_AFTER
    same = HeldEvent.objects.filter(charger_id=OuterRef("charger_id"), transaction_id=OuterRef("transaction_id"))
    old = HeldEvent.objects.filter(received_at__lt=forget_before)
    old.filter(~Exists(same.filter(received_at__gte=forget_before))).delete()
    before = timezone.now() - settings.LOST_STOP_GRACE
    held = HeldEvent.objects.values("charger_id", "transaction_id").annotate(newest=Max("received_at"))
    for one in held.filter(newest__lt=before).order_by():
        last = HeldEvent.objects.filter(charger_id=one["charger_id"], transaction_id=one["transaction_id"]).last()
        if last is None:
            continue
        try:
            event = TransactionReported.from_json(last.body)
            asked = ask_permit(last.charger_id, event, is_overdue=True)
            begin_session(last.charger_id, event, asked, is_overdue=True)
        except Exception:  # one that cannot be settled must not keep the others
            logger.exception("transaction %s of charger %s cannot be settled", last.transaction_id, last.charger_id)


def _find(charger_id: int, transaction_id: str) -> int | None:
    begun = ChargingSession.objects.filter(transaction_id=transaction_id, started_at__isnull=False)
    here = begun.filter(connector__evse__charger_id=charger_id).values_list("pk", flat=True).first()
    if here is not None:
        return here
    # Its connector was never configured, or is not any more.
    return begun.filter(connector=None, calls__charger_id=charger_id).values_list("pk", flat=True).first()


def _open(
    charger_id: int,
    opening: Opening,
    timeline: list[TransactionReported],
    event: TransactionReported,
    permit: Permit | None,
) -> EventAnswer:
    started = sessions.start_session(charger_id, opening.start, permit)
    session_id = started.transaction_id
    if not opening.has_register:
        ChargingSession.objects.filter(pk=session_id).update(is_meter_start_known=False)
    _set_status(charger_id, opening.start.evse_number, EVSEStatus.CHARGING)
    for one in timeline:
        if one.seq_no >= opening.event.seq_no:
            _apply(charger_id, session_id, one)
    _forget(charger_id, timeline)
    return _answer(charger_id, session_id, event, started.tag)


def _answer(charger_id: int, session_id: int, event: TransactionReported, tag: TagInfo | None = None) -> EventAnswer:
    session = ChargingSession.objects.get(pk=session_id)
    if tag is None:
        is_accepted = session.accepted_at is not None and session.status != SessionStatus.INVALID
        is_accepted = is_accepted and (event.is_over or not settling.is_after_end(session, event.at))
        tag = TagInfo(
            AuthorizationStatus.ACCEPTED if is_accepted else AuthorizationStatus.INVALID, session.parent_id_tag
        )
    cost = _cost(session)
    if event.id_tag is None:
        return EventAnswer(None, cost)
    is_accepted = tag.status == AuthorizationStatus.ACCEPTED
    is_others = is_accepted and not authorize.is_owner(session, event.id_tag)
    if is_accepted and event.is_over:
        tag = authorize.tag_of_owner(charger_id, session, event.id_tag) or tag
    return EventAnswer(tag, cost, session.parent_id_tag if is_others else None)


def _cost(session: ChargingSession) -> Decimal | None:
    gross = session.driver_total_incl_vat if session.tariff_version_id is not None else None
    return None if gross is None else money(gross, session.currency)


def _hold(charger_id: int, event: TransactionReported, timeline: list[TransactionReported]) -> None:
    HeldEvent.objects.get_or_create(
        charger_id=charger_id,
        transaction_id=event.transaction_id,
        seq_no=event.seq_no,
        defaults={"body": event.to_json()},
    )
    kept = openings.thin_out(timeline)
    if len(kept) < len(timeline):
        held = HeldEvent.objects.filter(charger_id=charger_id, transaction_id=event.transaction_id)
        held.exclude(seq_no__in=[one.seq_no for one in kept]).delete()
        for one in kept:
            if one.spared:
                held.filter(seq_no=one.seq_no).update(body=one.to_json())


def _note_pending(charger_id: int, timeline: list[TransactionReported]) -> None:
    """The session that waits for this transaction can be stopped by its number, and is over with it.

    An end whose beginning has not come yet says nothing: energy may have flowed.
    """
    has_ended = timeline[-1].is_over and timeline[0].kind == EventKind.STARTED
    session = _waiting(charger_id, timeline)
    if session is not None and has_ended:
        commands.give_up(session)
    elif session is not None and not timeline[-1].is_over:
        ChargingSession.objects.filter(pk=session.pk).update(transaction_id=timeline[0].transaction_id)
    if has_ended and timeline[0].seq_no == 0:
        _forget(charger_id, timeline)


def _waiting(charger_id: int, timeline: list[TransactionReported]) -> ChargingSession | None:
    """The session, locked, that waits at the EVSE of the transaction for its token.

    One tag is one start; but the holder of a card may ask for another one after the transaction.
    """
    tag = openings.known_tag(charger_id, timeline)
    if not tag:
        return None
    asked_before = Q(created_at__lte=timeline[-1].at + clock.LARGEST_CLOCK_ERROR)
    waiting = ChargingSession.objects.filter(
        authorize.is_meant(tag),
        Q(id_tag=tag) | asked_before,
        status=SessionStatus.PENDING,
        connector__evse__charger_id=charger_id,
    )
    evse_number = next((one.evse_number for one in timeline if one.evse_number is not None), None)
    if evse_number is not None:
        waiting = waiting.filter(connector__evse__number=evse_number)
    session_id = waiting.values_list("pk", flat=True).first()
    session = lock_session(session_id) if session_id else None
    return session if session is not None and session.status == SessionStatus.PENDING else None


def _forget_if_over(charger_id: int, timeline: list[TransactionReported]) -> None:
    """A transaction that has ended and began nothing comes to nothing, once nothing can be in a queue any more."""
    if any(event.is_over for event in timeline):
        held = HeldEvent.objects.filter(charger_id=charger_id, transaction_id=timeline[0].transaction_id)
        if not held.filter(received_at__gte=timezone.now() - settings.LOST_STOP_GRACE_OFFLINE).exists():
            held.delete()


def _forget(charger_id: int, timeline: list[TransactionReported]) -> None:
    HeldEvent.objects.filter(charger_id=charger_id, transaction_id=timeline[0].transaction_id).delete()


def _apply(charger_id: int, session_id: int, event: TransactionReported) -> None:
    """What an event means for its session. Each part is stored by itself; a repeated event completes them."""
    if event.registers:
        _learn_meter_start(session_id, event)
    if event.is_over:
        return _end(charger_id, session_id, event)
    evse_number, is_ended = _where(session_id)
    if is_ended:
        _go_on(charger_id, session_id, event)
    if event.readings:
        progress.update_session(charger_id, MeterValuesReceived(evse_number, session_id, event.readings))
    if event.state or event.is_withdrawn:
        _record_state(charger_id, session_id, evse_number, event)


def _learn_meter_start(session_id: int, event: TransactionReported) -> None:
    """The first register that a charger tells which began without one: what flowed before is the driver's luck."""
    unknown = ChargingSession.objects.filter(pk=session_id, is_meter_start_known=False, status=SessionStatus.ACTIVE)
    # Who told the energy of intervals before is billed by them to the end.
    unknown = unknown.exclude(samples__is_interval=True)
    unknown.update(meter_start=event.registers[0], is_meter_start_known=True)


def _where(session_id: int) -> tuple[int, bool]:
    """The number of the session's EVSE, and whether the session is over."""
    number, status = ChargingSession.objects.values_list("connector__evse__number", "status").get(pk=session_id)
    return number or 0, status == SessionStatus.COMPLETED


def _go_on(charger_id: int, session_id: int, event: TransactionReported) -> None:
    """A transaction may outlive its session (TxStopPoint EVConnected); energy must not flow in it again."""
    with transaction.atomic():
        session = lock_session(session_id)
        if session is not None and settling.is_after_end(session, event.at):
            is_on = event.state in openings.FLOWING
            settling.note_going_on(session, charger_id, event.readings, timezone.now(), is_on=is_on)


def _end(charger_id: int, session_id: int, event: TransactionReported) -> None:
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None:
            return
        is_running = session.status == SessionStatus.ACTIVE
        register = event.registers[-1] if event.registers else None
        ended = TransactionEnded(session_id, register, event.at, event.reason, event.readings)
        sessions.end_session(charger_id, ended)
        if is_running and session.connector is not None:
            _leave(session.connector.evse, event.state)


def _leave(evse: EVSE, state: ChargingState) -> None:
    """With the cable still there the car is in the way; what the charger said of the EVSE since then stays."""
    if EVSE.objects.filter(pk=evse.pk, status=EVSEStatus.CHARGING).exists():
        set_evse_status(evse.pk, EVSEStatus.AVAILABLE if state == ChargingState.IDLE else EVSEStatus.BLOCKED)


def _record_state(charger_id: int, session_id: int, evse_number: int, event: TransactionReported) -> None:
    """Parking as by the status of OCPP 1.6, or the end where authorisation and energy end by two events, in whatever
    order. An older state than the last one told changes nothing.
    """
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None or session.status != SessionStatus.ACTIVE:
            return
        if session.last_seq_no is not None and event.seq_no <= session.last_seq_no:
            return
        has_charged = session.charging_state in openings.FLOWING
        session.last_seq_no, session.charging_state = event.seq_no, event.state or session.charging_state
        if event.is_withdrawn:
            session.withdrawn_reason = event.reason
        session.save(update_fields=["last_seq_no", "charging_state", "withdrawn_reason"])
        state = ChargingState(session.charging_state)
        if session.withdrawn_reason and state in NO_ENERGY:
            return _end(charger_id, session_id, replace(event, reason=session.withdrawn_reason, state=state))
        word = state if state in openings.FLOWING else ChargingState.SUSPENDED_EV
        # Connected before energy flows is the beginning, after that the car only stands there.
        if state in openings.FLOWING or has_charged:
            status_service.record_status(charger_id, StatusChanged(evse_number, word, event.at))


def _set_status(charger_id: int, evse_number: int, status: EVSEStatus) -> None:
    evse_id = EVSE.objects.filter(charger_id=charger_id, number=evse_number).values_list("pk", flat=True).first()
    if evse_id is not None:
        set_evse_status(evse_id, status)
