"""The OCPP 1.6J wire: every message is logged here, every request of the back office answered here."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import (
    Action,
    AvailabilityStatus,
    AvailabilityType,
    CancelReservationStatus,
    CertificateSignedStatus,
    ClearCacheStatus,
    ClearChargingProfileStatus,
    ConfigurationStatus,
    GetCompositeScheduleStatus,
    RemoteStartStopStatus,
    ResetStatus,
    TriggerMessageStatus,
)

from chargers.simulator.configuration import PASSWORD_KEY
from chargers.simulator.reservations import Booking
from chargers.simulator.wire import Wire

if TYPE_CHECKING:
    from chargers.simulator.charger import Charger


class Station(Wire, ChargePoint):
    """One connection. What the requests mean for the charge point is decided in Charger."""

    def __init__(self, charger: "Charger", connection: Any) -> None:
        settings = charger.settings
        super().__init__(settings.identity, connection, response_timeout=settings.answer_timeout)
        self.prepare(charger)

    @on(Action.remote_start_transaction)
    def on_remote_start(
        self, id_tag: str, connector_id: int | None = None, **_: Any
    ) -> call_result.RemoteStartTransaction:
        connector = self.charger.connector_to_start(connector_id, id_tag)
        if connector is None or self.charger.behaviour.reject_remote_start:
            return call_result.RemoteStartTransaction(RemoteStartStopStatus.rejected)
        self.after_answer.append(lambda: self.charger.authorised(connector, id_tag))
        return call_result.RemoteStartTransaction(RemoteStartStopStatus.accepted)

    @on(Action.remote_stop_transaction)
    def on_remote_stop(self, transaction_id: int) -> call_result.RemoteStopTransaction:
        connector = self.charger.connector_of(transaction_id)
        if connector is None or self.charger.behaviour.reject_remote_stop:
            return call_result.RemoteStopTransaction(RemoteStartStopStatus.rejected)
        self.after_answer.append(lambda: self.charger.stop(connector, "Remote"))
        return call_result.RemoteStopTransaction(RemoteStartStopStatus.accepted)

    @on(Action.reserve_now)
    def on_reserve(
        self, connector_id: int, expiry_date: str, id_tag: str, reservation_id: int, parent_id_tag: str = ""
    ) -> call_result.ReserveNow:
        expires_at = datetime.fromisoformat(expiry_date)
        booking = Booking(reservation_id, connector_id, id_tag, parent_id_tag, expires_at)
        self.after_answer.append(self.charger.report_changes)
        return call_result.ReserveNow(self.charger.reserve(booking))

    @on(Action.cancel_reservation)
    def on_cancel_reservation(self, reservation_id: int) -> call_result.CancelReservation:
        known = self.charger.reservations.cancel(reservation_id)
        self.after_answer.append(self.charger.report_changes)
        status = CancelReservationStatus.accepted if known else CancelReservationStatus.rejected
        return call_result.CancelReservation(status)

    @on(Action.set_charging_profile)
    def on_set_profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> call_result.SetChargingProfile:
        self.after_answer.append(self.charger.apply_limits)
        return call_result.SetChargingProfile(self.charger.set_profile(connector_id, cs_charging_profiles))

    @on(Action.clear_charging_profile)
    def on_clear_profile(
        self,
        id: int | None = None,
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> call_result.ClearChargingProfile:
        found = self.charger.smart_charging.clear(id, connector_id, charging_profile_purpose, stack_level)
        self.after_answer.append(self.charger.apply_limits)
        status = ClearChargingProfileStatus.accepted if found else ClearChargingProfileStatus.unknown
        return call_result.ClearChargingProfile(status)

    @on(Action.get_composite_schedule)
    def on_composite_schedule(
        self, connector_id: int, duration: int, charging_rate_unit: str = "W"
    ) -> call_result.GetCompositeSchedule:
        selected = self.charger.selected(connector_id)
        if not selected:
            return call_result.GetCompositeSchedule(GetCompositeScheduleStatus.rejected)
        power_kw = sum(connector.power_kw for connector in selected)
        schedule = self.charger.smart_charging.composite(connector_id, duration, charging_rate_unit, power_kw)
        return call_result.GetCompositeSchedule(
            GetCompositeScheduleStatus.accepted,
            connector_id=connector_id,
            schedule_start=schedule["start_schedule"],
            charging_schedule=schedule,
        )

    @on(Action.unlock_connector)
    def on_unlock(self, connector_id: int) -> call_result.UnlockConnector:
        return call_result.UnlockConnector(self.charger.unlock(connector_id))

    @on(Action.reset)
    def on_reset(self, type: str) -> call_result.Reset:
        self.after_answer.append(lambda: self.charger.reset(type))
        return call_result.Reset(ResetStatus.accepted)

    @on(Action.change_availability)
    def on_change_availability(self, connector_id: int, type: str) -> call_result.ChangeAvailability:
        connectors = self.charger.selected(connector_id)
        if not connectors:
            return call_result.ChangeAvailability(AvailabilityStatus.rejected)
        operative = type == AvailabilityType.operative
        busy = any(connector.transaction for connector in connectors)
        self.after_answer.append(lambda: self.charger.change_availability(connectors, operative))
        scheduled = busy and not operative
        return call_result.ChangeAvailability(
            AvailabilityStatus.scheduled if scheduled else AvailabilityStatus.accepted
        )

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, connector_id: int | None = None) -> call_result.TriggerMessage:
        known = self.charger.can_trigger(requested_message, connector_id)
        if known:
            self.after_answer.append(lambda: self.charger.trigger(requested_message, connector_id))
        status = TriggerMessageStatus.accepted if known else TriggerMessageStatus.not_implemented
        return call_result.TriggerMessage(status)

    @on(Action.get_configuration)
    def on_get_configuration(self, key: list[str] | None = None) -> call_result.GetConfiguration:
        known, unknown = self.charger.configuration.listing(key)
        return call_result.GetConfiguration(configuration_key=known, unknown_key=unknown or None)

    @on(Action.change_configuration)
    def on_change_configuration(self, key: str, value: str) -> call_result.ChangeConfiguration:
        status = self.charger.change_configuration(key, value)
        if key == PASSWORD_KEY and status is ConfigurationStatus.accepted:
            self.after_answer.append(self.charger.reconnect)
        return call_result.ChangeConfiguration(status)

    @on(Action.extended_trigger_message)
    def on_extended_trigger(
        self, requested_message: str, connector_id: int | None = None
    ) -> call_result.ExtendedTriggerMessage:
        known = self.charger.can_trigger(requested_message, connector_id)
        if known:
            self.after_answer.append(lambda: self.charger.trigger(requested_message, connector_id))
        status = TriggerMessageStatus.accepted if known else TriggerMessageStatus.not_implemented
        return call_result.ExtendedTriggerMessage(status)

    @on(Action.certificate_signed)
    def on_certificate_signed(self, certificate_chain: str) -> call_result.CertificateSigned:
        taken = self.charger.take_certificate(certificate_chain)
        return call_result.CertificateSigned(
            CertificateSignedStatus.accepted if taken else CertificateSignedStatus.rejected
        )

    @on(Action.clear_cache)
    def on_clear_cache(self) -> call_result.ClearCache:
        return call_result.ClearCache(ClearCacheStatus.accepted)
