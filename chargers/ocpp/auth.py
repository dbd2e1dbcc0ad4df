"""Who may open a socket: a configured identity that proves itself as its security profile asks (0 to 3)."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from chargers.choices import SecurityProfile
from chargers.services import pending, refusals
from chargers.services.lifecycle import PASSWORD_PURPOSE
from infrastructure import secrets
from infrastructure.models import Charger

Headers = list[tuple[bytes, bytes]]

UNKNOWN = 404
UNAUTHORIZED = 401

# In the ASGI scope of what came through a proxy of `settings.FORWARDED_ALLOW_IPS` (config.proxies).
FROM_PROXY = "plugtill.from_proxy"
# Parts of a subject as RFC 4514 writes it; a backslash takes the next character as it is.
_PARTS = re.compile(r"(?:[^,+\\]|\\.)+")


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """The handshake is refused with an HTTP status; `reason` is for staff."""

    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a handshake showed. `certificate_name`: the common name of the client certificate, as a trusted proxy
    has verified it; "" without one."""

    password: str | None
    is_tls: bool = False
    certificate_name: str = ""


def let_in(identity: str, scope: dict[str, Any]) -> int:
    """The charger's id. Raises Refused, and leaves a note of it for staff: see `services.pending`, `refusals`."""
    shown = read_credentials(identity, scope)
    try:
        return _admit(identity, shown)
    except Refused as refused:
        if refused.status == UNKNOWN:
            address = (scope.get("client") or ("",))[0]
            pending.record_unknown(identity, shown.password, str(address), ", ".join(scope["subprotocols"]))
        else:
            refusals.record_refusal(identity, refused.reason)
        raise


def admit(identity: str, headers: Headers) -> int:
    """As `let_in` with nothing but headers, and without a note."""
    return _admit(identity, Credentials(read_password(identity, headers)))


def read_credentials(identity: str, scope: dict[str, Any]) -> Credentials:
    headers: Headers = scope["headers"]
    return Credentials(
        read_password(identity, headers), scope.get("scheme") in ("wss", "https"), _certificate_name(scope, headers)
    )


def _admit(identity: str, shown: Credentials) -> int:
    columns = ("connection__password_hash", "connection__security_profile", "connection__certificate_name")
    known = Charger.objects.filter(identity=identity).values_list("pk", *columns).first()
    if known is None:
        raise Refused(UNKNOWN)
    charger_id, stored, profile, certificate_name = known
    if profile == SecurityProfile.TLS_AND_CERTIFICATE:
        _check_certificate(shown, certificate_name or identity)
    elif not (profile == SecurityProfile.NONE and settings.CHARGERS_WITHOUT_PASSWORD):
        _check_password(shown, stored or "", needs_tls=profile == SecurityProfile.TLS_AND_PASSWORD)
    return charger_id


def _check_password(shown: Credentials, stored: str, *, needs_tls: bool) -> None:
    if needs_tls and not shown.is_tls:
        raise Refused(UNAUTHORIZED, "It came without TLS, which its security profile asks for: use wss://.")
    if shown.password is None:
        raise Refused(UNAUTHORIZED, "It showed no password, or another identity than its own.")
    if not secrets.is_hash_of(shown.password, stored, purpose=PASSWORD_PURPOSE):
        reason = "It showed a wrong password." if stored else "It has no password here yet: set a new one."
        raise Refused(UNAUTHORIZED, reason)


def _check_certificate(shown: Credentials, expected: str) -> None:
    if not shown.is_tls:
        raise Refused(UNAUTHORIZED, "It came without TLS, which its security profile asks for: use wss://.")
    if not shown.certificate_name:
        raise Refused(UNAUTHORIZED, "No proxy of ours vouched for a client certificate.")
    if shown.certificate_name != expected:
        raise Refused(UNAUTHORIZED, f"Its certificate is for {shown.certificate_name}, expected was {expected}.")


def _certificate_name(scope: dict[str, Any], headers: Headers) -> str:
    """ "" without a trusted proxy, or if the subject does not have exactly one common name."""
    header = settings.CLIENT_CERTIFICATE_HEADER.lower().encode()
    if not header or not scope.get(FROM_PROXY):
        return ""
    return common_name(dict(headers).get(header, b"").decode("latin1").strip())


def common_name(subject: str) -> str:
    """Of a subject as proxies write it: "CN=CP-1,O=Acme" (RFC 4514), "/O=Acme/CN=CP-1", or the bare name."""
    if "=" not in subject:
        return subject
    parts = subject.split("/") if subject.startswith("/") else _PARTS.findall(subject)
    pairs = [part.strip().partition("=") for part in parts]
    names = [value.replace("\\", "").strip() for key, _, value in pairs if key.strip().upper() == "CN"]
    # A quoted value could hide a second name.
    return names[0] if len(names) == 1 and '"' not in subject else ""


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
