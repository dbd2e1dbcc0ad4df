"""Fixtures. Models are imported late: pytest reads this before Django is set up."""

import pytest


@pytest.fixture(autouse=True)
def _no_rate(settings):
    settings.API_RATE = ""


@pytest.fixture
def connector(db):
    """Of a charger that is connected with OCPP 1.6."""
    from tests.chargers.factories import make_connector

    connector = make_connector()
    connection = connector.evse.charger.connection
    connection.protocol = "ocpp1.6"
    connection.save()
    return connector


@pytest.fixture
def charger(connector):
    return connector.evse.charger


@pytest.fixture
def operator(charger):
    return charger.location.operator


@pytest.fixture
def caller(operator):
    from tests.api.caller import make_caller

    return make_caller(operator)
