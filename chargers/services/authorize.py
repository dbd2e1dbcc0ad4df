"""Whether an id tag may charge: tags that we gave out with a remote start, the card that such a start was meant for,
and whatever the authorisation port lets in."""

import logging
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from chargers import ports
from chargers.choices import AuthMethod, AuthorizationStatus, SessionStatus, TokenType
from chargers.models import ChargingSession
from chargers.ports import Permit
from chargers.services.events import TransactionStarted
from chargers.services.fresh_starts import is_fresh
from chargers.services.id_tokens import permit_for

logger = logging.getLogger(__name__)

OPEN = (SessionStatus.PENDING, SessionStatus.ACTIVE, SessionStatus.RESERVATION)
REFUSED = Permit(AuthorizationStatus.INVALID)


@dataclass(frozen=True, slots=True)
class TagInfo:
    """OCPP IdTagInfo, in version-neutral words."""

    status: AuthorizationStatus
    parent_id_tag: str = ""


def authorize(charger_id: int, id_tag: str) -> TagInfo:
    """Answers Authorize. May wait for partners: not with a transaction open, not on the event loop."""
    session = _open_session(charger_id, id_tag)
    if session is not None:
        return TagInfo(AuthorizationStatus.ACCEPTED, session.parent_id_tag)
    permit = _ask_port(charger_id, id_tag, None)
    return TagInfo(permit.status, permit.parent_id_tag)


def is_owner(session: ChargingSession, id_tag: str) -> bool:
    """As `is_meant`, of a session at hand."""
    card = session.cdr_token or {}
    is_card = card.get("type") == TokenType.RFID.value and str(card.get("uid", "")).upper() == id_tag
    return is_card or session.id_tag == id_tag


def tag_of_owner(charger_id: int, session: ChargingSession, id_tag: str) -> TagInfo | None:
    """What is told of the card with which its own transaction is ended; None for any other card.

    Chargers remember the answer for the card's next use (OCPP 1.6, 4.10): another one has to be asked for, and one
    that we gave out may have been blocked while it charged. Waits for nobody.
    """
    if session.accepted_at is None or not is_owner(session, id_tag):
        return None
    own = permit_for(charger_id, id_tag, None)
    if own is not None:
        return TagInfo(own.status, own.parent_id_tag)
    return TagInfo(AuthorizationStatus.ACCEPTED, session.parent_id_tag)


def authorize_other(charger_id: int, group: str, id_tag: str) -> TagInfo:
    """A card that somebody shows while another's transaction runs: only one of the same group may have a say in it
    (OCPP 2.0.1, C09). May wait as `authorize`."""
    permit = _ask_port(charger_id, id_tag, None)
    is_group = bool(group) and permit.parent_id_tag == group
    if permit.status == AuthorizationStatus.ACCEPTED and not is_group:
        return TagInfo(AuthorizationStatus.INVALID)
    return TagInfo(permit.status, permit.parent_id_tag)


def permit_start(charger_id: int, event: TransactionStarted) -> Permit | None:
    """Who stands behind a StartTransaction; None when its session waits for it or has begun with it already.

    May wait for partners: not with a transaction open, not on the event loop.
    """
    if is_fresh(charger_id, event):
        return _ask_who_knows(charger_id, event.id_tag, event.evse_number)
    here = ChargingSession.objects.filter(
        connector__evse__charger_id=charger_id, connector__evse__number=event.evse_number
    )
    expected = is_meant(event.id_tag) & Q(status=SessionStatus.PENDING)
    reserved = reserved_sessions(charger_id, event.evse_number).filter(is_meant(event.id_tag))
    if here.filter(expected | same_start(event)).exists() or reserved.exists():
        return None
    return _ask_port(charger_id, event.id_tag, event.evse_number)


def reserved_sessions(charger_id: int, evse_number: int) -> QuerySet[ChargingSession]:
    """Sessions for which this EVSE, or any of the charger, is kept; the former first."""
    here = ChargingSession.objects.filter(
        reservation__charger_id=charger_id, reservation__evse_number__in=(0, evse_number)
    )
    return here.filter(status=SessionStatus.RESERVATION).order_by("-reservation__evse_number", "pk")


def same_start(event: TransactionStarted) -> Q:
    """A StartTransaction told again: same tag, register, and time by the charger's clock.

    A tag that we made up for one start is proof enough while its session runs, even if the clock was set meanwhile.
    """
    running = Q(status=SessionStatus.ACTIVE, auth_method=AuthMethod.COMMAND)
    same_time = Q(told_started_at=event.at) | Q(told_started_at=None, started_at=event.at)
    return Q(id_tag=event.id_tag, meter_start=event.meter_start) & (same_time | running)


def is_meant(id_tag: str) -> Q:
    """Sessions started remotely with this tag, or for this card: a driver may start by app and hold the card too."""
    return Q(id_tag=id_tag) | Q(cdr_token__type=TokenType.RFID.value, cdr_token__uid__iexact=id_tag)


def _open_session(charger_id: int, id_tag: str) -> ChargingSession | None:
    running = ChargingSession.objects.filter(status__in=OPEN, connector__evse__charger_id=charger_id)
    # What runs though nobody let it in lets nobody in.
    running = running.exclude(status=SessionStatus.ACTIVE, accepted_at=None)
    return running.filter(is_meant(id_tag)).first()


def _ask_port(charger_id: int, id_tag: str, evse_number: int | None) -> Permit:
    if not _is_spent(id_tag):
        return _ask_who_knows(charger_id, id_tag, evse_number)
    is_running = ChargingSession.objects.filter(id_tag=id_tag, status=SessionStatus.ACTIVE).exclude(accepted_at=None)
    is_start = evse_number is not None
    return Permit(AuthorizationStatus.CONCURRENT_TX) if is_start and is_running.exists() else REFUSED


def _ask_who_knows(charger_id: int, id_tag: str, evse_number: int | None) -> Permit:
    # Our own staff and fleet are no partner's business.
    own = permit_for(charger_id, id_tag, evse_number)
    if own is not None:
        return own
    try:
        return ports.authorize_start(charger_id, id_tag, evse_number)
    except Exception:  # whatever goes wrong there, a transaction that runs must be written down
        logger.exception("charger %s: a tag could not be authorised", charger_id)
        return REFUSED


def _is_spent(id_tag: str) -> bool:
    """A tag that we once made up for a remote start: no partner knows it."""
    used = ChargingSession.objects.filter(id_tag=id_tag, auth_method=AuthMethod.COMMAND)
    tokens = used.values_list("cdr_token", flat=True)[:1]
    return any(str((token or {}).get("uid", "")).upper() != id_tag for token in tokens)
