"""Keeps which ad hoc price was shown where and when (consumer of the event map).

The truth is what a payment terminal provider may pull: the tariff that its location document names for an EVSE, as
its tariff document says it. So every cause of another price is seen, and nothing that a terminal never got.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from infrastructure import outbox
from infrastructure.models import EVSE
from payments.models import DisplayedTariff, PriceEvidence
from roaming.choices import Module, PlatformType
from roaming.models import Document, RoamingPlatform
from roaming.services.documents import tariff_ids
from roaming.services.retail import frozen_terms

Json = dict[str, Any]


class Shown(NamedTuple):
    """An EVSE under one of our parties, and the digest of the tariff that is shown there."""

    party: str
    location_uid: str
    evse_uid: str
    digest: str


def record_prices(platform_id: int) -> None:
    """Ends the rows of prices that the platform shows no more and begins those that are new."""
    platform = RoamingPlatform.objects.filter(pk=platform_id, type=PlatformType.PTP).first()
    if platform is None:
        return
    now = timezone.now()
    tariffs, shown = _shown(platform) if platform.is_registered else ({}, set())
    standing = PriceEvidence.objects.filter(platform=platform, valid_until=None).select_related("tariff")
    known = {Shown(row.party, row.location_uid, row.evse_uid, row.tariff.digest): row.pk for row in standing}
    over = [pk for key, pk in known.items() if key not in shown]
    if over:
        PriceEvidence.objects.filter(pk__in=over).update(valid_until=now, ended_by=_name(outbox.current_author()))
    fresh = shown - known.keys()
    if fresh:
        PriceEvidence.objects.bulk_create(_rows(platform, sorted(fresh), tariffs, now))


def _shown(platform: RoamingPlatform) -> tuple[dict[str, Json], set[Shown]]:
    """Fields of `DisplayedTariff` by digest, and what is shown where."""
    documents = Document.objects.filter(platform=platform, is_deleted=False)
    keys = ("country_code", "party_id", "body")
    digests: dict[tuple[str, str], str] = {}
    bodies: dict[str, Json] = {}
    retail = frozen_terms(platform)
    for country_code, party_id, body in documents.filter(module=Module.TARIFFS).values_list(*keys):
        content = {name: value for name, value in body.items() if name != "last_updated"}
        digest = hashlib.sha256(json.dumps([content, retail], sort_keys=True).encode()).hexdigest()
        digests[country_code + party_id, body["id"].upper()] = digest
        bodies[digest] = {"body": content, "retail": retail}
    shown = set()
    for country_code, party_id, body in documents.filter(module=Module.LOCATIONS).values_list(*keys):
        party = country_code + party_id
        for evse_uid, ids in tariff_ids(body).items():
            digest = next((digests[party, one.upper()] for one in ids if (party, one.upper()) in digests), "")
            if digest:
                shown.add(Shown(party, body["id"], evse_uid, digest))
    return bodies, shown


def _rows(
    platform: RoamingPlatform, fresh: Iterable[Shown], tariffs: dict[str, Json], now: datetime
) -> Iterable[PriceEvidence]:
    evses = _evses(platform)
    author = outbox.current_author()
    displayed = {digest: _displayed(digest, tariffs[digest]) for digest in {one.digest for one in fresh}}
    for one in fresh:
        evse = evses.get((one.location_uid.upper(), one.evse_uid.upper()))
        if evse is None:
            continue  # deleted a moment ago: the event of that is yet to come
        area = evse.charger.location
        yield PriceEvidence(
            tariff=displayed[one.digest],
            valid_from=now,
            platform=platform,
            operator=area.operator,
            charger=evse.charger,
            platform_name=platform.name,
            operator_name=area.operator.name,
            party=one.party,
            location_uid=one.location_uid,
            location_name=area.name,
            charger_identity=evse.charger.identity,
            evse_uid=one.evse_uid,
            evse_id=evse.evse_id,
            time_zone=area.effective_time_zone,
            author=author,
            author_name=_name(author),
        )


def _evses(platform: RoamingPlatform) -> dict[tuple[str, str], EVSE]:
    """By area and uid, in upper case: OCPI ids know no case."""
    evses: QuerySet[EVSE] = EVSE.objects.filter(
        charger__location__operator__roaming_profiles__platforms=platform
    ).select_related("charger__location__operator__site")
    return {(one.charger.location.roaming_id.upper(), one.effective_uid.upper()): one for one in evses}


def _displayed(digest: str, fields: Json) -> DisplayedTariff:
    return DisplayedTariff.objects.get_or_create(digest=digest, defaults=fields)[0]


def _name(author: Any) -> str:
    return author.get_username() if author else ""
