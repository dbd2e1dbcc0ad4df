"""Monitors and display messages of chargers of OCPP 2.0.1, as they told them (parts N and O)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from chargers.choices import CallAction, CallResult, ChargerEventKind
from chargers.models import ChargerEvent, ChargerMonitor, ChargerVariable, DisplayMessage, OutgoingCall
from chargers.services.charger_events import LONGEST_INFO, record_event
from chargers.services.variables import VariableName, read_name

Json = dict[str, Any]

# OCPP 2.0.1 has no severity beyond these.
DANGER, DEBUG = 0, 9
# A charger that is set back to its factory's monitors tells which those are only when asked.
OWN_BASES = ("FactoryDefault", "HardWiredOnly")


@dataclass(frozen=True, slots=True)
class Monitor:
    """One of VariableMonitoringType; `value` None: not told."""

    id: int
    name: VariableName
    type: str
    value: float | None
    severity: int


def record_monitors(charger_id: int, monitors: Iterable[Monitor]) -> None:
    for one in monitors:
        severity = min(max(one.severity, DANGER), DEBUG)
        told = {"name": _text_of(one.name), "type": one.type[:20], "severity": severity, "told_at": timezone.now()}
        if one.value is not None:
            told["value"] = one.value
        ChargerMonitor.objects.update_or_create(charger_id=charger_id, monitor_id=one.id, defaults=told)


def _text_of(name: VariableName) -> str:
    return ChargerVariable(
        component=name.component,
        component_instance=name.component_instance,
        evse_number=name.evse_number,
        connector_number=name.connector_number,
        variable=name.variable,
        variable_instance=name.variable_instance,
    ).name


def severities(charger_id: int, monitor_ids: Iterable[int]) -> Mapping[int, int]:
    """By monitor id, of those that the charger has told of."""
    known = ChargerMonitor.objects.filter(charger_id=charger_id, monitor_id__in=list(monitor_ids))
    return dict(known.values_list("monitor_id", "severity"))


def record_messages(charger_id: int, messages: Iterable[Json]) -> None:
    """MessageInfoType, as on the wire."""
    for one in messages:
        told = {
            "text": str((one.get("message") or {}).get("content", ""))[:512],
            "priority": str(one.get("priority", ""))[:11],
            "state": str(one.get("state", ""))[:11],
            "starts_at": _instant(one.get("startDateTime")),
            "ends_at": _instant(one.get("endDateTime")),
            "told_at": timezone.now(),
        }
        DisplayMessage.objects.update_or_create(charger_id=charger_id, message_id=int(one["id"]), defaults=told)


def _instant(value: Any) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(value or ""))
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def record_customer_information(charger_id: int, request_id: int, data: str) -> None:
    """Its parts come in order and make one text (N09)."""
    told = ChargerEvent.objects.filter(
        charger_id=charger_id, kind=ChargerEventKind.CUSTOMER, request_id=request_id
    ).first()
    if told is None:
        record_event(charger_id, ChargerEventKind.CUSTOMER, "CustomerInformation", info=data, request_id=request_id)
        return
    told.info = f"{told.info}{data}".replace("\0", "")[:LONGEST_INFO]
    told.save(update_fields=["info"])


def store_answer(call_id: int) -> None:
    """Outbox consumer of "call": what a finished request has set or cleared."""
    call = OutgoingCall.objects.filter(pk=call_id, action=CallAction.OCPP).first()
    if call is None or call.result not in (CallResult.ACCEPTED, CallResult.UNKNOWN):
        return
    charger_id, asked, answer = call.charger_id, call.payload["payload"], call.answer or {}
    is_accepted = call.result == CallResult.ACCEPTED
    match call.name:
        case "SetVariableMonitoring":
            record_monitors(charger_id, _set(asked, answer))
        case "ClearVariableMonitoring":
            cleared = [one["id"] for one in _dicts(answer.get("clearMonitoringResult")) if _is_gone(one)]
            ChargerMonitor.objects.filter(charger_id=charger_id, monitor_id__in=cleared).delete()
        case "SetMonitoringBase" if is_accepted and asked.get("monitoringBase") in OWN_BASES:
            ChargerMonitor.objects.filter(charger_id=charger_id).delete()
        case "SetDisplayMessage" if is_accepted:
            record_messages(charger_id, _dicts([asked.get("message")]))
        case "ClearDisplayMessage":
            DisplayMessage.objects.filter(charger_id=charger_id, message_id=asked.get("id")).delete()
        case "GetDisplayMessages" if not is_accepted and asked.keys() == {"requestId"}:
            DisplayMessage.objects.filter(charger_id=charger_id).delete()  # it was asked for all and has none


def _is_gone(result: Json) -> bool:
    return isinstance(result.get("id"), int) and result.get("status") in ("Accepted", "NotFound")


def _set(asked: Json, answer: Json) -> Iterator[Monitor]:
    """The results stand in the order of the request (N04)."""
    results = _dicts(answer.get("setMonitoringResult"))
    for wanted, result in zip(_dicts(asked.get("setMonitoringData")), results, strict=False):
        name = read_name(wanted)
        if result.get("status") == "Accepted" and isinstance(result.get("id"), int) and name is not None:
            yield Monitor(result["id"], name, wanted["type"], float(wanted["value"]), int(wanted["severity"]))


def _dicts(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
