from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.stage import Peer, Stage

pytest.register_assert_rewrite("tests.conformance.stage", "tests.conformance.charger", "tests.conformance.partner")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "statement(*numbers): conformance statements that the test shows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "stage" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Stage"]:
    from tests.conformance.stage import Stage

    with Stage(tmp_path_factory.mktemp("conformance")) as stage:
        yield stage
        failures = [line for line in stage.plugtill.log.splitlines() if " ERROR " in line or "Traceback" in line]
        assert failures == []


@pytest.fixture
def ptp(stage: "Stage") -> "Peer":
    return stage.ptp


@pytest.fixture
def emsp(stage: "Stage") -> "Peer":
    return stage.emsp
