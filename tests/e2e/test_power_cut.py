"""SIGKILL while sessions run: what was begun is finished, each thing once."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.e2e.cast import GARAGE_1, GARAGE_2, MOTORWAY, PATIENCE, PATIENCE_AFTER_A_KILL, Cast, Place
from tests.e2e.settlement import settle_once


@dataclass(frozen=True)
class PowerCut:
    """References of the sessions that it met, and what the running one had been told to have used (kWh)."""

    running: str
    just_stopped: str
    cdr_unanswered: str
    kwh: Decimal


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with Cast(tmp_path_factory.mktemp("cut")) as cast:
        yield cast
        cast.check()


@pytest.fixture(scope="module")
def power_cut(cast: Cast) -> PowerCut:
    running, just_stopped, unanswered = cast.begin(GARAGE_1, GARAGE_2, MOTORWAY)
    cast.ptp.fail("cdrs", "lost")
    cast.ptp.fail("cdrs", "500", times=2)
    stop(cast, MOTORWAY)
    cast.wait("the CDR without an answer", lambda: cast.ptp.events("http", module="cdrs", status="hung up"))
    kwh = cast.progress(running)
    stop(cast, GARAGE_2)
    cast.plugtill.kill()
    assert not cast.ptp.events("capture", authorization_reference=just_stopped)
    cast.plugtill.start()
    return PowerCut(running, just_stopped, unanswered, kwh)


def stop(cast: Cast, place: Place) -> None:
    """Returns as soon as StopTransaction has left the charger."""
    charger = cast.charger(place)
    before = len(charger.events("stop_transaction_sent"))
    cast.stop_at_charger(place)
    deadline = time.monotonic() + PATIENCE
    while len(charger.events("stop_transaction_sent")) == before:
        assert time.monotonic() < deadline


def test_a_running_session_goes_on(cast: Cast, power_cut: PowerCut) -> None:
    cast.wait("more energy", lambda: cast.progress(power_cut.running) > power_cut.kwh, PATIENCE_AFTER_A_KILL)
    cast.stop_at_charger(GARAGE_1)
    settled = settle_once(cast, power_cut.running, PATIENCE_AFTER_A_KILL)
    assert settled.cdr["remark"] == "Stopped by the driver."
    assert len(cast.charger(GARAGE_1).events("remote_start_received")) == 2


def test_a_session_that_had_just_stopped_is_billed(cast: Cast, power_cut: PowerCut) -> None:
    settled = settle_once(cast, power_cut.just_stopped, PATIENCE_AFTER_A_KILL)
    assert settled.cdr["remark"] == "Stopped by the driver."


def test_a_cdr_without_an_answer_is_sent_again_unchanged(cast: Cast, power_cut: PowerCut) -> None:
    settle_once(cast, power_cut.cdr_unanswered, PATIENCE_AFTER_A_KILL)
    # 201 for the first, 200 for the same once more; a different one would be a complaint.
    cast.wait("the repeated CDR", lambda: cast.ptp.events("http", module="cdrs", status=200), PATIENCE_AFTER_A_KILL)
    assert cast.ptp.complaints == []
