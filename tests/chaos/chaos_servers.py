"""PostgreSQL and Redis that go away while sessions run."""

from tests.chaos.conftest import Report, Stage
from tests.e2e.cast import GARAGE_1, GARAGE_2, PATIENCE_AFTER_A_KILL
from tests.e2e.settlement import settle_once


def test_redis_is_flushed(stage: Stage, report: Report) -> None:
    """Redis flushed while sessions run"""
    cast = stage.cast
    first, second = cast.begin(GARAGE_1, GARAGE_2)
    cast.stop_at_charger(GARAGE_1)
    stage.redis.flush()
    report.strikes()
    settle_once(cast, first, PATIENCE_AFTER_A_KILL)
    cast.ptp.post("/control/stop", authorization_reference=second)
    settle_once(cast, second, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_redis_is_restarted(stage: Stage, report: Report) -> None:
    """Redis killed for 5 s while a session runs, another ends and one is started"""
    cast = stage.cast
    first, second = cast.begin(GARAGE_1, GARAGE_2)
    stage.redis.kill()
    report.strikes()
    cast.stop_at_charger(GARAGE_1)
    cast.wait("the end", lambda: cast.charger(GARAGE_1).events("stop_transaction_answered"), PATIENCE_AFTER_A_KILL)
    stage.redis.start()
    settle_once(cast, first, PATIENCE_AFTER_A_KILL)
    (third,) = cast.begin(GARAGE_1)
    cast.stop_at_charger(GARAGE_1)
    cast.stop_at_charger(GARAGE_2)
    settle_once(cast, second, PATIENCE_AFTER_A_KILL)
    settle_once(cast, third, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)


def test_postgres_is_restarted(stage: Stage, report: Report) -> None:
    """PostgreSQL stopped without a checkpoint while one session runs and another ends"""
    cast = stage.cast
    first, second = cast.begin(GARAGE_1, GARAGE_2)
    stage.postgres.stop()
    report.strikes()
    cast.stop_at_charger(GARAGE_1)
    stage.postgres.start()
    settle_once(cast, first, PATIENCE_AFTER_A_KILL)
    cast.ptp.post("/control/stop", authorization_reference=second)
    settle_once(cast, second, PATIENCE_AFTER_A_KILL)
    report.is_over(stage)
