"""The OCPP 2.0.1 wire: every message is logged here, every request of the back office answered here."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call_result
from ocpp.v201.enums import Action

from chargers.simulator import variables
from chargers.simulator.reservations import Booking
from chargers.simulator.wire import Wire

if TYPE_CHECKING:
    from chargers.simulator.charger import Charger

ACCEPTED, REJECTED = "Accepted", "Rejected"
# As the charge point thinks of them, in OCPP 1.6.
PURPOSES = {"ChargingStationMaxProfile": "ChargePointMaxProfile"}


class Station201(Wire, ChargePoint):
    """One connection. What the requests mean for the charge point is decided in Charger."""

    def __init__(self, charger: "Charger", connection: Any) -> None:
        settings = charger.settings
        super().__init__(settings.identity, connection, response_timeout=settings.answer_timeout)
        self.prepare(charger)

    @on(Action.request_start_transaction)
    def on_request_start(
        self, id_token: dict[str, Any], remote_start_id: int, evse_id: int | None = None, **_: Any
    ) -> Any:
        id_tag = id_token["id_token"]
        connector = self.charger.connector_to_start(evse_id, id_tag)
        if connector is None or self.charger.behaviour.reject_remote_start:
            return call_result.RequestStartTransaction(REJECTED)
        self.after_answer.append(lambda: self.charger.authorised(connector, id_tag, start_id=remote_start_id))
        return call_result.RequestStartTransaction(ACCEPTED)

    @on(Action.request_stop_transaction)
    def on_request_stop(self, transaction_id: str, **_: Any) -> Any:
        connector = self.charger.running(transaction_id)
        if connector is None or self.charger.behaviour.reject_remote_stop:
            return call_result.RequestStopTransaction(REJECTED)
        self.after_answer.append(lambda: self.charger.stop(connector, "Remote"))
        return call_result.RequestStopTransaction(ACCEPTED)

    @on(Action.get_transaction_status)
    def on_transaction_status(self, transaction_id: str | None = None, **_: Any) -> Any:
        unsent = self.charger.outgoing.messages
        is_waiting = any(one.durable and transaction_id in (None, one.local_id) for one in unsent)
        ongoing = None if transaction_id is None else self.charger.running(transaction_id) is not None
        return call_result.GetTransactionStatus(is_waiting, ongoing)

    @on(Action.cost_updated)
    def on_cost_updated(self, total_cost: float, transaction_id: str, **_: Any) -> Any:
        self.charger.display_cost(transaction_id, total_cost)
        return call_result.CostUpdated()

    @on(Action.reserve_now)
    def on_reserve(
        self,
        id: int,
        expiry_date_time: str,
        id_token: dict[str, Any],
        evse_id: int = 0,
        group_id_token: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        group = (group_id_token or {}).get("id_token", "")
        booking = Booking(id, evse_id, id_token["id_token"], group, datetime.fromisoformat(expiry_date_time))
        self.after_answer.append(self.charger.report_changes)
        return call_result.ReserveNow(self.charger.reserve(booking).value)

    @on(Action.cancel_reservation)
    def on_cancel_reservation(self, reservation_id: int, **_: Any) -> Any:
        known = self.charger.reservations.cancel(reservation_id)
        self.after_answer.append(self.charger.report_changes)
        return call_result.CancelReservation(ACCEPTED if known else REJECTED)

    @on(Action.set_charging_profile)
    def on_set_profile(self, evse_id: int, charging_profile: dict[str, Any], **_: Any) -> Any:
        purpose = charging_profile["charging_profile_purpose"]
        profile = charging_profile | {
            "charging_profile_id": charging_profile["id"],
            "charging_profile_purpose": PURPOSES.get(purpose, purpose),
            "charging_schedule": charging_profile["charging_schedule"][0],
        }
        status = self.charger.set_profile(evse_id, profile).value
        self.after_answer.append(self.charger.apply_limits)
        return call_result.SetChargingProfile(ACCEPTED if status == ACCEPTED else REJECTED)

    @on(Action.clear_charging_profile)
    def on_clear_profile(
        self, charging_profile_id: int | None = None, charging_profile_criteria: dict[str, Any] | None = None, **_: Any
    ) -> Any:
        criteria = charging_profile_criteria or {}
        purpose = criteria.get("charging_profile_purpose", "")
        found = self.charger.smart_charging.clear(
            charging_profile_id,
            criteria.get("evse_id"),
            PURPOSES.get(purpose, purpose) or None,
            criteria.get("stack_level"),
        )
        self.after_answer.append(self.charger.apply_limits)
        return call_result.ClearChargingProfile(ACCEPTED if found else "Unknown")

    @on(Action.get_composite_schedule)
    def on_composite_schedule(self, duration: int, evse_id: int, charging_rate_unit: str = "W", **_: Any) -> Any:
        selected = self.charger.selected(evse_id)
        if not selected:
            return call_result.GetCompositeSchedule(REJECTED)
        power_kw = sum(connector.power_kw for connector in selected)
        told = self.charger.smart_charging.composite(evse_id, duration, charging_rate_unit, power_kw)
        schedule = {
            "charging_schedule_period": told["charging_schedule_period"],
            "evse_id": evse_id,
            "duration": duration,
            "schedule_start": told["start_schedule"],
            "charging_rate_unit": charging_rate_unit,
        }
        return call_result.GetCompositeSchedule(ACCEPTED, schedule=schedule)

    @on(Action.unlock_connector)
    def on_unlock(self, evse_id: int, **_: Any) -> Any:
        connector = self.charger.connectors.get(evse_id)
        if connector is None:
            return call_result.UnlockConnector("UnknownConnector")
        # Unlike OCPP 1.6, nothing that runs is ended (F05.FR.02).
        busy = connector.transaction is not None
        return call_result.UnlockConnector("OngoingAuthorizedTransaction" if busy else "Unlocked")

    @on(Action.reset)
    def on_reset(self, type: str, **_: Any) -> Any:
        self.after_answer.append(lambda: self.charger.reset(type))
        return call_result.Reset(ACCEPTED)

    @on(Action.change_availability)
    def on_change_availability(self, operational_status: str, evse: dict[str, Any] | None = None, **_: Any) -> Any:
        connectors = self.charger.selected((evse or {}).get("id", 0))
        if not connectors:
            return call_result.ChangeAvailability(REJECTED)
        operative = operational_status == "Operative"
        busy = any(connector.transaction for connector in connectors)
        self.after_answer.append(lambda: self.charger.change_availability(connectors, operative))
        return call_result.ChangeAvailability("Scheduled" if busy and not operative else ACCEPTED)

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, evse: dict[str, Any] | None = None, **_: Any) -> Any:
        number = (evse or {}).get("id")
        known = self.charger.can_trigger(requested_message, number)
        if known:
            self.after_answer.append(lambda: self.charger.trigger(requested_message, number))
        return call_result.TriggerMessage(ACCEPTED if known else "NotImplemented")

    @on(Action.get_variables)
    def on_get_variables(self, get_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        configuration = self.charger.configuration
        return call_result.GetVariables([variables.get_variable(configuration, one) for one in get_variable_data])

    @on(Action.set_variables)
    def on_set_variables(self, set_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        results = [self._set_variable(one) for one in set_variable_data]
        self.charger.meter_interval_changed()
        return call_result.SetVariables(results)

    def _set_variable(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if not variables.is_password(wanted):
            return variables.set_variable(self.charger.configuration, wanted)
        taken = self.charger.change_password(wanted["attribute_value"])
        if taken:
            self.after_answer.append(self.charger.reconnect)
        result = {"component": wanted["component"], "variable": wanted["variable"]}
        return result | {"attribute_status": ACCEPTED if taken else REJECTED}

    @on(Action.certificate_signed)
    def on_certificate_signed(self, certificate_chain: str, **_: Any) -> Any:
        return call_result.CertificateSigned(ACCEPTED if self.charger.take_certificate(certificate_chain) else REJECTED)

    @on(Action.get_base_report)
    def on_base_report(self, request_id: int, **_: Any) -> Any:
        self.after_answer.append(lambda: self.charger.send_report(request_id))
        return call_result.GetBaseReport(ACCEPTED)

    @on(Action.get_local_list_version)
    def on_list_version(self, **_: Any) -> Any:
        return call_result.GetLocalListVersion(0)

    @on(Action.clear_cache)
    def on_clear_cache(self, **_: Any) -> Any:
        return call_result.ClearCache(ACCEPTED)

    @on(Action.data_transfer)
    def on_data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer("UnknownVendorId")
