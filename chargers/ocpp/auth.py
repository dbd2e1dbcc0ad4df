"""Who may open a socket: a configured identity that proves itself as its security profile asks (0 to 3)."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from chargers.choices import SecurityProfile
from chargers.services import certificates, installed_certificates, pending, refusals
from chargers.services.lifecycle import PASSWORD_PURPOSE, keep_password, take_password
from infrastructure import secrets
from infrastructure.guesses import Limit, network_of
from infrastructure.models import Charger

Headers = list[tuple[bytes, bytes]]

TWICE = "It came with its identity twice: enter our address in it without, up to “/ocpp”. It adds it by itself."
UNKNOWN = 404
UNAUTHORIZED = 401
TOO_MANY = 429

# Of one charger; and of all behind one address, which may be many.
PASSWORDS, CHARGERS = Limit("ocpp"), Limit("ocpp-address", 10)

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
    has verified it; "" without one. `certificate_marks`: whom we signed it for, if the proxy told more than the name.
    `certificate_end`: until when that is valid, if the proxy told."""

    password: str | None
    is_tls: bool = False
    certificate_name: str = ""
    certificate_marks: tuple[str, ...] = ()
    certificate_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """`is_proven`: it has shown a secret, not just said who it is."""

    charger_id: int
    is_proven: bool


def let_in(identity: str, scope: dict[str, Any]) -> Admitted:
    """Who may come in. Raises Refused, and leaves a note of it for staff: see `services.pending`, `refusals`."""
    if "\0" in identity:  # no database takes it, so that nobody can have it
        raise Refused(UNKNOWN)
    shown = read_credentials(identity, scope)
    address = str((scope.get("client") or ("",))[0])
    network, proof = network_of(address), shown.password or shown.certificate_name
    limits = ((PASSWORDS, f"{network} {identity}", proof), (CHARGERS, network, f"{identity} {proof}"))
    if any(limit.is_reached(place, guess) for limit, place, guess in limits):
        raise Refused(TOO_MANY, "Too many wrong passwords or identities came from its address.")
    if "/" in identity:
        first, _, second = identity.partition("/")
        if second in ("", first):
            # Most chargers add their identity by themselves, also to an address that has it already.
            refusals.record_refusal(first, TWICE)
        for limit, place, guess in limits:
            limit.note_wrong(place, guess)
        raise Refused(UNKNOWN)
    try:
        admitted = _admit(identity, shown)
    except Refused as refused:
        if refused.status == UNKNOWN:
            pending.record_unknown(identity, shown.password, address, ", ".join(scope["subprotocols"]))
        else:
            refusals.record_refusal(identity, refused.reason)
        if proof or refused.status == UNKNOWN:
            for limit, place, guess in limits:
                limit.note_wrong(place, guess)
        raise
    for limit, place, guess in limits:
        limit.note_right(place, guess)
    return admitted


def admit(identity: str, headers: Headers) -> int:
    """The charger's id, as `let_in` with nothing but headers, and without a note."""
    return _admit(identity, Credentials(read_password(identity, headers))).charger_id


def read_credentials(identity: str, scope: dict[str, Any]) -> Credentials:
    headers: Headers = scope["headers"]
    subject = _from_proxy(scope, settings.CLIENT_CERTIFICATE_HEADER)
    return Credentials(
        read_password(identity, headers),
        scope.get("scheme") in ("wss", "https"),
        common_name(subject),
        tuple(unit for unit in _values(subject, "OU") if unit.startswith(certificates.MARK)),
        read_end(_from_proxy(scope, settings.CLIENT_CERTIFICATE_END_HEADER)),
    )


def _admit(identity: str, shown: Credentials) -> Admitted:
    columns = (
        "connection__password_hash",
        "connection__next_password_hashes",
        "connection__security_profile",
        "connection__certificate_name",
    )
    known = Charger.objects.filter(identity=identity).values_list("pk", *columns).first()
    if known is None:
        raise Refused(UNKNOWN)
    charger_id, stored, expected, profile, certificate_name = known
    if profile == SecurityProfile.NONE and settings.CHARGERS_WITHOUT_PASSWORD:
        return Admitted(charger_id, is_proven=False)
    if profile == SecurityProfile.TLS_AND_CERTIFICATE:
        _check_certificate(shown, certificate_name or identity, certificates.mark_of(charger_id))
        if shown.certificate_end is not None:
            installed_certificates.note_shown(charger_id, shown.certificate_end)
    else:
        needs_tls = profile == SecurityProfile.TLS_AND_PASSWORD
        password, is_new = _check_password(shown, stored or "", expected or [], needs_tls)
        if is_new:
            take_password(charger_id, password)
        else:
            keep_password(charger_id, stored, password)
    return Admitted(charger_id, is_proven=True)


def _check_password(shown: Credentials, stored: str, expected: list[str], needs_tls: bool) -> tuple[str, bool]:
    """The password, and whether it is one that the charger was sent and had not shown yet.

    Raises Refused.
    """
    if needs_tls and not shown.is_tls:
        raise Refused(UNAUTHORIZED, "It came without TLS, which its security profile asks for: use wss://.")
    if shown.password is None:
        raise Refused(UNAUTHORIZED, "It showed no password, or another identity than its own.")
    if any(secrets.is_hash_of(shown.password, one, purpose=PASSWORD_PURPOSE) for one in expected):
        return shown.password, True
    if not secrets.is_hash_of(shown.password, stored, purpose=PASSWORD_PURPOSE):
        reason = "It showed a wrong password." if stored else "It has no password here yet: set a new one."
        raise Refused(UNAUTHORIZED, reason)
    return shown.password, False


def _check_certificate(shown: Credentials, expected: str, mark: str) -> None:
    if not shown.is_tls:
        raise Refused(UNAUTHORIZED, "It came without TLS, which its security profile asks for: use wss://.")
    if not shown.certificate_name:
        raise Refused(UNAUTHORIZED, "No proxy of ours vouched for a client certificate.")
    if shown.certificate_name != expected:
        raise Refused(UNAUTHORIZED, f"Its certificate is for {shown.certificate_name}, expected was {expected}.")
    if any(one != mark for one in shown.certificate_marks):
        raise Refused(UNAUTHORIZED, "Its certificate was signed for another charger, which had this name before.")


def _from_proxy(scope: dict[str, Any], header: str) -> str:
    """ "" without a trusted proxy."""
    if not header or not scope.get(FROM_PROXY):
        return ""
    headers: Headers = scope["headers"]
    return dict(headers).get(header.lower().encode(), b"").decode("latin1").strip()


def read_end(text: str) -> datetime | None:
    """A time as nginx writes it ("Jan 31 12:00:00 2027 GMT") or by ISO 8601; None if it is neither."""
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def common_name(subject: str) -> str:
    """Of a subject as proxies write it: "CN=CP-1,O=Acme" (RFC 4514), "/O=Acme/CN=CP-1", or the bare name.

    "" if it does not have exactly one.
    """
    if "=" not in subject:
        return subject
    names = _values(subject, "CN")
    # A quoted value could hide a second name.
    return names[0] if len(names) == 1 and '"' not in subject else ""


def _values(subject: str, kind: str) -> list[str]:
    parts = subject.split("/") if subject.startswith("/") else _PARTS.findall(subject)
    pairs = [part.strip().partition("=") for part in parts]
    return [value.replace("\\", "").strip() for key, _, value in pairs if key.strip().upper() == kind]


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
