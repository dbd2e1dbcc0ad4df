"""The stage of the chaos tests, and the table that `make chaos` prints."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.chaos.clock import Clock
from tests.chaos.cluster import Cluster
from tests.chaos.promise import look
from tests.chaos.servers import Postgres, Redis, wait_until
from tests.e2e.cast import GARAGE_1, GARAGE_2, Cast, Place

# The sessions of the tests are over within minutes; none is near its limit by then.
SLOWLY = ("--speed-up", "4")
TABLE = Path("build/chaos.md")
OFFLINE = "SELECT 1 FROM chargers_chargerconnection WHERE channel_name = ''"
HEADER = ("fault", "afterwards", "whole again after", "result")


@dataclass
class Stage:
    """The cast and the servers that the tests break."""

    cast: Cast
    plugtill: Cluster
    postgres: Postgres
    redis: Redis
    clock: Clock

    def free(self, *places: Place) -> None:
        """The drivers there go, if there are any."""
        for place in places:
            with suppress(requests.HTTPError):
                self.cast.stop_at_charger(place)


@dataclass
class Report:
    """What a test tells of its fault: a row of the table, named by the docstring of the test."""

    fault: str
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    afterwards: str = ""

    def strikes(self) -> None:
        """Now: the time until all is whole again counts from here."""
        self.began = time.monotonic()

    def is_over(self, stage: Stage, note: str = "", patience: float = 150.0) -> None:
        """Waits until nothing runs any more; then nothing is lost and nothing is there twice, of all so far."""
        deadline = time.monotonic() + patience
        while (found := look(stage.postgres, stage.cast.ptp)).broken or found.waiting:
            assert time.monotonic() < deadline, [str(found), *found.broken]
            time.sleep(0.2)
        self.is_whole("; ".join(part for part in (note, str(found)) if part))

    def is_whole(self, afterwards: str) -> None:
        self.seconds, self.afterwards = time.monotonic() - self.began, afterwards


@dataclass
class Row:
    fault: str
    afterwards: str
    seconds: float
    result: str


rows: list[Row] = []


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("chaos")
    clock = Clock(folder)
    with Postgres() as postgres, Redis() as redis:
        cluster = Cluster(folder, postgres, redis, {"SESSION_PROGRESS_SECONDS": "1"} | clock.environment)
        with Cast(folder, plugtill=cluster, options=SLOWLY) as cast:
            yield Stage(cast, cluster, postgres, redis, clock)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Where the stage is used: once all chargers and outlets are there, whatever the test before did to them."""
    if "stage" in request.fixturenames:
        stage: Stage = request.getfixturevalue("stage")
        wait_until(lambda: not stage.postgres.rows(OFFLINE), "the chargers", 60)
        stage.free(GARAGE_1, GARAGE_2)
    report = Report(" ".join(request.function.__doc__.split()))
    yield report
    result = "survived" if report.afterwards and not getattr(request.node, "failed", True) else "FAILED"
    rows.append(Row(report.fault, report.afterwards, report.seconds, result))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    if outcome.when == "call":  # type: ignore[attr-defined]
        item.failed = outcome.failed  # type: ignore[attr-defined]
    return outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not rows:
        return
    lines = ["| " + " | ".join(HEADER) + " |", "|---|---|---:|---|"]
    lines += [f"| {row.fault} | {row.afterwards} | {row.seconds:.0f} s | {row.result} |" for row in rows]
    terminalreporter.section("faults survived")
    terminalreporter.write_line("\n".join(lines))
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n")
