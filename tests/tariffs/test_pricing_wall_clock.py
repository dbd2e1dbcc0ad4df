"""Random details, evaluated straight from the clock on the wall, cost what partners compute from our tariff.

The evaluation here knows nothing of elements, restrictions or charging periods: it walks through the session in
slots and asks which detail applies. Everything happens on multiples of three minutes, which are whole multiples of
0.0001 h, so that both amounts must be equal and not only close.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tariffs.choices import Recurrence
from tariffs.pricing import (
    DayOfWeek,
    Detail,
    DetailPrice,
    Tariff,
    cost_now,
    emit_elements,
    price_periods,
    read_periods,
    split_session,
)

pytestmark = pytest.mark.any_database

DAY = timedelta(days=1)
SLOT = timedelta(minutes=3)
SLOTS_PER_HOUR = 20
WEEK = tuple(DayOfWeek)
FREE = DetailPrice()

# Nights in which the clocks change: by an hour, by half an hour, at midnight.
NIGHTS = [
    ("Europe/Vienna", date(2026, 3, 29)),
    ("Europe/Vienna", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 25)),
    ("Asia/Kathmandu", date(2026, 5, 1)),
]


@dataclass
class Session:
    """Counted in slots since `begin`; `rates` are Wh per slot from the start of charging."""

    zone: str
    begin: datetime
    reserved: int
    rates: list[int]
    parked: list[bool] = field(default_factory=list)

    @property
    def start(self):
        return self.begin + self.reserved * SLOT

    @property
    def end(self):
        return self.start + len(self.rates) * SLOT

    def readings(self):
        """One where the power changes; the register is a straight line between them."""
        register, readings = 7000, [(self.start, Decimal(7000))]
        for index, rate in enumerate(self.rates):
            register += rate
            if self.rates[index + 1 : index + 2] != [rate]:
                readings.append((self.start + (index + 1) * SLOT, Decimal(register)))
        return readings

    def parking_spans(self):
        return [
            (self.start + index * SLOT, self.start + (index + 1) * SLOT)
            for index, is_parked in enumerate(self.parked)
            if is_parked
        ]


def applies(detail, wall):
    """Whether the detail covers a naive local time: by its own range, or by one of its daily windows."""
    if detail.recurrence == Recurrence.ONE_TIME:
        return (detail.start is None or detail.start <= wall) and (detail.stop is None or wall < detail.stop)
    return any(in_daily_window(detail, wall, wall.date() - days * DAY) for days in (0, 1))


def in_daily_window(detail, wall, day):
    """The window that starts on `day`, which also decides about the weekday of its part after midnight."""
    if detail.weekdays and WEEK[day.weekday()] not in detail.weekdays:
        return False
    opens = datetime.combine(day, detail.start.time() if detail.start else time())
    closes = datetime.combine(day, detail.stop.time() if detail.stop else time())
    if closes <= opens:
        closes += DAY
    is_in_range = (detail.start is None or detail.start <= opens) and (detail.stop is None or closes <= detail.stop)
    return is_in_range and opens <= wall < closes


def winner(details, instant, zone):
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    covering = [detail for detail in details if applies(detail, wall)]
    return max(covering, key=lambda detail: (detail.priority, -detail.id), default=Detail(0))


def directly(details, session):
    """Net and gross of the session."""
    used = []
    for index in range(session.reserved):
        now = winner(details, session.begin + index * SLOT, session.zone)
        used.append((now.reservation_time, Fraction(1, SLOTS_PER_HOUR)))
    for index, rate in enumerate(session.rates):
        now = winner(details, session.start + index * SLOT, session.zone)
        used.append((now.flat, 0 if index else 1))
        used.append((now.energy, Fraction(rate, 1000)))
        used.append((now.park_time if session.parked[index] else now.charge_time, Fraction(1, SLOTS_PER_HOUR)))
    net = [(price, Fraction(price.price or 0) * amount) for price, amount in used]
    return sum(one for _, one in net), sum(one * (1 + Fraction(price.vat or 0) / 100) for price, one in net)


def as_partners_do(details, session):
    """What comes out of our tariff and our charging periods once both have been sent as JSON."""
    elements = json.dumps([element.to_ocpi() for element in emit_elements(details)])
    tariff = Tariff.from_ocpi({"id": "T", "currency": "EUR", "elements": json.loads(elements)})
    periods = split_session(
        tariff,
        session.readings(),
        session.parking_spans(),
        session.start,
        session.end,
        session.zone,
        reserved_from=session.begin,
    )
    event(f"{min(len(periods), 10)} periods")
    received = read_periods(json.loads(json.dumps([period.to_ocpi() for period in periods])))
    return price_periods(tariff, received, session.end, session.zone)


AMOUNTS = st.integers(0, 99999).map(lambda number: Decimal(number) / 10000)
PRICES = st.one_of(
    st.just(FREE),
    st.builds(DetailPrice, AMOUNTS, st.sampled_from([None, Decimal(0), Decimal("5.5"), Decimal(20)])),
)
TIMES = st.builds(time, st.sampled_from([0, 0, 1, 2, 2, 3, 6, 12, 18, 22, 23]), st.sampled_from([0, 0, 15, 30, 48]))
WEEKDAYS = st.one_of(st.just(()), st.sets(st.sampled_from(WEEK), min_size=1).map(tuple))


@st.composite
def detail_lists(draw, night):
    dates = st.integers(-4, 4).map(lambda days: night + days * DAY)
    boundaries = st.one_of(st.none(), st.builds(datetime.combine, dates, TIMES))
    few_priorities = st.integers(0, 3)
    return [
        Detail(
            number,
            draw(few_priorities),
            draw(st.sampled_from(Recurrence)),
            draw(boundaries),
            draw(boundaries),
            draw(WEEKDAYS),
            *(draw(PRICES) for _ in range(5)),
        )
        for number in range(1, draw(st.integers(1, 5)) + 1)
    ]


@st.composite
def sessions(draw, zone, night):
    midnight = datetime.combine(night, time(), ZoneInfo(zone)).astimezone(UTC)
    begin = midnight + draw(st.integers(-30 * SLOTS_PER_HOUR, 12 * SLOTS_PER_HOUR)) * SLOT
    stretches = draw(
        st.lists(st.tuples(st.integers(1, 150), st.integers(0, 3000), st.booleans()), min_size=1, max_size=5)
    )
    rates = [rate for slots, rate, _ in stretches for _ in range(slots)]
    parked = [is_parked for slots, _, is_parked in stretches for _ in range(slots)]
    return Session(zone, begin, draw(st.sampled_from([0, 0, 1, 40])), rates, parked)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_published_tariff_costs_what_the_details_say(data):
    zone, night = data.draw(st.sampled_from(NIGHTS))
    details = data.draw(detail_lists(night))
    session = data.draw(sessions(zone, night))
    cost = as_partners_do(details, session)
    net, gross = directly(details, session)
    assert abs(Fraction(cost.total.excl_vat) - net) < Fraction(1, 10**12)
    assert abs(Fraction(cost.total.incl_vat) - gross) < Fraction(1, 10**12)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_running_session_never_becomes_cheaper(data):
    """Nor do readings that arrive late for a stretch in which the price has changed."""
    zone, night = data.draw(st.sampled_from(NIGHTS))
    tariff = Tariff("T", "EUR", tuple(emit_elements(data.draw(detail_lists(night)))))
    session = data.draw(sessions(zone, night))
    readings = session.readings()
    steps = data.draw(st.lists(st.integers(0, 600_000), min_size=2, max_size=12).map(sorted))
    before = Decimal(0)
    for step in steps:
        now = session.start + timedelta(milliseconds=step * 90)
        known = [reading for reading in readings if reading[0] <= now]
        total = cost_now(tariff, known, [], session.start, now, zone).total.excl_vat
        assert total >= before
        before = total
