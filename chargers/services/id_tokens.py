"""Our own id tokens: cards of an operator's staff and fleet, known to us and to no partner."""

from django.utils import timezone

from chargers.choices import AuthMethod, AuthorizationStatus, TokenType
from chargers.models import IdToken
from chargers.ports import AuthorizedStart, Permit
from infrastructure.models import Connector


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


def _outlet(charger_id: int, evse_number: int | None) -> Connector | None:
    if evse_number is None:
        return None
    there = Connector.objects.filter(evse__charger=charger_id, evse__number=evse_number)
    return there.select_related("evse__charger__location__operator__site").first()


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
