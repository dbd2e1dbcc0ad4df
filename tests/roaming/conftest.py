"""Imports of models wait for the fixtures: pytest reads this file before Django is set up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from roaming.models import RoamingPlatform
    from tests.roaming.client import OcpiTestClient
    from tests.roaming.peer import FakePeer


@pytest.fixture
def peer() -> "Iterator[FakePeer]":
    from tests.roaming.peer import running_peer

    with running_peer() as running:
        yield running


@pytest.fixture
def platform(db: None) -> "RoamingPlatform":
    """A registered payment terminal provider that sees our party AT-PLG."""
    from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory

    profile = ProfileFactory(country_code="AT", party_id="PLG")
    return RegisteredPlatformFactory(server_token="our-partner", profiles=[profile])


@pytest.fixture
def ocpi(platform: "RoamingPlatform") -> "OcpiTestClient":
    """Calls us as that platform."""
    from tests.roaming.client import client_with

    return client_with("our-partner")
