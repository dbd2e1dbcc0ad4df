"""What a charger tells of itself beside charging is kept for staff."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chargers.models import ChargerEvent
from tests.chargers.charger_socket import ChargerSocket

pytestmark = pytest.mark.django_db(transaction=True)

AT = "2026-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("action", "payload", "answer", "kept"),
    [
        ("FirmwareStatusNotification", {"status": "Downloading"}, {}, ("FIRMWARE", "Downloading", "", None)),
        (
            "SignedFirmwareStatusNotification",
            {"status": "InvalidSignature", "requestId": 7},
            {},
            ("FIRMWARE", "InvalidSignature", "", 7),
        ),
        ("DiagnosticsStatusNotification", {"status": "UploadFailed"}, {}, ("LOG", "UploadFailed", "", None)),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 8}, {}, ("LOG", "Uploaded", "", 8)),
        (
            "SecurityEventNotification",
            {"type": "TamperDetectionActivated", "timestamp": AT, "techInfo": "door"},
            {},
            ("SECURITY", "TamperDetectionActivated", "door", None),
        ),
        (
            "SignCertificate",
            {"csr": "-----BEGIN"},
            {"status": "Accepted"},
            ("CERTIFICATE", "SignCertificate", "-----BEGIN", None),
        ),
    ],
)
async def test_firmware_logs_and_security(identity: str, action: str, payload: Any, answer: Any, kept: Any):
    charger = await ChargerSocket(identity).open()
    assert await charger.ask(action, **payload) == answer
    event = await sync_to_async(ChargerEvent.objects.get)()
    assert (event.kind, event.name, event.info, event.request_id) == kept
    if "timestamp" in payload:
        assert event.at.isoformat() == "2026-03-01T10:00:00+00:00"
    await charger.close()


async def test_a_fault_is_kept_with_its_words_and_its_place(identity: str):
    charger = await ChargerSocket(identity).open()
    told = {"errorCode": "GroundFailure", "info": "RCD tripped", "vendorId": "Maker", "vendorErrorCode": "E12"}
    await charger.ask("StatusNotification", connectorId=2, status="Faulted", timestamp=AT, **told)
    await charger.ask("StatusNotification", connectorId=0, status="Faulted", timestamp=AT, errorCode="OtherError")
    await charger.ask("StatusNotification", connectorId=1, status="Available", errorCode="NoError")
    events = await sync_to_async(list)(ChargerEvent.objects.order_by("pk"))
    assert [(one.kind, one.name, one.info, one.evse_number) for one in events] == [
        ("FAULT", "GroundFailure", "RCD tripped, Maker, E12", 2),
        ("FAULT", "OtherError", "", None),
    ]
    await charger.close()


async def test_vendor_data_is_a_string_and_stays_unread(identity: str):
    charger = await ChargerSocket(identity).open()
    answer = await charger.ask("DataTransfer", vendorId="V", messageId="m", data='{"someKey": 1}')
    assert answer == {"status": "UnknownVendorId"}
    await charger.close()
