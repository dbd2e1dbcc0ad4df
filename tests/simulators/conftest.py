from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from payments.simulator.run import Provider
from payments.simulator.settings import Settings
from tests.simulators.fake_cpo import TOKEN_A, FakeCPO


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.any_database)


@pytest.fixture
def cpo() -> Iterator[FakeCPO]:
    fake = FakeCPO()
    yield fake
    fake.close()


@pytest.fixture
def provide() -> Iterator[Callable[..., Provider]]:
    """Starts providers and ends them all."""
    started: list[Provider] = []

    def start(**options: Any) -> Provider:
        provider = Provider(Settings(quiet=True, **options))
        started.append(provider)
        provider.start()
        return provider

    yield start
    for provider in started:
        provider.stop()


@pytest.fixture
def ptp(cpo: FakeCPO, provide: Callable[..., Provider]) -> Provider:
    """A provider registered with the CPO, its first terminal assigned to location L1."""
    provider = provide()
    control(provider, "register", versions_url=f"{cpo.url}/versions", token=TOKEN_A)
    url = f"{provider.office.base_url}/ocpi/2.2.1/payments/terminals/NLPTP100101"
    assert cpo.send("PATCH", url, {"location_ids": ["L1"]}).status_code == 200
    return provider


def control(provider: Provider, action: str, expected: int = 200, **body: Any) -> Any:
    """One action of the control API, over HTTP."""
    import requests

    response = requests.post(f"{provider.office.base_url}/control/{action}", json=body, timeout=10)
    assert response.status_code == expected, response.text
    return response.json()


def state(provider: Provider) -> Any:
    import requests

    return requests.get(f"{provider.office.base_url}/control/state", timeout=10).json()
