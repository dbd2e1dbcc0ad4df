"""How OCPI travels: tokens in headers, the envelope, JSON with exact numbers, dates."""

import base64
import binascii
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

SUCCESS = 1000
CLIENT_ERROR, INVALID_PARAMETERS = 2000, 2001
SERVER_ERROR, CLIENT_API_UNUSABLE, NO_MATCHING_VERSION, MISSING_ENDPOINTS = 3000, 3001, 3002, 3003
VERSION = "2.2.1"
# Without routing headers (OCPI 2.2.1, transport and format, message routing).
CONFIGURATION_MODULES = {"versions", "credentials"}


def now() -> str:
    """The present time as OCPI DateTime with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_token(token: str) -> str:
    """The value of the Authorization header."""
    return "Token " + base64.b64encode(token.encode()).decode()


def decode_token(header: str) -> str | None:
    """The token in an Authorization header; None unless it is proper Base64."""
    scheme, _, value = header.partition(" ")
    if scheme != "Token":
        return None
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def envelope(data: Any = None, code: int = SUCCESS, message: str = "Success") -> dict[str, Any]:
    """The response body around data; without data the field is absent."""
    answer = {"status_code": code, "status_message": message, "timestamp": now()}
    return answer if data is None else {"data": data} | answer


def dumps(value: Any, **options: Any) -> str:
    """JSON; decimals become JSON numbers."""
    return json.dumps(value, default=_plain, ensure_ascii=False, **options)


def _plain(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} does not travel")


def loads(text: str | bytes) -> Any:
    """JSON with exact decimals. Raises ValueError when it is malformed."""
    return json.loads(text, parse_float=Decimal)
