"""Imports of models wait for the fixtures: pytest reads this file before Django is set up."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from infrastructure.models import EVSE, Location, Operator
    from roaming.models import RoamingPlatform
    from tests.roaming.client import OcpiTestClient


@pytest.fixture
def operator(db: None) -> "Operator":
    from tests.payments import factories

    return factories.make_operator()


@pytest.fixture
def platform(operator: "Operator") -> "RoamingPlatform":
    """A registered payment terminal provider that sees one operator."""
    from tests.payments import factories

    return factories.make_platform(operator, server_token="our-partner", code="terminals-bv")


@pytest.fixture
def area(operator: "Operator") -> "Location":
    from tests.payments import factories

    return factories.make_area(operator)


@pytest.fixture
def evse(area: "Location") -> "EVSE":
    from tests.payments import factories

    return factories.make_evse(area)


@pytest.fixture
def ocpi(platform: "RoamingPlatform") -> "OcpiTestClient":
    """Calls us as that platform."""
    from tests.roaming.client import client_with

    return client_with("our-partner")
