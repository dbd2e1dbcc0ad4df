"""The JSON schemas of OCPP, as the `ocpp` library brings them."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator, FormatChecker
from ocpp.messages import MessageType

REQUEST, RESPONSE = MessageType.Call, MessageType.CallResult

_formats = FormatChecker(formats=())


def _is_instant(value: object) -> bool:
    """ISO 8601 with or without a zone (OCPP 1.6, 3.14 recommends one but asks for none)."""
    return not isinstance(value, str) or bool(datetime.fromisoformat(value.upper()))


_formats.checks("date-time", raises=ValueError)(_is_instant)


@cache
def validator(version: str, kind: int, action: str, number: Callable[[str], Any] = float) -> Draft4Validator | None:
    """Of a message of OCPP `version` ("1.6" or "2.0.1"); None where it has no such message.

    `number` is the type that fractions of the payload have, which a schema must share (float or Decimal). What we
    send is checked as Decimal, and for its formats as well: chargers stumble over a date that is none, and we do not.
    """
    if not action.isalnum():
        return None
    requests = "" if version == "1.6" else "Request"
    name = f"{action}{'Response' if kind == RESPONSE else requests}.json"
    path = files("ocpp") / f"v{version.replace('.', '')}" / "schemas" / name
    if not path.is_file():
        return None
    # Not the library's own `get_validator`: it keeps one per name, with numbers as whoever came first wanted them.
    schema = json.loads(path.read_text("utf-8-sig"), parse_float=number)
    return Draft4Validator(schema, format_checker=_formats if number is Decimal else None)
