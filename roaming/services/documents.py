"""Keeps what each platform may pull, and queues a push for whatever changed (consumers of the event map).

A document is the rendering of one of our objects for one platform. `last_updated` moves only when the rendering
does, so an edit that a platform cannot see does not reach it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, JSONField, Q, QuerySet, Value
from django.db.models.functions import Upper
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from infrastructure import outbox
from infrastructure.models import Location
from roaming.choices import Module, PlatformType
from roaming.models import Document, RoamingPlatform, RoamingProfile
from roaming.ocpi.types import format_datetime
from roaming.services import exposure, push, rendering
from roaming.services.document_checks import problem_of
from roaming.services.exposure import Exposure
from roaming.services.moments import begin_change
from roaming.services.retail import terms_of
from tariffs.choices import TariffStatus, TariffType
from tariffs.models import RoamingTariff, TariffVersion
from tariffs.services.publish import current_version, retail_texts
from tariffs.services.resolution import Resolver
from tariffs.services.versions import for_retail, ocpi_tariff

Json = dict[str, Any]

_SAVED_AT_ONCE = 100  # rows have a condition each in their UPDATE
INFRASTRUCTURE = "infrastructure"  # tariffs leave before the locations that refer to them


# Consumers of the event map


def refresh_locations(location_ids: Collection[int]) -> None:
    areas = _load_areas(location_ids)
    changes = [_store_locations(platform, location_ids, areas) for platform in exposure.platforms()]
    _tell_locations(changes)
    for change in changes:
        if change.has_new_prices:
            outbox.record("prices", change.platform.pk)


def refresh_tariff(tariff_id: int) -> None:
    """Each platform in a transaction of its own, as in `refresh_all`: what one may pull waits for no other."""
    for platform in exposure.platforms():
        if (
            platform.tariffs.filter(pk=tariff_id).exists()
            or _documents(platform, Module.TARIFFS).filter(source_id=tariff_id).exists()
        ):
            outbox.record("platform", platform.pk)


def refresh_all(_: int = 0) -> None:
    outbox.record("platform", *exposure.platforms().values_list("pk", flat=True))


def refresh_platform(platform_id: int) -> None:
    """Everything a platform sees: new tariffs, then the areas, then tariffs that nothing refers to any more."""
    platform = exposure.platforms().filter(pk=platform_id).first()
    if platform is None:
        return
    known = _documents(platform, Module.LOCATIONS).values_list("source_id", flat=True)
    ours = Location.objects.filter(operator__roaming_profiles__platforms=platform).values_list("pk", flat=True)
    location_ids = {*known, *ours}
    locations = _store_locations(platform, location_ids, _load_areas(location_ids))
    offered = [
        _refresh_tariff_document(platform, profile, version)
        for profile in platform.profiles.order_by("pk")
        for version in _offered_tariffs(platform)
    ]
    _tell_locations([locations])
    _withdraw_tariffs(platform, offered)
    outbox.record("prices", platform.pk)


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
    terms = terms_of(platform)
    if terms is not None:
        body = for_retail(body, version, terms, retail_texts(version.tariff, terms))
    document, changed = _store(platform, Module.TARIFFS, version.tariff_id, body)
    if changed:
        # Changed again while it waits, it still goes before the locations that wait behind it and name it.
        push.enqueue_state(platform, Module.TARIFFS, document.path, sequence=INFRASTRUCTURE, keeps_place=True)
    return document


def _withdraw_tariffs(platform: RoamingPlatform, offered: Collection[Document]) -> None:
    """The documents of tariffs, and of profiles, that the platform has no more."""
    kept = [document.pk for document in offered]
    gone = _documents(platform, Module.TARIFFS).filter(is_deleted=False).exclude(pk__in=kept)
    for document in gone:
        document.is_deleted = True
        document.last_updated = moment_after(document)
        document.save(update_fields=["is_deleted", "last_updated"])
        # Said to be a DELETE, so that it waits for locations that were tried in vain, too (`push_claims`).
        end = timezone.now() + push.STATE_LIFETIME
        push.enqueue(platform, Module.TARIFFS, document.path, sequence=INFRASTRUCTURE, method="DELETE", give_up_at=end)


# Locations


def _load_areas(location_ids: Collection[int]) -> dict[int, Location]:
    return exposure.with_parts(Location.objects.filter(pk__in=location_ids)).in_bulk()


class LocationChanges(NamedTuple):
    """What the platform must be told: areas under parties that they `left`, and where they are (`here`).

    `has_new_prices`: some connector's tariff is another one now.
    """

    platform: RoamingPlatform
    left: list[Document]
    here: list[Document]
    has_new_prices: bool


def _store_locations(
    platform: RoamingPlatform, location_ids: Collection[int], areas: dict[int, Location]
) -> LocationChanges:
    """`areas` are those that still exist."""
    has_new_prices = False
    profiles = exposure.profiles_by_operator(platform)
    tariffs = exposure.resolver(platform)
    known = _known_locations(platform, location_ids, areas.values())
    by_source: dict[int, list[Document]] = {}
    for document in known.values():
        by_source.setdefault(document.source_id, []).append(document)
    rendered: list[Rendered] = []
    left: list[Document] = []
    places: list[Document] = []
    for location_id in sorted(location_ids):
        area = areas.get(location_id)
        profile = profiles.get(area.operator_id) if area else None
        here = known.get(_key_of(profile, area.roaming_id)) if area and profile else None
        # An area that moved to another party is withdrawn from the one it left before it appears at the other.
        bodies: list[tuple[Document | None, Json]] = [
            (old, {**old.body, "evses": [rendering.removed(evse) for evse in old.body.get("evses", [])]})
            for old in by_source.get(location_id, [])
            if old.source_id == location_id and old is not here and not old.is_deleted
        ]
        body = location_body(platform, area, profiles, tariffs, here) if area else None
        for old, new in [*bodies, *([(here, body)] if body else [])]:
            told = tariff_ids(old.body) if old and not old.is_deleted else {}
            rendered.append(renewed(platform, Module.LOCATIONS, location_id, new, old))
            has_new_prices |= tariff_ids(rendered[-1].document.body) != told
            if rendered[-1].has_news:
                (places if old is here else left).append(rendered[-1].document)
    save(rendered)
    return LocationChanges(platform, left, places, has_new_prices)


def _tell_locations(changes: Collection[LocationChanges]) -> None:
    """To render many areas takes a while, and nobody sees them until then. So they count as changed now (`moments`),
    those under a party that they left before those where they are (`document_lists.named`). Of their EVSEs and
    connectors `last_updated` stays that of the rendering, which is earlier."""
    left = [document for change in changes for document in change.left]
    here = [document for change in changes for document in change.here]
    if not left and not here:
        return
    began = begin_change(Module.LOCATIONS)
    # Later than what they had also if our clock was set back.
    moment = max(began, *(document.last_updated for document in (*left, *here)))
    _date(left, moment)
    _date(here, moment + timedelta(microseconds=1) if left else moment)
    for change in changes:
        news = [push.NewState(document.path, INFRASTRUCTURE) for document in (*change.left, *change.here)]
        push.enqueue_states(change.platform, Module.LOCATIONS, news)


def _date(told: Collection[Document], moment: datetime) -> None:
    text = Value(format_datetime(moment))
    Document.objects.filter(pk__in=[document.pk for document in told]).update(
        last_updated=moment, body=_WithLastUpdated("body", text)
    )


class _WithLastUpdated(Func):
    """A body with another `last_updated` of the whole."""

    output_field = JSONField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        template = "jsonb_set(%(expressions)s::text))"
        return self.as_sql(compiler, connection, template=template, arg_joiner=", '{last_updated}', to_jsonb(")

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_set", arg_joiner=", '$.last_updated', ")


def tariff_ids(location: Json) -> dict[str, list[str]]:
    """Of the first connector of each EVSE, by uid: a charger's connectors have one tariff in common."""
    plugs = {evse["uid"]: evse["connectors"][0] for evse in location.get("evses", []) if evse["connectors"]}
    return {uid: plug["tariff_ids"] for uid, plug in plugs.items() if plug.get("tariff_ids")}


Key = tuple[str, str, str]


def _known_locations(
    platform: RoamingPlatform, location_ids: Collection[int], areas: Iterable[Location]
) -> dict[Key, Document]:
    """By party and id: those of these areas, also under parties that they left, and of earlier areas of the name."""
    names = [area.roaming_id.upper() for area in areas if area.roaming_id]
    documents = _documents(platform, Module.LOCATIONS).annotate(name=Upper("object_id"))
    found = documents.filter(Q(source_id__in=location_ids) | Q(name__in=names))
    return {(old.country_code, old.party_id, old.object_id.upper()): old for old in found.order_by("pk")}


def _key_of(profile: RoamingProfile, object_id: str) -> Key:
    return profile.country_code, profile.party_id, object_id.upper()


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
    written = rendering.physical_references(evse for charger in area.chargers.all() for evse in charger.evses.all())
    for connector in exposure.connectors_of(area):
        if connector.pk in judged.tariffs:
            tariff = judged.tariffs[connector.pk]
            evses[connector.evse.pk] = connector.evse
            by_evse.setdefault(connector.evse.pk, []).append(
                rendering.connector(connector, [tariff.code] if tariff else [])
            )
    return [rendering.evse(evses[pk], connectors, written[pk]) for pk, connectors in by_evse.items()]


# Storing


def _documents(platform: RoamingPlatform, module: Module) -> QuerySet[Document]:
    return Document.objects.filter(platform=platform, module=module)


def keys(body: Json) -> Json:
    return {
        "object_id": body["id"],
        "country_code": body["country_code"],
        "party_id": body["party_id"],
        "body": body,
    }


class Rendered(NamedTuple):
    """A document with its newest rendering, not saved yet."""

    document: Document
    is_written: bool  # differs from its row
    has_news: bool  # the platform must be told


def _store(platform: RoamingPlatform, module: Module, source_id: int, body: Json) -> tuple[Document, bool]:
    """Writes the new rendering if it differs from the stored one; True if the platform must be told."""
    begin_change(module)
    found = _documents(platform, module).filter(
        country_code=body["country_code"], party_id=body["party_id"], object_id__iexact=body["id"]
    )
    rendered = renewed(platform, module, source_id, body, found.first())
    save([rendered])
    return rendered.document, rendered.has_news


def renewed(platform: RoamingPlatform, module: Module, source_id: int, body: Json, old: Document | None) -> Rendered:
    now = moment_after(old)
    stamped = stamp(body, old.body if old and not old.is_deleted else None, format_datetime(now))
    if old is None:
        problem = problem_of(module, stamped)
        values = {**keys(stamped), "last_updated": now, "problem": problem, "is_deleted": bool(problem)}
        new = Document(platform=platform, module=module, source_id=source_id, **values)
        return Rendered(new, is_written=True, has_news=not problem)
    # What was deleted and made anew under its old name is the same object to the partner.
    is_written, old.source_id = old.source_id != source_id, source_id
    if stamped == old.body and not old.is_deleted and not old.problem:
        return Rendered(old, is_written, has_news=False)
    if problem := problem_of(module, stamped):
        _keep(old, stamped, problem)
        return Rendered(old, is_written=True, has_news=False)
    has_news = stamped != old.body or old.is_deleted
    old.body, old.is_deleted, old.problem = stamped, False, ""
    old.last_updated = now if has_news else old.last_updated
    return Rendered(old, is_written=True, has_news=has_news)


def save(rendered: Iterable[Rendered]) -> None:
    written = {id(one.document): one.document for one in rendered if one.is_written}.values()
    Document.objects.bulk_create([one for one in written if one.pk is None])
    Document.objects.bulk_update(
        [one for one in written if one.pk is not None],
        ["source_id", "body", "last_updated", "is_deleted", "problem"],
        batch_size=_SAVED_AT_ONCE,
    )


def moment_after(old: Document | None) -> datetime:
    """Now, but later than the last change also if our clock was set back since: partners keep the newest."""
    now = timezone.now()
    return now if old is None else max(now, old.last_updated + timedelta(milliseconds=1))


def _keep(old: Document, new: Json, problem: str) -> None:
    """The partner goes on with what it had, if it ever had anything: what follows would be refused."""
    old.problem = problem
    if old.is_deleted:
        old.body = new


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
