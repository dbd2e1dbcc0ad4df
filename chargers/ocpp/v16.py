"""OCPP 1.6J central system: thin handlers that turn a message into an event for one service.

No handler calls the charger: whatever must be asked of it is an OutgoingCall.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC
from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from ocpp import messages
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, DataTransferStatus, RegistrationStatus
from ocpp.v16.enums import AuthorizationStatus as OcppAuthorizationStatus

from chargers.choices import AuthorizationStatus
from chargers.ocpp import database
from chargers.ocpp.meter_values import read_instant, read_meter_values
from chargers.ocpp.v16_requests import Requests16
from chargers.services import authorize, lifecycle, progress, sessions
from chargers.services import status as status_service
from chargers.services.events import (
    Booted,
    MeterValuesReceived,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)

logger = logging.getLogger(__name__)

Json = dict[str, Any]

ACCEPTED = authorize.TagInfo(AuthorizationStatus.ACCEPTED)

# Validating a message takes less time than handing it to a thread.
messages.ASYNC_VALIDATION = False


class SendOnly:
    """The half of a connection that the library needs: frames come in through `route_message`."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self.send = send


class ChargePoint16(Requests16):
    """One charger on one socket; implements `Adapter`."""

    subprotocol: ClassVar[str] = "ocpp1.6"

    def __init__(
        self,
        identity: str,
        charger_id: int,
        send: Callable[[str], Awaitable[None]],
        on_booted: Callable[[], None],
    ) -> None:
        # `perform` watches the time; the library shall not give up before.
        super().__init__(identity, SendOnly(send), response_timeout=3600, logger=logger)
        self.charger_id = charger_id
        self.on_booted = on_booted

    async def handle(self, frame: str) -> None:
        logger.debug("%s: received %s", self.id, frame)
        await self.route_message(frame)

    async def _send(self, message: str) -> None:
        logger.debug("%s: sent %s", self.id, message)
        await self._connection.send(message)

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

    @on(Action.firmware_status_notification)
    async def on_firmware_status(self, **rest: Any) -> Any:
        return call_result.FirmwareStatusNotification()

    @on(Action.diagnostics_status_notification)
    async def on_diagnostics_status(self, **rest: Any) -> Any:
        return call_result.DiagnosticsStatusNotification()


def _now() -> str:
    return timezone.now().astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _tag(id_tag: str) -> str:
    """Id tags are case-insensitive (OCPP 1.6 CiString); ours are in capitals."""
    return id_tag.upper()


def _id_tag_info(tag: authorize.TagInfo) -> IdTagInfo:
    return IdTagInfo(status=OcppAuthorizationStatus(tag.status.value), parent_id_tag=tag.parent_id_tag or None)
