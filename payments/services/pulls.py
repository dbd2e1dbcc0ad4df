"""The lists of a PTP that we fetch: its terminals and its financial advices."""

from payments.services import drift
from payments.services.advices import receive_advice
from payments.services.peers import addresses
from payments.services.terminals import receive_terminal
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from roaming.services.registry import PullSource

_PTPS = frozenset({PlatformType.PTP})


def _terminals_url(platform: RoamingPlatform) -> str:
    return addresses(platform)[0]


def _advices_url(platform: RoamingPlatform) -> str:
    return addresses(platform)[1]


TERMINALS = PullSource("terminals", "Terminal", _PTPS, _terminals_url, receive_terminal, drift.mark_missing)
ADVICES = PullSource("financial advices", "FinancialAdviceConfirmation", _PTPS, _advices_url, receive_advice)
