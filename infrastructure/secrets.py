"""Secrets at rest: what we must send is encrypted, what we only compare is kept as a keyed hash."""

import hmac
import secrets
from functools import cache
from hashlib import sha256

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def new_secret() -> str:
    """A random secret of 43 printable characters, fit for an OCPI credentials token (at most 64) or a password."""
    return secrets.token_urlsafe(32)


def keyed_hash(value: str, *, purpose: str) -> str:
    """Hash of a secret, useless without our key; `purpose` keeps the hashes of different uses apart."""
    return _hash(value, purpose, settings.SECRET_KEY)


def keyed_hashes(value: str, *, purpose: str) -> list[str]:
    """By which a secret may be stored: with the key of now, and then with each of SECRET_KEY_FALLBACKS.

    Who finds one of the latter writes the first in its place, so that the old key can go one day.
    """
    return [_hash(value, purpose, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def is_hash_of(value: str, stored: str, *, purpose: str) -> bool:
    """Under the key of now or an old one. Compares in constant time."""
    same = [hmac.compare_digest(known, stored) for known in keyed_hashes(value, purpose=purpose)]
    return bool(stored) and any(same)


def _hash(value: str, purpose: str, secret_key: str) -> str:
    key = sha256(f"{purpose}:{secret_key}".encode()).digest()
    return hmac.new(key, value.encode(), sha256).hexdigest()


def encrypt(value: str) -> str:
    return _fernet().encrypt(value.encode()).decode()


def decrypt(stored: str) -> str:
    """Raises `cryptography.fernet.InvalidToken` when none of our keys made it."""
    return _fernet().decrypt(stored.encode()).decode()


@cache
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


def renew(stored: str) -> str:
    """The same secret under the first key. Raises `cryptography.fernet.InvalidToken` when none of our keys made it."""
    return _fernet().rotate(stored.encode()).decode()
