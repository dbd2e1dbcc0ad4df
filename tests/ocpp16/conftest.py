"""Imports stand inside: this file is read before the settings are."""

from typing import Any

import pytest


@pytest.fixture
def connector() -> Any:
    from chargers.services import lifecycle
    from tests.chargers.charger_socket import PASSWORD
    from tests.chargers.factories import make_connector

    connector = make_connector(online=False)
    lifecycle.set_password(connector.evse.charger, PASSWORD)
    return connector


@pytest.fixture
def charger(connector: Any) -> Any:
    return connector.evse.charger


@pytest.fixture
def identity(charger: Any) -> str:
    return str(charger.identity)
