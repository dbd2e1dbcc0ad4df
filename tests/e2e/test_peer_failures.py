"""A payment terminal provider that fails for a while gets everything afterwards, and holds nobody else up."""

from dataclasses import dataclass

import pytest

from tests.e2e.cast import GARAGE_1, GARAGE_2, MOTORWAY, Cast
from tests.e2e.settlement import settle_once

SLOW_S = 4.0


@dataclass(frozen=True)
class Outage:
    """References of the sessions that it met."""

    running: str
    ended: str


@pytest.fixture(scope="module")
def outage(cast: Cast) -> Outage:
    """Sessions and CDRs fail in every way; one session ends meanwhile, another goes on."""
    running, ended = cast.begin(GARAGE_1, GARAGE_2)
    for kind in ("500", "drop", "slow"):
        cast.ptp.fail("sessions", kind, seconds=SLOW_S)
    for kind in ("500", "drop", "garbage", "lost"):
        cast.ptp.fail("cdrs", kind)
    cast.ptp.fail("cdrs", "slow", seconds=SLOW_S)
    cast.stop_at_charger(GARAGE_2)
    cast.wait("the first failure", lambda: cast.ptp.events("http", module="cdrs", status=500))
    return Outage(running, ended)


def test_a_start_is_answered_meanwhile(cast: Cast, outage: Outage) -> None:
    tap = cast.tap(MOTORWAY)
    reference = tap["authorization_reference"]
    cast.wait("the CommandResult", lambda: cast.result(reference))
    assert cast.result(reference) == "ACCEPTED"
    cast.wait("a busy EVSE", lambda: cast.ptp.evse(MOTORWAY)["status"] == "CHARGING")
    # The CDR is still not there: all this happened during the failures.
    assert cast.ptp.known("cdrs", outage.ended) == []
    cast.stop_at_charger(MOTORWAY)
    settle_once(cast, reference)


def test_chargers_are_served_meanwhile(cast: Cast, outage: Outage) -> None:
    answered = len(cast.charger(GARAGE_1).events("meter_values_answered"))
    cast.wait(
        "answers to meter values", lambda: len(cast.charger(GARAGE_1).events("meter_values_answered")) > answered + 2
    )


def test_the_cdr_arrives_afterwards(cast: Cast, outage: Outage) -> None:
    settle_once(cast, outage.ended)


def test_the_running_session_is_settled_too(cast: Cast, outage: Outage) -> None:
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, outage.running)
    failed = [event for event in cast.ptp.events("http", direction="in") if event["status"] in (500, "hung up")]
    assert {event["module"] for event in failed} == {"sessions", "cdrs"}
