from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cast import Cast


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="package")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """Plays all modules without a cast of their own: each test leaves areas, chargers and outlets as they were."""
    with Cast(tmp_path_factory.mktemp("cast")) as cast:
        yield cast
        cast.check()
