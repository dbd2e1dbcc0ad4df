"""What a charger's settings are, as it told them: configuration keys of OCPP 1.6, variables of OCPP 2.0.1."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from chargers.choices import CallAction, CallResult
from chargers.models import ChargerVariable, OutgoingCall
from chargers.services.masking import HIDDEN, SECRET_NAMES
from chargers.services.numbers import is_number

Json = dict[str, Any]


# OCPP 2.0.1 allows 2,500 characters; more is cut.
LONGEST_VALUE = 10_000
# What a variable is found by, and what is told of it.
KEY = (
    "variable",
    "component",
    "component_instance",
    "evse_number",
    "connector_number",
    "variable_instance",
    "attribute",
)
TOLD = ("value", "is_known", "is_readonly", "needs_reboot", "characteristics", "read_at")
Key = tuple[str, str, str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class VariableName:
    """`component` is "" for a configuration key of OCPP 1.6; numbers are 0 where the variable has none."""

    variable: str
    component: str = ""
    component_instance: str = ""
    evse_number: int = 0
    connector_number: int = 0
    variable_instance: str = ""
    attribute: str = "Actual"


@dataclass(frozen=True, slots=True)
class VariableValue:
    """`value` None: the charger has none, keeps it secret or does not know the variable.

    `is_readonly`, `characteristics` None: not told, what was known stays.
    """

    name: VariableName
    value: str | None
    is_readonly: bool | None = None
    needs_reboot: bool | None = None
    characteristics: Json | None = field(default=None)


def record_variables(charger_id: int, values: Iterable[VariableValue]) -> None:
    """Writes what the charger told; later values of one name win. EVSEs and connectors that cannot be are left out.

    All at once: a charger tells hundreds.
    """
    told = {_key(value.name): value for value in values if _is_of_somewhere(value.name)}
    with transaction.atomic():
        known = ChargerVariable.objects.filter(charger_id=charger_id, variable__in={variable for variable, *_ in told})
        rows = {_key_of(row): row for row in known.select_for_update(no_key=True).order_by("pk")}
        # In the order of their names: two of these must not block each other.
        written = [_with(rows.get(key), charger_id, key, told[key]) for key in sorted(told)]
        ChargerVariable.objects.bulk_create(
            written, update_conflicts=True, unique_fields=["charger", *KEY], update_fields=TOLD
        )


def _key(name: VariableName) -> Key:
    return (
        _clean(name.variable)[:50],
        _clean(name.component)[:50],
        _clean(name.component_instance)[:50],
        name.evse_number,
        name.connector_number,
        _clean(name.variable_instance)[:50],
        name.attribute[:9],
    )


def _key_of(row: ChargerVariable) -> tuple[Any, ...]:
    return tuple(getattr(row, column) for column in KEY)


def _with(row: ChargerVariable | None, charger_id: int, key: Key, value: VariableValue) -> ChargerVariable:
    """The row with what was told; without its id, which is not what it is found by."""
    row = row or ChargerVariable(charger_id=charger_id, **dict(zip(KEY, key, strict=True)))
    row.pk = None
    for column, told in _told(value).items():
        setattr(row, column, told)
    return row


def _is_of_somewhere(name: VariableName) -> bool:
    return is_number(name.evse_number) and is_number(name.connector_number)


def _told(value: VariableValue) -> Json:
    text = HIDDEN if value.value and value.name.variable.lower() in SECRET_NAMES else _clean(value.value or "")
    told: Json = {"value": text[:LONGEST_VALUE], "is_known": value.value is not None, "read_at": timezone.now()}
    optional = ("is_readonly", "needs_reboot", "characteristics")
    return told | {column: given for column in optional if (given := getattr(value, column)) is not None}


def _clean(text: str) -> str:
    return text.replace("\0", "")


def store_answer(call_id: int) -> None:
    """Outbox consumer of "call": keeps what a finished request read or wrote."""
    call = OutgoingCall.objects.filter(pk=call_id, action=CallAction.OCPP).first()
    if call is not None and call.result == CallResult.ACCEPTED:
        record_variables(call.charger_id, _values(call.payload["action"], call.payload["payload"], call.answer or {}))


def _values(action: str, asked: Json, answer: Json) -> Iterator[VariableValue]:
    """What a charger answers need not be what OCPP says: whatever cannot be read is passed over."""
    match action:
        case "GetConfiguration":
            yield from _keys_read(answer)
        case "ChangeConfiguration" if isinstance(asked.get("key"), str):
            needs_reboot = answer.get("status") == "RebootRequired"
            yield VariableValue(VariableName(asked["key"]), str(asked.get("value", "")), None, needs_reboot)
        case "GetVariables":
            for result in _dicts(answer.get("getVariableResult")):
                accepted = result.get("attributeStatus") == "Accepted"
                value = str(result.get("attributeValue", "")) if accepted else None
                yield from _named(result, value, False if accepted else None)
        case "SetVariables":
            results = _dicts(answer.get("setVariableResult"))
            for wanted, result in zip(_dicts(asked.get("setVariableData")), results, strict=False):
                if result.get("attributeStatus") in ("Accepted", "RebootRequired"):
                    needs_reboot = result["attributeStatus"] == "RebootRequired"
                    yield from _named(wanted, str(wanted.get("attributeValue", "")), needs_reboot)


def _keys_read(answer: Json) -> Iterator[VariableValue]:
    for key in _dicts(answer.get("configurationKey")):
        if isinstance(key.get("key"), str):
            value = key.get("value")
            is_readonly = key.get("readonly") is True
            yield VariableValue(VariableName(key["key"]), None if value is None else str(value), is_readonly, False)
    unknown = answer.get("unknownKey")
    for name in unknown if isinstance(unknown, list) else []:
        if isinstance(name, str):
            yield VariableValue(VariableName(name), None)


def _named(told: Json, value: str | None, needs_reboot: bool | None) -> Iterator[VariableValue]:
    name = read_name(told)
    if name is not None:
        yield VariableValue(name, value, None, needs_reboot)


def read_name(told: Json) -> VariableName | None:
    """Of OCPP 2.0.1 data with `component`, `variable` and perhaps `attributeType`; None if it is none."""
    component, variable = told.get("component"), told.get("variable")
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return None
    evse = component.get("evse") or {}
    numbers = [evse.get(key) or 0 for key in ("id", "connectorId")] if isinstance(evse, dict) else []
    if not numbers or not all(isinstance(number, int) for number in numbers):
        return None
    return VariableName(
        variable=str(variable.get("name", "")),
        component=str(component.get("name", "")),
        component_instance=str(component.get("instance", "")),
        evse_number=numbers[0],
        connector_number=numbers[1],
        variable_instance=str(variable.get("instance", "")),
        attribute=str(told.get("attributeType", "Actual")),
    )


def _dicts(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
