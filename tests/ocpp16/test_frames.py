"""Frames that are wrong: the right CALLERROR where one is possible, and the connection stays."""

import json
from typing import Any

import pytest

from chargers.ocpp import schemas
from tests.chargers.charger_socket import ChargerSocket

pytestmark = pytest.mark.django_db(transaction=True)

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Nonsense", {}, "NotImplemented"),
        ("TransactionEvent", {}, "NotImplemented"),
        ("Reset", {"type": "Hard"}, "NotSupported"),
        ("GetConfiguration", {}, "NotSupported"),
        ("BootNotification", {"chargePointVendor": "V"}, "ProtocolError"),
        ("BootNotification", {**BOOT, "extra": 1}, "FormationViolation"),
        ("BootNotification", {**BOOT, "chargePointVendor": "x" * 21}, "PropertyConstraintViolation"),
        ("BootNotification", {**BOOT, "chargePointModel": 5}, "TypeConstraintViolation"),
        ("StatusNotification", {**STATUS, "status": "Dancing"}, "PropertyConstraintViolation"),
        ("StatusNotification", {**STATUS, "connectorId": "1"}, "TypeConstraintViolation"),
        ("Heartbeat", [], "FormationViolation"),
        ("Heartbeat", None, "FormationViolation"),
    ],
)
async def test_a_bad_request_gets_the_error_of_the_standard(identity: str, action: str, payload: Any, code: str):
    charger = await ChargerSocket(identity).open()
    await charger.send(json.dumps([2, "id-1", action, payload]))
    kind, unique_id, told, description, details = await charger.frame()
    assert (kind, unique_id, told, details) == (4, "id-1", code, {})
    assert 0 < len(description) <= 255
    assert "currentTime" in await charger.ask("Heartbeat")
    await charger.close()


@pytest.mark.parametrize("frame", ['[2,"id-1","Heartbeat"]', '[2,"id-1",["x"],{}]', '[2,"id-1","Heartbeat",{},1]'])
async def test_a_request_of_another_shape_is_answered_if_its_id_can_be_read(identity: str, frame: str):
    charger = await ChargerSocket(identity).open()
    await charger.send(frame)
    assert (await charger.frame())[:3] == [4, "id-1", "FormationViolation"]
    await charger.close()


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "frame", ["", "{", "7", "[]", "null", DEEP, '[true,"a","b",{}]', '[9,"1",{}]', '[2,5,"Heartbeat",{}]', '[3,"1"]']
)
async def test_what_cannot_be_answered_is_passed_over(identity: str, frame: str):
    charger = await ChargerSocket(identity).open()
    await charger.send(frame)
    assert "currentTime" in await charger.ask("Heartbeat")
    await charger.close()


async def test_answers_have_their_members_in_the_order_of_the_schema(identity: str):
    charger = await ChargerSocket(identity).open()
    assert list(await charger.ask("BootNotification", **BOOT)) == ["status", "currentTime", "interval"]
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
    assert list(await charger.ask("StartTransaction", **start)) == ["idTagInfo", "transactionId"]
    await charger.close()


def test_numbers_with_one_decimal_are_what_they_are():
    """21.4 is no multiple of 0.1 in binary."""
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}]}
    answer = {"status": "Accepted", "connectorId": 1, "chargingSchedule": schedule}
    assert schemas.violation("1.6", schemas.RESPONSE, "GetCompositeSchedule", answer) is None
    schedule["chargingSchedulePeriod"] = [{"startPeriod": 0, "limit": 21.44}]
    wrong = schemas.violation("1.6", schemas.RESPONSE, "GetCompositeSchedule", answer)
    assert wrong is not None and wrong.code == "PropertyConstraintViolation"
