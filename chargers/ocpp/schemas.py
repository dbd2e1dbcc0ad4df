"""What is wrong with a payload by the JSON schemas of OCPP, and its members' order."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match

from chargers.services.schemas import REQUEST, RESPONSE, validator

__all__ = ["REQUEST", "RESPONSE", "Violation", "format_code", "in_order", "violation"]

Json = dict[str, Any]

LONGEST_REASON = 250
# JSON schema keyword -> CALLERROR code (OCPP-J 1.6, 4.2.3). What is not named violates a property.
CODES = {
    "required": "ProtocolError",
    "type": "TypeConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
}
# OCPP 1.6 and 2.0.1 spell the code of a wrong structure differently.
FORMAT_CODES = {"1.6": "FormationViolation"}
FORMAT_CODE = "FormatViolation"


@dataclass(frozen=True, slots=True)
class Violation:
    """A CALLERROR code of `version`, and the reason for whoever reads the charger's log."""

    code: str
    reason: str


def format_code(version: str) -> str:
    return FORMAT_CODES.get(version, FORMAT_CODE)


def violation(version: str, kind: int, action: str, payload: Any) -> Violation | None:
    """What of `payload` the schema forbids first; None if all is well or OCPP has no such message."""
    schema = validator(version, kind, action)
    if schema is None:
        return None
    if not isinstance(payload, dict):
        return Violation(format_code(version), "The payload is not a JSON object.")
    if schema.is_valid(payload):
        return None
    error = best_match(_real_errors(schema, payload))
    return None if error is None else Violation(_code(version, error), _reason(error))


def _real_errors(schema: Draft4Validator, payload: Json) -> list[ValidationError]:
    return [error for error in schema.iter_errors(payload) if not _is_rounding(error)]


def _is_rounding(error: ValidationError) -> bool:
    """Binary fractions: 21.4 is no multiple of 0.1 for a computer, but for the standard."""
    value = error.instance
    return error.validator == "multipleOf" and isinstance(value, float) and abs(value * 10 - round(value * 10)) < 1e-6


def _code(version: str, error: ValidationError) -> str:
    if error.validator == "additionalProperties":
        return format_code(version)
    return CODES.get(str(error.validator), "PropertyConstraintViolation")


def _reason(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    return (f"{place}: {error.message}" if place else error.message)[:LONGEST_REASON]


def in_order(version: str, kind: int, action: str, payload: Json) -> Json:
    """`payload` with its members in the order of the schema; some chargers read them so. Unknown ones come last."""
    ordered: Json = _sort(payload, _order(version, kind, action))
    return ordered


Order = Mapping[str, Any]


def _sort(value: Any, order: Order) -> Any:
    if isinstance(value, list):
        return [_sort(one, order) for one in value]
    if not isinstance(value, dict):
        return value
    names = [*(name for name in order if name in value), *(name for name in value if name not in order)]
    return {name: _sort(value[name], order.get(name, {})) for name in names}


@cache
def _order(version: str, kind: int, action: str) -> Order:
    found = validator(version, kind, action)
    return {} if found is None else _members(found.schema, found.schema, 0)


def _members(schema: Any, root: Json, depth: int) -> Order:
    """Names of members in their order, each with those of what it holds. No schema of OCPP nests deeper than ten."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if depth > 10:
        return {}
    if "items" in schema:
        return _members(schema["items"], root, depth + 1)
    return {name: _members(member, root, depth + 1) for name, member in schema.get("properties", {}).items()}
