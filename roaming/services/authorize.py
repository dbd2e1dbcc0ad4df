"""Who may charge with a card that is held to a charger (settings.START_AUTHORIZATION, `chargers.ports`).

What the driver was told a moment ago holds, then a recent START_SESSION for the card, then the partner whose prefix
the tag has; else the whitelist rule of its token (OCPI 2.2.1 mod_tokens, 12.4.5); for a card that nobody told us of,
every eMSP is asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from chargers.choices import AuthMethod, AuthorizationStatus, TokenType, WhitelistType
from chargers.models import Token
from chargers.ports import AuthorizedStart, Permit
from infrastructure.models import Connector
from roaming.choices import (
    AllowedType,
    CommandResponseType,
    CommandType,
    InterfaceRole,
    Module,
    PlatformType,
)
from roaming.models import Command
from roaming.ocpi.types import ci_equal
from roaming.services import driver_tokens, prefixes, real_time, rendering, retail, starts
from roaming.services.peers import endpoint
from roaming.services.places import Place, connectors_at, places
from roaming.services.real_time import Inquiry, Verdict
from roaming.services.recent_answers import RecentAnswer, forget_silence, is_silent, note_silence, recall, remember

Json = dict[str, Any]

REFUSED = Permit(AuthorizationStatus.INVALID)
# A START_SESSION for a card answers for it at its EVSE (2.2.1 mod_commands, 13.2.2).
COMMAND_ANSWERS_FOR = timedelta(minutes=15)
# What a reader at a charger can see; app and ad hoc tokens are never held to one.
CARDS = (TokenType.RFID, TokenType.OTHER)
NEVER_ASKED = (WhitelistType.ALWAYS, WhitelistType.ALLOWED)
STATUS: dict[AllowedType | None, AuthorizationStatus] = {
    AllowedType.BLOCKED: AuthorizationStatus.BLOCKED,
    AllowedType.EXPIRED: AuthorizationStatus.EXPIRED,
    AllowedType.NO_CREDIT: AuthorizationStatus.BLOCKED,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """Why a token may charge; `evse_uids` empty: anywhere at the place."""

    place: Place
    token: Json
    auth_method: AuthMethod
    authorization_reference: str = ""
    evse_uids: tuple[str, ...] = ()


Decision = Grant | AuthorizationStatus


def authorize_start(charger_id: int, id_tag: str, evse_number: int | None) -> Permit:
    """See `chargers.ports`. Asks partners over HTTP, for a few seconds at most."""
    connectors = connectors_at(charger_id, evse_number)
    if not connectors:
        return REFUSED
    is_start = evse_number is not None
    # A new Authorize is a new question: an earlier answer is void.
    answer = recall(charger_id, id_tag)
    decision: Decision | None = _told_before(connectors, answer) if is_start and answer else None
    decision = decision or _by_command(connectors, id_tag)
    if decision is None:
        decision = (
            _by_prefix(connectors, id_tag) or _by_whitelist(connectors, id_tag) or _by_asking_all(connectors, id_tag)
        )
        if isinstance(decision, Grant) and not is_start:
            remember(charger_id, id_tag, _as_answer(decision))
    return _permit(decision, is_start) if isinstance(decision, Grant) else Permit(decision)


def _permit(grant: Grant, is_start: bool) -> Permit:
    connector = next((plug for plug in grant.place.connectors if _may_use(grant, plug)), None)
    if connector is None:
        return REFUSED
    start = _start(grant, connector) if is_start else None
    if start is not None and start.tariff_version is None and grant.place.platform.type == PlatformType.PTP:
        return REFUSED  # as a START_SESSION would be: the driver was shown no price
    return Permit(AuthorizationStatus.ACCEPTED, starts.parent_id_tag(grant.token), start)


def _may_use(grant: Grant, connector: Connector) -> bool:
    return not grant.evse_uids or any(ci_equal(uid, connector.evse.effective_uid) for uid in grant.evse_uids)


def _start(grant: Grant, connector: Connector) -> AuthorizedStart:
    platform = grant.place.platform
    version = starts.tariff_version(platform, connector)
    return AuthorizedStart(
        connector=connector,
        peer_id=platform.peer_id,
        country_code=grant.place.location.country_code,
        party_id=grant.place.location.party_id,
        authorization_reference=grant.authorization_reference,
        auth_method=grant.auth_method,
        cdr_token=starts.cdr_token(grant.token),
        tariff_version=version,
        limit=starts.limit(platform, version),
        retail=retail.frozen_terms(platform),
        place=rendering.cdr_location(connector),
    )


# Without asking


def _told_before(connectors: Sequence[Connector], answer: RecentAnswer) -> Grant | None:
    """The answer to the driver's Authorize, good for one start."""
    for place in places(connectors, types=tuple(PlatformType), platform=answer.platform_id):
        method = AuthMethod(answer.auth_method)
        return Grant(place, answer.token, method, answer.authorization_reference, answer.evse_uids)
    return None


def _as_answer(grant: Grant) -> RecentAnswer:
    return RecentAnswer(
        platform_id=grant.place.platform.pk,
        token=grant.token,
        auth_method=grant.auth_method.value,
        authorization_reference=grant.authorization_reference,
        evse_uids=grant.evse_uids,
    )


def _by_command(connectors: Sequence[Connector], id_tag: str) -> Grant | None:
    """For a quarter of an hour after a START_SESSION its card is not asked about again: its partner has decided."""
    commands = Command.objects.filter(
        type=CommandType.START_SESSION,
        response=CommandResponseType.ACCEPTED,
        received_at__gte=timezone.now() - COMMAND_ANSWERS_FOR,
        session__connector__evse__in={connector.evse_id for connector in connectors},
    )
    for command in commands.order_by("-received_at"):
        token = command.request["token"]
        if token["type"] == TokenType.RFID and ci_equal(token["uid"], id_tag):
            for place in places(connectors, platform=command.platform_id):
                reference = command.request.get("authorization_reference") or ""
                return Grant(place, token, AuthMethod.WHITELIST, reference)
    return None


def _by_prefix(connectors: Sequence[Connector], id_tag: str) -> Decision | None:
    """A tag with a partner's prefix is that partner's alone: as it told us of the token, else as it answers now, and
    where it answers no such questions it let the driver start itself. None for a tag without a partner's prefix."""
    owner = prefixes.owner_of(id_tag)
    if owner is None:
        return None
    place = next(iter(places(connectors, types=tuple(PlatformType), platform=owner)), None)
    token = prefixes.token_of(owner, id_tag)
    if place is None or token is None:
        return AuthorizationStatus.INVALID
    known = Token.objects.with_uid(id_tag).filter(peer_id=owner.peer_id).order_by("-is_valid", "-last_updated").first()
    if known is not None and known.whitelist in NEVER_ASKED:
        return _offline(place, known)
    if known is None and endpoint(owner, Module.TOKENS, InterfaceRole.SENDER) is None:
        return Grant(place, token, AuthMethod.WHITELIST)
    inquiry = Inquiry(place, known.uid, known.type, known) if known else Inquiry(place, id_tag, token["type"])
    return _best(_ask([inquiry]))


def _by_whitelist(connectors: Sequence[Connector], id_tag: str) -> Decision | None:
    """By the tokens that partners have told us of; None when there is none."""
    tokens = list(Token.objects.with_uid(id_tag).filter(type__in=CARDS).order_by("-is_valid", "-last_updated"))
    peer_ids = {token.peer_id for token in tokens}
    by_peer = {place.platform.peer_id: place for place in places(connectors, platform__peer_id__in=peer_ids)}
    known = [(by_peer[token.peer_id], token) for token in tokens if token.peer_id in by_peer]
    unasked = [_offline(place, token) for place, token in known if token.whitelist in NEVER_ASKED]
    at_once = _best(unasked)
    if isinstance(at_once, Grant):
        return at_once
    to_ask = [Inquiry(place, token.uid, token.type, token) for place, token in known]
    asked = _ask([inquiry for inquiry in to_ask if inquiry.known and inquiry.known.whitelist not in NEVER_ASKED])
    return _best([*unasked, *asked])


def _offline(place: Place, token: Token) -> Decision:
    return Grant(place, token.body, AuthMethod.WHITELIST) if token.is_valid else AuthorizationStatus.BLOCKED


def _best(decisions: Iterable[Decision]) -> Decision | None:
    """The first grant; else the first refusal that says more than “invalid”."""
    refusal: AuthorizationStatus | None = None
    for decision in decisions:
        if isinstance(decision, Grant):
            return decision
        if refusal in (None, AuthorizationStatus.INVALID):
            refusal = decision
    return refusal


# Asking


def _by_asking_all(connectors: Sequence[Connector], id_tag: str) -> Decision:
    """The first partner that lets an unknown card charge is the driver's. Who was silent just now is left out."""
    partners = places(
        connectors,
        platform__endpoints__identifier=Module.TOKENS,
        platform__endpoints__role=InterfaceRole.SENDER,
    )
    to_ask = {place.platform.pk: place for place in partners if not is_silent(place.platform.pk)}
    decision = _best(_ask([Inquiry(place, id_tag, TokenType.RFID) for place in to_ask.values()]))
    return decision or AuthorizationStatus.INVALID


def _ask(inquiries: Sequence[Inquiry]) -> Iterator[Decision]:
    for inquiry, verdict in real_time.ask(inquiries):
        note = forget_silence if verdict.is_answered else note_silence
        note(inquiry.platform.pk)
        yield _answered(inquiry, verdict) if verdict.is_answered else _unanswered(inquiry)


def _answered(inquiry: Inquiry, verdict: Verdict) -> Decision:
    token = verdict.token
    if verdict.allowed != AllowedType.ALLOWED or token is None:
        return STATUS.get(verdict.allowed, AuthorizationStatus.INVALID)
    if not driver_tokens.may_own(inquiry.platform, token["country_code"], token["party_id"]):
        return AuthorizationStatus.INVALID
    return Grant(inquiry.place, token, AuthMethod.AUTH_REQUEST, verdict.authorization_reference, verdict.evse_uids)


def _unanswered(inquiry: Inquiry) -> Decision:
    if inquiry.known is None or inquiry.known.whitelist != WhitelistType.ALLOWED_OFFLINE:
        return AuthorizationStatus.INVALID
    return _offline(inquiry.place, inquiry.known)
