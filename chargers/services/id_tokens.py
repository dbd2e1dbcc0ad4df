"""Our own id tokens: cards of an operator's staff and fleet, known to us and to no partner."""

from collections.abc import Mapping

from django.db.models.functions import Upper
from django.utils import timezone

from chargers.choices import AuthMethod, AuthorizationStatus, TokenType
from chargers.models import IdToken
from chargers.ports import AuthorizedStart, Permit
from chargers.services.events import TransactionStarted
from infrastructure.models import Connector

# OCPP 1.6, 7.28: IdToken is a CiString20Type. OCPP 2.0.1 has 36 characters.
LONGEST_TAG_16 = 20


def in_capitals(id_tag: str) -> str:
    """Id tags are case-insensitive (OCPP 1.6 CiString, 2.0.1 identifierString); ours are in capitals.

    A letter whose capital is two letters stays: a tag must not grow beyond what is kept of one.
    """
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in id_tag)


def permit_for(charger_id: int, id_tag: str, evse_number: int | None) -> Permit | None:
    """What a charger is told of a tag of its own operator; None for any other tag.

    Such a session is at HOME: it has no partner, no tariff, and nobody gets a bill.
    """
    here = IdToken.objects.filter(operator__locations__chargers=charger_id)
    token = here.with_tag(id_tag).first()
    if token is None:
        return None
    status = token.status_at(timezone.now())
    connector = _outlet(charger_id, evse_number) if status == AuthorizationStatus.ACCEPTED else None
    start = _start(connector, token) if connector is not None else None
    return Permit(status, token.parent_id_tag, start)


def find_starts(told: Mapping[int, tuple[int, TransactionStarted]]) -> dict[int, tuple[str, AuthorizedStart]]:
    """Of starts, each of a charger by its id, those with a card of the charger's operator that may charge: its parent
    id tag and the start. No word about any other: ask `permit_for`."""
    events = [event for _, event in told.values()]
    cards = IdToken.objects.alias(tag=Upper("id_tag")).filter(tag__in={event.id_tag.upper() for event in events})
    tokens = {(token.operator_id, token.id_tag.upper()): token for token in cards}
    outlets: dict[tuple[int, int], Connector] = {}
    if tokens:
        chargers, numbers = {charger_id for charger_id, _ in told.values()}, {event.evse_number for event in events}
        for connector in _OUTLETS.filter(evse__charger__in=chargers, evse__number__in=numbers):
            outlets.setdefault((connector.evse.charger_id, connector.evse.number), connector)
    now, found = timezone.now(), {}
    for number, (charger_id, event) in told.items():
        outlet = outlets.get((charger_id, event.evse_number))
        token = outlet and tokens.get((outlet.evse.charger.location.operator_id, event.id_tag.upper()))
        if outlet and token and token.status_at(now) == AuthorizationStatus.ACCEPTED:
            found[number] = token.parent_id_tag, _start(outlet, token)
    return found


_OUTLETS = Connector.objects.select_related("evse__charger__location__operator__site")


def _outlet(charger_id: int, evse_number: int | None) -> Connector | None:
    if evse_number is None:
        return None
    return _OUTLETS.filter(evse__charger=charger_id, evse__number=evse_number).first()


def _start(connector: Connector, token: IdToken) -> AuthorizedStart:
    return AuthorizedStart(
        connector=connector,
        peer_id="",
        country_code="",
        party_id="",
        authorization_reference="",
        auth_method=AuthMethod.WHITELIST,
        cdr_token={"uid": token.id_tag, "type": TokenType.RFID.value},
        tariff_version=None,
        limit=None,
        place={},
    )
