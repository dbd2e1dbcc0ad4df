"""Keys of the operator API: made, shown once, found again by their hash, revoked."""

from datetime import timedelta
from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from chargers.models import ApiToken
from infrastructure import secrets
from infrastructure.models import Operator

M = TypeVar("M", bound=Model)

PURPOSE = "api-token"
# So that a key found in a log or a repository is recognised as one of ours.
PREFIX = "plugtill_"
# Nobody reads more precisely when a token was last used.
NOTE_USE_EVERY = timedelta(minutes=1)


def generate_key(token: ApiToken) -> str:
    """Gives the token a new key and returns it, the only time that anybody can read it. The old one ends at once.

    A revoked token opens again.
    """
    key = PREFIX + secrets.new_secret()
    token.key_hash = secrets.keyed_hash(key, purpose=PURPOSE)
    # Beyond the prefix: enough to tell two keys apart, of 43 random characters too little to guess the rest.
    token.key_start = key[len(PREFIX) :][:4]
    token.revoked_at = None
    token.save(update_fields=["key_hash", "key_start", "revoked_at"])
    return key


def revoke(token: ApiToken) -> None:
    """Ends the token at once and for good: only a new key opens it again."""
    token.key_hash, token.revoked_at = "", timezone.now()
    token.save(update_fields=["key_hash", "revoked_at"])


def find_token(key: str) -> ApiToken | None:
    """The token that may be used with this key now. Notes the use."""
    now = timezone.now()
    hashes = secrets.keyed_hashes(key, purpose=PURPOSE)
    usable = ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), key_hash__in=hashes, revoked_at=None)
    token = usable.first()
    if token is not None and token.key_hash != hashes[0]:
        ApiToken.objects.filter(pk=token.pk, key_hash=token.key_hash).update(key_hash=hashes[0])
    if token is not None and (token.last_used_at is None or token.last_used_at < now - NOTE_USE_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def operators_of(token: ApiToken) -> QuerySet[Operator]:
    return Operator.objects.filter(api_tokens=token)


def scope(queryset: QuerySet[M], token: ApiToken) -> QuerySet[M]:
    """The rows of `queryset` that belong to the token's operators; of a model that is nobody's, none."""
    path: str | None = getattr(queryset.model, "operator_path", None)
    return queryset.filter(**{f"{path}__in": operators_of(token)}) if path else queryset.none()
