"""At which terminal a session was paid: no protocol tells where a card was tapped."""

from chargers.models import ChargingSession
from payments.models import Terminal
from payments.services import drift
from roaming.models import RoamingPlatform


def terminal_of(session: ChargingSession, platform: RoamingPlatform) -> str:
    """The platform's id of the only terminal that serves the EVSE, else of the one named in the reference, else ""."""
    if session.connector is not None:
        serving = drift.serving(session.connector.evse, platform).values_list("terminal_id", flat=True)[:2]
        if len(serving) == 1:
            return serving[0]
    reference = _between_hyphens(session.authorization_reference)
    known = Terminal.objects.filter(platform=platform).values_list("terminal_id", flat=True)
    named = [one for one in known if _between_hyphens(one) in reference]
    return max(named, key=len, default="")


def _between_hyphens(text: str) -> str:
    """So that T1 is a part of pp-T1-000123, and neither of pp-T12-000123 nor of ppT1."""
    return f"-{text.upper().replace('_', '-')}-"
