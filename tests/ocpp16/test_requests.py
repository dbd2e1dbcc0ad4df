"""Requests to an OCPP 1.6 charger: what is on the wire, and what its answers mean."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import CallAction, CallResult
from chargers.ocpp.adapter import Outcome, perform
from chargers.ocpp.v16 import ChargePoint16
from chargers.ocpp.v16_answers import ANSWERS
from chargers.services import ocpp_requests
from chargers.services.calls import ClaimedCall


async def ask(action: str, payload: dict[str, Any], answer: Any) -> tuple[list[Any], Outcome]:
    """The frame that a request becomes, and its outcome after `answer`, the rest of a frame behind its id."""
    sent: asyncio.Queue[str] = asyncio.Queue()
    point = ChargePoint16("CP-1", 1, sent.put, lambda: None)
    request = asyncio.ensure_future(point.request(action, payload))
    text = await asyncio.wait_for(asyncio.ensure_future(first_of(sent, request)), 10)
    frame = json.loads(text)
    assert text == json.dumps(frame, separators=(",", ":")), "compact JSON on the wire"
    await point.handle(json.dumps([answer[0], frame[1], *answer[1:]]))
    return frame, await request


async def perform_reset(rest: list[Any]) -> Outcome:
    """How a Reset ends that is answered with `rest`, a whole frame but for its id."""
    sent: asyncio.Queue[str] = asyncio.Queue()
    point = ChargePoint16("CP-1", 1, sent.put, lambda: None)
    wanted = {"action": "Reset", "payload": {"type": "Hard"}}
    call = ClaimedCall(1, CallAction.OCPP, wanted, timezone.now() + timedelta(seconds=10))
    performing = asyncio.ensure_future(perform(point, call))
    frame = json.loads(await sent.get())
    await point.handle(json.dumps([rest[0], frame[1], *rest[1:]]))
    return await performing


async def first_of(sent: asyncio.Queue[str], request: Any) -> str:
    getting = asyncio.ensure_future(sent.get())
    await asyncio.wait([getting, request], return_when=asyncio.FIRST_COMPLETED)
    if not getting.done():
        getting.cancel()
        raise AssertionError(f"nothing was sent: {request.result()}")
    return getting.result()


def test_every_request_of_the_standard_has_its_answers() -> None:
    assert set(ANSWERS) == ocpp_requests.ACTIONS[ocpp_requests.OcppVersion.V16]


@pytest.mark.parametrize(
    ("action", "status", "result"),
    [(action, word, result) for action, words in ANSWERS.items() if words for word, result in words.items()],
)
async def test_a_status_word_is_the_result(action: str, status: str, result: CallResult) -> None:
    frame, outcome = await ask(action, {}, [3, {"status": status}])
    assert (frame[2:], outcome) == ([action, {}], Outcome(result, {"status": status}))


@pytest.mark.parametrize("action", [action for action, words in ANSWERS.items() if words is None])
async def test_an_answer_without_a_status_is_a_success_and_kept_as_it_came(action: str) -> None:
    told = {"configurationKey": [{"key": "ConnectorPhaseRotation", "readonly": False, "value": "0.RST"}], "x_y": 1}
    _, outcome = await ask(action, {}, [3, told])
    assert outcome == Outcome(CallResult.ACCEPTED, told)


@pytest.mark.parametrize("answer", [{"status": "Perhaps"}, {}, {"status": ["Accepted"]}])
async def test_an_unknown_answer_is_a_failure_that_says_so(answer: Any) -> None:
    _, outcome = await ask("Reset", {"type": "Hard"}, [3, answer])
    assert outcome.result == CallResult.FAILED and "Reset" in outcome.answer["reason"]


async def test_an_answer_that_is_no_object_is_a_failure() -> None:
    _, outcome = await ask("GetConfiguration", {}, [3, ["x"]])
    assert outcome.result == CallResult.FAILED


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ([4, "NotSupported", "no", {"a": [1]}], ("NotSupported", "no", {"a": [1]})),
        ([4, "", "", {}], ("", "", {})),
        ([4, "GenericError"], ("GenericError", "", {})),
        ([4], ("", "", {})),
        ([4, None, None, None], ("", "", {})),
        ([4, 7, 8, "x", 9], ("7", "8", "x")),
    ],
)
async def test_an_error_ends_the_call_and_is_kept_as_it_came(rest: list[Any], told: tuple[Any, ...]) -> None:
    outcome = await perform_reset(rest)
    result = CallResult.NOT_SUPPORTED if told[0] == "NotSupported" else CallResult.FAILED
    assert outcome == Outcome(result, dict(zip(("code", "description", "details"), told, strict=True)))


@pytest.mark.parametrize("rest", [[3], [3, "Reset", {"status": "Accepted"}]])
async def test_an_answer_of_another_shape_ends_the_call_as_a_failure(rest: list[Any]) -> None:
    outcome = await perform_reset(rest)
    assert outcome.result == CallResult.FAILED


async def test_members_stand_in_the_order_of_the_schema_at_every_depth() -> None:
    schedule = {
        "chargingSchedulePeriod": [{"numberPhases": 3, "limit": 16.0, "startPeriod": 0}],
        "chargingRateUnit": "A",
        "duration": 60,
    }
    profile = {
        "chargingSchedule": schedule,
        "chargingProfileKind": "Relative",
        "chargingProfilePurpose": "TxDefaultProfile",
        "stackLevel": 1,
        "chargingProfileId": 7,
    }
    payload = {"vendorExtra": 1, "csChargingProfiles": profile, "connectorId": 1}
    frame, _ = await ask("SetChargingProfile", payload, [3, {"status": "Accepted"}])
    sent = frame[3]
    assert sent == payload
    assert list(sent) == ["connectorId", "csChargingProfiles", "vendorExtra"]
    assert list(sent["csChargingProfiles"]) == [
        "chargingProfileId",
        "stackLevel",
        "chargingProfilePurpose",
        "chargingProfileKind",
        "chargingSchedule",
    ]
    assert list(sent["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]) == [
        "startPeriod",
        "limit",
        "numberPhases",
    ]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("UnlockConnector", {"connectorId": 99}),
        ("CancelReservation", {"reservationId": -5}),
        ("GetDiagnostics", {"location": "ftp://fileserver/logs"}),
        ("UpdateFirmware", {"location": "files", "retrieveDate": "2026-01-01T00:00:00"}),
        ("DataTransfer", {"vendorId": "v", "data": '{"some_key":[1,2]}'}),
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {"limit": 21.44}}),
        ("GetLog", {"log": {"remoteLocation": "ftp://x"}, "logType": "SecurityLog", "requestId": 1}),
        ("ChangeConfiguration", {"key": "V2G_soc_URL", "value": ""}),
    ],
)
async def test_nothing_is_refused_on_our_side_and_no_name_is_changed(action: str, payload: dict[str, Any]) -> None:
    frame, _ = await ask(action, payload, [3, {"status": "Accepted"}])
    assert frame[2:] == [action, payload]


@pytest.mark.parametrize("action", ["Heartbeat", "BootNotification", "SetVariables", "__init__", "datatypes"])
async def test_what_is_no_request_to_a_charger_is_not_sent(action: str) -> None:
    point = ChargePoint16("CP-1", 1, pytest.fail, lambda: None)
    assert (await point.request(action, {})).result == CallResult.NOT_SUPPORTED


async def test_an_answer_to_nothing_changes_nothing() -> None:
    point = ChargePoint16("CP-1", 1, pytest.fail, lambda: None)
    await point.handle('[3,"unknown",{"status":"Accepted"}]')
    await point.handle('[4,"unknown","GenericError","",{}]')
