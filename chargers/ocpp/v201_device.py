"""OCPP 2.0.1 device model (parts B and N): what a charger reports of its components."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from ocpp.charge_point import snake_to_camel_case

from chargers.ocpp.meter_values import read_instant
from chargers.services.device import Monitor
from chargers.services.variables import VariableName, VariableValue

Json = dict[str, Any]

READ_ONLY = "ReadOnly"
ALERTING = "Alerting"


def read_report(report_data: Iterable[Json]) -> Iterator[VariableValue]:
    """ReportData; a variable without attributes has none to tell."""
    for told in report_data:
        characteristics = snake_to_camel_case(told.get("variable_characteristics"))
        for attribute in told["variable_attribute"]:
            yield VariableValue(
                _name(told, attribute.get("type", "Actual")),
                attribute.get("value"),
                attribute.get("mutability") == READ_ONLY,
                None,
                characteristics,
            )


def read_alerts(event_data: Iterable[Json], severities: Mapping[int, int]) -> Iterator[tuple[str, Json]]:
    """Of EventData what staff should see, by component and variable, as `record_event` takes them: alerts that begin,
    and that are over. `severities` are those of the monitors.

    Mere samples of a monitored value (Delta, Periodic) are in the message log.
    """
    for told in event_data:
        is_cleared = told.get("cleared", False)
        if told["trigger"] != ALERTING and not is_cleared:
            continue
        name = _name(told, "Actual")
        words = (
            _("Cleared") if is_cleared else "",
            str(told["actual_value"]),
            told.get("tech_code", ""),
            told.get("tech_info", ""),
        )
        yield (
            f"{name.component}.{name.variable}",
            {
                "info": ", ".join(word for word in words if word),
                "evse_number": name.evse_number or None,
                "severity": severities.get(told.get("variable_monitoring_id", 0)),
                "at": read_instant(told["timestamp"]),
            },
        )


def read_monitors(monitor: Iterable[Json]) -> Iterator[Monitor]:
    """MonitoringDataType."""
    for told in monitor:
        for one in told["variable_monitoring"]:
            yield Monitor(one["id"], _name(told, "Actual"), one["type"], float(one["value"]), one["severity"])


def read_messages(message_info: list[Json]) -> list[Json]:
    """MessageInfoType as on the wire."""
    messages: list[Json] = snake_to_camel_case(message_info)
    return messages


def _name(told: Json, attribute: str) -> VariableName:
    component, variable = told["component"], told["variable"]
    evse = component.get("evse") or {}
    return VariableName(
        variable=variable["name"],
        component=component["name"],
        component_instance=component.get("instance", ""),
        evse_number=evse.get("id", 0),
        connector_number=evse.get("connector_id", 0),
        variable_instance=variable.get("instance", ""),
        attribute=attribute,
    )
