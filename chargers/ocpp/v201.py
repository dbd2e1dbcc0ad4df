"""OCPP 2.0.1 central system: thin handlers that turn a message into an event for one service.

No handler calls the charger: whatever must be asked of it is an OutgoingCall.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from django.utils import timezone
from ocpp.exceptions import PropertyConstraintViolationError
from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.datatypes import IdTokenInfoType, IdTokenType
from ocpp.v201.enums import (
    Action,
    AuthorizationStatusEnumType,
    DataTransferStatusEnumType,
    GenericStatusEnumType,
    GetCertificateStatusEnumType,
    IdTokenEnumType,
    Iso15118EVCertificateStatusEnumType,
    NotifyEVChargingNeedsStatusEnumType,
    RegistrationStatusEnumType,
)

from chargers.choices import ChargerEventKind
from chargers.ocpp import database
from chargers.ocpp.gathering import MEASUREMENTS
from chargers.ocpp.meter_values import read_instant
from chargers.ocpp.v201_device import read_alerts, read_messages, read_monitors, read_report
from chargers.ocpp.v201_events import read_event, read_readings, read_token
from chargers.ocpp.v201_profiles import instant_text
from chargers.ocpp.v201_requests import Requests201
from chargers.services import (
    authorize,
    certificates,
    charger_events,
    device,
    lifecycle,
    outlets,
    progress,
    reserving,
    transactions,
    variables,
)
from chargers.services.events import Booted, MeterValuesReceived, StatusChanged

Json = dict[str, Any]

# What a charger tells and nobody here acts upon; the message log shows it.
NOTED: tuple[Any, ...] = (
    call_result.ClearedChargingLimit,
    call_result.NotifyChargingLimit,
    call_result.ReportChargingProfiles,
)


class ChargePoint201(Requests201):
    """One charger on one socket; implements `Adapter`."""

    subprotocol: ClassVar[str] = "ocpp2.0.1"
    answers_unreadable: ClassVar[bool] = True
    malformed_code: ClassVar[str] = "RpcFrameworkError"
    actions: ClassVar[frozenset[str]] = frozenset(action.value for action in Action)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for answer in NOTED:
            self.route_map[answer.__name__] = {"_on_action": _noting(answer)}

    @on(Action.boot_notification)
    async def on_boot(self, charging_station: Json, reason: str, **rest: Any) -> Any:
        event = Booted(
            charging_station["vendor_name"],
            charging_station["model"],
            charging_station.get("serial_number", ""),
            charging_station.get("firmware_version", ""),
        )
        await database.run(lifecycle.booted, self.charger_id, event)
        self.on_booted()
        return call_result.BootNotification(
            current_time=instant_text(timezone.now()),
            interval=int(lifecycle.HEARTBEAT_INTERVAL.total_seconds()),
            status=RegistrationStatusEnumType.accepted,
        )

    @on(Action.heartbeat)
    async def on_heartbeat(self, **rest: Any) -> Any:
        return call_result.Heartbeat(current_time=instant_text(timezone.now()))

    @on(Action.status_notification)
    async def on_status(self, timestamp: str, connector_status: str, evse_id: int, connector_id: int, **_: Any) -> Any:
        event = StatusChanged(evse_id, connector_status, read_instant(timestamp))
        await database.run(outlets.record_connector_status, self.charger_id, connector_id, event)
        return call_result.StatusNotification()

    @on(Action.authorize)
    async def on_authorize(self, id_token: Json, **rest: Any) -> Any:
        tag = await database.run_patiently(authorize.authorize, self.charger_id, read_token(id_token))
        return call_result.Authorize(id_token_info=_token_info(tag))

    @on(Action.transaction_event)
    async def on_transaction_event(self, **payload: Any) -> Any:
        if payload["seq_no"] < 0:
            raise PropertyConstraintViolationError("seqNo begins with 0.")
        event = read_event(payload)
        if event.is_measurement:
            answer = await MEASUREMENTS.add((self.charger_id, event))
        else:
            answer = await database.run(transactions.continue_session, self.charger_id, event)
        if answer is None:
            permit = await database.run_patiently(transactions.ask_permit, self.charger_id, event)
            answer = await database.run(transactions.begin_session, self.charger_id, event, permit)
        if answer.group is not None:
            answer = await database.run_patiently(transactions.judge_card, self.charger_id, event, answer)
        return call_result.TransactionEvent(
            total_cost=None if answer.total_cost is None else float(answer.total_cost),
            id_token_info=None if answer.tag is None else _token_info(answer.tag),
        )

    @on(Action.meter_values)
    async def on_meter_values(self, evse_id: int, meter_value: list[Json], **rest: Any) -> Any:
        # 0 is the charger's own meter.
        if evse_id:
            event = MeterValuesReceived(evse_id, None, read_readings(meter_value))
            await database.run(progress.update_session, self.charger_id, event)
        return call_result.MeterValues()

    @on(Action.reservation_status_update)
    async def on_reservation_status(self, reservation_id: int, reservation_update_status: str, **rest: Any) -> Any:
        # Expired ones end by our own clock.
        if reservation_update_status == "Removed":
            await database.run(reserving.withdraw_reservation, self.charger_id, reservation_id)
        return call_result.ReservationStatusUpdate()

    @on(Action.data_transfer)
    async def on_data_transfer(self, **rest: Any) -> Any:
        return call_result.DataTransfer(status=DataTransferStatusEnumType.unknown_vendor_id)

    # -- firmware, logs, security and the device model: kept for staff

    @on(Action.firmware_status_notification)
    async def on_firmware_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.FIRMWARE, status, request_id=rest.get("request_id"))
        return call_result.FirmwareStatusNotification()

    @on(Action.publish_firmware_status_notification)
    async def on_publish_firmware_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.FIRMWARE, status, request_id=rest.get("request_id"))
        return call_result.PublishFirmwareStatusNotification()

    @on(Action.log_status_notification)
    async def on_log_status(self, status: str, **rest: Any) -> Any:
        await self._note(ChargerEventKind.LOG, status, request_id=rest.get("request_id"))
        return call_result.LogStatusNotification()

    @on(Action.security_event_notification)
    async def on_security_event(self, type: str, timestamp: str, **rest: Any) -> Any:
        at = read_instant(timestamp)
        await self._note(ChargerEventKind.SECURITY, type, info=rest.get("tech_info", ""), at=at)
        return call_result.SecurityEventNotification()

    @on(Action.notify_event)
    async def on_event(self, event_data: list[Json], **rest: Any) -> Any:
        await database.run(self._note_alerts, event_data)
        return call_result.NotifyEvent()

    def _note_alerts(self, event_data: list[Json]) -> None:
        monitors = [told["variable_monitoring_id"] for told in event_data if "variable_monitoring_id" in told]
        severities = device.severities(self.charger_id, monitors) if monitors else {}
        for name, told in read_alerts(event_data, severities):
            charger_events.record_event(self.charger_id, ChargerEventKind.FAULT, name, **told)

    @on(Action.notify_monitoring_report)
    async def on_monitoring_report(self, monitor: list[Json] | None = None, **rest: Any) -> Any:
        await database.run(device.record_monitors, self.charger_id, list(read_monitors(monitor or [])))
        return call_result.NotifyMonitoringReport()

    @on(Action.notify_display_messages)
    async def on_display_messages(self, message_info: list[Json] | None = None, **rest: Any) -> Any:
        await database.run(device.record_messages, self.charger_id, read_messages(message_info or []))
        return call_result.NotifyDisplayMessages()

    @on(Action.notify_customer_information)
    async def on_customer_information(self, data: str, request_id: int, **rest: Any) -> Any:
        await database.run(device.record_customer_information, self.charger_id, request_id, data)
        return call_result.NotifyCustomerInformation()

    @on(Action.notify_report)
    async def on_report(self, report_data: list[Json] | None = None, **rest: Any) -> Any:
        values = list(read_report(report_data or []))
        await database.run(variables.record_variables, self.charger_id, values)
        return call_result.NotifyReport()

    @on(Action.sign_certificate)
    async def on_sign_certificate(self, csr: str, **rest: Any) -> Any:
        kind = rest.get("certificate_type", "")
        is_accepted = await database.run(
            certificates.receive_request, self.charger_id, csr, kind, is_proven=self.is_proven
        )
        word = GenericStatusEnumType.accepted if is_accepted else GenericStatusEnumType.rejected
        return call_result.SignCertificate(status=word)

    async def _note(self, kind: ChargerEventKind, name: str, **told: Any) -> None:
        await database.run(charger_events.record_event, self.charger_id, kind, name, **told)

    @on(Action.get_15118_ev_certificate)
    async def on_get_ev_certificate(self, **rest: Any) -> Any:
        return call_result.Get15118EVCertificate(status=Iso15118EVCertificateStatusEnumType.failed, exi_response="")

    @on(Action.get_certificate_status)
    async def on_get_certificate_status(self, **rest: Any) -> Any:
        return call_result.GetCertificateStatus(status=GetCertificateStatusEnumType.failed)

    @on(Action.notify_ev_charging_needs)
    async def on_charging_needs(self, **rest: Any) -> Any:
        # Nobody here plans for a car: it takes what the EVSE gives (K15.FR.05).
        return call_result.NotifyEVChargingNeeds(status=NotifyEVChargingNeedsStatusEnumType.rejected)

    @on(Action.notify_ev_charging_schedule)
    async def on_charging_schedule(self, **rest: Any) -> Any:
        return call_result.NotifyEVChargingSchedule(status=GenericStatusEnumType.accepted)


def _noting(answer: Any) -> Callable[..., Awaitable[Any]]:
    async def noted(**payload: Any) -> Any:
        return answer()

    return noted


def _token_info(tag: authorize.TagInfo) -> IdTokenInfoType:
    group = IdTokenType(id_token=tag.parent_id_tag, type=IdTokenEnumType.central) if tag.parent_id_tag else None
    return IdTokenInfoType(status=AuthorizationStatusEnumType(tag.status.value), group_id_token=group)
