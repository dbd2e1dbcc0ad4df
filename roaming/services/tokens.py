"""Who is calling: from an Authorization header to the platform behind it, and the tokens we hand out.

Only keyed hashes are stored and looked up, so no comparison can leak a token by its duration.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from infrastructure.secrets import encrypt, keyed_hash, keyed_hashes, new_secret
from roaming.choices import PlatformState
from roaming.models import RoamingPlatform
from roaming.ocpi.errors import Unauthorized
from roaming.ocpi.headers import decode_tokens
from roaming.services import callers
from roaming.services.callers import Besides

# How long a replaced token still works: the answer that carries the new one may be lost, and 2.2.1 has no
# other way back in.
GRACE = timedelta(hours=1)
# How long a token that we announced works although the partner never confirmed it: it may know only that one by
# now, and staff need time to update the credentials again.
ANNOUNCED = timedelta(days=1)
TOKEN_LENGTH = 64
PURPOSE = "ocpi-server-token"
HASHES = ("server_token_hash", "registration_token_hash", "next_server_token_hash", "previous_server_token_hash")


class TokenKind(StrEnum):
    """REGISTRATION is token A: good for versions and credentials only (2.2.1 credentials, 7.1.1)."""

    REGISTERED = "REGISTERED"
    REGISTRATION = "REGISTRATION"


class Caller(NamedTuple):
    """`parties`: how many of ours are on this connection."""

    platform: RoamingPlatform
    kind: TokenKind
    token: str
    parties: int


class TokenRefused(Exception):
    """A sentence for staff: why a token cannot be generated or stored now."""


def hash_token(token: str) -> str:
    return keyed_hash(token, purpose=PURPOSE)


def platform_for(authorization: str | None) -> Caller:
    """The platform whose token an Authorization header carries, in one query. Unauthorized when there is none."""
    return caller_and(authorization, Besides())[0]


def caller_and(authorization: str | None, besides: Besides) -> tuple[Caller, tuple[Any, ...]]:
    """The same, and what else was asked in its query."""
    candidates = decode_tokens(authorization)
    if not candidates:
        raise Unauthorized("Authorization header with 'Token <Base64 of the credentials token>' required.")
    tokens = {hashed: token for token in candidates for hashed in keyed_hashes(token, purpose=PURPOSE)}
    found = callers.find(list(tokens), besides)
    if found is None:
        raise Unauthorized("Unknown token.")
    _renew_hashes(found.platform, tokens)
    kind, token = _used(found.platform, tokens)
    return Caller(found.platform, kind, token, found.parties), found.besides


def _renew_hashes(platform: RoamingPlatform, tokens: dict[str, str]) -> None:
    """What was found under an old key is kept, and compared from here on, under the key of now."""
    for column in HASHES:
        stored = getattr(platform, column)
        fresh = hash_token(tokens[stored]) if stored in tokens else stored
        if fresh != stored:
            RoamingPlatform.objects.filter(pk=platform.pk, **{column: stored}).update(**{column: fresh})
            setattr(platform, column, fresh)
            tokens[fresh] = tokens[stored]


def _used(platform: RoamingPlatform, tokens: dict[str, str]) -> tuple[TokenKind, str]:
    if platform.server_token_hash in tokens:
        _end_grace(platform)
        return TokenKind.REGISTERED, tokens[platform.server_token_hash]
    if platform.registration_token_hash in tokens:
        return TokenKind.REGISTRATION, tokens[platform.registration_token_hash]
    other = {platform.next_server_token_hash, platform.previous_server_token_hash} & set(tokens)
    # During our first handshake the partner may read what we offer, and no more.
    kind = TokenKind.REGISTERED if platform.is_registered else TokenKind.REGISTRATION
    return kind, tokens[other.pop()]


def _end_grace(platform: RoamingPlatform) -> None:
    """The peer uses its new token, so it has it: the one before is over."""
    if platform.previous_server_token_hash:
        RoamingPlatform.objects.filter(pk=platform.pk, server_token_hash=platform.server_token_hash).update(
            previous_server_token_hash="", previous_server_token_until=None
        )


def generate_registration_token(platform: RoamingPlatform) -> str:
    """A token A for the partner, to be shown once; it replaces one not yet used.

    TokenRefused while the platform is registered: the partner's POST would only be answered with 405.
    """
    token = new_secret()
    changed = (
        RoamingPlatform.objects.filter(pk=platform.pk)
        .exclude(state=PlatformState.REGISTERED)
        .update(registration_token_hash=hash_token(token))
    )
    if not changed:
        raise TokenRefused(
            f"{platform} is registered. Use “Update credentials” for new tokens, "
            "or invalidate its credentials first to start over."
        )
    platform.refresh_from_db()
    return token


def check_token(token: str) -> None:
    """TokenRefused when it is no credentials token (2.2.1 transport: printable non-blank ASCII, at most 64)."""
    if not 0 < len(token) <= TOKEN_LENGTH or not all("\x21" <= character <= "\x7e" for character in token):
        raise TokenRefused("A token has 1 to 64 printable ASCII characters without spaces.")


def store_partner_token(platform: RoamingPlatform, token: str) -> None:
    """Keeps the token A that the partner gave us, encrypted. TokenRefused when it is no credentials token."""
    token = token.strip()
    check_token(token)
    platform.registration_token_encrypted = encrypt(token)
    platform.save(update_fields=["registration_token_encrypted"])
