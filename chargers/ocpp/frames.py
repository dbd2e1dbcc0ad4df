"""OCPP-J frames: text to a message and back (OCPP-J 1.6, 4.2; OCPP 2.0.1 part 4, 4.2)."""

import json
import re
from dataclasses import dataclass
from typing import Any

CALL, CALLRESULT, CALLERROR = 2, 3, 4
# OCPP-J: at most 36 characters. Longer ones are answered all the same, to a bound.
LONGEST_ID = 255
# Of a whole number: what 64 bits hold.
MOST_DIGITS = 18
_ESCAPED = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)
# What the error answers of a frame without a readable id name (OCPP 2.0.1 part 4, 4.2.3).
NO_ID = "-1"


@dataclass(frozen=True, slots=True)
class Request:
    unique_id: str
    action: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Result:
    unique_id: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Failure:
    unique_id: str
    code: str
    description: str
    details: Any


Frame = Request | Result | Failure


@dataclass(frozen=True, slots=True)
class Malformed(Exception):
    """No OCPP-J frame. `unique_id` is that of a request, None when nothing could be answered."""

    reason: str
    unique_id: str | None = None
    is_unknown_type: bool = False


def parse(text: str) -> Frame:
    """Raises Malformed."""
    try:
        parts = json.loads(text, parse_constant=_nothing, parse_int=_whole, parse_float=_fraction)
        if _ESCAPED.search(text):
            parts = _printable(parts)
    except (ValueError, RecursionError):
        raise Malformed("The frame is not valid JSON.") from None
    if not isinstance(parts, list) or not parts:
        raise Malformed("The frame is not a JSON array.")
    kind = parts[0]
    unique_id = parts[1] if len(parts) > 1 and isinstance(parts[1], str) else None
    if isinstance(kind, bool) or kind not in (CALL, CALLRESULT, CALLERROR):
        raise Malformed("The message type is none of 2, 3 and 4.", is_unknown_type=True)
    if unique_id is None or not 0 < len(unique_id) <= LONGEST_ID:
        raise Malformed("The frame has no message id.")
    return _message(kind, unique_id, parts)


def _nothing(constant: str) -> None:
    """NaN and Infinity are no JSON: where they stand the schema finds nothing, so that the request is answered."""


def _whole(digits: str) -> int | float:
    """As a fraction where no column has room for it: the schema refuses that."""
    return int(digits) if len(digits) <= MOST_DIGITS else float("inf")


def _fraction(digits: str) -> int | float:
    """1.0 is a whole number (JSON schema since draft 6, of which those of OCPP 2.0.1 are)."""
    number = float(digits)
    return int(number) if number.is_integer() and abs(number) < 10**MOST_DIGITS else number


def _printable(value: Any) -> Any:
    """Without what no database takes, NUL and halves of surrogate pairs: a charger that sends them can do no other,
    and its transaction counts."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(one) for name, one in value.items()}
    return value


def _message(kind: int, unique_id: str, parts: list[Any]) -> Frame:
    match kind, parts:
        case 2, [_, _, str(action), payload]:
            return Request(unique_id, action, payload)
        case 3, [_, _, payload]:
            return Result(unique_id, payload)
        case 3, _:  # an answer all the same: nobody needs to wait on, and it is for whoever asked to refuse
            return Result(unique_id, None)
        case 4, [_, _, *told]:
            code, description, details = (told + [None] * 3)[:3]
            return Failure(unique_id, str(code or ""), str(description or ""), details or {})
    raise Malformed("A request is [2, id, action, payload].", unique_id)


def dump(*parts: Any) -> str:
    """Compact: chargers with small buffers and dear mobile data read it."""
    return json.dumps(parts, separators=(",", ":"))
