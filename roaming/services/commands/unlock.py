"""UNLOCK_CONNECTOR (OCPI 2.2.1 mod_commands, 13.3.7): for the help desk, never for a driver by himself."""

from typing import Any

from django.db import transaction

from chargers.services.commands import request_unlock
from infrastructure.choices import Capability
from roaming.choices import CommandResponseType, CommandType
from roaming.models import RoamingPlatform
from roaming.services.commands.answers import (
    NOBODY,
    CommandAnswer,
    Party,
    accepted,
    call_deadline,
    not_supported,
    record,
    record_forwarded,
)
from roaming.services.commands.places import find_connector


def receive_unlock_connector(
    platform: RoamingPlatform, body: dict[str, Any], *, sender: Party = NOBODY
) -> CommandAnswer:
    """Forwards an UNLOCK_CONNECTOR; NOT_SUPPORTED without UNLOCK_CAPABLE. Raises UnknownLocation."""
    connector = find_connector(platform, body)
    if Capability.UNLOCK_CAPABLE not in connector.evse.capabilities:
        return not_supported("This EVSE cannot be unlocked remotely.")
    with transaction.atomic():
        command = record(platform, CommandType.UNLOCK_CONNECTOR, body, CommandResponseType.ACCEPTED, sender=sender)
        record_forwarded(command, request_unlock(connector.evse, call_deadline()))
    return accepted()
