"""Builds the messages of the queue, with the time they happened and not the time they are sent."""

from typing import Any

from chargers.simulator.connector import Connector, Transaction
from chargers.simulator.log import timestamp
from chargers.simulator.outgoing import Message

# OCPP 1.6 wants a number at both ends, also of a meter that has none.
NO_REGISTER = 0


def start_transaction(connector: Connector, transaction: Transaction, reservation_id: int | None = None) -> Message:
    payload = {
        "connector_id": connector.number,
        "id_tag": transaction.id_tag,
        "meter_start": transaction.meter_start if connector.has_register else NO_REGISTER,
        "timestamp": transaction.started_at,
    }
    if reservation_id is not None:
        payload["reservation_id"] = reservation_id
    return Message("StartTransaction", payload, transaction.local_id)


def stop_transaction(connector: Connector, transaction: Transaction, reason: str, id_tag: str | None) -> Message:
    payload: dict[str, Any] = {
        "meter_stop": connector.meter_wh if connector.has_register else NO_REGISTER,
        "timestamp": timestamp(),
        "reason": reason,
    }
    if not connector.has_register:
        payload["transaction_data"] = [_meter_value(connector, "Transaction.End")]
    if id_tag:
        payload["id_tag"] = id_tag
    return Message("StopTransaction", payload, transaction.local_id)


def meter_values(connector: Connector, transaction: Transaction | None) -> Message:
    context = "Sample.Periodic" if transaction else "Trigger"
    payload = {"connector_id": connector.number, "meter_value": [_meter_value(connector, context)]}
    return Message("MeterValues", payload, transaction.local_id if transaction else "")


def _meter_value(connector: Connector, context: str) -> dict[str, Any]:
    measurand, energy_wh = connector.energy_to_tell()
    sampled = [
        _sample(f"{energy_wh}", measurand, "Wh", context),
        _sample(f"{connector.power_w:.0f}", "Power.Active.Import", "W", context),
    ]
    return {"timestamp": timestamp(), "sampled_value": sampled}


def _sample(value: str, measurand: str, unit: str, context: str) -> dict[str, str]:
    return {"value": value, "measurand": measurand, "unit": unit, "context": context}


def status_notification(connector: Connector) -> Message:
    payload = {
        "connector_id": connector.number,
        "error_code": connector.fault or "NoError",
        "status": connector.status,
        "timestamp": timestamp(),
    }
    return Message("StatusNotification", payload)
