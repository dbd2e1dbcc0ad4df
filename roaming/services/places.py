"""The outlets at which a card is presented, as each platform sees them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from infrastructure.models import Connector
from roaming.choices import Module, PlatformState, PlatformType
from roaming.models import Document, RoamingPlatform
from roaming.services import starts


@dataclass(frozen=True, slots=True)
class Place:
    """What one registered platform sees of the outlets in question; at least one connector."""

    platform: RoamingPlatform
    location: Document
    connectors: tuple[Connector, ...]

    @property
    def evse_uids(self) -> list[str]:
        return list(dict.fromkeys(connector.evse.effective_uid for connector in self.connectors))


def connectors_at(charger_id: int, evse_number: int | None) -> list[Connector]:
    """Connectors of one EVSE, or of the whole charger, with all that is above them."""
    connectors = Connector.objects.filter(evse__charger_id=charger_id).exclude(roaming_id="")
    if evse_number is not None:
        connectors = connectors.filter(evse__number=evse_number)
    parents = connectors.select_related("evse__charger__location__operator__site")
    return list(parents.order_by("evse__number", "number"))


CARD_ISSUERS = (PlatformType.EMSP, PlatformType.HUB)


def places(
    connectors: Sequence[Connector], types: Collection[PlatformType] = CARD_ISSUERS, **of_platform: Any
) -> list[Place]:
    """For registered platforms that see some of the connectors of one charger; no other card charges here.

    Terminals only where `types` says so, for tags with their prefix: otherwise their drivers pay first, and what a
    START_SESSION pre-authorised is good for one session.
    """
    documents = Document.objects.filter(
        module=Module.LOCATIONS,
        source_id=connectors[0].evse.charger.location_id,
        is_deleted=False,
        platform__state=PlatformState.REGISTERED,
        platform__type__in=types,
        **of_platform,
    )
    found = []
    for document in documents.select_related("platform").order_by("platform_id", "pk"):
        visible = tuple(plug for plug in connectors if starts.is_exposed(document, plug))
        if visible:
            found.append(Place(document.platform, document, visible))
    return found
