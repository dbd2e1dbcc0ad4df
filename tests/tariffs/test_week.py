"""Which detail applies when: the week view says what the engine would price."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.choices import Recurrence
from tariffs.pricing import ChargingPeriod, DayOfWeek, Detail, DetailPrice, Tariff, emit_elements, price_periods
from tariffs.pricing.tariff import WEEK
from tariffs.services.week import clock_changes, monday_of, week_of

VIENNA = ZoneInfo("Europe/Vienna")
DAY = Detail(1, 0, start=datetime(2026, 1, 1, 6), stop=datetime(2027, 1, 1, 22))
NIGHT = Detail(2, 10, start=datetime(2026, 1, 1, 22), stop=datetime(2027, 1, 2, 6))
ORDINARY = date(2026, 6, 10)
SPRING = date(2026, 3, 29)
AUTUMN = date(2026, 10, 25)


def said(day):
    """Hours of the day with the winner's id, and which passing of a repeated hour."""
    return [
        (one.first_minute / 60, one.last_minute / 60, one.detail and one.detail.id, one.passing)
        for one in day.stretches
    ]


def on(details, day, zone=VIENNA):
    return week_of(details, day, zone)[day.weekday()]


def test_week_begins_on_monday():
    days = week_of([DAY], ORDINARY, VIENNA)
    assert [day.date for day in days] == [date(2026, 6, 8) + timedelta(days=n) for n in range(7)]
    assert {day.hours for day in days} == {24}
    assert monday_of(date(2026, 6, 14)) == monday_of(date(2026, 6, 8)) == date(2026, 6, 8)


def test_night_crosses_midnight():
    assert said(on([DAY, NIGHT], ORDINARY)) == [(0, 6, 2, 0), (6, 22, 1, 0), (22, 24, 2, 0)]


def test_uncovered_time_has_no_winner():
    assert said(on([DAY], ORDINARY)) == [(0, 6, None, 0), (6, 22, 1, 0), (22, 24, None, 0)]


def test_higher_priority_wins_whatever_the_order():
    happy = Detail(3, 20, start=datetime(2026, 1, 1, 21), stop=datetime(2027, 1, 1, 23))
    expected = [(0, 6, 2, 0), (6, 21, 1, 0), (21, 23, 3, 0), (23, 24, 2, 0)]
    assert said(on([DAY, NIGHT, happy], ORDINARY)) == said(on([happy, DAY, NIGHT], ORDINARY)) == expected


def test_part_after_midnight_belongs_to_the_day_of_the_start():
    friday = Detail(1, start=datetime(2026, 1, 1, 22), stop=datetime(2027, 1, 1, 6), weekdays=(DayOfWeek.FRIDAY,))
    days = week_of([friday], ORDINARY, VIENNA)
    assert said(days[4]) == [(0, 22, None, 0), (22, 24, 1, 0)]
    assert said(days[5]) == [(0, 6, 1, 0), (6, 24, None, 0)]
    assert all(said(days[other]) == [(0, 24, None, 0)] for other in (0, 1, 2, 3, 6))


def test_one_time_detail_is_in_its_week_only():
    once = Detail(1, recurrence=Recurrence.ONE_TIME, start=datetime(2026, 6, 13, 18), stop=datetime(2026, 6, 15, 8))
    days = week_of([once], ORDINARY, VIENNA)
    assert said(days[5]) == [(0, 18, None, 0), (18, 24, 1, 0)]
    assert said(days[6]) == [(0, 24, 1, 0)]
    assert said(week_of([once], date(2026, 6, 15), VIENNA)[0]) == [(0, 8, 1, 0), (8, 24, None, 0)]
    assert said(week_of([once], date(2026, 6, 22), VIENNA)[0]) == [(0, 24, None, 0)]


def test_details_of_one_price_are_told_apart():
    cheap = DetailPrice(Decimal("0.3"))
    early = Detail(1, 1, start=datetime(2026, 1, 1), stop=datetime(2027, 1, 1, 8), energy=cheap)
    late = Detail(2, 0, energy=cheap)
    assert said(on([early, late], ORDINARY)) == [(0, 8, 1, 0), (8, 24, 2, 0)]


def test_reservation_price_alone_changes_no_winner():
    reserved = Detail(1, 0, reservation_time=DetailPrice(Decimal(3)))
    assert said(on([reserved], ORDINARY)) == [(0, 24, 1, 0)]


def test_spring_night_skips_an_hour():
    day = on([DAY, NIGHT], SPRING)
    assert (day.hours, day.skipped) == (23, ((120, 180),))
    assert said(day) == [(0, 2, 2, 0), (3, 6, 2, 0), (6, 22, 1, 0), (22, 24, 2, 0)]
    assert day.stretches[0].until == day.stretches[1].since == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_boundary_in_the_skipped_hour_takes_effect_after_it():
    until = Detail(1, start=datetime(2026, 1, 1), stop=datetime(2027, 1, 1, 2, 30))
    assert said(on([until], SPRING)) == [(0, 2, 1, 0), (3, 24, None, 0)]


def test_autumn_night_passes_an_hour_twice():
    day = on([DAY, NIGHT], AUTUMN)
    assert (day.hours, day.skipped, day.has_repeated) == (25, (), True)
    assert said(day)[:4] == [(0, 2, 2, 0), (2, 3, 2, 1), (2, 3, 2, 2), (3, 6, 2, 0)]
    first, second = day.stretches[1:3]
    assert first.until == second.since == datetime(2026, 10, 25, 1, tzinfo=UTC)


def test_boundary_in_the_repeated_hour_flips_twice():
    until = Detail(1, start=datetime(2026, 1, 1), stop=datetime(2027, 1, 1, 2, 30))
    assert said(on([until], AUTUMN))[1:5] == [(2, 2.5, 1, 1), (2.5, 3, None, 1), (2, 2.5, 1, 2), (2.5, 3, None, 2)]


def test_clocks_that_change_at_midnight():
    beirut = ZoneInfo("Asia/Beirut")
    spring, autumn = on([DAY], date(2026, 3, 29), beirut), on([DAY], date(2026, 10, 24), beirut)
    assert (spring.hours, spring.skipped, said(spring)[0]) == (23, ((0, 60),), (1, 6, None, 0))
    assert (autumn.hours, said(autumn)[-2:]) == (25, [(23, 24, None, 1), (23, 24, None, 2)])


def test_clocks_that_change_by_half_an_hour():
    day = on([DAY], date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe"))
    assert day.hours == Decimal("24.5")
    assert said(day)[1:3] == [(1.5, 2, None, 1), (1.5, 2, None, 2)]


def test_clock_changes_of_a_year():
    changes = clock_changes(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), VIENNA)
    assert changes == [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    assert clock_changes(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), UTC) == []


@pytest.mark.parametrize(("begin", "found"), [(1, True), (2, False)])
def test_clock_change_counts_at_the_beginning_of_the_time_asked_for(begin, found):
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert (change in clock_changes(change.replace(hour=begin), change.replace(hour=5), VIENNA)) is found


minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: timedelta(minutes=minute))
starts = st.builds(datetime.__add__, st.sampled_from([datetime(2026, 3, 24), datetime(2026, 3, 28)]), minutes)
stops = st.builds(datetime.__add__, st.sampled_from([datetime(2026, 3, 29), datetime(2026, 4, 20)]), minutes)


@st.composite
def some_details(draw):
    return [
        Detail(
            number,
            priority=number,
            recurrence=draw(st.sampled_from(Recurrence)),
            start=draw(st.none() | starts),
            stop=draw(st.none() | stops),
            weekdays=draw(st.just(()) | st.sets(st.sampled_from(WEEK), max_size=6).map(tuple)),
            energy=DetailPrice(Decimal(number)),
        )
        for number in range(1, draw(st.integers(2, 5)))
    ]


@settings(max_examples=60, deadline=None)
@given(some_details(), st.lists(st.integers(0, 7 * 24 * 60 - 61), min_size=5, max_size=5))
def test_winner_is_what_the_engine_charges(details, offsets):
    """One kWh costs the number of the detail that the week shows, at any minute of a week with a clock change."""
    days = week_of(details, SPRING, VIENNA)
    stretches = [stretch for day in days for stretch in day.stretches]
    assert all(one.until == other.since for one, other in pairwise(stretches))
    tariff = Tariff("T", "EUR", tuple(emit_elements(details)))
    for offset in offsets:
        instant = stretches[0].since + timedelta(minutes=offset)
        period = ChargingPeriod(instant, energy_kwh=Decimal(1))
        paid = price_periods(tariff, [period], instant + timedelta(minutes=1), VIENNA).total.excl_vat
        shown = next(stretch for stretch in stretches if stretch.since <= instant < stretch.until)
        assert paid == (shown.detail.energy.price if shown.detail else 0)
