"""Starts that cannot succeed, starts told twice, and chargers that behave badly: each has a defined outcome."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.cast import GARAGE_1, GARAGE_2, MOTORWAY, Cast, Place
from tests.e2e.settlement import settle_once


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """The charger at the motorway is off; at the other, drivers plug in when the test says so."""
    with Cast(
        tmp_path_factory.mktemp("starts"),
        environment={"COMMAND_TIMEOUT_SECONDS": "4", "PLUG_IN_TIMEOUT_SECONDS": "4"},
        chargers=("DEMO-AC-1",),
        options=("--auto-plug", "never"),
    ) as cast:
        yield cast
        cast.check()


@pytest.fixture(scope="module", autouse=True)
def never_plugged_in(cast: Cast) -> str:
    """A start whose driver walks away; what becomes of it is seen at the end."""
    reference: str = cast.tap(GARAGE_2)["authorization_reference"]
    cast.wait("the PENDING session", lambda: status_at_ptp(cast, reference) == ["PENDING"])
    return reference


@pytest.fixture
def behave(cast: Cast) -> Iterator[Any]:
    """Switches a fault of the charger on for one test."""
    charger = cast.charger(GARAGE_1)

    def switch_on(name: str) -> None:
        charger.post("/behave", **{name: True})

    yield switch_on
    faults = charger.get("/state")["behaviour"]
    charger.post("/behave", **dict.fromkeys(faults, False))


def begin(cast: Cast, place: Place) -> str:
    """The driver plugs in first and pays then."""
    cast.wait("a free outlet", lambda: cast.is_ready(place))
    cast.charger(place).post("/plug", connector=place.outlet)
    (reference,) = cast.begin(place)
    return reference


def status_at_ptp(cast: Cast, reference: str) -> list[str]:
    return [session["status"] for session in cast.ptp.known("sessions", reference)]


def remote_starts(cast: Cast) -> int:
    return len(cast.charger(GARAGE_1).events("remote_start_received"))


def wait_for_result(cast: Cast, answer: dict[str, Any]) -> str:
    result: str = cast.wait("the CommandResult", lambda: cast.result(answer["authorization_reference"]))
    return result


def wait_for_release(cast: Cast, reference: str) -> None:
    """The driver gets the blocked amount back."""
    cast.wait(f"the release of {reference}", lambda: cast.ptp.state["holds"][reference]["state"] == "RELEASED")


@pytest.mark.parametrize("wrong", [{"location_id": "NOWHERE"}, {"evse_uid": "DEMO-AC-1-9"}, {"connector_id": "7"}])
def test_an_unknown_connector_is_rejected(cast: Cast, wrong: dict[str, str]) -> None:
    before = remote_starts(cast)
    answer = cast.tap(GARAGE_1, force=True, **wrong)
    assert (answer["response"], answer["status_code"]) == ("REJECTED", 2003)
    wait_for_release(cast, answer["authorization_reference"])
    assert cast.ptp.pulled("sessions", answer["authorization_reference"]) == []
    assert remote_starts(cast) == before


def test_an_offline_charger_is_inoperative(cast: Cast) -> None:
    answer = cast.tap(MOTORWAY)
    assert answer["response"] == "ACCEPTED"
    assert wait_for_result(cast, answer) == "EVSE_INOPERATIVE"
    wait_for_release(cast, answer["authorization_reference"])
    assert status_at_ptp(cast, answer["authorization_reference"]) == []


def test_a_second_card_finds_the_evse_occupied(cast: Cast) -> None:
    reference = begin(cast, GARAGE_1)
    second = cast.ptp.post("/control/tap", **GARAGE_1.ids)
    assert wait_for_result(cast, second) == "EVSE_OCCUPIED"
    wait_for_release(cast, second["authorization_reference"])
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, reference)


def test_a_repeated_start_gets_the_first_answer_and_starts_nothing(cast: Cast) -> None:
    reference = begin(cast, GARAGE_1)
    before = remote_starts(cast)
    repeated = cast.ptp.post("/control/tap", **GARAGE_1.ids, authorization_reference=reference)
    assert repeated["response"] == "ACCEPTED"
    cast.wait("its result", lambda: cast.ptp.state["command_results"][repeated["command"]]["result"] == "ACCEPTED")
    elsewhere = cast.ptp.post("/control/tap", **GARAGE_2.ids, authorization_reference=reference, force=True)
    assert elsewhere["response"] == "REJECTED"
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, reference)
    assert remote_starts(cast) == before


def test_a_silent_charger_is_told_of_within_the_timeout(cast: Cast, behave: Any) -> None:
    behave("ignore_remote_start")
    answer = cast.tap(GARAGE_1)
    assert wait_for_result(cast, answer) == "TIMEOUT"
    wait_for_release(cast, answer["authorization_reference"])
    assert status_at_ptp(cast, answer["authorization_reference"]) == []
    # The provider complains about a result that comes after the time we announced.
    assert cast.ptp.complaints == []


def test_a_charger_that_refuses_is_rejected(cast: Cast, behave: Any) -> None:
    behave("reject_remote_start")
    answer = cast.tap(GARAGE_1)
    assert wait_for_result(cast, answer) == "REJECTED"
    wait_for_release(cast, answer["authorization_reference"])


def test_a_start_transaction_told_twice_is_one_session(cast: Cast, behave: Any) -> None:
    behave("duplicate_start_transaction")
    reference = begin(cast, GARAGE_1)
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, reference)
    answers = [event["payload"] for event in cast.charger(GARAGE_1).events("start_transaction_answered")[-2:]]
    assert answers[0] == answers[1]


def test_meter_values_out_of_order_bill_what_the_register_says(cast: Cast, behave: Any) -> None:
    behave("late_meter_values")
    charger = cast.charger(GARAGE_1)
    before = len(charger.events("meter_values_answered"))
    reference = begin(cast, GARAGE_1)
    # Pairs in the wrong order; the last one comes after the end.
    cast.wait("late meter values", lambda: len(charger.events("meter_values_answered")) >= before + 4)
    cast.stop_at_charger(GARAGE_1)
    settled = settle_once(cast, reference)
    began = charger.events("start_transaction_sent")[-1]["payload"]
    ended = charger.events("stop_transaction_sent")[-1]["payload"]
    assert Decimal(str(settled.cdr["total_energy"])) == Decimal(ended["meterStop"] - began["meterStart"]) / 1000


def test_a_start_without_a_car_is_given_up(cast: Cast, never_plugged_in: str) -> None:
    cast.wait("the INVALID session", lambda: status_at_ptp(cast, never_plugged_in) == ["INVALID"])
    wait_for_release(cast, never_plugged_in)
    assert cast.result(never_plugged_in) == "ACCEPTED"
    assert "No charging took place" in cast.invoice_page(never_plugged_in)


def test_a_car_that_comes_too_late_is_not_charged(cast: Cast, never_plugged_in: str) -> None:
    cast.wait("the INVALID session", lambda: status_at_ptp(cast, never_plugged_in) == ["INVALID"])
    charger = cast.charger(GARAGE_2)
    before = len(charger.events("stop_transaction_answered"))
    charger.post("/plug", connector=GARAGE_2.outlet)
    cast.wait("the end", lambda: len(charger.events("stop_transaction_answered")) > before)
    assert charger.events("start_transaction_answered")[-1]["payload"]["idTagInfo"]["status"] == "Invalid"
    assert status_at_ptp(cast, never_plugged_in) == ["INVALID"]
    assert cast.ptp.pulled("cdrs", never_plugged_in) == []
