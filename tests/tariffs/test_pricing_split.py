"""Where a session is cut, and which numbers are published."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.pricing import ChargingPeriod, PricingError, Tariff, price_periods, split_session

pytestmark = pytest.mark.any_database

START = datetime(2026, 2, 2, 9, tzinfo=UTC)


def component(kind, price, step=1):
    return {"type": kind, "price": price, "vat": 20, "step_size": step}


def tariff(*elements):
    return Tariff.from_ocpi(
        {
            "id": "T",
            "currency": "EUR",
            "elements": [
                {"price_components": list(components), "restrictions": restrictions}
                for components, restrictions in elements
            ],
        }
    )


def minutes(number):
    return START + timedelta(minutes=number)


def split(example, *registers, parked=(), end=60, zone="UTC"):
    readings = [(minutes(at), Decimal(str(register))) for at, register in registers]
    spans = [(minutes(since), None if until is None else minutes(until)) for since, until in parked]
    return split_session(example, readings, spans, START, minutes(end), zone)


ONE_PRICE = tariff(([component("ENERGY", 0.4), component("TIME", 6)], {}))


def test_100_seconds_three_times_are_300_seconds():
    """Each cut for itself they would be 299.16 s, each rounded 300.24 s."""
    ends = [START + timedelta(seconds=seconds) for seconds in (100, 200, 300)]
    example = tariff(
        ([component("TIME", 6)], {"max_duration": 100}),
        ([component("TIME", 6.0001)], {"max_duration": 200}),
        ([component("TIME", 6)], {}),
    )
    periods = split_session(example, [], [], START, ends[-1], None)
    assert [str(period.time_h) for period in periods] == ["0.0277", "0.0278", "0.0278"]
    assert price_periods(ONE_PRICE, periods, ends[-1], None).net == Decimal("0.50")


def test_time_and_parking_are_each_cut_for_themselves():
    periods = split(ONE_PRICE, parked=[(100 / 60, 200 / 60)], end=5)
    assert [str(period.time_h or period.parking_h) for period in periods] == ["0.0277", "0.0277", "0.0278"]


def test_energy_is_published_in_whole_watt_hours_that_add_up():
    periods = split(ONE_PRICE, (0, "100.4"), (60, "1101.2"), parked=[(20, 40)])
    assert [str(period.energy_kwh) for period in periods] == ["0.333", "0.334", "0.333"]


def test_periods_begin_exactly_on_kwh_thresholds():
    example = tariff(([component("ENERGY", 0.1)], {"max_kwh": 3.0005}), ([component("ENERGY", 0.5)], {}))
    periods = split(example, (0, 1000), (60, 11000))
    assert [period.energy_kwh for period in periods] == [Decimal("3.0005"), Decimal("6.9995")]
    assert periods[1].start == START + timedelta(seconds=3600 * 0.30005)
    assert price_periods(example, periods, minutes(60), None).net == Decimal("3.80")


def test_threshold_within_a_watt_hour_never_makes_the_next_period_negative():
    example = tariff(
        ([component("ENERGY", 0.1)], {"max_kwh": 3.0005}),
        ([component("ENERGY", 0.3)], {"max_duration": 1800}),
        ([component("ENERGY", 0.5)], {}),
    )
    periods = split(example, (0, 0), (29, 3000), (30, "3000.9"), (60, 4000))
    assert [str(period.energy_kwh) for period in periods] == ["3.0005", "0.0000", "0.9995"]


def test_threshold_is_reached_in_the_first_millisecond_after_it():
    example = tariff(([component("ENERGY", 0.1)], {"max_kwh": 1}), ([component("ENERGY", 0.5)], {}))
    assert split(example, (0, 0), (1, 180000))[1].start == START + timedelta(milliseconds=334)


def test_window_without_end_lasts_until_midnight():
    example = tariff(([component("TIME", 1)], {"start_time": "22:00"}), ([component("TIME", 2)], {}))
    periods = split(example, end=24 * 60)
    assert [period.start for period in periods] == [START, minutes(13 * 60), minutes(15 * 60)]


def test_threshold_between_samples_is_interpolated_and_a_jump_splits_at_once():
    example = tariff(([component("ENERGY", 0.1)], {"max_kwh": 4}), ([component("ENERGY", 0.5)], {}))
    assert [period.start for period in split(example, (0, 0), (10, 2000), (20, 6000))] == [START, minutes(15)]
    jump = split(example, (0, 0), (10, 0), (10, 6000))
    assert [(period.start, period.energy_kwh) for period in jump] == [(START, 4), (minutes(10), 2)]


def test_duration_thresholds_count_parking():
    example = tariff(([component("PARKING_TIME", 1)], {"max_duration": 1800}), ([component("PARKING_TIME", 9)], {}))
    periods = split(example, parked=[(10, None)])
    assert [period.start for period in periods] == [START, minutes(10), minutes(30)]


def test_boundary_without_effect_makes_no_period():
    example = tariff(([component("ENERGY", 0.4)], {"end_time": "09:30"}), ([component("ENERGY", 0.4)], {}))
    assert len(split(example)) == 1


def test_weekday_changes_at_local_midnight():
    example = tariff(([component("TIME", 1)], {"day_of_week": ["MONDAY"]}), ([component("TIME", 2)], {}))
    periods = split_session(example, [], [], START, START + timedelta(days=1), ZoneInfo("America/New_York"))
    assert [period.start for period in periods] == [START, datetime(2026, 2, 3, 5, tzinfo=UTC)]


def test_midnight_that_does_not_exist_starts_the_day_after_the_gap():
    """Beirut put the clock forward at 00:00 of Sunday 29 March 2026: 23:59:59 is followed by 01:00."""
    example = tariff(([component("TIME", 1)], {"day_of_week": ["SUNDAY"]}), ([component("TIME", 2)], {}))
    start = datetime(2026, 3, 28, 20, tzinfo=UTC)
    periods = split_session(example, [], [], start, start + timedelta(hours=6), "Asia/Beirut")
    assert [period.start for period in periods] == [start, datetime(2026, 3, 28, 22, tzinfo=UTC)]


def test_session_cut_to_milliseconds_still_finds_its_duration_threshold():
    example = tariff(([component("TIME", 1)], {"max_duration": 60}), ([component("TIME", 9)], {}))
    start = START + timedelta(microseconds=123456)
    periods = split_session(example, [], [], start, minutes(5), None)
    texts = [period.to_ocpi()["start_date_time"] for period in periods]
    assert texts == ["2026-02-02T09:00:00.123Z", "2026-02-02T09:01:00.123Z"]
    assert periods[0].start.microsecond == 123000


@pytest.mark.parametrize(
    ("registers", "parked", "end", "field"),
    [
        ([(0, 0), (10, 100), (5, 200)], [], 60, "readings"),
        ([(0, 500), (10, 100)], [], 60, "readings"),
        ([], [(20, 10)], 60, "parking_spans"),
        ([], [], -1, "end_date_time"),
    ],
)
def test_bad_sessions_are_refused(registers, parked, end, field):
    with pytest.raises(PricingError) as refused:
        split(ONE_PRICE, *registers, parked=parked, end=end)
    assert refused.value.field == field


def test_parking_that_ends_as_it_begins_is_none():
    assert split(ONE_PRICE, parked=[(20, 20)]) == split(ONE_PRICE)


def test_times_without_a_zone_are_refused():
    with pytest.raises(PricingError, match="must carry a time zone"):
        split_session(ONE_PRICE, [(START.replace(tzinfo=None), Decimal(0))], [], START, minutes(1), "UTC")


def test_power_limits_cannot_be_cut_from_a_register():
    with pytest.raises(PricingError, match="power"):
        split(tariff(([component("ENERGY", 1)], {"max_power": 11})))


PRICES = st.integers(0, 9999).map(lambda number: number / 1000)
HOURS = st.integers(0, 23).map(lambda hour: f"{hour:02}:30")
KWH = st.integers(0, 60000).map(lambda number: number / 1000)
SECONDS = st.integers(0, 701 * 60)
ELEMENTS = st.lists(
    st.tuples(
        st.tuples(PRICES, PRICES, PRICES).map(
            lambda three: [
                component(kind, price) for kind, price in zip(("ENERGY", "TIME", "PARKING_TIME"), three, strict=True)
            ]
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "start_time": HOURS,
                "end_time": HOURS,
                "min_kwh": KWH,
                "max_kwh": KWH,
                "min_duration": SECONDS,
                "max_duration": SECONDS,
            },
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(
    elements=ELEMENTS,
    begin=st.integers(0, 72 * 60),
    kwh=st.integers(0, 60000),
    parked=st.integers(0, 700),
    data=st.data(),
)
def test_splitting_a_period_anywhere_never_changes_the_price(elements, begin, kwh, parked, data):
    """Around the night in which Vienna's clocks go back."""
    start = datetime(2026, 10, 23, 12, tzinfo=UTC) + timedelta(minutes=begin)
    end = start + timedelta(minutes=701)
    example = tariff(*elements)
    spans = [(start + timedelta(minutes=parked), None)]
    readings = [(start, Decimal(0)), (end, Decimal(kwh))]
    periods = split_session(example, readings, spans, start, end, "Europe/Vienna")
    assert sum(period.energy_kwh for period in periods) == Decimal(kwh) / 1000
    cost = price_periods(example, periods, end, "Europe/Vienna")

    index = data.draw(st.integers(0, len(periods) - 1))
    ends = [*(period.start for period in periods[1:]), end]
    share = data.draw(st.integers(1, 99))
    halves = halved(periods[index], ends[index], share)
    again = price_periods(example, [*periods[:index], *halves, *periods[index + 1 :]], end, "Europe/Vienna")
    assert again == cost


def halved(period, end, share):
    def part(volume):
        return (volume * share / 100).quantize(Decimal("0.0001"))

    first = ChargingPeriod(period.start, part(period.energy_kwh), part(period.time_h), part(period.parking_h))
    second = ChargingPeriod(
        period.start + (end - period.start) * share / 100,
        period.energy_kwh - first.energy_kwh,
        period.time_h - first.time_h,
        period.parking_h - first.parking_h,
    )
    return first, second


@pytest.mark.parametrize("end", [0, 60])
def test_a_register_that_jumps_at_the_start_loses_nothing(end):
    """A charger whose clock stood still, or was set back, tells several registers of one instant."""
    periods = split(ONE_PRICE, (0, 1000), (0, 3000), end=end)
    assert sum(period.energy_kwh for period in periods) == 2


def test_a_register_that_jumps_at_the_end_or_on_a_boundary_counts_once():
    example = tariff(([component("ENERGY", 0.4)], {"max_duration": 1800}), ([component("ENERGY", 0.8)], {}))
    periods = split(example, (0, 1000), (30, 2000), (30, 5000), (60, 6000), (60, 7000))
    assert [period.energy_kwh for period in periods] == [1, 5]
