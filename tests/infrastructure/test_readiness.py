import pytest

from infrastructure.services import checks
from tests.infrastructure.factories import (
    ChargerFactory,
    ConnectorFactory,
    EVSEFactory,
    LocationFactory,
    OperatorFactory,
)

pytestmark = pytest.mark.django_db


def test_complete_area_has_no_reasons():
    connector = ConnectorFactory()
    location = connector.evse.charger.location
    assert checks.location_reasons(location) == []
    assert checks.connector_reasons(connector) == []
    assert checks.tree_reasons(location) == []
    assert checks.count_ready(location) == (1, 1)


def test_area_needs_roaming_id_and_a_phone_number_of_its_own_or_its_operators():
    location = LocationFactory(name="HQ", roaming_id="", phone="", operator__phone="")
    assert checks.location_reasons(location) == [
        "Area HQ has no roaming id.",
        "Neither area HQ nor its operator has a phone number.",
    ]
    location.operator.phone = "+43 1 2"
    location.roaming_id = "HQ"
    assert checks.location_reasons(location) == []


def test_connector_names_what_is_missing_above_it():
    connector = ConnectorFactory(
        roaming_id="",
        number=2,
        evse__evse_id="",
        evse__number=3,
        evse__charger__identity="CP-9",
        evse__charger__roaming=False,
        evse__charger__roaming_id="",
    )
    assert checks.connector_reasons(connector) == [
        "Charger CP-9 has no roaming id.",
        "Charger CP-9 is not enabled for roaming.",
        "EVSE CP-9 / 3 has no EVSE id.",
        "Connector CP-9 / 3 / 2 has no roaming id.",
    ]


def test_tree_says_each_reason_once_and_finds_empty_parts():
    location = LocationFactory(name="HQ")
    assert checks.tree_reasons(location) == ["Area HQ has no chargers."]

    disabled = ChargerFactory(location=location, identity="CP-1", roaming=False)
    for number in (1, 2):
        ConnectorFactory(evse=EVSEFactory(charger=disabled, number=number))
    ChargerFactory(location=location, identity="CP-2")
    EVSEFactory(charger__location=location, charger__identity="CP-3", evse_id="AT*PLG*E3")
    assert checks.tree_reasons(location) == [
        "Charger CP-1 is not enabled for roaming.",
        "Charger CP-2 has no EVSEs.",
        "EVSE AT*PLG*E3 has no connectors.",
    ]
    assert checks.count_ready(location) == (0, 2)


def test_nothing_is_ready_in_an_area_that_is_not():
    connector = ConnectorFactory(evse__charger__location__roaming_id="")
    assert checks.count_ready(connector.evse.charger.location) == (0, 1)


def test_area_uses_its_operators_phone():
    assert checks.location_reasons(LocationFactory(operator=OperatorFactory(phone="+43"), phone="")) == []
