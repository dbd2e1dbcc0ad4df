"""OCPP 1.6J central system: thin handlers that turn a message into an event for one service.

No handler calls the charger: whatever must be asked of it is an OutgoingCall.
"""

from datetime import UTC
from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from ocpp.exceptions import PropertyConstraintViolationError
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, DataTransferStatus, GenericStatus, RegistrationStatus
from ocpp.v16.enums import AuthorizationStatus as OcppAuthorizationStatus

from chargers.choices import ChargerEventKind
from chargers.ocpp import database
from chargers.ocpp.gathering import METER_VALUES, OWN_STARTS, STATUSES, STOPS
from chargers.ocpp.meter_values import LARGEST, read_instant, read_meter_values
from chargers.ocpp.v16_requests import Requests16
from chargers.services import authorize, certificates, charger_events, lifecycle, progress, sessions
from chargers.services.events import (
    Booted,
    MeterValuesReceived,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)
from chargers.services.id_tokens import in_capitals

Json = dict[str, Any]

NO_ERROR = "NoError"


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
        await STATUSES.add((self.charger_id, event))
        if rest.get("error_code", NO_ERROR) != NO_ERROR:
            told = {"info": _fault_info(rest), "evse_number": connector_id or None, "at": event.at}
            await self._note(ChargerEventKind.FAULT, rest["error_code"], **told)
        return call_result.StatusNotification()

    @on(Action.authorize)
    async def on_authorize(self, id_tag: str, **rest: Any) -> Any:
        tag = await database.run_patiently(authorize.authorize, self.charger_id, in_capitals(id_tag))
        return call_result.Authorize(id_tag_info=_id_tag_info(tag))

    @on(Action.start_transaction)
    async def on_start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **rest: Any) -> Any:
        reservation_id = rest.get("reservation_id")
        if abs(meter_start) >= LARGEST:
            raise PropertyConstraintViolationError("meterStart is no register of a charger.")
        event = TransactionStarted(
            connector_id, in_capitals(id_tag), Decimal(meter_start), read_instant(timestamp), reservation_id
        )
        answer = await OWN_STARTS.add((self.charger_id, event))
        if answer is None:
            permit = await database.run_patiently(authorize.permit_start, self.charger_id, event)
            answer = await database.run(sessions.start_session, self.charger_id, event, permit)
        return call_result.StartTransaction(transaction_id=answer.transaction_id, id_tag_info=_id_tag_info(answer.tag))

    @on(Action.meter_values)
    async def on_meter_values(self, connector_id: int, meter_value: list[Json], **rest: Any) -> Any:
        event = MeterValuesReceived(connector_id, rest.get("transaction_id"), read_meter_values(meter_value))
        if event.transaction_id is None:
            await database.run(progress.update_session, self.charger_id, event)
        else:
            await METER_VALUES.add((self.charger_id, event))
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    async def on_stop(self, meter_stop: int, timestamp: str, transaction_id: int, **rest: Any) -> Any:
        event = TransactionEnded(
            transaction_id,
            Decimal(meter_stop) if abs(meter_stop) < LARGEST else None,
            read_instant(timestamp),
            rest.get("reason", ""),
            read_meter_values(rest.get("transaction_data", [])),
        )
        session = await STOPS.add((self.charger_id, event))
        if "id_tag" not in rest:
            return call_result.StopTransaction()
        id_tag = in_capitals(rest["id_tag"])
        tag = None
        if session is not None:
            tag = await database.run(authorize.tag_of_owner, self.charger_id, session, id_tag)
        if tag is None:
            tag = await database.run_patiently(authorize.authorize, self.charger_id, id_tag)
        return call_result.StopTransaction(id_tag_info=_id_tag_info(tag))

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
        is_accepted = await database.run(certificates.receive_request, self.charger_id, csr, is_proven=self.is_proven)
        return call_result.SignCertificate(status=GenericStatus.accepted if is_accepted else GenericStatus.rejected)

    async def _note(self, kind: ChargerEventKind, name: str, **told: Any) -> None:
        await database.run(charger_events.record_event, self.charger_id, kind, name, **told)


def _now() -> str:
    return timezone.now().astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _fault_info(told: Json) -> str:
    words = (told.get(name, "") for name in ("info", "vendor_id", "vendor_error_code"))
    return ", ".join(word for word in words if word)


def _id_tag_info(tag: authorize.TagInfo) -> IdTagInfo:
    return IdTagInfo(status=OcppAuthorizationStatus(tag.status.value), parent_id_tag=tag.parent_id_tag or None)
