"""A password that a charger is given over OCPP opens its next connection, and the old one until then."""

from typing import Any

import pytest

from chargers.choices import CallResult
from chargers.models import ChargerConnection, OutgoingCall
from chargers.ocpp import auth
from chargers.services import calls, lifecycle, operations
from tests.chargers.charger_socket import PASSWORD, basic
from tests.chargers.factories import CHANNEL, make_connector

pytestmark = pytest.mark.django_db
NEW = "another-secret-of-20"
ACCEPTED, TIMEOUT = CallResult.ACCEPTED, CallResult.TIMEOUT


@pytest.fixture
def charger() -> Any:
    charger = make_connector().evse.charger
    lifecycle.set_password(charger, PASSWORD)
    return charger


def change_16(charger: Any, password: str = NEW) -> OutgoingCall:
    return operations.request(charger, "ChangeConfiguration", {"key": "authorizationKey", "value": password})


def change_201(charger: Any) -> OutgoingCall:
    other = {"component": {"name": "C"}, "variable": {"name": "V"}, "attributeValue": "1"}
    secret = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
        "attributeValue": NEW,
    }
    return operations.request(charger, "SetVariables", {"setVariableData": [other, secret]})


def send(call: OutgoingCall) -> None:
    claimed = calls.claim_next(call.charger_id, CHANNEL)
    assert claimed is not None and claimed.id == call.pk


def end(call: OutgoingCall, result: CallResult, answer: Any = None) -> None:
    send(call)
    calls.finish_call(call.pk, result, answer)


def is_let_in(charger: Any, password: str) -> bool:
    try:
        return auth.admit(charger.identity, basic(charger.identity, password)) == charger.pk
    except auth.Refused:
        return False


def results(*statuses: str) -> Any:
    return {"setVariableResult": [{"attributeStatus": status} for status in statuses]}


def in_another_order(of_secret: str, of_other: str) -> Any:
    """As `change_201` asks, but answered the other way round and in other letters."""
    secret = {"component": {"name": "securityctrlr"}, "variable": {"name": "basicauthpassword"}}
    other = {"component": {"name": "C"}, "variable": {"name": "V"}}
    return {"setVariableResult": [secret | {"attributeStatus": of_secret}, other | {"attributeStatus": of_other}]}


def test_a_password_that_never_left_opens_nothing(charger: Any):
    call = change_16(charger)
    send(call)
    calls.give_back(call.pk, CHANNEL)
    assert not is_let_in(charger, NEW)
    send(call)
    assert is_let_in(charger, NEW)


@pytest.mark.parametrize(
    ("ask", "result", "answer"),
    [
        (change_16, ACCEPTED, {"status": "Accepted"}),
        (change_16, ACCEPTED, {"status": "RebootRequired"}),
        (change_16, TIMEOUT, None),
        (change_201, ACCEPTED, results("Rejected", "Accepted")),
        (change_201, ACCEPTED, in_another_order("Accepted", "Rejected")),
        (change_201, TIMEOUT, None),
    ],
)
def test_the_old_one_is_good_until_the_new_one_is_shown(charger: Any, ask: Any, result: CallResult, answer: Any):
    end(ask(charger), result, answer)
    assert is_let_in(charger, PASSWORD) and not is_let_in(charger, "a guess")
    assert is_let_in(charger, NEW)
    assert not is_let_in(charger, PASSWORD)
    assert is_let_in(charger, NEW)


@pytest.mark.parametrize(
    ("ask", "result", "answer"),
    [
        (change_16, CallResult.REJECTED, {"status": "Rejected"}),
        (change_16, CallResult.NOT_SUPPORTED, {"status": "NotSupported"}),
        (change_201, ACCEPTED, results("Accepted", "Rejected")),
        (change_201, ACCEPTED, in_another_order("Rejected", "Accepted")),
        (change_201, ACCEPTED, {"setVariableResult": [None]}),
        (change_201, CallResult.REJECTED, results("Rejected", "Rejected")),
    ],
)
def test_one_that_the_charger_did_not_take_opens_nothing(charger: Any, ask: Any, result: CallResult, answer: Any):
    end(ask(charger), result, answer)
    assert not is_let_in(charger, NEW)
    assert is_let_in(charger, PASSWORD)


def test_of_several_that_the_charger_did_not_answer_each_may_be_in_force(charger: Any):
    passwords = [f"password-number-{number}" for number in range(3)]
    for password in passwords:
        end(change_16(charger, password), TIMEOUT)
    assert is_let_in(charger, passwords[1])
    # What was before it is over, what was sent afterwards may come after a reboot.
    assert not is_let_in(charger, PASSWORD) and not is_let_in(charger, passwords[0])
    assert is_let_in(charger, passwords[1])
    assert is_let_in(charger, passwords[2]) and not is_let_in(charger, passwords[1])


def test_a_refused_one_leaves_those_before_it(charger: Any):
    end(change_16(charger, "password-number-1"), TIMEOUT)
    end(change_16(charger, "password-number-2"), CallResult.REJECTED, {"status": "Rejected"})
    assert not is_let_in(charger, "password-number-2")
    assert is_let_in(charger, "password-number-1")


def test_one_that_is_under_way_is_good_already(charger: Any):
    call = change_16(charger)
    send(call)
    assert is_let_in(charger, NEW)
    calls.finish_call(call.pk, TIMEOUT, None)
    assert is_let_in(charger, NEW)


def test_a_charger_that_takes_none_keeps_its_own_and_the_list_short(charger: Any):
    for number in range(lifecycle.MOST_PASSWORDS + 5):
        end(change_16(charger, f"password-number-{number}"), TIMEOUT)
    assert len(ChargerConnection.objects.get().next_password_hashes) == lifecycle.MOST_PASSWORDS
    assert is_let_in(charger, PASSWORD)


def test_one_that_was_never_sent_opens_nothing(charger: Any):
    calls.finish_call(change_16(charger).pk, TIMEOUT, None)
    assert not is_let_in(charger, NEW)


def test_one_that_staff_set_meanwhile_is_the_only_one(charger: Any):
    end(change_16(charger), ACCEPTED, {"status": "Accepted"})
    lifecycle.set_password(charger, "set-by-a-person")
    assert is_let_in(charger, "set-by-a-person") and not is_let_in(charger, NEW)


def test_it_is_stored_as_a_hash_only(charger: Any):
    call = change_16(charger)
    end(call, ACCEPTED, {"status": "Accepted"})
    assert NEW not in str([*OutgoingCall.objects.values(), *ChargerConnection.objects.values()])
