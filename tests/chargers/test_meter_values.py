from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.ocpp.meter_values import read_instant, read_meter_values

AT = "2026-06-01T10:00:00Z"


def read(*samples):
    return read_meter_values([{"timestamp": AT, "sampled_value": list(samples)}])


def test_a_bare_value_is_the_register_in_watt_hours():
    (reading,) = read({"value": "1234"})
    assert (reading.at, reading.register_wh) == (datetime(2026, 6, 1, 10, tzinfo=UTC), 1234)
    assert reading.power_w is None


def test_kilo_units_are_converted():
    power = {"value": "11.5", "measurand": "Power.Active.Import", "unit": "kW"}
    (reading,) = read({"value": "1.5", "unit": "kWh"}, power)
    assert (reading.register_wh, reading.power_w) == (1500, 11500)


def test_phases_are_added_when_there_is_no_total():
    register = {"measurand": "Energy.Active.Import.Register"}
    phases = [{**register, "value": "100", "phase": phase} for phase in ("L1", "L2", "L3")]
    assert read(*phases)[0].register_wh == 300
    assert read(*phases, {**register, "value": "299"})[0].register_wh == 299


def test_phases_against_neutral_are_added_too():
    assert read(*[{"value": "100", "phase": phase} for phase in ("L1-N", "L2-N", "L3-N")])[0].register_wh == 300


def test_the_register_of_the_outlet_counts_wherever_it_stands():
    inlet = {"value": "1100", "location": "Inlet"}
    assert read(inlet, {"value": "1000", "location": "Outlet"})[0].register_wh == 1000
    assert read(inlet, {"value": "900"})[0].register_wh == 900
    assert read(inlet)[0].register_wh == 1100


def test_single_phases_between_phases_are_no_register():
    assert read({"value": "100", "phase": "L1-L2"}) == ()


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "80", "measurand": "SoC", "unit": "Percent"},
        {"value": "100", "measurand": "Energy.Active.Export.Interval"},
        {"value": "OCMF|...", "format": "SignedData"},
        {"value": "unknown"},
        {"value": "NaN"},
        {"value": "-5"},
        {"value": "1e30"},
        {"value": "1E999999", "unit": "kWh"},
        {"value": "1E9999999999999999999"},
        {"value": "5", "unit": "varh"},
    ],
)
def test_what_is_no_register_gives_no_reading(sample):
    assert read(sample) == ()


@pytest.mark.parametrize(("told", "kept"), [("1E-20000", "0.000"), ("0." + "6" * 9000, "0.667"), ("5.25", "5.250")])
def test_more_decimals_than_are_stored_are_rounded(told, kept):
    power = {"value": told, "measurand": "Power.Active.Import"}
    (reading,) = read({"value": told}, power)
    assert (str(reading.register_wh), str(reading.power_w)) == (kept, kept)


def test_the_energy_of_an_interval_is_read_where_no_register_is_told():
    interval = {"value": "0.25", "measurand": "Energy.Active.Import.Interval", "unit": "kWh"}
    (reading,) = read(interval)
    assert (reading.register_wh, reading.is_interval) == (250, True)
    (reading,) = read(interval, {"value": "1000"})
    assert (reading.register_wh, reading.is_interval) == (1000, False)


def test_intervals_of_several_contexts_are_told_apart():
    interval = {"measurand": "Energy.Active.Import.Interval"}
    told = {"Sample.Clock": "900", "Sample.Periodic": "100", "Trigger": "30"}
    readings = read(*[{**interval, "value": value, "context": context} for context, value in told.items()])
    assert [(one.context, one.register_wh) for one in readings] == [("Sample.Clock", 900), ("Sample.Periodic", 100)]
    (reading,) = read({**interval, "value": "7"})
    assert reading.context == "Sample.Periodic"


def test_instants_are_utc():
    assert read_instant("2026-06-01T12:00:00+02:00") == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert read_instant("2026-06-01T10:00:00.250") == datetime(2026, 6, 1, 10, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "yesterday", "0001-01-01T00:00:00+14:00"])
def test_an_instant_that_cannot_be_read_is_now(value):
    assert timezone.now() - read_instant(value) < timedelta(minutes=1)


def test_the_order_of_values_is_kept():
    values = [
        {"timestamp": "2026-06-01T10:01:00Z", "sampled_value": [{"value": "2"}]},
        {"timestamp": AT, "sampled_value": [{"value": "1"}]},
    ]
    assert [reading.register_wh for reading in read_meter_values(values)] == [Decimal(2), Decimal(1)]
