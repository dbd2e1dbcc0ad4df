"""The settings of the charge point as variables of OCPP 2.0.1 (appendix 3, referenced components)."""

from typing import Any

from chargers.simulator.configuration import Configuration

# (component, variable) -> configuration key of OCPP 1.6.
KEYS = {
    ("OCPPCommCtrlr", "HeartbeatInterval"): "HeartbeatInterval",
    ("SampledDataCtrlr", "TxUpdatedInterval"): "MeterValueSampleInterval",
    ("AlignedDataCtrlr", "Interval"): "ClockAlignedDataInterval",
    ("TxCtrlr", "EVConnectionTimeOut"): "ConnectionTimeOut",
    ("SecurityCtrlr", "OrganizationName"): "CpoName",
}
PASSWORD = ("SecurityCtrlr", "BasicAuthPassword")
FIXED = {
    ("TxCtrlr", "TxStartPoint"): "Authorized,EVConnected",
    ("TxCtrlr", "TxStopPoint"): "Authorized,EVConnected",
    ("AuthCtrlr", "AuthorizeRemoteStart"): "false",
    ("TariffCostCtrlr", "Enabled"): "true",
}


def is_password(wanted: dict[str, Any]) -> bool:
    """Whether it is the password of the charge point, which can be set and never be read (A01)."""
    return _name(wanted) == PASSWORD


def get_variable(configuration: Configuration, wanted: dict[str, Any]) -> dict[str, Any]:
    """A GetVariableResult."""
    name = _name(wanted)
    result = {"component": wanted["component"], "variable": wanted["variable"]}
    if name == PASSWORD:
        return result | {"attribute_status": "Rejected"}
    value = FIXED.get(name) or _values(configuration).get(KEYS.get(name, ""))
    if value is None:
        return result | {"attribute_status": _unknown(name)}
    return result | {"attribute_status": "Accepted", "attribute_value": value}


def set_variable(configuration: Configuration, wanted: dict[str, Any]) -> dict[str, Any]:
    """A SetVariableResult."""
    name = _name(wanted)
    result = {"component": wanted["component"], "variable": wanted["variable"]}
    if name not in KEYS:
        return result | {"attribute_status": "Rejected" if name in FIXED else _unknown(name)}
    status = configuration.change(KEYS[name], wanted["attribute_value"])
    return result | {"attribute_status": status.value}


def report(configuration: Configuration) -> list[dict[str, Any]]:
    """ReportData of everything."""
    known = _values(configuration)
    values = FIXED | {name: known[key] for name, key in KEYS.items()}
    return [
        {
            "component": {"name": component},
            "variable": {"name": variable},
            "variable_attribute": [
                {"value": value, "mutability": "ReadOnly" if (component, variable) in FIXED else "ReadWrite"}
            ],
        }
        for (component, variable), value in values.items()
    ]


def _values(configuration: Configuration) -> dict[str, str]:
    return configuration.texts | configuration.numbers


def _name(wanted: dict[str, Any]) -> tuple[str, str]:
    return wanted["component"]["name"], wanted["variable"]["name"]


def _unknown(name: tuple[str, str]) -> str:
    is_component = any(name[0] == component for component, _ in KEYS | FIXED)
    return "UnknownVariable" if is_component else "UnknownComponent"
