"""Numbers that no charging station has: answered as the standard says, and what comes beside them is kept."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chargers.models import ChargerEvent, ChargerMonitor, ChargerVariable, ChargingSession, IdToken
from tests import fuzz
from tests.ocpp201.station import Station

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = (-(10**10), -5, 40_000, 10**10, 10**17)
AT = "2026-01-01T00:00:00Z"


def payloads(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    where = {"component": {"name": "C", "evse": {"id": number, "connectorId": number}}, "variable": {"name": "V"}}
    monitor = {"id": number, "transaction": False, "value": 1e300, "type": "UpperThreshold", "severity": number}
    alert = {"eventId": number, "timestamp": AT, "trigger": "Alerting", "actualValue": "1"}
    alert |= {"eventNotificationType": "HardWiredMonitor", "variableMonitoringId": number}
    told, part = {"generatedAt": AT, "seqNo": number}, {"requestId": number}
    message = {"id": number, "priority": "AlwaysFront", "message": {"format": "UTF8", "content": "x"}}
    sample = {"value": 1, "unitOfMeasure": {"multiplier": number}}
    yield "StatusNotification", {"timestamp": AT, "connectorStatus": "Faulted", "evseId": 1, "connectorId": number}
    yield "StatusNotification", {"timestamp": AT, "connectorStatus": "Faulted", "evseId": number, "connectorId": 1}
    yield "NotifyReport", told | part | {"reportData": [where | {"variableAttribute": [{"value": "x"}]}]}
    yield "NotifyEvent", told | {"eventData": [alert | where]}
    yield "NotifyMonitoringReport", told | part | {"monitor": [where | {"variableMonitoring": [monitor]}]}
    yield "NotifyDisplayMessages", part | {"messageInfo": [message]}
    yield "NotifyCustomerInformation", told | part | {"data": "x"}
    yield "FirmwareStatusNotification", part | {"status": "Installed"}
    yield "ReservationStatusUpdate", {"reservationId": number, "reservationUpdateStatus": "Removed"}
    yield "MeterValues", {"evseId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [sample]}]}
    for kind in ("Updated", "Ended"):
        event = {"eventType": kind, "timestamp": AT, "triggerReason": "RemoteStart", "seqNo": number}
        event["transactionInfo"] = {"transactionId": f"t{number}", "remoteStartId": number}
        yield "TransactionEvent", event | {"evse": {"id": number}, "reservationId": number}


async def test_each_is_answered_and_none_fails(identity: str, caplog: Any):
    station = await Station(identity).open()
    for action, payload in (one for number in NUMBERS for one in payloads(number)):
        caplog.clear()
        unique_id = await station.post(action, **payload)
        fuzz.sent["OCPP 2.0.1 messages"] += 1
        kind, answered, *told = await station.frame()
        assert answered == unique_id and (kind == 3 or told[0] == "PropertyConstraintViolation"), (action, told)
        failures = [record.getMessage()[:300] for record in caplog.records if record.levelno >= logging.ERROR]
        assert not failures, (action, payload, failures)
    await station.close()


async def test_an_alert_and_a_monitor_are_kept_without_the_place_that_cannot_be(identity: str):
    station = await Station(identity).open()
    for action, payload in payloads(10**10):
        if action.startswith("Notify"):
            await station.ask(action, **payload)
    await station.close()
    event = await ChargerEvent.objects.aget(kind="FAULT")
    assert (event.name, event.evse_number) == ("C.V", None)
    assert (await ChargerMonitor.objects.aget()).severity == 9
    assert not await ChargerVariable.objects.aexists()


async def test_a_value_with_an_impossible_multiplier_does_not_lose_the_end(connector: Any, identity: str):
    await IdToken.objects.acreate(operator=connector.evse.charger.location.operator, id_tag="CARD")
    station = await Station(identity).open()
    place = {"evse": {"id": 1, "connectorId": 1}}
    await station.tell("Started", "Authorized", 0, wh=1000, state="Charging", tag="CARD", **place)
    samples = [{"value": 2, "unitOfMeasure": {"multiplier": 10**9}}]
    await station.tell("Updated", "MeterValuePeriodic", 1, samples=samples)
    last = [{"value": 1600}, {"value": 9, "measurand": "Power.Active.Import", "unitOfMeasure": {"multiplier": 10**9}}]
    await station.tell("Ended", "EVDeparted", 2, state="Idle", samples=last)
    session = await ChargingSession.objects.aget()
    assert (session.status, float(session.kwh)) == ("COMPLETED", 0.6)
    await station.close()


async def test_events_may_be_numbered_with_fractions_that_are_whole(identity: str):
    station = await Station(identity).open()
    payload = station.event("Started", "Authorized", 0, wh=1000, state="Charging", tag="NOBODYS", seq_no=0)
    assert "idTokenInfo" in await station.ask("TransactionEvent", **payload | {"seqNo": 0.0})
    await station.close()
