"""OCPP 2.0.1 on the wire: a transaction is one series of numbered TransactionEvents."""

from typing import TYPE_CHECKING, Any, ClassVar

from ocpp.v201 import call

from chargers.simulator.connector import REGISTER, Connector, Transaction
from chargers.simulator.log import timestamp
from chargers.simulator.outgoing import Message
from chargers.simulator.settings import Settings
from chargers.simulator.station201 import Station201

if TYPE_CHECKING:
    from chargers.simulator.charger import Charger

CONNECTOR = 1
# ChargePointStatus of OCPP 1.6, in which the charge point thinks -> ConnectorStatusEnumType.
WORDS = {"Available": "Available", "Reserved": "Reserved", "Unavailable": "Unavailable", "Faulted": "Faulted"}
STATES = {"Charging", "SuspendedEV", "SuspendedEVSE"}
# Reason of OCPP 1.6 -> ReasonEnumType and the TriggerReasonEnumType of the event.
REASONS = {
    "Local": ("Local", "StopAuthorized"),
    "Remote": ("Remote", "RemoteStop"),
    "EVDisconnected": ("EVDisconnected", "EVCommunicationLost"),
    "DeAuthorized": ("DeAuthorized", "Deauthorized"),
    "UnlockCommand": ("Other", "UnlockCommand"),
    "HardReset": ("ImmediateReset", "ResetCommand"),
    "ImmediateReset": ("ImmediateReset", "ResetCommand"),
    "SoftReset": ("ImmediateReset", "ResetCommand"),
    "OnIdleReset": ("ImmediateReset", "ResetCommand"),
    "EmergencyStop": ("EmergencyStop", "AbnormalCondition"),
    "PowerLoss": ("PowerLoss", "AbnormalCondition"),
    "Reboot": ("Reboot", "AbnormalCondition"),
}
OTHER = ("Other", "AbnormalCondition")


class Dialect201:
    """EVSE n has the one connector 1."""

    subprotocol: ClassVar[str] = "ocpp2.0.1"
    station: ClassVar[Any] = Station201
    call: ClassVar[Any] = call
    reports_station: ClassVar[bool] = False

    def __init__(self, charger: "Charger") -> None:
        self.charger = charger

    def boot(self, settings: Settings) -> Any:
        station = {"model": settings.model, "vendor_name": settings.vendor, "firmware_version": "1.0.0"}
        if settings.serial:
            station["serial_number"] = settings.serial
        return call.BootNotification(charging_station=station, reason="PowerUp")

    def authorize(self, id_tag: str) -> Any:
        return call.Authorize(id_token=_token(id_tag, "ISO14443"))

    def sign_certificate(self, csr: str) -> Message:
        return Message("SignCertificate", {"csr": csr, "certificate_type": "ChargingStationCertificate"})

    def parent_id_tag(self, answer: Any) -> str | None:
        info = answer.id_token_info
        if info["status"] != "Accepted":
            return None
        return str((info.get("group_id_token") or {}).get("id_token", ""))

    def is_refused(self, answer: Any) -> bool:
        return answer.id_token_info is not None and answer.id_token_info["status"] != "Accepted"

    def own_id(self, transaction: Transaction) -> str | None:
        return transaction.local_id

    def word(self, connector: Connector) -> str:
        return WORDS.get(connector.status, "Occupied")

    def start(self, connector: Connector, transaction: Transaction, reservation_id: int | None) -> Message:
        trigger = "Authorized" if transaction.start_id is None else "RemoteStart"
        payload = self._event("Started", trigger, connector, transaction, transaction.started_at)
        payload["transaction_info"]["charging_state"] = _state(connector, transaction)
        payload["evse"] = {"id": connector.number, "connector_id": CONNECTOR}
        payload["id_token"] = _token(transaction.id_tag, "ISO14443" if transaction.start_id is None else "Central")
        if connector.has_register:
            payload["meter_value"] = [_meter_value(connector, "Transaction.Begin", transaction.meter_start)]
        if transaction.start_id is not None:
            payload["transaction_info"]["remote_start_id"] = transaction.start_id
        if reservation_id is not None:
            payload["reservation_id"] = reservation_id
        return Message("StartTransaction", payload, transaction.local_id, action="TransactionEvent")

    def meter(self, connector: Connector, transaction: Transaction | None) -> Message:
        if transaction is None:
            payload = {"evse_id": connector.number, "meter_value": [_meter_value(connector, "Trigger")]}
            return Message("MeterValues", payload)
        payload = self._event("Updated", "MeterValuePeriodic", connector, transaction)
        payload["meter_value"] = [_meter_value(connector, "Sample.Periodic")]
        return Message("MeterValues", payload, transaction.local_id, action="TransactionEvent")

    def stop(self, connector: Connector, transaction: Transaction, reason: str, id_tag: str | None) -> Message:
        stopped, trigger = REASONS.get(reason, OTHER)
        payload = self._event("Ended", trigger, connector, transaction)
        payload["transaction_info"] |= {
            "charging_state": "EVConnected" if connector.plugged else "Idle",
            "stopped_reason": stopped,
        }
        payload["meter_value"] = [_meter_value(connector, "Transaction.End")]
        if id_tag:
            payload["id_token"] = _token(id_tag, "ISO14443")
        return Message("StopTransaction", payload, transaction.local_id, action="TransactionEvent")

    def status(self, connector: Connector) -> Message:
        payload = {
            "timestamp": timestamp(),
            "connector_status": self.word(connector),
            "evse_id": connector.number,
            "connector_id": CONNECTOR,
        }
        return Message("StatusNotification", payload)

    def change(self, connector: Connector) -> Message | None:
        transaction = connector.transaction
        if transaction is None or transaction.told_state == connector.status or connector.status not in STATES:
            return None
        payload = self._event("Updated", "ChargingStateChanged", connector, transaction)
        payload["transaction_info"]["charging_state"] = _state(connector, transaction)
        payload["meter_value"] = [_meter_value(connector, "Other")]
        return Message("MeterValues", payload, transaction.local_id, action="TransactionEvent")

    def _event(
        self, kind: str, trigger: str, connector: Connector, transaction: Transaction, at: str | None = None
    ) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "event_type": kind,
            "timestamp": at or timestamp(),
            "trigger_reason": trigger,
            "seq_no": transaction.seq_no,
            "transaction_info": {"transaction_id": transaction.local_id},
        }
        transaction.seq_no += 1
        if not self.charger.online:
            payload["offline"] = True
        return payload


def _state(connector: Connector, transaction: Transaction) -> str:
    transaction.told_state = connector.status
    return connector.status if connector.status in STATES else "EVConnected"


def _meter_value(connector: Connector, context: str, register_wh: int | None = None) -> dict[str, Any]:
    measurand, energy_wh = connector.energy_to_tell() if register_wh is None else (REGISTER, register_wh)
    sampled = [
        _sample(energy_wh, measurand, "Wh", context),
        _sample(round(connector.power_w), "Power.Active.Import", "W", context),
    ]
    return {"timestamp": timestamp(), "sampled_value": sampled}


def _sample(value: float, measurand: str, unit: str, context: str) -> dict[str, Any]:
    return {"value": value, "measurand": measurand, "context": context, "unit_of_measure": {"unit": unit}}


def _token(id_tag: str, kind: str) -> dict[str, str]:
    return {"id_token": id_tag, "type": kind}
