"""Workers that are killed while they deliver."""

from config.celery import PEERS, WORK
from tests.chaos.conftest import Report, Stage
from tests.chaos.servers import wait_until
from tests.e2e.cast import GARAGE_1, GARAGE_2, PATIENCE_AFTER_A_KILL
from tests.e2e.settlement import settle_once

CDR_IN_FLIGHT = "SELECT 1 FROM roaming_push WHERE module = 'cdrs' AND state = 'IN_FLIGHT'"
CDR_FAILED_ONCE = "SELECT 1 FROM roaming_push WHERE module = 'cdrs' AND state = 'PENDING' AND attempts > 0"


def test_between_claim_and_send(stage: Stage, report: Report) -> None:
    """worker killed between claim and send of a CDR"""
    cast, postgres = stage.cast, stage.postgres
    (reference,) = cast.begin(GARAGE_1)
    cast.ptp.fail("cdrs", "500", times=3)
    cast.stop_at_charger(GARAGE_1)
    wait_until(lambda: postgres.rows(CDR_FAILED_ONCE), "a first attempt")
    # It is claimed, then what to send is read: there we stop it.
    with postgres.hold("roaming_document"):
        wait_until(lambda: postgres.rows(CDR_IN_FLIGHT), "the claim")
        tries = len(cast.ptp.events("http", module="cdrs", direction="in"))
        stage.plugtill.kill_process(PEERS)
        report.strikes()
        assert len(cast.ptp.events("http", module="cdrs", direction="in")) == tries
        assert cast.ptp.known("cdrs", reference) == []
    stage.plugtill.start_process(PEERS)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_between_send_and_finish(stage: Stage, report: Report) -> None:
    """worker killed between send and finish of a CDR: the peer has it, we do not know"""
    cast = stage.cast
    (reference,) = cast.begin(GARAGE_2)
    repetitions = _repetitions(stage)
    _let_a_cdr_wait_at_the_peer(stage, 3)
    stage.plugtill.kill_process(PEERS)
    report.strikes()
    cast.wait("the CDR at the peer", lambda: cast.ptp.known("cdrs", reference))
    stage.plugtill.start_process(PEERS)
    cast.wait("its repetition", lambda: _repetitions(stage) > repetitions, PATIENCE_AFTER_A_KILL)
    settle_once(cast, reference)
    report.is_over(stage)


def test_told_to_stop(stage: Stage, report: Report) -> None:
    """worker told to stop (SIGTERM) while the peer takes its time with a CDR: it is finished first, and sent once"""
    cast = stage.cast
    repetitions = _repetitions(stage)
    (reference,) = cast.begin(GARAGE_2)
    _let_a_cdr_wait_at_the_peer(stage, 5)
    report.strikes()
    assert stage.plugtill.stop_process(PEERS) == 0
    assert stage.postgres.rows(CDR_IN_FLIGHT) == []
    assert len(cast.ptp.known("cdrs", reference)) == 1
    stage.plugtill.start_process(PEERS)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)
    assert _repetitions(stage) == repetitions


def _let_a_cdr_wait_at_the_peer(stage: Stage, seconds: float) -> None:
    ptp = stage.cast.ptp
    before = len(ptp.events("fault", module="cdrs", kind="slow"))
    ptp.fail("cdrs", "slow", seconds=seconds)
    stage.cast.stop_at_charger(GARAGE_2)
    wait_until(lambda: len(ptp.events("fault", module="cdrs", kind="slow")) > before, "the request at the peer")


def _repetitions(stage: Stage) -> int:
    return len(stage.cast.ptp.events("http", direction="in", module="cdrs", status=200))


def test_in_the_middle_of_everything(stage: Stage, report: Report) -> None:
    """worker of the outbox killed before the invoice of a session"""
    cast, postgres = stage.cast, stage.postgres
    (reference,) = cast.begin(GARAGE_1)
    with postgres.hold("payments_invoiceseries"):
        cast.stop_at_charger(GARAGE_1)
        wait_until(lambda: postgres.waits_in(WORK, '%"payments_invoiceseries"'), "the invoice")
        stage.plugtill.kill_process(WORK)
        report.strikes()
    stage.plugtill.start_process(WORK)
    settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)
