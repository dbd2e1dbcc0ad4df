"""The lists of a PTP that we fetch: its terminals and its financial advices."""

from datetime import datetime
from typing import Any

from payments.services import drift
from payments.services.advices import receive_advice
from payments.services.peers import addresses
from payments.services.terminals import receive_terminal
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from roaming.services.registry import PullSource

Json = dict[str, Any]

_PTPS = frozenset({PlatformType.PTP})


def _terminals_url(platform: RoamingPlatform) -> str:
    return addresses(platform)[0]


def _advices_url(platform: RoamingPlatform) -> str:
    return addresses(platform)[1]


def _receive_terminal(platform: RoamingPlatform, body: Json, asked_at: datetime) -> None:
    receive_terminal(platform, body, asked_at=asked_at)


TERMINALS = PullSource("terminals", "Terminal", _PTPS, _terminals_url, _receive_terminal, drift.mark_missing)
ADVICES = PullSource(
    "financial advices",
    "FinancialAdviceConfirmation",
    _PTPS,
    _advices_url,
    lambda platform, body, _asked_at: receive_advice(platform, body),
)
