"""Is the master data complete enough to be shown to partners? Reasons in plain words when it is not.

These are the conditions of the master data itself; whether one partner sees it, roaming decides. Parents and
children are read through their relations: load them beforehand for many objects.
"""

from collections.abc import Iterator

from django.utils.translation import gettext

from infrastructure.models import EVSE, Charger, Connector, Location


def location_reasons(location: Location) -> list[str]:
    """Why the area itself cannot be shown. Empty: it can."""
    reasons = []
    if not location.roaming_id:
        reasons.append(gettext("Area %(area)s has no roaming id.") % {"area": location})
    if not location.effective_phone:
        reasons.append(gettext("Neither area %(area)s nor its operator has a phone number.") % {"area": location})
    return reasons


def charger_reasons(charger: Charger) -> list[str]:
    """Why nothing of the charger can be shown, apart from reasons of its area."""
    reasons = []
    if not charger.roaming_id:
        reasons.append(gettext("Charger %(charger)s has no roaming id.") % {"charger": charger})
    if not charger.roaming:
        reasons.append(gettext("Charger %(charger)s is not enabled for roaming.") % {"charger": charger})
    return reasons


def evse_reasons(evse: EVSE) -> list[str]:
    """Reasons of the EVSE and of its charger."""
    reasons = charger_reasons(evse.charger)
    if not evse.evse_id:
        reasons.append(gettext("EVSE %(evse)s has no EVSE id.") % {"evse": evse})
    return reasons


def connector_reasons(connector: Connector) -> list[str]:
    """Reasons of the connector, of its EVSE and of its charger."""
    reasons = evse_reasons(connector.evse)
    if not connector.roaming_id:
        reasons.append(gettext("Connector %(connector)s has no roaming id.") % {"connector": connector})
    return reasons


def tree_reasons(location: Location) -> list[str]:
    """What is missing in an area and in everything it contains, each reason once."""
    return list(dict.fromkeys([*location_reasons(location), *_reasons_below(location)]))


def count_ready(location: Location) -> tuple[int, int]:
    """How many connectors of the area could be shown, and how many it has."""
    connectors = list(_connectors_of(location))
    if location_reasons(location):
        return 0, len(connectors)
    return sum(not connector_reasons(connector) for connector in connectors), len(connectors)


def _reasons_below(location: Location) -> Iterator[str]:
    chargers = location.chargers.all()
    if not chargers:
        yield gettext("Area %(area)s has no chargers.") % {"area": location}
    for charger in chargers:
        yield from charger_reasons(charger)
        if not charger.evses.all():
            yield gettext("Charger %(charger)s has no EVSEs.") % {"charger": charger}
        for evse in charger.evses.all():
            evse.charger = charger
            yield from evse_reasons(evse)
            if not evse.connectors.all():
                yield gettext("EVSE %(evse)s has no connectors.") % {"evse": evse}
    for connector in _connectors_of(location):
        yield from connector_reasons(connector)


def _connectors_of(location: Location) -> Iterator[Connector]:
    """Sets the parents of what was loaded, so that no row is read twice."""
    for charger in location.chargers.all():
        for evse in charger.evses.all():
            evse.charger = charger
            for connector in evse.connectors.all():
                connector.evse = evse
                yield connector
