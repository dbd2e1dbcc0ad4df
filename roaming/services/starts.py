"""What every start in a partner's name needs, whether it was commanded or asked for at the charger."""

import hashlib
from decimal import Decimal
from typing import Any

from django.utils import timezone

from chargers.choices import TokenType
from infrastructure.choices import EVSEStatus
from infrastructure.models import Connector
from roaming.choices import PlatformType
from roaming.models import Document, RoamingPlatform
from roaming.ocpi.types import ci_equal
from roaming.services.retail import terms_of
from tariffs.models import TariffVersion
from tariffs.services.publish import current_version
from tariffs.services.resolution import resolve
from tariffs.services.versions import preauthorisation

Json = dict[str, Any]

ID_TAG_LENGTH = 20  # OCPP 1.6 IdToken


def is_exposed(document: Document, connector: Connector) -> bool:
    """Whether the platform of this Location document sees the connector now."""
    return any(
        ci_equal(evse["uid"], connector.evse.effective_uid)
        and evse["status"] != EVSEStatus.REMOVED
        and any(ci_equal(plug["id"], connector.roaming_id) for plug in evse["connectors"])
        for evse in document.body.get("evses", [])
    )


def tariff_version(platform: RoamingPlatform, connector: Connector) -> TariffVersion | None:
    """The published tariff that applies at this connector now, as far as it is assigned to the platform."""
    assigned_ids = list(platform.tariffs.values_list("pk", flat=True))
    for_terminals = platform.type == PlatformType.PTP
    tariff = resolve(connector, timezone.now(), assigned_ids, for_terminals=for_terminals)
    return current_version(tariff) if tariff else None


def limit(platform: RoamingPlatform, version: TariffVersion | None) -> Decimal | None:
    """What is blocked on the driver's card: only terminals do; gross."""
    if version is None or platform.type != PlatformType.PTP:
        return None
    amount, terms = preauthorisation(version), terms_of(platform)
    return terms.preauthorised(amount, version.content["currency"]) if terms and amount is not None else amount


def cdr_token(token: Json) -> Json:
    """OCPI CdrToken (10.4.5) of a Token."""
    return {name: token[name] for name in ("country_code", "party_id", "uid", "type", "contract_id")}


def parent_id_tag(token: Json, *, is_remote: bool = False) -> str:
    """What lets the tokens of one group stop each other's sessions, "" for none (2.2.1 mod_tokens, 12.3.2).

    OCPP 1.6 has room for 20 characters; a longer group id is digested. A session that was started remotely for a
    card has a tag of ours, so the card itself is its group.
    """
    group = str(token.get("group_id") or "")
    if not group and is_remote and token["type"] == TokenType.RFID:
        group = str(token["uid"])
    if len(group) <= ID_TAG_LENGTH:
        return group
    return hashlib.sha256(group.upper().encode()).hexdigest()[:ID_TAG_LENGTH].upper()
