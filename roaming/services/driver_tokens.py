"""Tokens of partners' drivers, pushed to us or pulled (OCPI 2.2.1 mod_tokens, the CPO as receiver)."""

import logging
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from chargers.choices import TokenType
from chargers.models import Token
from roaming.choices import ConnectionStatus, InterfaceRole, Module, PlatformType
from roaming.models import ClientInfo, RoamingPlatform
from roaming.ocpi.errors import InvalidParameters, NotFound
from roaming.ocpi.objects import validate
from roaming.ocpi.types import ci_equal
from roaming.services.moments import told_at
from roaming.services.peers import endpoint
from roaming.services.registry import PullSource

logger = logging.getLogger(__name__)

Json = dict[str, Any]


class Key(NamedTuple):
    """Names a token among all of a platform; all but the type are CiStrings. Type "": not given."""

    country_code: str
    party_id: str
    uid: str
    type: str = ""


def find_token(platform: RoamingPlatform, key: Key) -> Token:
    """Without a type RFID is meant (12.2.1). NotFound, also for another platform's."""
    token = _stored(platform, _typed(key, TokenType.RFID)).first()
    if token is None:
        raise NotFound("There is no such token.")
    return token


def receive_token(platform: RoamingPlatform, key: Key, body: Json) -> bool:
    """Stores a PUT, a whole valid Token; True when it is new. One older than what is stored changes nothing.

    Raises NotFound for a party that is not the platform's, InvalidParameters when body and address differ.
    """
    _check_party(platform, key)
    # A PUT without ?type whose body is not of type RFID is meant as it says.
    key = _typed(key, body["type"])
    _check_names(key, body)
    return _store(platform, key, body)


def patch_token(platform: RoamingPlatform, key: Key, changes: Json) -> None:
    """Applies a PATCH; null clears an optional field. Raises NotFound and InvalidParameters."""
    _check_party(platform, key)
    key = _typed(key, TokenType.RFID)
    with transaction.atomic():
        token = _stored(platform, key).select_for_update(no_key=True).first()
        if token is None:
            raise NotFound("There is no such token.")
        if not changes.get("last_updated"):
            raise InvalidParameters("last_updated: is required in a PATCH")
        _check_names(key, changes)
        merged = {name: value for name, value in {**token.body, **changes}.items() if value is not None}
        validate("Token", merged)
        _write(token, merged)


def may_own(platform: RoamingPlatform, country_code: str, party_id: str) -> bool:
    """Whether the party is one of the platform's roles, or connected behind it as a hub."""
    party = Q(country_code__iexact=country_code, party_id__iexact=party_id)
    behind = ClientInfo.objects.filter(party, platform=platform, status=ConnectionStatus.CONNECTED)
    return platform.roles.filter(party).exists() or behind.exists()


def _check_party(platform: RoamingPlatform, key: Key) -> None:
    if not may_own(platform, key.country_code, key.party_id):
        raise NotFound("This party is none of yours.")


def _typed(key: Key, default: str) -> Key:
    return key if key.type else key._replace(type=default)


def _check_names(key: Key, body: Json) -> None:
    for name in ("country_code", "party_id", "uid"):
        if body.get(name) is not None and not ci_equal(body[name], getattr(key, name)):
            raise InvalidParameters(f"{name}: differs from the address")
    if body.get("type") is not None and body["type"] != key.type:
        raise InvalidParameters("type: differs from the address, whose default is RFID")


def _stored(platform: RoamingPlatform, key: Key) -> QuerySet[Token]:
    return Token.objects.with_uid(key.uid).filter(
        country_code__iexact=key.country_code,
        party_id__iexact=key.party_id,
        type=key.type,
        peer_id=platform.peer_id,
    )


def _store(platform: RoamingPlatform, key: Key, body: Json) -> bool:
    if _overwrite(platform, key, body):
        return False
    try:
        with transaction.atomic():
            token = Token(peer_id=platform.peer_id, type=key.type, is_valid=False)
            token.country_code, token.party_id, token.uid = body["country_code"], body["party_id"], body["uid"]
            _fill(token, body)
            token.save(force_insert=True)
    except IntegrityError:  # the same token arrived twice at once: the newer one counts
        _overwrite(platform, key, body)
        return False
    return True


def _overwrite(platform: RoamingPlatform, key: Key, body: Json) -> bool:
    """False when there is nothing to write over."""
    with transaction.atomic():
        token = _stored(platform, key).select_for_update(no_key=True).first()
        if token is not None:
            _write(token, body)
    return token is not None


def _write(token: Token, body: Json) -> None:
    if told_at(body) >= token.last_updated:
        _fill(token, body)
    token.received_at = timezone.now()
    token.save(update_fields=["whitelist", "is_valid", "body", "last_updated", "received_at"])


def _fill(token: Token, body: Json) -> None:
    token.whitelist, token.is_valid, token.body = body["whitelist"], body["valid"], body
    token.last_updated = told_at(body)


# Pulling: `roaming.services.pulls` fetches the pages, passes over bad items and reports them.


def receive_listed(platform: RoamingPlatform, body: Json) -> None:
    """Stores a valid Token of the partner's own list. Raises NotFound for a party that is not the platform's."""
    receive_token(platform, Key(body["country_code"], body["party_id"], body["uid"], body["type"]), body)


def retire_unlisted(platform: RoamingPlatform, began: datetime) -> int:
    """A full list is the new truth: what it does not have is no longer valid (2.2.1 transport_and_format, 4.1.3.2).

    That is told of now: a token is kept for a time from here on, however long ago it was last sent.
    """
    unlisted = Token.objects.filter(peer_id=platform.peer_id, received_at__lt=began, is_valid=True)
    retired, now = 0, timezone.now()
    for token in list(unlisted.only("body")):
        # The condition again: one that is pushed meanwhile is as valid as it says.
        body = {**token.body, "valid": False}
        retired += unlisted.filter(pk=token.pk).update(is_valid=False, body=body, received_at=now)
    if retired:
        logger.warning("%d tokens of %s are in its list no more", retired, platform)
    return retired


def _tokens_url(platform: RoamingPlatform) -> str | None:
    return endpoint(platform, Module.TOKENS, InterfaceRole.SENDER)


TOKENS = PullSource(
    Module.TOKENS,
    "Token",
    frozenset({PlatformType.EMSP, PlatformType.HUB}),
    _tokens_url,
    lambda platform, body, _asked_at: receive_listed(platform, body),
    retire_unlisted,
)
