"""The one port upwards: who may charge with a tag that belongs to no session of ours (settings.START_AUTHORIZATION).

What answers may ask partners over HTTP: never call it with a transaction open or from an event loop.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from chargers.choices import AuthMethod, AuthorizationStatus
from infrastructure.models import Connector
from tariffs.models import TariffVersion


@dataclass(frozen=True, slots=True)
class AuthorizedStart:
    """In whose name a session begins at the charger; `limit` is gross, `place` an OCPI CdrLocation, `retail` the
    terms of the driver's price (`ChargingSession.retail`)."""

    connector: Connector
    peer_id: str
    country_code: str
    party_id: str
    authorization_reference: str
    auth_method: AuthMethod
    cdr_token: dict[str, Any]
    tariff_version: TariffVersion | None
    limit: Decimal | None
    place: dict[str, Any]
    retail: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """What the charger is told of the tag; `start` only when it may charge and the EVSE is known.

    `parent_id_tag` has at most 20 characters (OCPP 1.6 IdToken): tags that share it may stop for each other.
    """

    status: AuthorizationStatus
    parent_id_tag: str = ""
    start: AuthorizedStart | None = None


class StartAuthorization(Protocol):
    def __call__(self, charger_id: int, id_tag: str, evse_number: int | None) -> Permit: ...


def authorize_start(charger_id: int, id_tag: str, evse_number: int | None = None) -> Permit:
    """`evse_number` None: the driver has not chosen an outlet yet."""
    decide: StartAuthorization = import_string(settings.START_AUTHORIZATION)
    return decide(charger_id, id_tag, evse_number)
