"""The places that commands name, among those that the platform sees."""

from typing import Any

from infrastructure.models import Connector
from roaming.choices import Module
from roaming.models import RoamingPlatform, RoamingProfile
from roaming.ocpi.errors import UnknownLocation
from roaming.ocpi.types import ci_equal
from roaming.services import exposure, starts
from roaming.services.commands.answers import REJECTED_DATA
from roaming.services.document_lists import named

Json = dict[str, Any]


def find_connector(platform: RoamingPlatform, body: Json) -> Connector:
    """The connector that the platform names, or the first of those it leaves open. Raises UnknownLocation."""
    return find_connectors(platform, body)[0]


def find_connectors(platform: RoamingPlatform, body: Json) -> list[Connector]:
    """All that the command may mean, at least one. Raises UnknownLocation (with result REJECTED in the data)."""
    document = named(platform, Module.LOCATIONS, body["location_id"])
    if document is None:
        raise UnknownLocation("There is no such location.", data=REJECTED_DATA)
    meant = [connector for connector in _candidates(document.source_id) if _is_named(body, connector)]
    found = [connector for connector in meant if starts.is_exposed(document, connector)]
    if not found:
        raise UnknownLocation("There is no such EVSE or connector at this location.", data=REJECTED_DATA)
    return found


def profile_at(platform: RoamingPlatform, connector: Connector) -> RoamingProfile:
    """In whose name we act there. Raises UnknownLocation: between a change of the profiles and that of the documents
    the platform still finds what it sees no longer."""
    profile = exposure.profiles_by_operator(platform).get(connector.evse.charger.location.operator_id)
    if profile is None:
        raise UnknownLocation("This location is no longer on this connection.", data=REJECTED_DATA)
    return profile


def _candidates(location_id: int) -> list[Connector]:
    return list(
        Connector.objects.filter(evse__charger__location_id=location_id)
        .exclude(roaming_id="")
        .select_related("evse__charger__location__operator__site")
        .order_by("evse__charger", "evse__number", "number")
    )


def _is_named(body: Json, connector: Connector) -> bool:
    """Whether the connector is the one asked for, or one of those if EVSE or connector are left open."""
    evse_uid, connector_id = body.get("evse_uid"), body.get("connector_id")
    return (not evse_uid or ci_equal(connector.evse.effective_uid, evse_uid)) and (
        not connector_id or ci_equal(connector.roaming_id, connector_id)
    )
