"""The way of a platform from its form to the first payment, on its own page: what is done and what is next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from infrastructure import access
from infrastructure.models import Connector
from infrastructure.panels import Panel
from payments.models import Terminal
from roaming.choices import Initiation, PlatformState, PlatformType
from roaming.models import RoamingPlatform
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

AREA, CHARGER = "evse__charger__location", "evse__charger"


@dataclass(frozen=True, slots=True)
class Step:
    title: "StrOrPromise"
    text: "StrOrPromise"
    url: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why connectors are not exposed, and the list in which to put it right."""

    count: int
    text: str
    url: str


def of_platform(platform: RoamingPlatform, request: HttpRequest) -> Iterable[Panel]:
    """A panel of the platform's page; a fixed number of queries whatever the number of connectors."""
    connectors = access.scope(
        Connector.objects.filter(**{f"{AREA}__operator__roaming_profiles__platforms": platform}), request.user
    )
    total, ready, obstacles = _readiness(connectors)
    steps = list(_steps(platform, total, ready))
    context = {
        "steps": steps,
        "next_step": next((step for step in steps if not step.is_done), None),
        "done": sum(step.is_done for step in steps),
        "obstacles": obstacles,
        "total": total,
        "hidden": total - ready,
    }
    yield _("Way to the first payment"), render_to_string("config/onboarding.html", context)


def _steps(platform: RoamingPlatform, total: int, ready: int) -> Iterator[Step]:
    own = reverse("admin:roaming_roamingplatform_change", args=[platform.pk])
    is_registered = platform.state == PlatformState.REGISTERED
    yield _profile_step(platform, own)
    handing_over = reverse(f"admin:roaming_roamingplatform_{_action(platform)}", args=[platform.pk])
    yield Step(_("Token"), _token_text(platform), handing_over, is_registered or _has_token(platform))
    yield Step(_("Registration"), _registration_text(platform), own if is_registered else handing_over, is_registered)
    yield Step(
        _("Infrastructure"),
        _("%(ready)s of %(total)s connectors have all that a partner needs to see them.")
        % {"ready": ready, "total": total}
        if total
        else _("The profile's operators have no connectors yet."),
        reverse("admin:infrastructure_location_changelist"),
        0 < ready == total,
    )
    yield _tariff_step(platform)
    if platform.type == PlatformType.PTP:
        yield Step(
            _("Terminals"),
            _("The partner sends its terminals after registration; assign each to the areas or EVSEs that it serves."),
            f"{reverse('admin:payments_terminal_changelist')}?platform__id__exact={platform.pk}",
            Terminal.objects.filter(platform=platform, assigned_at__isnull=False).exists(),
        )


def _profile_step(platform: RoamingPlatform, own: str) -> Step:
    profiles = platform.profiles.annotate(number=Count("operators")).order_by("-number", "pk")
    profile = profiles.first()
    if profile is None:
        text = _(
            "Choose under which of our profiles (country code, party id) this partner sees us; it needs operators."
        )
        return Step(_("Roaming profile"), text, own, is_done=False)
    text = _("The profile %(profile)s has no operators yet: choose them there.") % {"profile": profile}
    url = reverse("admin:roaming_roamingprofile_change", args=[profile.pk])
    return Step(_("Roaming profile"), text, url, is_done=bool(profile.number))


def _tariff_step(platform: RoamingPlatform) -> Step:
    assigned = RoamingTariff.objects.filter(platforms=platform, status=TariffStatus.ACTIVE)
    is_in_settings = assigned.filter(session_settings__isnull=False).exists()
    if is_in_settings or not assigned.exists():
        text = _("Assign an active tariff here and put it into the session settings of site, operator or charger.")
        url = reverse("admin:roaming_roamingplatform_change", args=[platform.pk])
    else:
        text = _("The assigned tariff is in no session settings yet: choose where it applies.")
        url = reverse("admin:tariffs_sessionsettings_changelist")
    return Step(_("Tariff"), text, url, is_in_settings)


def _action(platform: RoamingPlatform) -> str:
    """The page on which the token changes hands: ours is made there, the partner's is used there."""
    return "generate_token" if platform.initiation == Initiation.PARTNER else "register"


def _has_token(platform: RoamingPlatform) -> bool:
    return bool(platform.registration_token_hash or platform.registration_token_encrypted)


def _token_text(platform: RoamingPlatform) -> str:
    if platform.initiation == Initiation.PARTNER:
        return _("We provide the token: press Generate token and give it to the partner with our versions URL.")
    return _("The partner provides the token: press Register credentials and enter it there.")


def _registration_text(platform: RoamingPlatform) -> str:
    if platform.initiation == Initiation.PARTNER:
        return _("The partner registers with our token; this page shows Registered once it has.")
    return _("Press Register credentials; each step and what went wrong is shown.")


def _readiness(connectors: QuerySet[Connector]) -> tuple[int, int, list[Obstacle]]:
    """Connectors in all, those without an obstacle, and each obstacle with their number. One query."""
    areas = reverse("admin:infrastructure_location_changelist")
    chargers = reverse("admin:infrastructure_charger_changelist")
    rules = {
        "area": (Q(**{f"{AREA}__roaming_id": ""}), _("their area has no roaming id"), areas),
        "phone": (
            Q(**{f"{AREA}__phone": "", f"{AREA}__operator__phone": ""}),
            _("neither their area nor its operator has a phone number"),
            areas,
        ),
        "charger": (Q(**{f"{CHARGER}__roaming_id": ""}), _("their charger has no roaming id"), chargers),
        "roaming": (Q(**{f"{CHARGER}__roaming": False}), _("their charger is not enabled for roaming"), chargers),
        "evse": (Q(evse__evse_id=""), _("their EVSE has no EVSE id"), reverse("admin:infrastructure_evse_changelist")),
        "connector": (
            Q(roaming_id=""),
            _("they have no roaming id"),
            reverse("admin:infrastructure_connector_changelist"),
        ),
    }
    blocked = Q()
    for condition, _text, _url in rules.values():
        blocked |= condition
    counts = connectors.aggregate(
        total=Count("pk"),
        ready=Count("pk", filter=~blocked),
        **{name: Count("pk", filter=condition) for name, (condition, _text, _url) in rules.items()},
    )
    found = [Obstacle(counts[name], text, url) for name, (_condition, text, url) in rules.items() if counts[name]]
    return counts["total"], counts["ready"], found
