"""Passwords that chargers are given over OCPP: AuthorizationKey of 1.6, BasicAuthPassword of 2.0.1."""

from typing import Any

from chargers.choices import CallResult
from chargers.services.masking import SECRET_NAMES

Json = dict[str, Any]

# Without an answer, or with an error for one, the charger may have it all the same: security settings often cost the
# connection.
_TAKEN = (CallResult.ACCEPTED, CallResult.TIMEOUT, CallResult.FAILED)
_TAKEN_WORDS = ("Accepted", "RebootRequired")


def asked_password(call_payload: Json) -> str | None:
    """The password that a request asks the charger to take, if it does."""
    return new_password(call_payload, CallResult.TIMEOUT, None)


def new_password(call_payload: Json, result: CallResult, answer: Json | None) -> str | None:
    """The password that a request of any OCPP version has, or may have, set; None if it has set none for sure."""
    if result not in _TAKEN:
        return None
    asked = call_payload.get("payload") or {}
    match call_payload.get("action"):
        case "ChangeConfiguration" if _is_secret(asked.get("key")):
            return _text(asked.get("value"))
        case "SetVariables":
            return _of_variables(asked, answer or {} if result == CallResult.ACCEPTED else None)
    return None


def _of_variables(asked: Json, answer: Json | None) -> str | None:
    """Each variable has an answer of its own; `answer` None: there was none."""
    for number, one in enumerate(asked.get("setVariableData") or []):
        if _is_secret((one.get("variable") or {}).get("name")):
            status = "Accepted" if answer is None else _status(one, number, answer)
            if status in _TAKEN_WORDS:
                return _text(one.get("attributeValue"))
    return None


def _status(one: Json, number: int, answer: Json) -> Any:
    """By name, as a charger may answer in any order; by the place in the request where none is told."""
    given = answer.get("setVariableResult")
    results = [result if isinstance(result, dict) else {} for result in given] if isinstance(given, list) else []
    for result in results:
        if _names(result) == _names(one):
            return result.get("attributeStatus")
    has_place = number < len(results) and not any(_names(results[number]))
    return results[number].get("attributeStatus") if has_place else None


def _names(one: Json) -> tuple[str, str]:
    """Of component and variable; names know no case (OCPP 2.0.1, ComponentType and VariableType)."""
    return _name(one.get("component")), _name(one.get("variable"))


def _name(of: Any) -> str:
    name = of.get("name") if isinstance(of, dict) else None
    return name.lower() if isinstance(name, str) else ""


def _is_secret(name: Any) -> bool:
    return isinstance(name, str) and name.lower() in SECRET_NAMES


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
