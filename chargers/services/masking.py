"""Takes secrets out of what is kept of OCPP messages, and most of the id tags, which name people."""

import json
import re
from typing import Any

HIDDEN = "***"
_TAGS = re.compile(r'(?P<before>"(?:idTag|parentIdTag|idToken)"\s*+:\s*+)"(?P<text>(?:[^"\\]|\\.)*+)"')
_SHORTEST_TAG = 6
_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s\"'@]++@")
# The charger's own password: a configuration key of OCPP 1.6, a variable of OCPP 2.0.1.
SECRET_NAMES = {"authorizationkey", "basicauthpassword"}
# Of a network profile (OCPP 2.0.1, APNType and VPNType): fields by the name of what they are in.
_SECRET_FIELDS = {"apn": {"apnPassword", "simPin"}, "vpn": {"password", "key"}}
_SECRET = re.compile("|".join([*SECRET_NAMES, *(f'"{name}"' for name in _SECRET_FIELDS)]), re.IGNORECASE)


def masked(text: str) -> str:
    """`text` without passwords; of id tags the last four characters stay."""
    return _TAGS.sub(_hide_tag, _without_passwords(text))


def without_secrets(payload: dict[str, Any]) -> dict[str, Any]:
    """`payload` without the password of the charger and those in addresses of files, as a database takes it: of numbers
    beyond all bounds, which are no JSON, nothing is left."""
    hidden: dict[str, Any] = json.loads(_without_passwords(json.dumps(payload)), parse_constant=lambda infinity: None)
    return hidden


def _without_passwords(text: str) -> str:
    if _SECRET.search(text):
        try:
            text = json.dumps(_hide(json.loads(text)), separators=(",", ":"), ensure_ascii=False)
        except (ValueError, RecursionError):
            return f"{HIDDEN} a broken frame that names a password"
    return _USER_IN_URL.sub(f"{HIDDEN}@", text)


def _hide(value: Any) -> Any:
    if isinstance(value, list):
        return [_hide(one) for one in value]
    if not isinstance(value, dict):
        return value
    variable = value.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else value.get("key")
    if isinstance(name, str) and name.lower() in SECRET_NAMES:
        return _hide_values(value)
    return {key: _hide_fields(one, _SECRET_FIELDS.get(key, set())) for key, one in value.items()}


def _hide_fields(value: Any, names: set[str]) -> Any:
    if not names or not isinstance(value, dict):
        return _hide(value)
    return {key: HIDDEN if key in names else _hide(one) for key, one in value.items()}


def _hide_values(value: Any) -> Any:
    if isinstance(value, list):
        return [_hide_values(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: HIDDEN if key in ("value", "attributeValue") else _hide_values(one) for key, one in value.items()}


def _hide_tag(match: re.Match[str]) -> str:
    tag = match["text"]
    shown = tag[-4:] if len(tag) >= _SHORTEST_TAG and "\\" not in tag[-5:] else ""
    return f'{match["before"]}"{HIDDEN}{shown}"'
