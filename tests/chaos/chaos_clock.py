"""The wall clock of all of Plugtill's processes jumps; chargers, the peer and PostgreSQL keep the right time."""

from collections.abc import Iterator

import pytest

from tests.chaos.clock import Clock
from tests.chaos.conftest import Report, Stage
from tests.e2e.cast import GARAGE_1, GARAGE_2, PATIENCE_AFTER_A_KILL
from tests.e2e.settlement import settle_once

HOURS = 3600


@pytest.fixture
def clock(stage: Stage) -> Iterator[Clock]:
    yield stage.clock
    stage.clock.jump(0)


@pytest.mark.parametrize("hours", [pytest.param(2, id="ahead"), pytest.param(-2, id="back")])
def test_a_jump_in_mid_session(stage: Stage, report: Report, clock: Clock, hours: int) -> None:
    """clock jumps by two hours in mid-session, and later back"""
    cast = stage.cast
    first, second = cast.begin(GARAGE_1, GARAGE_2)
    clock.jump(hours * HOURS)
    report.strikes()
    kwh = cast.progress(second)
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, first, PATIENCE_AFTER_A_KILL)
    clock.jump(0)
    cast.stop_at_charger(GARAGE_2)
    settled = settle_once(cast, second, PATIENCE_AFTER_A_KILL)
    assert settled.cdr["total_energy"] >= kwh
    report.is_over(stage, f"{hours:+} h")


@pytest.mark.parametrize("hours", [pytest.param(2, id="ahead"), pytest.param(-2, id="back")])
def test_a_session_begun_in_between(stage: Stage, report: Report, clock: Clock, hours: int) -> None:
    """clock is off by two hours when a session begins, and right when it ends"""
    cast = stage.cast
    clock.jump(hours * HOURS)
    (reference,) = cast.begin(GARAGE_1)
    clock.jump(0)
    report.strikes()
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage, f"{hours:+} h")
