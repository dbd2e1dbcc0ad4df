"""Where in the events of a transaction its session begins.

A transaction can begin with a parked car, a card or a cable (OCPP 2.0.1, TxStartPoint). A session begins as soon as
somebody answers for it and the car is connected, so that nobody pays for the way from the card reader to the plug.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from chargers.choices import CallAction
from chargers.models import ChargingSession, HeldEvent, OutgoingCall
from chargers.services.events import TransactionStarted
from chargers.services.transaction_events import ChargingState, EventKind, TransactionReported

FLOWING = (ChargingState.CHARGING, ChargingState.SUSPENDED_EV, ChargingState.SUSPENDED_EVSE)
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """The event that begins the session, as a start; `has_register` False: its meter_start has yet to be told."""

    event: TransactionReported
    start: TransactionStarted
    has_register: bool


def read_timeline(charger_id: int, event: TransactionReported) -> list[TransactionReported]:
    """What was held of a transaction and this event, by number; a repeated number counts once."""
    held = HeldEvent.objects.filter(charger_id=charger_id, transaction_id=event.transaction_id)
    by_number = {event.seq_no: event} | {
        one.seq_no: TransactionReported.from_json(one.body) for one in held.order_by("seq_no")
    }
    return [by_number[number] for number in sorted(by_number)]


def thin_out(timeline: list[TransactionReported]) -> list[TransactionReported]:
    """What has to be held of a timeline without an opening, in which a car may stand for days.

    Where nothing is missing and nothing has flowed or ended, a session can begin with a later event only. Of those
    before, it needs what was told first and last (`_register`, `_is_empty_end`).
    """
    if not _is_whole(timeline) or any(
        one.is_over or one.state in FLOWING or one.start_id is not None for one in timeline
    ):
        return timeline
    kept: list[TransactionReported] = []
    for one in timeline:
        while len(kept) > 1 and _is_spare(kept[-2], kept[-1], one):
            gone = kept.pop()
            one = replace(one, spared=max(one.spared, one.seq_no - gone.seq_no + gone.spared))
        kept.append(one)
    return kept


def _is_whole(timeline: list[TransactionReported]) -> bool:
    """Whether no event before the last one can come any more, other than repeated."""
    begin = timeline[-1].seq_no
    for one in reversed(timeline):
        if one.seq_no + 1 < begin:
            return False
        begin = min(begin, one.seq_no - one.spared)
    return timeline[0].kind == EventKind.STARTED


def _is_spare(before: TransactionReported, event: TransactionReported, after: TransactionReported) -> bool:
    """Whether the event tells nothing that the one before it and the one after it do not tell."""
    if event.id_tag is not None or event.is_withdrawn or event.reservation_id is not None:
        return False
    if event.evse_number not in (None, before.evse_number) or event.state not in (ChargingState.UNTOLD, before.state):
        return False
    if any(reading.is_interval and reading.register_wh for reading in event.readings):
        return False
    return not event.registers or bool(before.registers and after.registers)


def find_opening(charger_id: int, timeline: list[TransactionReported], *, is_overdue: bool = False) -> Opening | None:
    """None while the beginning is missing (unless it is overdue), nobody answers for it or no car is connected."""
    if timeline[0].kind != EventKind.STARTED and not is_overdue:
        return None
    tags = _tags(charger_id, timeline)
    connected = _connected(timeline)
    for event, tag, is_connected in zip(timeline, tags, connected, strict=True):
        if tag is not None and is_connected and not _is_empty_end(event, timeline):
            return _opening(charger_id, timeline, event, tag)
    flowing = next((event for event in timeline if event.state in FLOWING), None)
    is_settled = is_overdue or any(event.is_over for event in timeline)
    if flowing is not None and is_settled and all(tag is None for tag in tags):
        return _opening(charger_id, timeline, flowing, NOBODY)
    return None


def known_tag(charger_id: int, timeline: list[TransactionReported]) -> str | None:
    """The id tag that stands behind the transaction so far."""
    return next((tag for tag in _tags(charger_id, timeline) if tag is not None), None)


def _tags(charger_id: int, timeline: Iterable[TransactionReported]) -> list[str | None]:
    """At each event, the first tag that was told until then, by itself or by the start that it answers."""
    known: str | None = None
    tags = []
    for event in timeline:
        if known is None:
            known = event.id_tag if event.id_tag is not None else _tag_of_start(charger_id, event.start_id)
        tags.append(known)
    return tags


def _tag_of_start(charger_id: int, start_id: int | None) -> str | None:
    if start_id is None:
        return None
    starts = OutgoingCall.objects.filter(pk=start_id, charger_id=charger_id, action=CallAction.START_TRANSACTION)
    return starts.values_list("session__id_tag", flat=True).first()


def _connected(timeline: Iterable[TransactionReported]) -> Iterator[bool]:
    """At each event; a charger that tells no states has a car from the start."""
    state = ChargingState.UNTOLD
    for event in timeline:
        state = event.state or state
        yield state != ChargingState.IDLE


def _is_empty_end(event: TransactionReported, timeline: list[TransactionReported]) -> bool:
    """An end that is the first to name somebody begins nothing, unless energy flowed."""
    registers = [register for one in timeline for register in one.registers]
    if any(reading.is_interval and reading.register_wh for one in timeline for reading in one.readings):
        return False
    return event.is_over and (len(registers) < 2 or registers[0] == registers[-1])


def _opening(charger_id: int, timeline: list[TransactionReported], event: TransactionReported, tag: str) -> Opening:
    register = _register(timeline, event)
    start = TransactionStarted(
        evse_number=next((one.evse_number for one in timeline if one.evse_number is not None), None)
        or _evse_of_start(charger_id, timeline),
        id_tag=tag,
        meter_start=register if register is not None else Decimal(0),
        at=event.at,
        reservation_id=next((one.reservation_id for one in timeline if one.reservation_id is not None), None),
        transaction_id=event.transaction_id,
    )
    return Opening(event, start, register is not None)


def _register(timeline: list[TransactionReported], opening: TransactionReported) -> Decimal | None:
    """The first one that came with the opening, else the last one before it."""
    if opening.registers:
        return opening.registers[0]
    before = [one for one in timeline if one.seq_no < opening.seq_no]
    return next((one.registers[-1] for one in reversed(before) if one.registers), None)


def _evse_of_start(charger_id: int, timeline: Iterable[TransactionReported]) -> int:
    """Where we asked for the start; 0, which no EVSE has, if nobody tells."""
    start_ids = [one.start_id for one in timeline if one.start_id is not None]
    asked = ChargingSession.objects.filter(calls__in=start_ids, calls__charger_id=charger_id)
    return asked.values_list("connector__evse__number", flat=True).first() or 0
