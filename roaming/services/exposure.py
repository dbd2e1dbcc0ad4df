"""What a platform may see of our infrastructure, and in plain words why it does not see the rest."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from infrastructure.models import EVSE, Charger, Connector, Location, Operator
from infrastructure.services import checks
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform, RoamingProfile
from tariffs.models import RoamingTariff
from tariffs.services.resolution import Resolver


@dataclass(slots=True)
class Exposure:
    """`tariffs` has the visible connectors (by primary key) with the tariff that applies to each."""

    profile: RoamingProfile | None
    tariffs: dict[int, RoamingTariff | None] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one platform sees of an area or charger, for staff: each reason once."""

    platform: RoamingPlatform
    visible: int
    total: int
    reasons: tuple[str, ...]


def findings(area: Location, *, only: Charger | None = None) -> list[Finding]:
    """For every registered platform; `only` counts and explains one charger of the area."""
    chargers = Charger.objects.filter(pk=only.pk) if only else Charger.objects.all()
    loaded = with_parts(Location.objects.filter(pk=area.pk), chargers).get()
    return [_finding(platform, loaded) for platform in platforms()]


def _finding(platform: RoamingPlatform, area: Location) -> Finding:
    profile = profiles_by_operator(platform).get(area.operator_id)
    judged = judge(platform, area, profile, resolver(platform))
    total = sum(1 for _ in connectors_of(area))
    return Finding(platform, len(judged.tariffs), total, tuple(dict.fromkeys(judged.reasons)))


def platforms() -> QuerySet[RoamingPlatform]:
    return RoamingPlatform.objects.filter(state="REGISTERED")


def profiles_by_operator(platform: RoamingPlatform) -> dict[int, RoamingProfile]:
    """An operator has at most one profile per platform (validated when they are assigned)."""
    profiles: dict[int, RoamingProfile] = {}
    for profile in platform.profiles.prefetch_related(
        Prefetch("operators", queryset=Operator.objects.only("pk"))
    ).order_by("pk"):
        for operator in profile.operators.all():
            profiles.setdefault(operator.pk, profile)
    return profiles


def with_parts(locations: QuerySet[Location], chargers: QuerySet[Charger] | None = None) -> QuerySet[Location]:
    """Loads areas with (these of their) chargers and all below, in a constant number of queries."""
    chargers = Charger.objects.all() if chargers is None else chargers
    return locations.select_related("operator__site").prefetch_related(
        Prefetch("chargers", queryset=chargers.order_by("pk")),
        Prefetch("chargers__evses", queryset=EVSE.objects.order_by("number")),
        Prefetch("chargers__evses__connectors", queryset=Connector.objects.order_by("number")),
    )


def connectors_of(area: Location) -> Iterable[Connector]:
    """The connectors of an area loaded by `with_parts`; parents are set so that nothing is queried again."""
    for charger in area.chargers.all():
        charger.location = area
        for evse in charger.evses.all():
            evse.charger = charger
            for connector in evse.connectors.all():
                connector.evse = evse
                yield connector


def resolver(platform: RoamingPlatform) -> Resolver:
    """Which of the platform's tariffs applies to a connector now."""
    assigned_ids = list(platform.tariffs.values_list("pk", flat=True))
    return Resolver(assigned_ids, timezone.now(), for_terminals=platform.type == PlatformType.PTP)


def judge(platform: RoamingPlatform, area: Location, profile: RoamingProfile | None, tariffs: Resolver) -> Exposure:
    """Decides for every connector of an area loaded by `with_parts`."""
    exposure = Exposure(profile)
    exposure.reasons += checks.location_reasons(area)
    if profile is None:
        exposure.reasons.append(
            gettext("Operator %(operator)s is in no roaming profile of %(platform)s.")
            % {"operator": area.operator, "platform": platform}
        )
    area_is_ready = not exposure.reasons
    for connector in connectors_of(area):
        reasons = checks.connector_reasons(connector)
        tariff = tariffs.tariff_for(connector)
        if tariff is None and platform.type == PlatformType.PTP:
            reasons.append(
                gettext(
                    "%(connector)s: no tariff of %(platform)s applies. Assign one to the platform and to the session "
                    "settings of the charger, its operator or the site."
                )
                % {"connector": connector, "platform": platform}
            )
        exposure.reasons += reasons
        if area_is_ready and not reasons:
            exposure.tariffs[connector.pk] = tariff
    return exposure


def mark_exposed(area: Location, exposure: Exposure) -> None:
    """Notes the first exposure: from then on the ids partners know must not change."""
    now = timezone.now()
    visible = [connector for connector in connectors_of(area) if connector.pk in exposure.tariffs]
    fresh = Q(first_exposed_at=None)
    if not any(connector.first_exposed_at is None for connector in visible):
        return
    connector_ids = [connector.pk for connector in visible]
    Connector.objects.filter(fresh, pk__in=connector_ids).update(first_exposed_at=now)
    for connector in visible:  # the next platform is shown the same rows
        connector.first_exposed_at = connector.first_exposed_at or now
    EVSE.objects.filter(fresh, connectors__in=connector_ids).update(first_exposed_at=now)
    Charger.objects.filter(fresh, evses__connectors__in=connector_ids).update(first_exposed_at=now)
    Location.objects.filter(fresh, pk=area.pk).update(first_exposed_at=now)
