"""Web processes that are killed in the middle of what they do."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.chaos.cluster import OTHER_WEB, WEB
from tests.chaos.conftest import Report, Stage
from tests.chaos.servers import wait_until
from tests.e2e.cast import GARAGE_1, GARAGE_2, PATIENCE_AFTER_A_KILL, Place
from tests.e2e.settlement import settle_once

CALL_SENT = "SELECT 1 FROM chargers_outgoingcall WHERE state = 'SENT'"


@pytest.fixture
def other_web(stage: Stage) -> Iterator[None]:
    """A second web process; afterwards everything is at the first again."""
    stage.plugtill.start_process(OTHER_WEB)
    yield
    stage.plugtill.use(WEB)
    stage.plugtill.stop_process(OTHER_WEB)


def test_in_mid_start_session(stage: Stage, report: Report) -> None:
    """web process killed in mid-START_SESSION, before its transaction ends; the terminal asks again"""
    cast, cluster = stage.cast, stage.plugtill
    cast.wait("a free outlet", lambda: cast.is_ready(GARAGE_1))
    with stage.postgres.hold("chargers_outgoingcall"):
        tap = _in_background(stage, GARAGE_1, "CHAOS-START-1")
        wait_until(lambda: stage.postgres.waits_in(WEB, 'INSERT INTO "chargers_outgoingcall"'), "the command")
        cluster.kill_process(WEB)
        report.strikes()
        with pytest.raises(requests.HTTPError):
            tap()
    assert stage.postgres.rows("SELECT 1 FROM chargers_chargingsession WHERE status = 'PENDING'") == []
    cluster.start_process(WEB)
    cast.wait("the charger", lambda: cast.is_ready(GARAGE_1))
    again = cast.tap(GARAGE_1, authorization_reference="CHAOS-START-1")
    assert again["response"] == "ACCEPTED"
    _charge_and_settle(stage, GARAGE_1, "CHAOS-START-1")
    report.is_over(stage, "one session for two commands")


def test_with_a_call_on_its_way(stage: Stage, report: Report) -> None:
    """web process killed with a RemoteStartTransaction on its way to the charger"""
    cast, cluster = stage.cast, stage.plugtill
    charger = cast.processes.pid(GARAGE_1.charger)
    cast.wait("a free outlet", lambda: cast.is_ready(GARAGE_1))
    os.kill(charger, signal.SIGSTOP)
    try:
        reference = cast.ptp.post("/control/tap", **GARAGE_1.ids)["authorization_reference"]
        wait_until(lambda: stage.postgres.rows(CALL_SENT), "the call")
        cluster.kill_process(WEB)
        report.strikes()
    finally:
        os.kill(charger, signal.SIGCONT)
    cluster.start_process(WEB)
    result = cast.wait("the result", lambda: cast.result(reference), PATIENCE_AFTER_A_KILL)
    if result == "ACCEPTED":
        _charge_and_settle(stage, GARAGE_1, reference)
    report.is_over(stage, f"result {result}")


def test_in_mid_stop_transaction(stage: Stage, report: Report) -> None:
    """web process killed in mid-StopTransaction, before its CDR is written"""
    cast, cluster = stage.cast, stage.plugtill
    (reference,) = cast.begin(GARAGE_2)
    with stage.postgres.hold("chargers_cdr"):
        cast.stop_at_charger(GARAGE_2)
        wait_until(lambda: stage.postgres.waits_in(WEB, '%"chargers_cdr"'), "the CDR")
        cluster.kill_process(WEB)
        report.strikes()
    cluster.start_process(WEB)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_a_charger_at_another_process_in_mid_command(stage: Stage, report: Report, other_web: None) -> None:
    """charger reconnects to another web process in mid-command, the old one still runs"""
    cast, cluster = stage.cast, stage.plugtill
    charger = cast.processes.pid(GARAGE_1.charger)
    cast.wait("a free outlet", lambda: cast.is_ready(GARAGE_1))
    os.kill(charger, signal.SIGSTOP)
    try:
        reference = cast.ptp.post("/control/tap", **GARAGE_1.ids)["authorization_reference"]
        wait_until(lambda: stage.postgres.rows(CALL_SENT), "the call")
        report.strikes()
        cluster.use(OTHER_WEB)
        cluster.balancer.cut()
    finally:
        os.kill(charger, signal.SIGCONT)
    result = cast.wait("the result", lambda: cast.result(reference), PATIENCE_AFTER_A_KILL)
    if result == "ACCEPTED":
        _charge_and_settle(stage, GARAGE_1, reference)
    report.is_over(stage, f"result {result}")


def test_a_stop_at_another_process(stage: Stage, report: Report, other_web: None) -> None:
    """STOP_SESSION at one web process while the charger comes back at another"""
    cast, cluster = stage.cast, stage.plugtill
    (reference,) = cast.begin(GARAGE_1)
    charger = cast.processes.pid(GARAGE_1.charger)
    os.kill(charger, signal.SIGSTOP)
    try:
        cluster.use(OTHER_WEB)
        stop = cast.ptp.post("/control/stop", authorization_reference=reference)
        wait_until(lambda: stage.postgres.rows(CALL_SENT), "the call")
        report.strikes()
        cluster.balancer.cut()
    finally:
        os.kill(charger, signal.SIGCONT)
    result = cast.wait("the result", lambda: _result_of(stage, stop["command"]), PATIENCE_AFTER_A_KILL)
    stage.free(GARAGE_1)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage, f"result {result}")


def _result_of(stage: Stage, command: str) -> str | None:
    result: str | None = stage.cast.ptp.state["command_results"].get(command, {}).get("result")
    return result


def _charge_and_settle(stage: Stage, place: Place, reference: str) -> None:
    cast = stage.cast
    cast.wait("energy", lambda: cast.progress(reference) > 0)
    cast.stop_at_charger(place)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)


def _in_background(stage: Stage, place: Place, reference: str) -> Callable[[], Any]:
    """Taps a card; the returned function waits for the answer and raises what came of it."""
    pool = ThreadPoolExecutor(1)
    tap = pool.submit(stage.cast.ptp.post, "/control/tap", **place.ids, authorization_reference=reference)
    pool.shutdown(wait=False)
    return tap.result
