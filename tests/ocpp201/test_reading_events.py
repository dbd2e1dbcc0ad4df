"""What a TransactionEvent says, and where in a row of them a session begins: without a socket."""

from decimal import Decimal

import pytest

from chargers.ocpp.v201_events import read_event, read_readings, read_token

AT = "2026-06-01T10:00:00Z"


@pytest.mark.parametrize(
    ("samples", "wh"),
    [
        ([{"value": 5, "unit_of_measure": {"unit": "kWh"}}], 5000),
        ([{"value": 5, "unit_of_measure": {"multiplier": 3}}], 5000),
        ([{"value": 5.5, "unit_of_measure": {"unit": "kWh", "multiplier": 1}}], 55000),
        ([{"value": 5000.5}], "5000.5"),
        ([{"value": 1e-7, "unit_of_measure": {"multiplier": 7}}], 1),
        ([{"value": 1e-7}], 0),
        ([{"value": 1000, "phase": phase} for phase in ("L1", "L2", "L3")], 3000),
        ([{"value": 9000, "location": "Inlet"}, {"value": 5000, "location": "Outlet"}], 5000),
        ([{"value": 9000, "location": "Inlet"}], 9000),
        ([{"value": 50, "measurand": "SoC", "unit_of_measure": {"unit": "Percent"}}, {"value": 5000}], 5000),
    ],
)
def test_registers_come_in_many_shapes(samples, wh):
    [reading] = read_readings([{"timestamp": AT, "sampled_value": samples}])
    assert reading.register_wh == Decimal(wh)


@pytest.mark.parametrize("multiplier", [11, 10**6, 10**7, 10**30])
def test_a_multiplier_beyond_all_bounds_makes_no_amount(multiplier):
    sample = {"value": 5, "unit_of_measure": {"multiplier": multiplier}}
    assert read_readings([{"timestamp": AT, "sampled_value": [sample]}]) == ()


def test_power_comes_beside_the_register():
    power = {"value": 11, "measurand": "Power.Active.Import", "unit_of_measure": {"unit": "W", "multiplier": 3}}
    [reading] = read_readings([{"timestamp": AT, "sampled_value": [{"value": 1}, power]}])
    assert reading.power_w == 11_000


def event(kind, trigger, **info):
    return read_event(
        {
            "event_type": kind,
            "timestamp": AT,
            "trigger_reason": trigger,
            "seq_no": 3,
            "transaction_info": {"transaction_id": "t", **info},
        }
    )


@pytest.mark.parametrize(
    ("kind", "trigger", "state", "is_over"),
    [
        ("Updated", "StopAuthorized", "EVConnected", True),
        ("Updated", "RemoteStop", "Idle", True),
        ("Updated", "Deauthorized", "EVConnected", True),
        ("Updated", "StopAuthorized", "SuspendedEVSE", True),
        ("Updated", "StopAuthorized", "Charging", False),
        ("Updated", "RemoteStop", "", False),
        ("Updated", "ChargingStateChanged", "EVConnected", False),
        ("Started", "RemoteStop", "EVConnected", False),
        ("Ended", "AbnormalCondition", "", True),
    ],
)
def test_a_withdrawn_authorisation_ends_the_session_once_no_energy_flows(kind, trigger, state, is_over):
    info = {"charging_state": state} if state else {}
    assert event(kind, trigger, **info).is_over is is_over


@pytest.mark.parametrize(
    ("stopped", "reason"),
    [
        ({}, "Local"),
        ({"stopped_reason": "StoppedByEV"}, "Local"),
        ({"stopped_reason": "EVDisconnected"}, "EVDisconnected"),
        ({"stopped_reason": "MasterPass"}, "DeAuthorized"),
        ({"stopped_reason": "ImmediateReset"}, "HardReset"),
        ({"stopped_reason": "GroundFault"}, "GroundFault"),
    ],
)
def test_why_it_ended_is_said_in_the_words_of_our_services(stopped, reason):
    assert event("Ended", "EVDeparted", **stopped).reason == reason


@pytest.mark.parametrize(("told", "kept"), [("04ab-c", "04AB-C"), ("ß" * 35 + "a", "ß" * 35 + "A")])
def test_a_tag_is_in_capitals_and_no_longer_than_it_was_told(told, kept):
    assert read_token({"id_token": told, "type": "ISO14443"}) == kept
