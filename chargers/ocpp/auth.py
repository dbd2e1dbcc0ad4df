"""Who may open a socket: a configured identity with its password (OCPP-J security profiles 1 and 2)."""

import base64
import binascii
from dataclasses import dataclass

from chargers.services.lifecycle import PASSWORD_PURPOSE
from infrastructure import secrets
from infrastructure.models import Charger

Headers = list[tuple[bytes, bytes]]

UNKNOWN = 404
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """The handshake is refused with an HTTP status."""

    status: int


def admit(identity: str, headers: Headers) -> int:
    """The charger's id. Raises Refused: 404 for an unknown identity, 401 for a wrong or missing password."""
    known = Charger.objects.filter(identity=identity).values_list("pk", "connection__password_hash").first()
    if known is None:
        raise Refused(UNKNOWN)
    charger_id, stored = known
    password = read_password(identity, headers)
    if password is None or not secrets.is_hash_of(password, stored or "", purpose=PASSWORD_PURPOSE):
        raise Refused(UNAUTHORIZED)
    return charger_id


def read_password(identity: str, headers: Headers) -> str | None:
    """The password of HTTP Basic, if the user is the identity; None otherwise.

    An identity may contain colons, so the user ends where the identity does, not at the first colon.
    """
    given = dict(headers).get(b"authorization", b"")
    scheme, _, encoded = given.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user = f"{identity}:"
    return decoded[len(user) :] if decoded.startswith(user) else None
