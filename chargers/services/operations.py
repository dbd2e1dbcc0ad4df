"""What staff ask of a charger, as the request of its OCPP version. Values are the form's, times are aware."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chargers.choices import CallAction, OcppVersion
from chargers.models import ChargerConnection, ChargerVariable, OutgoingCall
from chargers.services.lock_order import lock_charger
from chargers.services.outgoing import request_ocpp
from chargers.services.refresh import status_requests
from infrastructure.models import Charger

Json = dict[str, Any]
Request = tuple[str, Json]
Builder = Callable[[Json, bool], Request]


def request_operation(charger: Charger, operation: str, values: Json) -> OutgoingCall:
    """Leaves the request for the charger's socket; an offline charger gets it if it comes back in time."""
    connection = ChargerConnection.objects.filter(charger=charger).first()
    is_v201 = connection is not None and connection.protocol == OcppVersion.V201
    with transaction.atomic():
        lock_charger(charger.pk)  # two requests at once must not get one id
        action, payload = BUILDERS[operation]({**values, "new_id": _new_id(charger)}, is_v201)
        return request(charger, action, payload)


def request(charger: Charger, action: str, payload: Json) -> OutgoingCall:
    """Any request of the charger's OCPP version, as on the wire."""
    with transaction.atomic():
        return request_ocpp(charger.pk, action, payload, timezone.now() + settings.COMMAND_TIMEOUT)


def request_change(variable: ChargerVariable, value: str) -> OutgoingCall:
    """Sets a configuration key (OCPP 1.6) or variable (2.0.1), which is named by its component."""
    if not variable.component:
        return request(variable.charger, "ChangeConfiguration", {"key": variable.variable, "value": value})
    wanted = {"attributeValue": value, **_name(variable)}
    return request(variable.charger, "SetVariables", {"setVariableData": [wanted]})


def _name(variable: ChargerVariable) -> Json:
    component: Json = {"name": variable.component}
    if variable.component_instance:
        component["instance"] = variable.component_instance
    if variable.evse_number:
        component["evse"] = {"id": variable.evse_number}
        if variable.connector_number:
            component["evse"]["connectorId"] = variable.connector_number
    named: Json = {"component": component, "variable": {"name": variable.variable}}
    if variable.variable_instance:
        named["variable"]["instance"] = variable.variable_instance
    if variable.attribute != "Actual":
        named["attributeType"] = variable.attribute
    return named


def _reset(values: Json, is_v201: bool) -> Request:
    if is_v201:
        return "Reset", {"type": "Immediate" if values["is_hard"] else "OnIdle"}
    return "Reset", {"type": "Hard" if values["is_hard"] else "Soft"}


def _availability(values: Json, is_v201: bool) -> Request:
    """EVSE 0: the charger as a whole."""
    state = "Operative" if values["is_operative"] else "Inoperative"
    if not is_v201:
        return "ChangeAvailability", {"connectorId": values["evse"], "type": state}
    evse = {"evse": {"id": values["evse"]}} if values["evse"] else {}
    return "ChangeAvailability", {**evse, "operationalStatus": state}


def _trigger(values: Json, is_v201: bool) -> Request:
    wanted, evse = values["message"], values["evse"]
    if wanted == "StatusNotification" and evse:
        return "TriggerMessage", status_requests(OcppVersion.V201 if is_v201 else OcppVersion.V16, evse, [1])[0]
    place: Json = {}
    if evse:
        place = {"evse": {"id": evse}} if is_v201 else {"connectorId": evse}
    if is_v201 and wanted == "DiagnosticsStatusNotification":
        wanted = "LogStatusNotification"
    return "TriggerMessage", {"requestedMessage": wanted, **place}


def _clear_cache(values: Json, is_v201: bool) -> Request:
    return "ClearCache", {}


def _read_configuration(values: Json, is_v201: bool) -> Request:
    if is_v201:
        # Everything comes in NotifyReport messages.
        return "GetBaseReport", {"requestId": values["new_id"], "reportBase": "FullInventory"}
    return "GetConfiguration", {"key": values["keys"]} if values.get("keys") else {}


def _update_firmware(values: Json, is_v201: bool) -> Request:
    retries = _given({"retries": values["retries"], "retryInterval": values["retry_interval"]})
    at = _instant(values["at"] or timezone.now())
    if is_v201:
        firmware = {"location": values["location"], "retrieveDateTime": at}
        return "UpdateFirmware", {"requestId": values["new_id"], "firmware": firmware, **retries}
    return "UpdateFirmware", {"location": values["location"], "retrieveDate": at, **retries}


def _get_diagnostics(values: Json, is_v201: bool) -> Request:
    begin, end = (_instant(at) if at else None for at in (values["begin"], values["end"]))
    if is_v201:
        log = _given({"remoteLocation": values["location"], "oldestTimestamp": begin, "latestTimestamp": end})
        return "GetLog", {"requestId": values["new_id"], "logType": "DiagnosticsLog", "log": log}
    return "GetDiagnostics", _given({"location": values["location"], "startTime": begin, "stopTime": end})


def _get_security_log(values: Json, is_v201: bool) -> Request:
    begin, end = (_instant(at) if at else None for at in (values["begin"], values["end"]))
    log = _given({"remoteLocation": values["location"], "oldestTimestamp": begin, "latestTimestamp": end})
    return "GetLog", {"requestId": values["new_id"], "logType": "SecurityLog", "log": log}


def _send_certificate(values: Json, is_v201: bool) -> Request:
    return "CertificateSigned", {"certificateChain": values["chain"]}


def _renew_certificate(values: Json, is_v201: bool) -> Request:
    if is_v201:
        return "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}
    return "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}


def _read_certificates(values: Json, is_v201: bool) -> Request:
    return "GetInstalledCertificateIds", {} if is_v201 else {"certificateType": "CentralSystemRootCertificate"}


def _read_monitors(values: Json, is_v201: bool) -> Request:
    return "GetMonitoringReport", {"requestId": values["new_id"]}


def _show_message(values: Json, is_v201: bool) -> Request:
    until = {"endDateTime": _instant(values["end"])} if values["end"] else {}
    content = {"format": "UTF8", "content": values["text"]}
    return "SetDisplayMessage", {
        "message": {"id": values["new_id"], "priority": values["priority"], "message": content, **until}
    }


def _read_messages(values: Json, is_v201: bool) -> Request:
    return "GetDisplayMessages", {"requestId": values["new_id"]}


def _clear_message(values: Json, is_v201: bool) -> Request:
    return "ClearDisplayMessage", {"id": values["message"]}


def _customer_information(values: Json, is_v201: bool) -> Request:
    wanted = {"requestId": values["new_id"], "report": True, "clear": values["is_cleared"]}
    return "CustomerInformation", {**wanted, "idToken": {"idToken": values["id_tag"], "type": values["type"]}}


def request_monitor(variable: ChargerVariable, kind: str, value: float, severity: int) -> OutgoingCall:
    """Asks a charger of OCPP 2.0.1 to watch a variable and to tell with NotifyEvent."""
    named = _name(variable)
    named.pop("attributeType", None)
    wanted = {"value": value, "type": kind, "severity": severity, **named}
    return request(variable.charger, "SetVariableMonitoring", {"setMonitoringData": [wanted]})


BUILDERS: Mapping[str, Builder] = {
    "reset": _reset,
    "availability": _availability,
    "trigger": _trigger,
    "clear-cache": _clear_cache,
    "read-configuration": _read_configuration,
    "update-firmware": _update_firmware,
    "diagnostics": _get_diagnostics,
    "security-log": _get_security_log,
    "certificate": _send_certificate,
    "renew-certificate": _renew_certificate,
    "read-certificates": _read_certificates,
    "read-monitors": _read_monitors,
    "show-message": _show_message,
    "read-messages": _read_messages,
    "clear-message": _clear_message,
    "customer-information": _customer_information,
}


def _given(values: Json) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _new_id(charger: Charger) -> int:
    """Of 31 bits, as chargers take them, and rising for many years: the second in which it was made, or the next that
    the charger has not been given. Its answers are told apart by it. Needs the charger's lock."""
    number = int(timezone.now().timestamp()) % 2**31
    given = OutgoingCall.objects.filter(charger=charger, action=CallAction.OCPP)
    while given.filter(Q(payload__payload__requestId=number) | Q(payload__payload__message__id=number)).exists():
        number += 1
    return number
