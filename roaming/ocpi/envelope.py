"""The response envelope (2.2.1 transport_and_format.asciidoc, Response format)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from .errors import OcpiError, PeerGarbage
from .types import format_datetime


@dataclass(frozen=True, slots=True)
class Envelope:
    status_code: int
    status_message: str
    data: object


def success(data: object = ..., status_code: int = 1000) -> dict[str, object]:
    """Body of a good answer. `data` is left out where the specification defines none (pushes)."""
    body = _head(status_code, "Success")
    if data is not ...:
        body["data"] = data
    return body


def success_of(objects: str) -> bytes:
    """The whole body of a good answer with a list, whose objects are JSON already, with commas between them."""
    return f'{json.dumps(success())[:-1]}, "data": [{objects}]}}'.encode()


def failure(error: OcpiError) -> dict[str, object]:
    """Body of the answer an OcpiError stands for; its HTTP status is `error.http_status`."""
    body = _head(error.status_code, error.message)
    if error.data is not None:
        body["data"] = error.data
    return body


def read(response_body: bytes | str) -> Envelope:
    """Envelope of a peer's answer. PeerGarbage when it is none."""
    try:
        # RecursionError: brackets nested a hundred thousand deep.
        body = json.loads(response_body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise PeerGarbage("The peer's answer is not valid JSON.") from None
    if not isinstance(body, dict):
        raise PeerGarbage("The peer's answer is JSON, but not an OCPI response.")
    message = body.get("status_message")
    return Envelope(_status_code(body.get("status_code")), str(message or ""), body.get("data"))


def _status_code(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:5])
    if isinstance(value, bool) or not isinstance(value, int) or not 1000 <= value <= 4999:
        raise PeerGarbage("The peer's answer has no OCPI status_code between 1000 and 4999.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _head(status_code: int, message: str) -> dict[str, object]:
    return {
        "status_code": status_code,
        "status_message": message,
        "timestamp": format_datetime(datetime.now(UTC)),
    }
