"""What a charger's configuration is, as its answers tell it."""

from typing import Any

import pytest

from chargers.choices import CallResult
from chargers.models import ChargerVariable, OutgoingCall
from chargers.services import calls, operations, variables
from chargers.services.variables import VariableName, VariableValue
from tests.chargers.factories import make_connector

pytestmark = pytest.mark.django_db


@pytest.fixture
def charger() -> Any:
    return make_connector().evse.charger


def answered(call: OutgoingCall, answer: Any, result: CallResult = CallResult.ACCEPTED) -> None:
    calls.finish_call(call.pk, result, answer)
    variables.store_answer(call.pk)


def told(charger: Any) -> list[tuple[str, str, bool, bool, bool]]:
    rows = ChargerVariable.objects.filter(charger=charger).order_by("variable")
    return [(row.name, row.value, row.is_known, row.is_readonly, row.needs_reboot) for row in rows]


def read(charger: Any, *keys: Any, unknown: Any = ()) -> None:
    call = operations.request_operation(charger, "read-configuration", {"keys": []})
    answered(call, {"configurationKey": list(keys), "unknownKey": list(unknown)})


INTERVAL = {"key": "HeartbeatInterval", "readonly": False, "value": "60"}


def test_keys_that_were_read(charger: Any):
    read(charger, INTERVAL, {"key": "NumberOfConnectors", "readonly": True, "value": "2"}, unknown=["Nonsense"])
    assert told(charger) == [
        ("HeartbeatInterval", "60", True, False, False),
        ("Nonsense", "", False, False, False),
        ("NumberOfConnectors", "2", True, True, False),
    ]
    read(charger, {**INTERVAL, "value": "90"})
    assert told(charger)[0] == ("HeartbeatInterval", "90", True, False, False)


def test_dozens_of_keys_are_as_few_queries_as_one(charger: Any, django_assert_num_queries: Any):
    read(charger, {**INTERVAL, "readonly": True})
    keys = [VariableValue(VariableName(f"Key{number}"), str(number)) for number in range(60)]
    with django_assert_num_queries(4):  # a savepoint and its release
        variables.record_variables(charger.pk, [*keys, VariableValue(VariableName("HeartbeatInterval"), "7")])
    assert len(told(charger)) == 61
    assert ("HeartbeatInterval", "7", True, True, False) in told(charger)  # what was not told again stays


def test_names_that_are_cut_to_one_are_one(charger: Any):
    long = "x" * 50
    read(charger, {"key": f"{long}1", "value": "1"}, {"key": f"{long}2", "value": "2"})
    assert told(charger) == [(long, "2", True, False, False)]


def test_a_key_that_was_changed(charger: Any):
    read(charger, INTERVAL)
    variable = ChargerVariable.objects.get()
    call = operations.request_change(variable, "30")
    assert call.payload == {"action": "ChangeConfiguration", "payload": {"key": "HeartbeatInterval", "value": "30"}}
    answered(call, {"status": "Rejected"}, CallResult.REJECTED)
    assert told(charger) == [("HeartbeatInterval", "60", True, False, False)]
    answered(operations.request_change(variable, "30"), {"status": "RebootRequired"})
    assert told(charger) == [("HeartbeatInterval", "30", True, False, True)]


def test_the_password_is_kept_nowhere(charger: Any):
    secret = "a-password-of-a-charger"
    call = operations.request(charger, "ChangeConfiguration", {"key": "AuthorizationKey", "value": secret})
    answered(call, {"status": "Accepted"})
    read(charger, {"key": "AuthorizationKey", "readonly": False, "value": secret})
    assert told(charger) == [("AuthorizationKey", "***", True, False, False)]
    assert secret not in str(list(OutgoingCall.objects.filter(pk=call.pk).values()))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"configurationKey": "x"},
        {"configurationKey": [5, {"key": 7}]},
        {"unknownKey": [None]},
        {"unknownKey": True},
    ],
)
def test_an_answer_that_is_not_ocpp_changes_nothing(charger: Any, answer: Any):
    answered(operations.request_operation(charger, "read-configuration", {"keys": []}), answer)
    assert told(charger) == []


def test_variables_of_ocpp_201(charger: Any):
    component = {"name": "EVSE", "evse": {"id": 1}}
    asked = {"component": component, "variable": {"name": "Power", "instance": "x"}, "attributeType": "MaxSet"}
    call = operations.request(charger, "GetVariables", {"getVariableData": [asked]})
    answered(call, {"getVariableResult": [{**asked, "attributeStatus": "Accepted", "attributeValue": "22000"}]})
    variable = ChargerVariable.objects.get()
    assert (variable.name, variable.value) == ("EVSE[1].Power:x#MaxSet", "22000")
    call = operations.request_change(variable, "11000")
    assert call.payload["payload"] == {"setVariableData": [{"attributeValue": "11000", **asked}]}
    answered(call, {"setVariableResult": [{**asked, "attributeStatus": "RebootRequired"}]})
    assert told(charger) == [("EVSE[1].Power:x#MaxSet", "11000", True, False, True)]


@pytest.mark.parametrize("evse", [7, "x", [1], {"id": "x"}, {"id": 1.5}, {"id": [1]}, {"id": 1, "connectorId": "x"}])
def test_of_an_answer_whatever_cannot_be_read_is_passed_over(charger: Any, evse: Any):
    good = {"component": {"name": "Good", "evse": {"id": 1, "connectorId": None}}, "variable": {"name": "Power"}}
    odd = {"component": {"name": "Odd", "evse": evse}, "variable": {"name": "Power"}}
    call = operations.request(charger, "GetVariables", {"getVariableData": [good | {"component": {"name": "Good"}}]})
    read = {"attributeStatus": "Accepted", "attributeValue": "7"}
    answered(call, {"getVariableResult": [odd | read, good | read]})
    assert told(charger) == [("Good[1].Power", "7", True, False, False)]
