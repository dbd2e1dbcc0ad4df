"""Imports are inside: this file is loaded before Django is."""

import pytest


@pytest.fixture
def connector():
    from chargers.services import lifecycle
    from tests.chargers.charger_socket import PASSWORD
    from tests.chargers.factories import make_connector

    connector = make_connector(online=False)
    lifecycle.set_password(connector.evse.charger, PASSWORD)
    return connector


@pytest.fixture
def identity(connector):
    return connector.evse.charger.identity


@pytest.fixture(autouse=True)
def no_patience_with_replaced_sockets(monkeypatch):
    from chargers.ocpp import consumer

    monkeypatch.setattr(consumer, "LAST_FRAMES", 0)
