"""What is held of a transaction without a session stays little, and the session that begins late lacks nothing."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from chargers.models import CDR, ChargingSession, HeldEvent, IdToken
from chargers.services import openings, transactions
from chargers.services.events import Reading
from chargers.services.transaction_events import ChargingState, EventKind, TransactionReported
from tests.chargers.factories import make_connector, make_pending, make_version, minutes

pytestmark = pytest.mark.django_db
BEGAN = timezone.now() - timedelta(hours=3)
STARTED, UPDATED, ENDED = EventKind
UNTOLD, IDLE, CONNECTED, CHARGING, SUSPENDED, _ = ChargingState
CARD = "CARD"


def event(number: int, kind: EventKind = UPDATED, wh: float | None = None, **told: Any) -> TransactionReported:
    at = BEGAN + minutes(number)
    readings = () if wh is None else (Reading(at, Decimal(str(wh))),)
    return TransactionReported("tx", number, kind, at, **{"readings": readings, **told})


def tell(charger_id: int, one: TransactionReported) -> None:
    """As the socket does."""
    if transactions.continue_session(charger_id, one) is None:
        permit = transactions.ask_permit(charger_id, one)
        transactions.begin_session(charger_id, one, permit)


@pytest.fixture
def charger_id() -> int:
    charger = make_connector().evse.charger
    IdToken.objects.create(operator=charger.location.operator, id_tag=CARD)
    return charger.pk


def held() -> list[int]:
    return list(HeldEvent.objects.values_list("seq_no", flat=True))


@pytest.mark.parametrize("state", [UNTOLD, CONNECTED])
@pytest.mark.parametrize(("wh", "kept"), [(500, [0, 99]), (None, [0, 1, 99])], ids=["register at first", "none"])
def test_a_car_that_stands_for_days_without_a_card_is_a_few_rows(charger_id: int, state: Any, wh: Any, kept: Any):
    tell(charger_id, event(0, STARTED, wh, state=CONNECTED, evse_number=1))
    for number in range(1, 100):
        tell(charger_id, event(number, wh=500 + number, state=state))
        assert len(held()) <= 4
    assert held() == kept
    tell(charger_id, event(5, wh=505, state=state))  # again
    assert held() == kept
    tell(charger_id, event(100, id_tag=CARD))
    session = ChargingSession.objects.get()
    assert (session.meter_start, session.started_at) == (599, BEGAN + minutes(100))
    assert held() == []


def test_what_may_come_after_a_beginning_that_is_missing_is_all_kept(charger_id: int):
    """Before the Started, or in a gap, somebody may be named: then it is all part of the session."""
    for number in (1, 2, 3, 4):
        tell(charger_id, event(number, wh=number))
    assert held() == [1, 2, 3, 4]
    tell(charger_id, event(0, STARTED, 0, state=CONNECTED, evse_number=1))
    assert held() == [0, 4]
    for number in (6, 7, 8):
        tell(charger_id, event(number, wh=number))
    assert held() == [0, 4, 6, 7, 8]
    tell(charger_id, event(5, wh=5, id_tag=CARD))
    assert ChargingSession.objects.get().samples.count() == 4


def test_what_comes_after_an_end_that_may_yet_begin_a_session_is_all_kept(charger_id: int):
    """An end that is the first to name somebody begins one as soon as energy shows (here the first number is lost)."""
    tell(charger_id, event(1, STARTED, 500, state=CONNECTED, evse_number=1))
    tell(charger_id, event(2, wh=500, state=CONNECTED, id_tag=CARD, is_withdrawn=True, is_over=True, reason="Local"))
    for number in (3, 4, 5):
        tell(charger_id, event(number, wh=500, state=IDLE))
    assert held() == [1, 2, 3, 4, 5]
    tell(charger_id, event(6, wh=700, state=IDLE))
    assert ChargingSession.objects.get().ended_at == BEGAN + minutes(2)


FLOWED = Reading(BEGAN, Decimal(40), None, True, "Sample.Periodic")


@pytest.mark.parametrize(
    "told",
    [
        {"state": IDLE},
        {"id_tag": CARD, "state": IDLE},
        {"evse_number": 1},
        {"reservation_id": 7},
        {"readings": (FLOWED,)},
    ],
    ids=["state", "card", "EVSE", "reservation", "energy"],
)
def test_only_what_tells_nothing_new_is_spare(charger_id: int, told: Any):
    tell(charger_id, event(0, STARTED, state=CONNECTED))
    tell(charger_id, event(1))
    tell(charger_id, event(2, **told))
    for number in (3, 4, 5):
        tell(charger_id, event(number))
    assert held() == [0, 2, 5]


def test_a_session_begins_with_the_last_register_before_though_later_events_tell_none(charger_id: int):
    tell(charger_id, event(0, STARTED, 500, state=CONNECTED, evse_number=1))
    tell(charger_id, event(1, wh=501))
    for number in (2, 3, 4):
        tell(charger_id, event(number))
    assert held() == [0, 1, 4]
    tell(charger_id, event(5, id_tag=CARD))
    assert ChargingSession.objects.get().meter_start == 501


@pytest.mark.parametrize(("age", "kept"), [(1, [0, 1]), (31, [])])
def test_a_transaction_is_forgotten_by_its_newest_event(charger_id: int, age: int, kept: Any):
    tell(charger_id, event(0, STARTED, 500, state=CONNECTED, evse_number=1))
    tell(charger_id, event(1, wh=501))
    HeldEvent.objects.filter(seq_no=0).update(received_at=timezone.now() - timedelta(days=40))
    HeldEvent.objects.filter(seq_no=1).update(received_at=timezone.now() - timedelta(days=age))
    transactions.settle_held_events()
    assert held() == kept


def transaction_of(dice: random.Random) -> list[TransactionReported]:
    """A transaction of some charger, in the order in which its events arrive."""
    tells_state, tells_evse, meters = dice.random() < 0.5, dice.random() < 0.3, dice.choice([0.0, 0.9, 0.9, 1.0])
    wh, state = dice.randrange(1000), dice.choice([UNTOLD, IDLE, CONNECTED, CONNECTED])
    first_wh = wh if dice.random() < 0.5 else None
    events = [event(0, STARTED, first_wh, state=state, evse_number=1 if dice.random() < 0.9 else None)]
    count = dice.randrange(6, 24)
    card_at = dice.choice([None, *[dice.randrange(1, count)] * 5])
    for number in range(1, count):
        told: dict[str, Any] = {"evse_number": 1} if tells_evse else {}
        change = dice.random()
        if change < 0.15 and state != UNTOLD:
            state = dice.choice([IDLE, CONNECTED, CONNECTED, CHARGING, SUSPENDED])
            told["state"] = state
        elif tells_state:
            told["state"] = state
        elif change > 0.97:
            told |= {"is_withdrawn": True, "is_over": state != CHARGING, "reason": "Local"}
        wh += dice.randrange(0, 500) if state in (CHARGING, UNTOLD) else dice.choice([0, 0, 1])
        if number == card_at:
            told["id_tag"] = CARD
        one = event(number, wh=wh if dice.random() < meters else None, **told)
        if meters == 0 and dice.random() < 0.5:
            amount = Decimal(dice.choice([0, 0, 0, 40]))
            one = replace(one, readings=(Reading(one.at, amount, None, True, "Sample.Periodic"),))
        events.append(one)
    if dice.random() < 0.8:
        wh += dice.choice([0, 0, 5])
        events.append(event(count, ENDED, wh, state=IDLE, is_over=True, reason="Local"))
    for _ in range(dice.choice([0, 0, 1, 3])):  # late ones
        late = events.pop(dice.randrange(len(events)))
        events.insert(dice.randrange(len(events) + 1), late)
    for _ in range(dice.choice([0, 0, 2])):  # repeated ones
        place = dice.randrange(len(events))
        events.insert(dice.randrange(place, len(events)) + 1, events[place])
    return events


def bill(events: list[TransactionReported], version: Any) -> list[Any]:
    """All that is written down of the transaction, at a charger of its own."""
    HeldEvent.objects.all().delete()
    connector = make_connector()
    charger_id = connector.evse.charger_id
    pending = make_pending(connector, tariff_version=version)
    ChargingSession.objects.filter(pk=pending.pk).update(created_at=BEGAN)
    for one in events:
        tell(charger_id, one if one.id_tag is None else replace(one, id_tag=pending.id_tag))
    HeldEvent.objects.update(received_at=timezone.now() - settings.LOST_STOP_GRACE - minutes(1))
    transactions.settle_held_events()
    written: list[Any] = []
    for session in ChargingSession.objects.filter(connector=connector).order_by("pk"):
        written.append([session.status, session.meter_start, session.is_meter_start_known, session.started_at])
        written.append([session.kwh, session.ended_at, session.stop_reason, session.charging_state])
        samples = session.samples.order_by("at", "pk").values_list("at", "register_wh", "is_interval")
        # What cannot be of the session has the time at which it came.
        written.append([(at if at < BEGAN + minutes(60) else None, *told) for at, *told in samples])
        written.append(list(session.parking_spans.values_list("started_at", "ended_at")))
        bills = CDR.objects.filter(session=session)
        written += bills.values_list("charging_periods", "total_energy", "total_time", "total_cost_incl_vat")
    return written


@pytest.mark.any_database
def test_whatever_order_a_session_that_begins_late_is_the_same_as_if_all_were_held(monkeypatch: Any):
    version = make_version(energy="0.5", hour="3", parking="6", flat="1")
    thin_out, thinned, billed = openings.thin_out, 0, 0

    def counting(timeline: list[TransactionReported]) -> list[TransactionReported]:
        nonlocal thinned
        kept = thin_out(timeline)
        thinned += len(kept) < len(timeline)
        return kept

    for seed in range(25):
        events = transaction_of(random.Random(seed))
        monkeypatch.setattr(openings, "thin_out", lambda timeline: timeline)
        whole = bill(events, version)
        monkeypatch.setattr(openings, "thin_out", counting)
        assert bill(events, version) == whole, seed
        billed += CDR.objects.exists()
        CDR.objects.all().delete()
    assert thinned > 25 and billed > 10
