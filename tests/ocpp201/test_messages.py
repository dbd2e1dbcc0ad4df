"""Every other message of a charging station, and frames that are none, with real frames."""

import json
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.models import (
    ChargerConnection,
    ChargerEvent,
    ChargerMonitor,
    ChargerVariable,
    DisplayMessage,
    OutgoingCall,
    Reservation,
)
from chargers.ocpp import database
from chargers.ocpp.meter_values import read_instant
from chargers.services import outgoing, reserving
from infrastructure.models import EVSE
from tests.chargers.charger_socket import ChargerSocket
from tests.chargers.test_reservations import make_request
from tests.chargers.test_socket import until
from tests.ocpp201.station import Station

pytestmark = pytest.mark.django_db(transaction=True)

HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
OCSP = HASH | {"responderURL": "http://ocsp.example"}
NOW = "2026-06-01T10:00:00Z"
COMPONENT = {"component": {"name": "Connector", "evse": {"id": 1}}, "variable": {"name": "Temperature"}}


def soon():
    return timezone.now() + timedelta(seconds=10)


async def finished(call):
    return await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())


async def evse_status():
    return (await sync_to_async(EVSE.objects.get)()).status


async def test_a_boot_and_a_life(identity):
    station = await Station(identity).open()
    box = {"vendorName": "Maker", "model": "M2", "serialNumber": "S1", "firmwareVersion": "7"}
    answer = await station.ask("BootNotification", chargingStation=box, reason="PowerUp")
    assert list(answer) == ["currentTime", "interval", "status"]
    assert (answer["status"], answer["interval"]) == ("Accepted", 60)
    assert answer["currentTime"].endswith("Z")
    connection = await sync_to_async(ChargerConnection.objects.get)()
    assert (connection.vendor, connection.model, connection.serial_number) == ("Maker", "M2", "S1")
    assert (connection.firmware_version, connection.protocol) == ("7", "ocpp2.0.1")
    await station.close()


async def test_both_versions_meet_at_one_address_and_the_charger_chooses(identity):
    newer_first = ChargerSocket(identity, subprotocols=["ocpp2.0.1", "ocpp1.6"])
    assert (await newer_first.connect())["subprotocol"] == "ocpp2.0.1"
    older_first = ChargerSocket(identity, subprotocols=["ocpp1.6", "ocpp2.0.1"])
    assert (await older_first.connect())["subprotocol"] == "ocpp1.6"
    await newer_first.close()
    await older_first.close()


ANSWERS = [
    ("ClearedChargingLimit", {"chargingLimitSource": "EMS"}, {}),
    ("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "EMS"}}, {}),
    ("NotifyCustomerInformation", {"data": "x", "seqNo": 0, "generatedAt": NOW, "requestId": 1}, {}),
    ("NotifyDisplayMessages", {"requestId": 1}, {}),
    ("NotifyMonitoringReport", {"requestId": 1, "seqNo": 0, "generatedAt": NOW}, {}),
    ("NotifyReport", {"requestId": 1, "generatedAt": NOW, "seqNo": 0}, {}),
    ("PublishFirmwareStatusNotification", {"status": "Published", "location": ["http://a"]}, {}),
    (
        "ReportChargingProfiles",
        {
            "requestId": 1,
            "chargingLimitSource": "CSO",
            "evseId": 1,
            "chargingProfile": [
                {
                    "id": 1,
                    "stackLevel": 0,
                    "chargingProfilePurpose": "TxDefaultProfile",
                    "chargingProfileKind": "Relative",
                    "chargingSchedule": [
                        {
                            "id": 1,
                            "chargingRateUnit": "W",
                            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1.0}],
                        }
                    ],
                }
            ],
        },
        {},
    ),
    ("ReservationStatusUpdate", {"reservationId": 7, "reservationUpdateStatus": "Expired"}, {}),
    ("DataTransfer", {"vendorId": "x", "data": {"any": "thing"}}, {"status": "UnknownVendorId"}),
    (
        "Get15118EVCertificate",
        {"iso15118SchemaVersion": "2", "action": "Install", "exiRequest": "AA"},
        {"status": "Failed", "exiResponse": ""},
    ),
    ("GetCertificateStatus", {"ocspRequestData": OCSP}, {"status": "Failed"}),
    (
        "NotifyEVChargingNeeds",
        {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "DC"}},
        {"status": "Rejected"},
    ),
    (
        "NotifyEVChargingSchedule",
        {
            "timeBase": NOW,
            "evseId": 1,
            "chargingSchedule": {
                "id": 1,
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1.0}],
            },
        },
        {"status": "Accepted"},
    ),
    ("Authorize", {"idToken": {"idToken": "stranger", "type": "ISO14443"}}, {"idTokenInfo": {"status": "Invalid"}}),
    (
        "MeterValues",
        {"evseId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": 1.5}]}]},
        {},
    ),
]


async def test_a_message_gets_the_answer_of_the_standard(identity):
    station = await Station(identity).open()
    for action, payload, answer in ANSWERS:
        assert await station.ask(action, **payload) == answer, action
    await station.close()


KEPT = [
    (
        "SecurityEventNotification",
        {"type": "TamperDetectionActivated", "timestamp": NOW},
        ("SECURITY", "TamperDetectionActivated"),
    ),
    ("FirmwareStatusNotification", {"status": "Installed", "requestId": 4}, ("FIRMWARE", "Installed")),
    ("LogStatusNotification", {"status": "Uploaded", "requestId": 5}, ("LOG", "Uploaded")),
    (
        "SignCertificate",
        {"csr": "PEM", "certificateType": "ChargingStationCertificate"},
        ("CERTIFICATE", "ChargingStationCertificate"),
    ),
    (
        "NotifyEvent",
        {
            "generatedAt": NOW,
            "seqNo": 0,
            "eventData": [
                COMPONENT
                | {
                    "eventId": 1,
                    "timestamp": NOW,
                    "trigger": trigger,
                    "actualValue": "90",
                    "eventNotificationType": "HardWiredMonitor",
                }
                for trigger in ("Alerting", "Periodic")
            ],
        },
        ("FAULT", "Connector.Temperature"),
    ),
]


async def test_what_staff_should_see_is_kept(identity):
    station = await Station(identity).open()
    for action, payload, event in KEPT:
        await station.ask(action, **payload)
        kept = await sync_to_async(ChargerEvent.objects.latest)("pk")
        assert (kept.kind, kept.name) == event, action
    await station.close()


@pytest.mark.parametrize("trigger", ["Alerting", "Delta"])
async def test_an_alert_that_is_over_is_kept_too(identity, trigger):
    station = await Station(identity).open()
    told = {"timestamp": NOW, "eventNotificationType": "CustomMonitor"}
    begins = COMPONENT | told | {"eventId": 1, "trigger": "Alerting", "actualValue": "90"}
    is_over = COMPONENT | told | {"eventId": 2, "trigger": trigger, "actualValue": "60", "cleared": True}
    await station.ask("NotifyEvent", generatedAt=NOW, seqNo=0, eventData=[begins, is_over])
    kept = await sync_to_async(lambda: [(one.name, one.info) for one in ChargerEvent.objects.order_by("pk")])()
    assert kept == [("Connector.Temperature", "90"), ("Connector.Temperature", "Cleared, 60")]
    await station.close()


async def test_reported_variables_are_kept(identity):
    station = await Station(identity).open()
    data = COMPONENT | {
        "variableAttribute": [{"value": "20", "mutability": "ReadOnly"}, {"type": "MaxSet", "value": "90"}]
    }
    await station.ask("NotifyReport", requestId=1, generatedAt=NOW, seqNo=0, reportData=[data])
    known = await sync_to_async(lambda: {one.name: one.value for one in ChargerVariable.objects.all()})()
    assert known == {"Connector[1].Temperature": "20", "Connector[1].Temperature#MaxSet": "90"}
    await station.close()


async def test_what_the_charger_watches_shows_and_knows_is_kept(identity):
    station = await Station(identity).open()
    told = {"requestId": 1, "generatedAt": NOW, "seqNo": 0}
    watched = {"id": 7, "transaction": False, "value": 80.5, "type": "UpperThreshold", "severity": 2}
    await station.ask("NotifyMonitoringReport", **told, monitor=[COMPONENT | {"variableMonitoring": [watched]}])
    monitor = await sync_to_async(ChargerMonitor.objects.get)()
    assert (monitor.name, monitor.type, monitor.value, monitor.severity) == (
        "Connector[1].Temperature",
        "UpperThreshold",
        80.5,
        2,
    )
    alert = {"eventId": 1, "timestamp": NOW, "trigger": "Alerting", "actualValue": "90", "variableMonitoringId": 7}
    data = COMPONENT | alert | {"eventNotificationType": "CustomMonitor"}
    await station.ask("NotifyEvent", generatedAt=NOW, seqNo=0, eventData=[data])
    assert (await sync_to_async(ChargerEvent.objects.get)(kind="FAULT")).severity == 2
    shown = {"id": 4, "priority": "InFront", "message": {"format": "UTF8", "content": "Hello"}, "endDateTime": NOW}
    await station.ask("NotifyDisplayMessages", requestId=1, messageInfo=[shown])
    message = await sync_to_async(DisplayMessage.objects.get)()
    assert (message.text, message.priority, message.ends_at) == ("Hello", "InFront", read_instant(NOW))
    for number, part in enumerate(("who ", "and what")):
        await station.ask("NotifyCustomerInformation", data=part, **told | {"seqNo": number})
    assert (await sync_to_async(ChargerEvent.objects.get)(kind="CUSTOMER")).info == "who and what"
    await station.close()


async def test_the_status_of_an_evse_follows_that_of_its_connectors(connector, identity):
    station = await Station(identity).open()
    told = []
    for number, word in [
        (1, "Available"),
        (2, "Faulted"),
        (2, "Available"),
        (1, "Occupied"),
        (1, "Unavailable"),
        (2, "Reserved"),
        (2, "Faulted"),
        (1, "Faulted"),
    ]:
        await station.status(word, connector=number)
        told.append(await evse_status())
    assert told == [
        "AVAILABLE",
        "AVAILABLE",
        "AVAILABLE",
        "AVAILABLE",
        "AVAILABLE",
        "RESERVED",
        "INOPERATIVE",
        "OUTOFORDER",
    ]
    await station.status("Available", evse=0, connector=0)
    await station.status("Available", evse=9)
    assert await evse_status() == "OUTOFORDER"
    await station.close()


async def test_a_reservation_that_the_charger_drops_is_over(connector, identity):
    station = await Station(identity).open()
    wanted = await database.run(lambda: make_request(connector, connector_type="cCCS2"))
    call = await database.run(lambda: reserving.request_reservation(wanted))
    frame = await station.request()
    assert (frame[2], frame[3]["connectorType"]) == ("ReserveNow", "cCCS2")
    await station.answer(frame[1], status="Accepted")
    await until(lambda: type(call).objects.filter(pk=call.pk, result="ACCEPTED").first())
    await station.ask("ReservationStatusUpdate", reservationId=frame[3]["id"], reservationUpdateStatus="Removed")
    assert (await sync_to_async(Reservation.objects.get)()).state == "CANCELLED"
    await station.close()


BAD_FRAMES = [
    ("{", "-1", "RpcFrameworkError"),
    ("{}", "-1", "RpcFrameworkError"),
    ('[7,"a","Heartbeat",{}]', "-1", "MessageTypeNotSupported"),
    ('[2,"a","Heartbeat"]', "a", "RpcFrameworkError"),
    ('[2,"a","StartTransaction",{}]', "a", "NotImplemented"),
    ('[2,"a","ReserveNow",{}]', "a", "NotSupported"),
    ('[2,"a","BootNotification",{"reason":"PowerUp"}]', "a", "ProtocolError"),
    ('[2,"a","Heartbeat",{"extra":1}]', "a", "FormatViolation"),
    ('[2,"a","LogStatusNotification",{"status":5}]', "a", "TypeConstraintViolation"),
]


async def test_a_bad_frame_gets_an_error_and_the_connection_stays(identity):
    station = await Station(identity).open()
    for frame, unique_id, code in BAD_FRAMES:
        await station.send(frame)
        answer = await station.frame()
        assert answer[:3] == [4, unique_id, code], frame
        assert "currentTime" in await station.ask("Heartbeat")
    await station.close()


def statuses(*words):
    return {
        "setVariableResult": [
            variable | {"attributeStatus": word} for variable, word in zip(VARIABLES, words, strict=True)
        ]
    }


VARIABLES = [{"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": name}} for name in ("A", "B")]
TWO_VARIABLES = {"setVariableData": [variable | {"attributeValue": "7"} for variable in VARIABLES]}
REQUESTS = [
    ("Reset", {"type": "OnIdle"}, {"status": "Scheduled"}, "ACCEPTED"),
    ("UnlockConnector", {"evseId": 1, "connectorId": 9}, {"status": "UnknownConnector"}, "REJECTED"),
    ("SetVariables", TWO_VARIABLES, statuses("Accepted", "Rejected"), "ACCEPTED"),
    ("SetVariables", TWO_VARIABLES, statuses("RebootRequired", "Rejected"), "ACCEPTED"),
    ("SetVariables", TWO_VARIABLES, statuses("Rejected", "UnknownVariable"), "REJECTED"),
    ("SetVariables", TWO_VARIABLES, statuses("UnknownComponent", "UnknownComponent"), "UNKNOWN"),
    ("SetVariables", TWO_VARIABLES, statuses({}, "NotSupportedAttributeType"), "FAILED"),
    ("SetVariables", TWO_VARIABLES, {"setVariableResult": [5]}, "FAILED"),
    ("ClearVariableMonitoring", {"id": [1]}, {"clearMonitoringResult": [{"id": 1, "status": "NotFound"}]}, "UNKNOWN"),
    ("GetLog", {"logType": "SecurityLog", "requestId": 1}, {"status": "AcceptedCanceled"}, "ACCEPTED"),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, {"status": "Maybe"}, "FAILED"),
    ("CostUpdated", {"totalCost": 1.5, "transactionId": "t"}, {}, "ACCEPTED"),
]


async def test_any_request_goes_out_as_it_is_and_its_answer_comes_back(connector, identity):
    station = await Station(identity).open()
    for action, payload, answer, result in REQUESTS:
        call = await database.run(outgoing.request_ocpp, connector.evse.charger_id, action, payload, soon())
        frame = await station.request()
        assert frame[2:] == [action, payload]
        await station.send(json.dumps([3, frame[1], answer]))
        done = await finished(call)
        assert done.result == result, action
    await station.close()


async def test_what_is_no_request_to_a_charger_is_not_sent(connector, identity):
    station = await Station(identity).open()
    call = await database.run(outgoing.request_ocpp, connector.evse.charger_id, "Heartbeat", {}, soon())
    assert (await finished(call)).result == "NOT_SUPPORTED"
    await station.close()
