"""Which price a driver of a platform would pay at a connector at an instant, and why not another one.

The winner is what `Resolver` says, and its price what the engine says; here both are only explained.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import Prefetch, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure.models import EVSE, Charger, Connector, Location
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from roaming.services import exposure
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffVersion
from tariffs.pricing import Detail, emit_elements
from tariffs.pricing.restrictions import Moment, active_components
from tariffs.services.details import to_pricing
from tariffs.services.gross_prices import detail_of
from tariffs.services.resolution import FOR_TERMINALS, Resolver
from tariffs.services.versions import preauthorisation, pricing_tariff
from tariffs.services.week import Timetable


class Level(StrEnum):
    """Where session settings stand, the nearest first."""

    CHARGER = "charger"
    OPERATOR = "operator"
    SITE = "site"


_LEVELS = tuple(Level)
_LEVEL_NAMES = {Level.CHARGER: _("charger"), Level.OPERATOR: _("operator"), Level.SITE: _("site")}


@dataclass(frozen=True, slots=True)
class Place:
    """Session settings that concern the connector."""

    settings: SessionSettings
    level: Level
    name: str

    def __str__(self) -> str:
        return f"{_LEVEL_NAMES[self.level]} {self.name}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tariff that was considered: `place` is None if no session settings here have it.

    `reasons` say why it does not apply, in plain words; only the winner has none.
    """

    tariff: RoamingTariff
    place: Place | None
    reasons: tuple[str, ...]

    @property
    def is_winner(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Offer:
    """What the winner asks for: `prices` at the instant, as published in `version`.

    `detail` is the row that gives them, None where none applies or `version` was replaced since; `blocked` is
    gross, for terminals only.
    """

    candidate: Candidate
    version: TariffVersion
    prices: Detail
    detail: TariffDetail | None
    is_covered: bool
    blocked: Decimal | None


@dataclass(frozen=True, slots=True)
class PriceAnswer:
    """`offer` is None where no tariff applies; `hidden` says why the platform does not see the connector."""

    offer: Offer | None
    candidates: tuple[Candidate, ...]
    hidden: tuple[str, ...]


def explain(platform: RoamingPlatform, connector: Connector, at: datetime) -> PriceAnswer:
    """Constant number of queries; load `evse__charger__location__operator__site` with the connector.

    Assignments and states are those of now, whatever the instant: earlier ones are not kept.
    """
    for_terminals = platform.type == PlatformType.PTP
    assigned = {tariff.pk: tariff for tariff in platform.tariffs.all()}
    resolver = Resolver(list(assigned), at, for_terminals=for_terminals)
    winner = resolver.tariff_for(connector)
    placed = sorted(_placed(connector), key=lambda pair: (_LEVELS.index(pair[0].level), pair[1].name))
    candidates = _candidates(platform, connector, at, placed, assigned, winner)
    first = next((one for one in candidates if one.is_winner), None)
    offer = _offer(first, at, connector, for_terminals=for_terminals) if first else None
    return PriceAnswer(offer, tuple(candidates), tuple(_hidden(platform, connector, resolver)))


def _placed(connector: Connector) -> Iterator[tuple[Place, RoamingTariff]]:
    """Every tariff in the session settings of the connector's charger, operator and site."""
    charger = connector.evse.charger
    operator = charger.location.operator
    rows = SessionSettings.tariffs.through.objects.filter(
        Q(sessionsettings__charger=charger)
        | Q(sessionsettings__operator=operator)
        | Q(sessionsettings__site=operator.site)
    )
    for row in rows.select_related("sessionsettings", "roamingtariff"):
        settings = row.sessionsettings
        if settings.charger_id is not None:
            yield Place(settings, Level.CHARGER, str(charger)), row.roamingtariff
        elif settings.operator_id is not None:
            yield Place(settings, Level.OPERATOR, str(operator)), row.roamingtariff
        else:
            yield Place(settings, Level.SITE, str(operator.site)), row.roamingtariff


def _candidates(
    platform: RoamingPlatform,
    connector: Connector,
    at: datetime,
    placed: list[tuple[Place, RoamingTariff]],
    assigned: dict[int, RoamingTariff],
    winner: RoamingTariff | None,
) -> list[Candidate]:
    elsewhere = [tariff for pk, tariff in assigned.items() if pk not in {tariff.pk for _place, tariff in placed}]
    every_id = {*assigned, *(tariff.pk for _place, tariff in placed)}
    published = set(TariffVersion.objects.filter(tariff__in=every_id).values_list("tariff_id", flat=True))
    rules = _Rules(platform, connector.evse.charger.location, at, assigned.keys(), published)
    winning = next((place for place, tariff in placed if tariff == winner), None)
    found = [
        Candidate(tariff, place, tuple(_reasons(rules, tariff, place, winner, winning))) for place, tariff in placed
    ]
    nowhere = gettext("In none of the session settings here: charger, operator and site.")
    return [*found, *(Candidate(tariff, None, (*rules.faults(tariff), nowhere)) for tariff in elsewhere)]


def _reasons(
    rules: "_Rules", tariff: RoamingTariff, place: Place, winner: RoamingTariff | None, winning: Place | None
) -> Iterator[str]:
    """Nothing for the winner where it wins; it may be in settings farther away as well."""
    if tariff == winner and place == winning:
        return
    yield from rules.faults(tariff)
    if winner is None or winning is None:
        return
    if place.level != winning.level:
        text = gettext("The session settings of %(place)s are nearer, and %(tariff)s of them applies.")
        yield text % {"place": winning, "tariff": winner}
    elif not any(rules.faults(tariff)):
        text = gettext("Two tariffs of these session settings apply; %(tariff)s has the newer validity.")
        yield text % {"tariff": winner}


@dataclass(frozen=True, slots=True)
class _Rules:
    """What `Resolver` asks of a tariff itself, wherever it stands."""

    platform: RoamingPlatform
    area: Location
    at: datetime
    assigned: Collection[int]
    published: Collection[int]

    def faults(self, tariff: RoamingTariff) -> Iterable[str]:
        if tariff.pk not in self.assigned:
            yield gettext("Not assigned to %(platform)s.") % {"platform": self.platform}
        if tariff.status != TariffStatus.ACTIVE:
            status = tariff.get_status_display().lower()
            yield gettext("Its status is %(status)s, not active.") % {"status": status}
        if tariff.valid_from is not None and tariff.valid_from > self.at:
            yield gettext("Valid only from %(time)s.") % {"time": self._local(tariff.valid_from)}
        if tariff.valid_until is not None and tariff.valid_until <= self.at:
            yield gettext("No longer valid since %(time)s.") % {"time": self._local(tariff.valid_until)}
        if self.platform.type == PlatformType.PTP and tariff.type not in FOR_TERMINALS:
            text = gettext("Its type is %(type)s: terminals get ad hoc and untyped tariffs only.")
            yield text % {"type": tariff.get_type_display().lower()}
        if tariff.pk not in self.published:
            yield gettext("Never published: there is no version with prices.")

    def _local(self, instant: datetime) -> str:
        return f"{instant.astimezone(self.area.zone_info()):%Y-%m-%d %H:%M %Z}"


def _offer(winner: Candidate, at: datetime, connector: Connector, *, for_terminals: bool) -> Offer:
    version = _version_at(winner.tariff, at)
    blocked = preauthorisation(version) if for_terminals else None
    zone = connector.evse.charger.location.zone_info()
    moment = Moment(at.astimezone(zone), kwh=Decimal(0), elapsed=timedelta())
    active = active_components(pricing_tariff(version, blocked).session_elements, moment)
    rows = {row.pk: row for row in winner.tariff.details.order_by("-priority", "pk")}
    details = [to_pricing(row) for row in rows.values()]
    is_current = version.content["elements"] == [element.to_ocpi() for element in emit_elements(details)]
    detail = Timetable(details).detail_at(at, zone) if is_current else None
    return Offer(
        winner,
        version,
        detail_of(active),
        rows[int(detail.id)] if detail else None,
        is_covered=detail is not None or not is_current,
        blocked=blocked,
    )


def _version_at(tariff: RoamingTariff, at: datetime) -> TariffVersion:
    """What was published last until then; the first one for an instant before that."""
    versions = tariff.versions.order_by("number")
    return versions.filter(created_at__lte=at).last() or versions[0]


def _hidden(platform: RoamingPlatform, connector: Connector, resolver: Resolver) -> Iterator[str]:
    """As `exposure` judges an area that has no other connector."""
    if not platform.is_registered:
        yield gettext("%(platform)s is not registered: it sees nothing yet.") % {"platform": platform}
    evse = connector.evse
    areas = Location.objects.filter(pk=evse.charger.location_id).select_related("operator__site")
    area = areas.prefetch_related(
        Prefetch("chargers", queryset=Charger.objects.filter(pk=evse.charger_id)),
        Prefetch("chargers__evses", queryset=EVSE.objects.filter(pk=evse.pk)),
        Prefetch("chargers__evses__connectors", queryset=Connector.objects.filter(pk=connector.pk)),
    ).get()
    profile = exposure.profiles_by_operator(platform).get(area.operator_id)
    yield from dict.fromkeys(exposure.judge(platform, area, profile, resolver).reasons)
