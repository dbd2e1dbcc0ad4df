"""Request and response headers of OCPI (2.2.1 transport_and_format.asciidoc)."""

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


def new_id() -> str:
    """A fresh X-Request-ID or X-Correlation-ID."""
    return str(uuid.uuid4())


def encode_token(token: str) -> str:
    """Base64 form of a credentials token, as it stands after `Token ` from 2.2 on."""
    return base64.b64encode(token.encode()).decode("ascii")


def decode_tokens(authorization_header: str | None) -> list[str]:
    """Tokens an Authorization header may mean, likeliest first; empty when it holds none.

    2.1.1 peers send the token raw, later ones Base64, and a raw token can happen to be valid Base64.
    """
    scheme, _, value = (authorization_header or "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() != "token" or not value:
        return []
    candidates = [_decode(value), value]
    return list(dict.fromkeys(candidate for candidate in candidates if candidate))


def _decode(value: str) -> str:
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    # Both examples printed in the specification decode to a token with a newline at its end.
    token = decoded.rstrip("\r\n ")
    return token if token.isascii() and token.isprintable() else ""


@dataclass(frozen=True, slots=True)
class Routing:
    """Sender and addressee of a message on a functional module; an empty part was absent."""

    from_country: str = ""
    from_party: str = ""
    to_country: str = ""
    to_party: str = ""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        values = {name.lower(): value.strip() for name, value in headers.items()}
        return cls(*(values.get(name.lower(), "") for name in _HEADERS))

    def to_headers(self) -> dict[str, str]:
        values = (self.from_country, self.from_party, self.to_country, self.to_party)
        return {name: value for name, value in zip(_HEADERS, values, strict=True) if value}

    def swapped(self) -> "Routing":
        """The routing of the answer."""
        return Routing(self.to_country, self.to_party, self.from_country, self.from_party)


_HEADERS = (
    "OCPI-from-country-code",
    "OCPI-from-party-id",
    "OCPI-to-country-code",
    "OCPI-to-party-id",
)
