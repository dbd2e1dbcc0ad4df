"""Whose terminal is it? (DirectPayment v1.9, 5.1.2: party_id and country_code, or customer_reference.)"""

from collections.abc import Iterable

from django.db.models import QuerySet

from infrastructure.models import Operator
from payments.models import Terminal
from roaming.models import RoamingPlatform

Party = tuple[str, str]  # country code, party id


def operators_of(platform: RoamingPlatform) -> QuerySet[Operator]:
    return Operator.objects.filter(roaming_profiles__platforms=platform).distinct()


def resolve_operator(terminal: Terminal, addressed_to: Party) -> Operator | None:
    """The operator that the PTP's data point to, or None: nobody's yet. Never a guess among several.

    In this order: party_id and country_code, customer_reference, the party that the message was addressed to,
    the only operator there is.
    """
    platform = terminal.platform
    named = (terminal.country_code, terminal.party_id)
    if all(named):
        candidates = _of_party(platform, named)
        return _only(candidates) or _only(_of_reference(terminal, candidates))
    everyone = operators_of(platform)
    by_reference = _of_reference(terminal, everyone)
    by_address = _of_party(platform, addressed_to) if all(addressed_to) else everyone
    return _only(by_reference) or _only(by_address) or _only(everyone)


def _of_party(platform: RoamingPlatform, party: Party) -> QuerySet[Operator]:
    country_code, party_id = party
    profiles = platform.profiles.filter(country_code__iexact=country_code, party_id__iexact=party_id)
    return Operator.objects.filter(roaming_profiles__in=profiles).distinct()


def _of_reference(terminal: Terminal, among: QuerySet[Operator]) -> set[Operator]:
    """Operators whose terminals of this platform carry the reference, or who are called so."""
    reference = terminal.customer_reference
    if not reference:
        return set()
    known = Terminal.objects.filter(platform=terminal.platform, customer_reference__iexact=reference)
    return {
        *among.filter(terminals__in=known.exclude(pk=terminal.pk)),
        *among.filter(name__iexact=reference),
    }


def _only(operators: Iterable[Operator]) -> Operator | None:
    found = list(operators)
    return found[0] if len(found) == 1 else None
