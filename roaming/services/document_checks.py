"""Whether what we are about to offer is what OCPI allows: one description for what we accept and what we emit."""

from typing import Any

from roaming.choices import Module
from roaming.ocpi.errors import InvalidParameters
from roaming.ocpi.objects import validate

TYPES: dict[str, str] = {
    Module.LOCATIONS: "Location",
    Module.TARIFFS: "Tariff",
    Module.SESSIONS: "Session",
    Module.CDRS: "CDR",
}


def problem_of(module: str, body: dict[str, Any]) -> str:
    """What makes an object of ours unfit for a partner, "" when nothing does.

    A partner that checks would refuse it, and one that does not would misread it.
    """
    try:
        validate(TYPES[module], body)
    except InvalidParameters as error:
        return error.message
    return ""
