"""Shortly before a session would be stopped by an old meter value, its charger is asked for a new one."""

from decimal import Decimal
from typing import Any

import pytest

from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import limits, metering, progress, refresh
from tests.chargers.factories import charger_of, make_active, make_version, meter_values, minutes, reread

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ChargingSession:
    """10 kW since an hour, told to one minute ago; 1 EUR per kWh."""
    session = make_active(ago=minutes(61), tariff_version=make_version(energy="1", vat="0"))
    assert session.started_at is not None
    told = [(session.started_at + minutes(at), at * 10_000 / 60, 10_000.0) for at in (30, 59, 60)]
    ChargingSession.objects.update(limit=50)
    progress.update_session(charger_of(session), meter_values(session, *told))
    return reread(session)


def asked() -> list[Any]:
    calls = OutgoingCall.objects.filter(action="OCPP").order_by("pk")
    return [call.payload["payload"] for call in calls if call.payload["action"] == "TriggerMessage"]


def look(session: ChargingSession, limit: str) -> bool:
    """Whether the stop was asked for."""
    ChargingSession.objects.update(limit=Decimal(limit))
    session = reread(session)
    assert session.started_at is not None
    limits.stop_if_reached(metering.measure(session), session.started_at + minutes(61))
    return session.calls.filter(action="STOP_TRANSACTION").exists()


# 10 kWh a minute ago; each ten seconds cost 0.028 EUR.
FAR, NEAR, REACHED = "10.40", "10.25", "10.10"


def test_it_is_asked_once_before_the_stop_and_not_earlier(session: Any):
    assert not look(session, FAR) and asked() == []
    assert not look(session, NEAR)
    assert asked() == [{"requestedMessage": "MeterValues", "connectorId": 1}]
    assert not look(session, NEAR) and len(asked()) == 1
    assert look(session, REACHED) and len(asked()) == 1


def test_2_0_1_is_asked_for_its_transaction(session: Any):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    look(session, NEAR)
    assert asked() == [{"requestedMessage": "TransactionEvent", "evse": {"id": 1}}]


def test_an_offline_charger_is_not(session: Any):
    ChargerConnection.objects.update(channel_name="")
    look(session, NEAR)
    assert asked() == []


def test_a_fresh_value_needs_no_question(session: Any):
    assert session.started_at is not None
    told = (session.started_at + minutes(60.75), 60.75 * 10_000 / 60, 10_000.0)
    progress.update_session(charger_of(session), meter_values(session, told))
    look(session, NEAR)
    assert asked() == []


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_each_evse_of_a_charger_is_asked_for_itself(session: Any, protocol: str):
    ChargerConnection.objects.update(protocol=protocol)
    charger_id = charger_of(session)
    assert [refresh.request_values(charger_id, number) for number in (1, 2, 1, 2)] == [True, True, False, False]
    assert len(asked()) == 2
