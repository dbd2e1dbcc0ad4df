"""The question to an eMSP whether a token may charge now (OCPI 2.2.1 mod_tokens, 12.2.2, POST authorize).

A driver stands at the charger: all questions together take a few seconds at most, whatever the partners do.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as NotDone
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from chargers.choices import TokenType
from chargers.models import Token
from roaming.choices import AllowedType, InterfaceRole, Module, PlatformType
from roaming.models import RoamingPlatform
from roaming.ocpi.client import OcpiClient, Reply
from roaming.ocpi.errors import InvalidParameters, PeerError, PeerRefused
from roaming.ocpi.objects import validate
from roaming.ocpi.types import ci_equal
from roaming.ocpi.versions import join
from roaming.services import hub
from roaming.services.peers import client_for, endpoint, release_connection
from roaming.services.places import Place

logger = logging.getLogger(__name__)

Json = dict[str, Any]

PATIENCE = 3.0  # seconds for all answers together
UNKNOWN_TOKEN = 2004
REFERENCE_LENGTH = 36

# Each thread waits for one partner. When dead partners hold them all, further questions count as unanswered.
_threads = ThreadPoolExecutor(32, thread_name_prefix="ocpi-authorize")


@dataclass(frozen=True, slots=True, eq=False)
class Inquiry:
    """May `uid` charge at the place? `known` is the token as its partner told us of it."""

    place: Place
    uid: str
    type: str
    known: Token | None = None

    @property
    def platform(self) -> RoamingPlatform:
        return self.place.platform


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a partner said: `is_answered` False when it could not be reached or makes no sense, `allowed` None when
    it does not know the token. `evse_uids` empty: all that were asked for."""

    is_answered: bool
    allowed: AllowedType | None = None
    token: Json | None = None
    authorization_reference: str = ""
    evse_uids: tuple[str, ...] = ()


UNANSWERED = Verdict(False)
NOT_THEIRS = Verdict(True)


def ask(inquiries: Sequence[Inquiry]) -> Iterator[tuple[Inquiry, Verdict]]:
    """Asks all at once; gives each verdict as it comes and, when the time is up, the missing ones as unanswered."""
    waiting = {future: inquiry for inquiry in inquiries if (future := _begin(inquiry)) is not None}
    silent = set(inquiries)
    if waiting:
        release_connection()
    try:
        for future in as_completed(waiting, timeout=PATIENCE):
            silent.remove(waiting[future])
            yield waiting[future], _verdict(waiting[future], future)
    except NotDone:
        logger.warning("no answer to an authorisation in time")
    finally:
        for future in waiting:
            future.cancel()
    for inquiry in silent:
        yield inquiry, UNANSWERED


def _begin(inquiry: Inquiry) -> Future[Reply] | None:
    """None when the partner cannot be asked at all."""
    place = inquiry.place
    try:
        _check_reachable(inquiry)
        url, client = _url(inquiry), _client(inquiry)
    except (PeerError, ValueError) as error:
        logger.info("%s cannot be asked for an authorisation: %s", place.platform, error)
        return None
    references = {"location_id": place.location.object_id, "evse_uids": place.evse_uids}
    # The context carries the correlation id into the log lines of the other thread.
    return _threads.submit(copy_context().run, _post, client, url, references)


def _check_reachable(inquiry: Inquiry) -> None:
    known = inquiry.known
    if known is not None and not hub.is_reachable(inquiry.platform, known.country_code, known.party_id):
        raise PeerError("the hub says that the party is not connected")


def _url(inquiry: Inquiry) -> str:
    """ValueError for a uid that no address can hold."""
    tokens = endpoint(inquiry.platform, Module.TOKENS, InterfaceRole.SENDER)
    if tokens is None:
        raise PeerError("it offers no tokens", permanent=True)
    url = join(tokens, inquiry.uid, "authorize")
    if inquiry.type == TokenType.RFID:  # the default, which every partner understands
        return url
    return f"{url}{'&' if '?' in url else '?'}type={inquiry.type}"


def _client(inquiry: Inquiry) -> OcpiClient:
    return client_for(
        inquiry.platform,
        own_country=inquiry.place.location.country_code,
        own_party=inquiry.place.location.party_id,
        addressee=_addressee(inquiry),
        timeout=(PATIENCE, PATIENCE),
        max_seconds=PATIENCE,
    )


def _addressee(inquiry: Inquiry) -> tuple[str, str] | None:
    """Of an unknown card a hub has to find the party itself (open routing, 2.2.1 transport_and_format, 4.2.4)."""
    if inquiry.known is not None:
        return hub.addressee(inquiry.platform, inquiry.known.country_code, inquiry.known.party_id)
    return ("", "") if inquiry.platform.type == PlatformType.HUB else None


def _post(client: OcpiClient, url: str, references: Json) -> Reply:
    with client:
        return client.post(url, references)


def _verdict(inquiry: Inquiry, future: Future[Reply]) -> Verdict:
    try:
        return _read(inquiry, future.result().data)
    except PeerRefused as refusal:
        if refusal.status_code == UNKNOWN_TOKEN:
            return NOT_THEIRS
        logger.warning("%s refused to authorise: %s", inquiry.platform, refusal.detail)
        is_said = refusal.permanent and refusal.status_code is not None
        return Verdict(True, AllowedType.NOT_ALLOWED) if is_said and inquiry.known else UNANSWERED
    except PeerError as error:
        logger.warning("%s did not authorise: %s", inquiry.platform, error.detail)
        return UNANSWERED
    except Exception:  # whatever happens with one partner, the others' answers count
        logger.exception("%s could not be asked", inquiry.platform)
        return UNANSWERED


def _read(inquiry: Inquiry, data: object) -> Verdict:
    """An AuthorizationInfo, leniently: of a token that we have, `allowed` is enough."""
    info: Json = data if isinstance(data, dict) else {}
    allowed = info.get("allowed")
    token = _token(inquiry, info.get("token")) or (inquiry.known.body if inquiry.known else None)
    if allowed not in set(AllowedType) or token is None:
        logger.warning("%s answered an authorisation with something else", inquiry.platform)
        return UNANSWERED
    location = info.get("location")
    uids = location.get("evse_uids") if isinstance(location, dict) else None
    return Verdict(
        is_answered=True,
        allowed=AllowedType(allowed),
        token=token,
        authorization_reference=_reference(info.get("authorization_reference")),
        evse_uids=tuple(str(uid) for uid in uids) if isinstance(uids, list) else (),
    )


def _token(inquiry: Inquiry, token: object) -> Json | None:
    """The token in the answer, if it is a whole one and the one that was asked for."""
    try:
        validate("Token", token)
    except InvalidParameters as error:
        logger.info("%s answered without a usable token: %s", inquiry.platform, error.message)
        return None
    return token if isinstance(token, dict) and ci_equal(token["uid"], inquiry.uid) else None


def _reference(value: object) -> str:
    is_usable = isinstance(value, str) and len(value) <= REFERENCE_LENGTH and value.isascii() and value.isprintable()
    return str(value) if is_usable else ""
