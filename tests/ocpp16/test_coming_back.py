"""A charger that comes back is asked for what it does not tell by itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import ChargerConnection, OutgoingCall
from chargers.services import refresh
from infrastructure.models import EVSE
from tests.chargers.charger_socket import ChargerSocket
from tests.chargers.factories import CHANNEL, make_connector
from tests.chargers.test_socket import row, until


def payloads():
    return [call.payload["payload"] for call in OutgoingCall.objects.order_by("pk")]


@pytest.fixture
def online():
    connector = make_connector(status="UNKNOWN")
    ChargerConnection.objects.update(protocol="ocpp1.6", booted_at=timezone.now())
    return connector.evse


@pytest.mark.django_db
def test_each_evse_of_unknown_status_is_asked_for(online):
    EVSE.objects.create(charger=online.charger, number=2, status="AVAILABLE")
    EVSE.objects.create(charger=online.charger, number=3, status="UNKNOWN")
    EVSE.objects.create(charger=online.charger, number=4, status="PLANNED")
    assert refresh.request_missing(online.charger_id, CHANNEL) == 2
    assert payloads() == [
        {"requestedMessage": "StatusNotification", "connectorId": 1},
        {"requestedMessage": "StatusNotification", "connectorId": 3},
    ]
    assert OutgoingCall.objects.first().expires_at < timezone.now() + timedelta(seconds=25)


@pytest.mark.django_db
def test_a_charger_that_never_said_who_it_is_is_asked_for_that(online):
    EVSE.objects.update(status="AVAILABLE")
    ChargerConnection.objects.update(booted_at=None)
    refresh.request_missing(online.charger_id, CHANNEL)
    assert payloads() == [{"requestedMessage": "BootNotification"}]


@pytest.mark.django_db
def test_a_charger_that_told_everything_is_asked_nothing(online):
    EVSE.objects.update(status="CHARGING")
    assert refresh.request_missing(online.charger_id, CHANNEL) == 0


@pytest.mark.django_db
def test_a_socket_that_was_replaced_asks_nothing(online):
    assert refresh.request_missing(online.charger_id, "older") == 0


@pytest.mark.django_db
def test_ocpp_201_asks_for_each_connector(online):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    refresh.request_missing(online.charger_id, CHANNEL)
    assert payloads() == [{"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}]


@pytest.mark.django_db(transaction=True)
async def test_after_a_reconnect_without_a_boot_the_status_is_known_again(connector, identity, settings):
    settings.CHARGER_SETTLED_AFTER = 0
    await EVSE.objects.aupdate(status="UNKNOWN")
    await ChargerConnection.objects.aupdate(booted_at=timezone.now())
    charger = await ChargerSocket(identity).open()
    frame = await charger.request()
    assert frame[2:] == ["TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1}]
    await charger.answer(frame[1], status="Accepted")
    await charger.ask("StatusNotification", connectorId=1, errorCode="NoError", status="Available")
    assert (await row(EVSE)).status == "AVAILABLE"
    await until(lambda: OutgoingCall.objects.filter(result="ACCEPTED").first())
    await charger.close()
