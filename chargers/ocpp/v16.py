"""OCPP 1.6J central system: thin handlers that turn a message into an event for one service.

No handler calls the charger: whatever must be asked of it is an OutgoingCall.
"""

from datetime import UTC
from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, DataTransferStatus, GenericStatus, RegistrationStatus
from ocpp.v16.enums import AuthorizationStatus as OcppAuthorizationStatus

from chargers.choices import AuthorizationStatus, ChargerEventKind
from chargers.ocpp import database
from chargers.ocpp.meter_values import read_instant, read_meter_values
from chargers.ocpp.v16_requests import Requests16
from chargers.services import authorize, charger_events, lifecycle, progress, sessions
from chargers.services import status as status_service
from chargers.services.events import (
    Booted,
    MeterValuesReceived,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)

Json = dict[str, Any]

NO_ERROR = "NoError"
ACCEPTED = authorize.TagInfo(AuthorizationStatus.ACCEPTED)


class ChargePoint16(Requests16):
    """One charger on one socket; implements `Adapter`."""

    subprotocol: ClassVar[str] = "ocpp1.6"
    actions: ClassVar[frozenset[str]] = frozenset(action.value for action in Action)

    @on(Action.boot_notification)
    async def on_boot(self, charge_point_vendor: str, charge_point_model: str, **rest: Any) -> Any:
        event = Booted(
            charge_point_vendor,
            charge_point_model,
            rest.get("charge_point_serial_number") or rest.get("charge_box_serial_number") or "",
            rest.get("firmware_version", ""),
        )
        await database.run(lifecycle.booted, self.charger_id, event)
        self.on_booted()
        return call_result.BootNotification(
            current_time=_now(),
            interval=int(lifecycle.HEARTBEAT_INTERVAL.total_seconds()),
            status=RegistrationStatus.accepted,
        )

    @on(Action.heartbeat)
    async def on_heartbeat(self, **rest: Any) -> Any:
        return call_result.Heartbeat(current_time=_now())

    @on(Action.status_notification)
    async def on_status(self, connector_id: int, status: str, **rest: Any) -> Any:
        event = StatusChanged(connector_id, status, read_instant(rest.get("timestamp")))
        await database.run(status_service.record_status, self.charger_id, event)
        if rest.get("error_code", NO_ERROR) != NO_ERROR:
            told = {"info": _fault_info(rest), "evse_number": connector_id or None, "at": event.at}
            await self._note(ChargerEventKind.FAULT, rest["error_code"], **told)
        return call_result.StatusNotification()

    @on(Action.authorize)
    async def on_authorize(self, id_tag: str, **rest: Any) -> Any:
        tag = await database.run_patiently(authorize.authorize, self.charger_id, _tag(id_tag))
        return call_result.Authorize(id_tag_info=_id_tag_info(tag))

    @on(Action.start_transaction)
    async def on_start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **rest: Any) -> Any:
        reservation_id = rest.get("reservation_id")
        event = TransactionStarted(
            connector_id, _tag(id_tag), Decimal(meter_start), read_instant(timestamp), reservation_id
        )
        permit = await database.run_patiently(authorize.permit_start, self.charger_id, event)
        answer = await database.run(sessions.start_session, self.charger_id, event, permit)
        return call_result.StartTransaction(transaction_id=answer.transaction_id, id_tag_info=_id_tag_info(answer.tag))

    @on(Action.meter_values)
    async def on_meter_values(self, connector_id: int, meter_value: list[Json], **rest: Any) -> Any:
        event = MeterValuesReceived(connector_id, rest.get("transaction_id"), read_meter_values(meter_value))
        await database.run(progress.update_session, self.charger_id, event)
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    async def on_stop(self, meter_stop: int, timestamp: str, transaction_id: int, **rest: Any) -> Any:
        event = TransactionEnded(
            transaction_id,
            Decimal(meter_stop),
            read_instant(timestamp),
            rest.get("reason", ""),
            read_meter_values(rest.get("transaction_data", [])),
        )
        await database.run(sessions.end_session, self.charger_id, event)
        return call_result.StopTransaction(id_tag_info=_id_tag_info(ACCEPTED) if "id_tag" in rest else None)

    @on(Action.data_transfer)
    async def on_data_transfer(self, vendor_id: str, **rest: Any) -> Any:
        return call_result.DataTransfer(status=DataTransferStatus.unknown_vendor_id)

    # -- firmware, logs and security: kept for staff

    @on(Action.firmware_status_notification)
    async def on_firmware_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.FIRMWARE, status)
        return call_result.FirmwareStatusNotification()

    @on(Action.signed_firmware_status_notification)
    async def on_signed_firmware_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.FIRMWARE, status, request_id=rest.get("request_id"))
        return call_result.SignedFirmwareStatusNotification()

    @on(Action.diagnostics_status_notification)
    async def on_diagnostics_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.LOG, status)
        return call_result.DiagnosticsStatusNotification()

    @on(Action.log_status_notification)
    async def on_log_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.LOG, status, request_id=rest.get("request_id"))
        return call_result.LogStatusNotification()

    @on(Action.security_event_notification)
    async def on_security_event(self, type: str, timestamp: str, **rest: Any) -> Any:
        at = read_instant(timestamp)
        await self._note(ChargerEventKind.SECURITY, type, info=rest.get("tech_info", ""), at=at)
        return call_result.SecurityEventNotification()

    @on(Action.sign_certificate)
    async def on_sign_certificate(self, csr: str, **rest: Any) -> Any:
        # Staff have it signed by their authority and send the answer: CertificateSigned.
        await self._note(ChargerEventKind.CERTIFICATE, "SignCertificate", info=csr)
        return call_result.SignCertificate(status=GenericStatus.accepted)

    async def _note(self, kind: ChargerEventKind, name: str, **told: Any) -> None:
        await database.run(charger_events.record_event, self.charger_id, kind, name, **told)


def _now() -> str:
    return timezone.now().astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _fault_info(told: Json) -> str:
    words = (told.get(name, "") for name in ("info", "vendor_id", "vendor_error_code"))
    return ", ".join(word for word in words if word)


def _tag(id_tag: str) -> str:
    """Id tags are case-insensitive (OCPP 1.6 CiString); ours are in capitals."""
    return id_tag.upper()


def _id_tag_info(tag: authorize.TagInfo) -> IdTagInfo:
    return IdTagInfo(status=OcppAuthorizationStatus(tag.status.value), parent_id_tag=tag.parent_id_tag or None)
