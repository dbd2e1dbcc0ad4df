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
    key = sha256(f"{purpose}:{settings.SECRET_KEY}".encode()).digest()
    return hmac.new(key, value.encode(), sha256).hexdigest()


def is_hash_of(value: str, stored: str, *, purpose: str) -> bool:
    """Compares in constant time."""
    return bool(stored) and hmac.compare_digest(keyed_hash(value, purpose=purpose), stored)


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
