"""Which profiles and tariffs a platform has: what forbids an assignment, and what follows one."""

from collections.abc import Collection, Iterable
from itertools import combinations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from infrastructure import outbox
from infrastructure.models import Operator
from roaming.choices import PlatformType
from roaming.models import Document, RoamingPlatform, RoamingProfile
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings
from tariffs.services.resolution import FOR_TERMINALS


def check_profiles(profiles: Iterable[RoamingProfile]) -> None:
    """ValidationError when two profiles of one platform share an operator: its locations would have two owners."""
    owner: dict[Operator, RoamingProfile] = {}
    for profile in profiles:
        for operator in profile.operators.all():
            _check_owner(operator, owner.setdefault(operator, profile), profile)


def _check_owner(operator: Operator, first: RoamingProfile, second: RoamingProfile) -> None:
    if first != second:
        raise ValidationError(
            _(
                "Operator %(operator)s is in %(first)s and in %(second)s. An operator has at most one "
                "profile per platform: take one of the profiles off this platform, or the operator out "
                "of one of them."
            )
            % {"operator": operator, "first": first, "second": second}
        )


def check_operators(profile: RoamingProfile, operators: Iterable[Operator]) -> None:
    """ValidationError when an operator of `profile` has another profile on one of its platforms."""
    others = RoamingProfile.objects.filter(
        platforms__in=profile.platforms.all(), operators__in=list(operators)
    ).exclude(pk=profile.pk)
    other = others.first()
    if other is not None:
        operator = other.operators.filter(pk__in=[row.pk for row in operators])[0]
        _check_owner(operator, profile, other)


def check_tariffs(platform_type: str, tariffs: Iterable[RoamingTariff]) -> None:
    """ValidationError when a payment terminal provider would get a tariff without an amount to block."""
    if platform_type != PlatformType.PTP:
        return
    for tariff in tariffs:
        if tariff.preauthorisation is None:
            raise ValidationError(
                _("Tariff %(tariff)s has no pre-authorisation. Terminals block it on the card: enter it first.")
                % {"tariff": tariff}
            )


def check_candidates(platform_type: str, name: str, tariffs: Iterable[RoamingTariff]) -> None:
    """ValidationError when on some level two of the tariffs would apply on the platform `name` at once."""
    active = {tariff.pk: tariff for tariff in tariffs if _is_candidate(platform_type, tariff)}
    rows = SessionSettings.tariffs.through.objects.filter(roamingtariff__in=active).order_by("roamingtariff")
    levels: dict[SessionSettings, list[RoamingTariff]] = {}
    for row in rows.select_related(*(f"sessionsettings__{level}" for level in ("site", "operator", "charger"))):
        levels.setdefault(row.sessionsettings, []).append(active[row.roamingtariff_id])
    for settings, candidates in levels.items():
        _check_level(platform_type, name, settings, candidates)


def check_settings(settings: SessionSettings, tariffs: Collection[RoamingTariff]) -> None:
    """ValidationError when two of `tariffs` would apply at this level at once for one platform."""
    assigned = RoamingPlatform.tariffs.through.objects.filter(roamingtariff__in=[tariff.pk for tariff in tariffs])
    tariff_ids: dict[RoamingPlatform, set[int]] = {}
    for row in assigned.select_related("roamingplatform"):
        tariff_ids.setdefault(row.roamingplatform, set()).add(row.roamingtariff_id)
    for platform, ids in tariff_ids.items():
        candidates = [tariff for tariff in tariffs if tariff.pk in ids and _is_candidate(platform.type, tariff)]
        _check_level(platform.type, platform.name, settings, candidates)


def check_tariff(tariff: RoamingTariff) -> None:
    """ValidationError when, as it is now, the tariff could not stay assigned to its platforms."""
    if tariff._state.adding:
        return
    for platform in tariff.platforms.all():
        if platform.type == PlatformType.PTP and tariff.preauthorisation is None:
            raise ValidationError(
                {
                    "preauthorisation": _(
                        "%(platform)s has this tariff, and terminals block this amount on the card. Enter it, or "
                        "take the tariff off the platform first."
                    )
                    % {"platform": platform}
                }
            )
    for settings in tariff.session_settings.all():
        others = settings.tariffs.exclude(pk=tariff.pk)
        check_settings(settings, [tariff, *others])


def _is_candidate(platform_type: str, tariff: RoamingTariff) -> bool:
    is_for_type = platform_type != PlatformType.PTP or tariff.type in FOR_TERMINALS
    return is_for_type and tariff.status == TariffStatus.ACTIVE


def _check_level(platform_type: str, name: str, settings: SessionSettings, candidates: Iterable[RoamingTariff]) -> None:
    for one, other in combinations(candidates, 2):
        # A terminal takes ad hoc and untyped tariffs alike.
        is_same_type = platform_type == PlatformType.PTP or one.type == other.type
        if is_same_type and _is_valid_together(one, other):
            raise ValidationError(
                _(
                    "%(settings)s: for %(name)s both %(one)s and %(other)s would apply at the same time. "
                    "Take one of them off the platform or off these session settings, or let one end before "
                    "the other begins."
                )
                % {"settings": settings, "name": name, "one": one, "other": other}
            )


def _is_valid_together(one: RoamingTariff, other: RoamingTariff) -> bool:
    begins_in_time = [
        first.valid_from is None or second.valid_until is None or first.valid_from < second.valid_until
        for first, second in ((one, other), (other, one))
    ]
    return all(begins_in_time)


def check_deletion(platform: RoamingPlatform) -> None:
    """ValidationError while the partner still believes that it is connected."""
    if platform.is_registered:
        raise ValidationError(
            _(
                "%(platform)s is registered and believes that it is connected. Open it and choose "
                "“Invalidate credentials” under “Connection” first."
            )
            % {"platform": platform}
        )


def platform_changed(platform: RoamingPlatform) -> None:
    """After a change of the platform, its profiles or tariffs: its view of us is rendered anew.

    The checks run once more, on the rows as they are now: two people may have assigned at once.
    """
    if not RoamingPlatform.objects.filter(pk=platform.pk).exists():
        return
    check_profiles(platform.profiles.prefetch_related("operators"))
    tariffs = platform.tariffs.all()
    check_tariffs(platform.type, tariffs)
    check_candidates(platform.type, platform.name, tariffs)
    outbox.record("platform", platform.pk)


def profile_changed(profile: RoamingProfile) -> None:
    if not RoamingProfile.objects.filter(pk=profile.pk).exists():
        return
    check_operators(profile, profile.operators.all())
    for platform in profile.platforms.all():
        outbox.record("platform", platform.pk)


def profile_deleted(profile: RoamingProfile) -> None:
    """Its platforms lose what they saw under its party; which they were is known from what was shown to them."""
    shown = Document.objects.filter(country_code=profile.country_code, party_id=profile.party_id)
    for platform_id in sorted(set(shown.values_list("platform", flat=True))):
        outbox.record("platform", platform_id)


def settings_changed(settings: SessionSettings) -> None:
    """Once more, on the rows as they are now: tariff, settings and platform may have changed at once."""
    if SessionSettings.objects.filter(pk=settings.pk).exists():
        check_settings(settings, settings.tariffs.all())


def tariff_changed(tariff: RoamingTariff) -> None:
    """Once more, on the rows as they are now."""
    current = RoamingTariff.objects.filter(pk=tariff.pk).first()
    if current is not None:
        check_tariff(current)
