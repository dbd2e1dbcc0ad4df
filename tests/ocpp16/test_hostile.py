"""Numbers beyond all bounds and texts that no database takes: answered, and what of them can be kept is kept."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chargers.models import ChargerConnection, ChargingSession
from tests import fuzz
from tests.chargers.charger_socket import ChargerSocket

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "9" * 5000, "999999999999", "1e-400", "-1")
TEXTS = (r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"<b onclick=x>"', r'"\u202e\u2066"', '"=1+1"')
AT = '"timestamp":"2026-01-01T00:00:00Z"'
PLACES = ("0", "-5", "40000", "10000000000", "-10000000000", "99999999999999999")


def payloads() -> Iterator[tuple[str, str]]:
    """Action and payload, as text: some of it no library would write."""
    for text in TEXTS:
        yield "StatusNotification", f'{{"connectorId":1,"errorCode":"NoError","status":"Available","info":{text}}}'
        yield "BootNotification", f'{{"chargePointVendor":{text},"chargePointModel":{text}}}'
        yield "DataTransfer", f'{{"vendorId":"v","messageId":{text},"data":{text}}}'
        yield "Authorize", f'{{"idTag":{text}}}'
        yield "SecurityEventNotification", f'{{"type":{text},{AT},"techInfo":{text}}}'
        yield json.loads(text).replace("\0", "").encode("ascii", "ignore").decode() or "Nothing", "{}"
    for number in NUMBERS:
        yield "StartTransaction", f'{{"connectorId":1,"idTag":"TAG","meterStart":{number},{AT}}}'
        yield "StopTransaction", f'{{"transactionId":{number},"meterStop":{number},{AT}}}'
        yield "StatusNotification", f'{{"connectorId":{number},"errorCode":"NoError","status":"Available"}}'
    for place in PLACES:
        yield "StatusNotification", f'{{"connectorId":{place},"errorCode":"GroundFailure","status":"Faulted"}}'
        yield "StartTransaction", f'{{"connectorId":{place},"idTag":"TAG","meterStart":1,{AT}}}'
    for value in (*TEXTS, *NUMBERS, *map(json.dumps, NUMBERS)):
        yield "MeterValues", f'{{"connectorId":1,"meterValue":[{{{AT},"sampledValue":[{{"value":{value}}}]}}]}}'


async def test_each_is_answered_and_none_fails(identity: str, caplog: Any):
    charger = await ChargerSocket(identity).open()
    for action, payload in payloads():
        caplog.clear()
        await charger.send(f'[2,"1",{json.dumps(action)},{payload}]')
        fuzz.sent["OCPP 1.6J messages"] += 1
        while (frame := await charger.frame())[0] == 2:
            pass  # to stop what it may just have started
        kind, unique_id, *told = frame
        assert unique_id == "1" and (kind == 3 or told[0] != "InternalError"), (action, payload[:200], told)
        failures = [record.getMessage()[:300] for record in caplog.records if record.levelno >= logging.ERROR]
        assert not failures, (action, payload[:200], failures)
    await charger.close()


async def test_a_whole_number_may_be_written_as_a_fraction(identity: str):
    charger = await ChargerSocket(identity).open()
    await charger.send('[2,"1","StatusNotification",{"connectorId":1.0,"errorCode":"NoError","status":"Available"}]')
    assert (await charger.frame())[:2] == [3, "1"]
    await charger.send('[2,"2","StatusNotification",{"connectorId":1.5,"errorCode":"NoError","status":"Available"}]')
    assert (await charger.frame())[:3] == [4, "2", "TypeConstraintViolation"]
    await charger.close()


async def test_what_cannot_be_kept_of_a_text_is_left_out(identity: str):
    charger = await ChargerSocket(identity).open()
    await charger.send(
        r'[2,"1","BootNotification",{"chargePointVendor":"a\u0000b\ud800","chargePointModel":"\\u0000"}]'
    )
    assert (await charger.frame())[2]["status"] == "Accepted"
    await charger.close()
    connection = await ChargerConnection.objects.aget()
    assert (connection.vendor, connection.model) == ("ab?", r"\u0000")


async def test_what_runs_for_a_tag_that_would_grow_in_capitals_is_written_down(identity: str):
    charger = await ChargerSocket(identity).open()
    told = {"connectorId": 1, "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
    answer = await charger.ask("StartTransaction", idTag="ß" * 19 + "a", **told)
    await charger.close()
    session = await ChargingSession.objects.aget()
    assert (session.id_tag, session.pk) == ("ß" * 19 + "A", answer["transactionId"])
