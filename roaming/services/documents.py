"""Keeps what each platform may pull, and queues a push for whatever changed (consumers of the event map).

A document is the rendering of one of our objects for one platform. `last_updated` moves only when the rendering
does, so an edit that a platform cannot see does not reach it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import CDR, ChargingSession
from infrastructure import outbox
from infrastructure.models import Location
from roaming.choices import Module, PlatformType
from roaming.models import Document, RoamingPlatform, RoamingProfile
from roaming.ocpi.types import format_datetime
from roaming.services import exposure, hub, push, rendering
from roaming.services.document_checks import problem_of
from roaming.services.exposure import Exposure
from tariffs.choices import TariffStatus, TariffType
from tariffs.models import RoamingTariff, TariffVersion
from tariffs.services.publish import current_version
from tariffs.services.resolution import Resolver
from tariffs.services.versions import ocpi_tariff

Json = dict[str, Any]

INFRASTRUCTURE = "infrastructure"  # tariffs leave before the locations that refer to them


# Consumers of the event map


def refresh_location(location_id: int) -> None:
    for platform in exposure.platforms():
        _refresh_locations(platform, [location_id])


def refresh_tariff(tariff_id: int) -> None:
    for platform in exposure.platforms():
        if (
            platform.tariffs.filter(pk=tariff_id).exists()
            or _documents(platform, Module.TARIFFS).filter(source_id=tariff_id).exists()
        ):
            refresh_platform(platform.pk)


def refresh_all(_: int = 0) -> None:
    for platform in exposure.platforms():
        refresh_platform(platform.pk)


def refresh_platform(platform_id: int) -> None:
    """Everything a platform sees: new tariffs, then the areas, then tariffs that nothing refers to any more."""
    platform = exposure.platforms().filter(pk=platform_id).first()
    if platform is None:
        return
    offered = [
        _refresh_tariff_document(platform, profile, version)
        for profile in platform.profiles.order_by("pk")
        for version in _offered_tariffs(platform)
    ]
    known = _documents(platform, Module.LOCATIONS).values_list("source_id", flat=True)
    ours = Location.objects.filter(operator__roaming_profiles__platforms=platform).values_list("pk", flat=True)
    _refresh_locations(platform, {*known, *ours})
    _withdraw_tariffs(platform, offered)


def refresh_session(session_id: int) -> None:
    session = ChargingSession.objects.filter(pk=session_id).exclude(peer_id="").first()
    if session is None or not (session.accepted_at or session.started_at):
        return
    platform = RoamingPlatform.objects.filter(peer_id=session.peer_id).first()
    if platform is None:
        return
    document, changed = _store(platform, Module.SESSIONS, session.pk, rendering.session(session))
    if not changed or not hub.may_send(platform, document):
        return
    not_before = _progress_due(document) if _is_mere_progress(document) else None
    push.enqueue_state(
        platform, Module.SESSIONS, document.path, sequence=_session_sequence(session), not_before=not_before
    )


def _is_mere_progress(document: Document) -> bool:
    told: Json = document.acknowledged or {}
    return bool(told.get("status") == document.body["status"] == SessionStatus.ACTIVE)


def _progress_due(document: Document) -> datetime:
    return (document.acknowledged_at or timezone.now()) + settings.SESSION_PROGRESS_INTERVAL


def freeze_cdr(cdr_id: int) -> None:
    """Writes the document of a CDR once; it is sent until the platform has acknowledged it."""
    cdr = CDR.objects.select_related("session__tariff_version", "credited").get(pk=cdr_id)
    platform = RoamingPlatform.objects.filter(peer_id=cdr.session.peer_id).first()
    if platform is None or _documents(platform, Module.CDRS).filter(source_id=cdr.pk, problem="").exists():
        return
    body = rendering.cdr(cdr, for_terminals=platform.type == PlatformType.PTP)
    problem = problem_of(Module.CDRS, body)
    values = {**_keys(body), "last_updated": cdr.created_at, "problem": problem, "is_deleted": bool(problem)}
    document, _ = Document.objects.update_or_create(
        platform=platform, module=Module.CDRS, source_id=cdr.pk, defaults=values
    )
    if not problem and hub.may_send(platform, document):
        push.enqueue(platform, Module.CDRS, document.path, sequence=_session_sequence(cdr.session))


# Tariffs


def _offered_tariffs(platform: RoamingPlatform) -> list[TariffVersion]:
    tariffs = platform.tariffs.filter(status=TariffStatus.ACTIVE).order_by("pk")
    if platform.type == PlatformType.PTP:
        tariffs = tariffs.filter(type__in=["", TariffType.AD_HOC_PAYMENT])
    return [version for tariff in tariffs if (version := current_version(tariff)) and not _is_over(tariff)]


def _is_over(tariff: RoamingTariff) -> bool:
    return tariff.valid_until is not None and tariff.valid_until <= timezone.now()


def _refresh_tariff_document(platform: RoamingPlatform, profile: RoamingProfile, version: TariffVersion) -> Document:
    body = ocpi_tariff(
        version,
        country_code=profile.country_code,
        party_id=profile.party_id,
        last_updated=version.created_at,
        for_terminals=platform.type == PlatformType.PTP,
    )
    document, changed = _store(platform, Module.TARIFFS, version.tariff_id, body)
    if changed:
        push.enqueue_state(platform, Module.TARIFFS, document.path, sequence=INFRASTRUCTURE)
    return document


def _withdraw_tariffs(platform: RoamingPlatform, offered: Collection[Document]) -> None:
    """The documents of tariffs, and of profiles, that the platform has no more."""
    kept = [document.pk for document in offered]
    gone = _documents(platform, Module.TARIFFS).filter(is_deleted=False).exclude(pk__in=kept)
    for document in gone:
        document.is_deleted = True
        document.last_updated = timezone.now()
        document.save(update_fields=["is_deleted", "last_updated"])
        push.enqueue_state(platform, Module.TARIFFS, document.path, sequence=INFRASTRUCTURE)


# Locations


def _refresh_locations(platform: RoamingPlatform, location_ids: Collection[int]) -> None:
    profiles = exposure.profiles_by_operator(platform)
    tariffs = exposure.resolver(platform)
    areas = exposure.with_parts(Location.objects.filter(pk__in=location_ids)).in_bulk()
    known = {
        document.source_id: document
        for document in _documents(platform, Module.LOCATIONS).filter(source_id__in=location_ids)
    }
    for location_id in sorted(location_ids):
        area = areas.get(location_id)
        old = known.get(location_id)
        body = None if area is None else location_body(platform, area, profiles, tariffs, old)
        if body is None and old is not None:
            body = {**old.body, "evses": [rendering.removed(evse) for evse in old.body.get("evses", [])]}
        if body is None:
            continue
        document, changed = _store(platform, Module.LOCATIONS, location_id, body, old=old)
        if changed:
            push.enqueue_state(platform, Module.LOCATIONS, document.path, sequence=INFRASTRUCTURE)


def location_body(
    platform: RoamingPlatform,
    area: Location,
    profiles: dict[int, RoamingProfile],
    tariffs: Resolver,
    old: Document | None,
) -> Json | None:
    judged = exposure.judge(platform, area, profiles.get(area.operator_id), tariffs)
    if judged.profile is None or (not judged.tariffs and old is None):
        return None
    exposure.mark_exposed(area, judged)
    evses = _visible_evses(area, judged)
    visible = {evse["uid"].upper() for evse in evses}
    gone = [evse for evse in (old.body.get("evses", []) if old else []) if evse["uid"].upper() not in visible]
    return rendering.location(area, judged.profile, [*evses, *(rendering.removed(evse) for evse in gone)])


def _visible_evses(area: Location, judged: Exposure) -> list[Json]:
    by_evse: dict[int, list[Json]] = {}
    evses = {}
    for connector in exposure.connectors_of(area):
        if connector.pk in judged.tariffs:
            tariff = judged.tariffs[connector.pk]
            evses[connector.evse.pk] = connector.evse
            by_evse.setdefault(connector.evse.pk, []).append(
                rendering.connector(connector, [tariff.code] if tariff else [])
            )
    return [rendering.evse(evses[pk], connectors) for pk, connectors in by_evse.items()]


# Storing


def _documents(platform: RoamingPlatform, module: Module) -> QuerySet[Document]:
    return Document.objects.filter(platform=platform, module=module)


def _session_sequence(session: ChargingSession) -> str:
    return f"session {session.uid}"


def _keys(body: Json) -> Json:
    return {
        "object_id": body["id"],
        "country_code": body["country_code"],
        "party_id": body["party_id"],
        "body": body,
    }


def _store(
    platform: RoamingPlatform, module: Module, source_id: int, body: Json, *, old: Document | None = None
) -> tuple[Document, bool]:
    """Writes the new rendering if it differs from the stored one; True if it did."""
    old = old or (
        _documents(platform, module)
        .filter(source_id=source_id, country_code=body["country_code"], party_id=body["party_id"])
        .first()
    )
    now = timezone.now()
    stamped = stamp(body, old.body if old and not old.is_deleted else None, format_datetime(now))
    if old is not None and stamped == old.body and not old.is_deleted and not old.problem:
        return old, False
    problem = problem_of(module, stamped)
    if old is None:
        values = {**_keys(stamped), "last_updated": now, "problem": problem, "is_deleted": bool(problem)}
        return Document.objects.create(platform=platform, module=module, source_id=source_id, **values), not problem
    if problem:
        return _keep(old, stamped, problem), False
    has_news = stamped != old.body or old.is_deleted
    old.body, old.is_deleted, old.problem = stamped, False, ""
    old.last_updated = now if has_news else old.last_updated
    old.save(update_fields=["body", "last_updated", "is_deleted", "problem"])
    return old, has_news


def _keep(old: Document, new: Json, problem: str) -> Document:
    """The partner goes on with what it had, if it ever had anything: what follows would be refused."""
    old.problem = problem
    if old.is_deleted:
        old.body = new
    old.save(update_fields=["body", "problem"])
    return old


NESTED = {"evses": "uid", "connectors": "id"}


def stamp(new: Json, old: Json | None, now: str) -> Json:
    """Gives `new` a `last_updated`, nested EVSEs and connectors too: the old one where nothing changed below.

    A change of a connector thereby moves its EVSE and its Location as well (2.2.1 mod_locations, 8.1).
    """
    result = dict(new)
    for name, key in NESTED.items():
        if name in new:
            before = {part[key].upper(): part for part in (old or {}).get(name, [])}
            result[name] = [stamp(part, before.get(part[key].upper()), now) for part in new[name]]
    if old is not None and {**result, "last_updated": old["last_updated"]} == old:
        return old
    return {**result, "last_updated": now}


def reevaluate_validity(window: timedelta) -> None:
    """Has tariffs rendered again that began or ended within the last `window` by the clock alone, without an edit.

    Only records it: the outbox renders in one transaction and in turn with all other changes.
    """
    now = timezone.now()
    passed = (now - window, now)
    with transaction.atomic():
        for tariff in RoamingTariff.objects.filter(Q(valid_from__range=passed) | Q(valid_until__range=passed)):
            outbox.record("tariff", tariff.pk)


def request_refresh() -> None:
    """Has everything rendered again for every platform, in turn with all other changes."""
    with transaction.atomic():
        outbox.record("settings", 0)


def render_again(document: Document) -> None:
    """Staff has corrected what made it unfit: has it rendered anew, in turn with all other changes."""
    topics = {Module.LOCATIONS: "location", Module.TARIFFS: "tariff", Module.SESSIONS: "session", Module.CDRS: "cdr"}
    with transaction.atomic():
        outbox.record(topics[Module(document.module)], document.source_id)
