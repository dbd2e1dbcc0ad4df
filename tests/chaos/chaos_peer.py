"""A payment terminal provider that is down for a day, slow, or talks nonsense."""

from tests.chaos.conftest import Report, Stage
from tests.chaos.servers import wait_until
from tests.e2e.cast import GARAGE_1, GARAGE_2, PATIENCE_AFTER_A_KILL
from tests.e2e.settlement import settle_once

PROBES = "SELECT probes FROM roaming_circuit"
CDR_IN_FLIGHT = "SELECT 1 FROM roaming_push WHERE module = 'cdrs' AND state = 'IN_FLIGHT'"
STEPS = 4
# What waits for a moment waits six hours less; what began, began so much earlier.
AGE = (
    "UPDATE roaming_push SET not_before = not_before - interval '6 hours', queued_at = queued_at - interval '6 hours',"
    " created_at = created_at - interval '6 hours', give_up_at = give_up_at - interval '6 hours'"
    " WHERE state = 'PENDING'",
    "UPDATE roaming_circuit SET opened_at = opened_at - interval '6 hours', probe_at = probe_at - interval '6 hours'",
    "UPDATE chargers_cdr SET created_at = created_at - interval '6 hours'",
)


def test_down_for_a_day(stage: Stage, report: Report) -> None:
    """peer down for a day (time compressed: four times six hours), then back; a session ends meanwhile"""
    cast = stage.cast
    (reference,) = cast.begin(GARAGE_1)
    command = cast.processes.commands["ptp"]
    cast.processes.stop("ptp")
    report.strikes()
    try:
        cast.stop_at_charger(GARAGE_1)
        probes = 0
        for _ in range(STEPS):
            probes = wait_until(lambda probes=probes: _more_than(stage, probes), "a probe", 60)
            for statement in AGE:
                cast.plugtill.execute(statement)
        dropped = "SELECT 1 FROM roaming_push WHERE state = 'DROPPED'"
        wait_until(lambda: stage.postgres.rows(dropped), "dropped state", 60)
    finally:
        cast.processes.start("ptp", *command)
    for statement in AGE:
        cast.plugtill.execute(statement)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage, f"tried again {probes} times meanwhile")


def _more_than(stage: Stage, probes: int) -> int:
    return max((row[0] for row in stage.postgres.rows(PROBES) if row[0] > probes), default=0)


def test_slow(stage: Stage, report: Report) -> None:
    """peer answers each message after 5 s; a start at the same time is not held up"""
    cast = stage.cast
    first, second = cast.begin(GARAGE_1, GARAGE_2)
    cast.ptp.fail("sessions", "slow", times=2, seconds=5)
    cast.ptp.fail("cdrs", "slow", times=2, seconds=5)
    report.strikes()
    cast.stop_at_charger(GARAGE_1)
    cast.stop_at_charger(GARAGE_2)
    settle_once(cast, first, PATIENCE_AFTER_A_KILL)
    settle_once(cast, second, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_garbage(stage: Stage, report: Report) -> None:
    """peer answers with a web page, with HTTP 500 and by hanging up"""
    cast = stage.cast
    (reference,) = cast.begin(GARAGE_1)
    for kind in ("garbage", "500", "drop"):
        cast.ptp.fail("sessions", kind)
        cast.ptp.fail("cdrs", kind)
    report.strikes()
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_twice(stage: Stage, report: Report) -> None:
    """peer answers twice on one connection, and takes a CDR but loses the answer"""
    cast = stage.cast
    (reference,) = cast.begin(GARAGE_1)
    cast.ptp.fail("sessions", "twice", times=3)
    cast.ptp.fail("cdrs", "lost")
    cast.ptp.fail("cdrs", "twice")
    report.strikes()
    cast.stop_at_charger(GARAGE_1)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_asks_twice(stage: Stage, report: Report) -> None:
    """peer sends START_SESSION, STOP_SESSION and the financial advice twice"""
    cast = stage.cast
    (reference,) = cast.begin(GARAGE_1)
    report.strikes()
    again = cast.ptp.post("/control/tap", **GARAGE_1.ids, authorization_reference=reference)
    for _ in range(2):
        cast.ptp.post("/control/stop", authorization_reference=reference)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    cast.ptp.post("/control/advice", authorization_reference=reference)
    report.is_over(stage, f"the second start was answered {again['response']}")
