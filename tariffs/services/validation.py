"""What a tariff may not say, each refusal with a sentence that tells what to change (raises ValidationError)."""

import re
from collections.abc import Callable, Collection

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure.models import Location
from tariffs.choices import Recurrence, TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffText, TariffVersion
from tariffs.pricing import DayOfWeek, money

AssignmentCheck = Callable[[SessionSettings, Collection[RoamingTariff]], None]

_assignment_checks: list[AssignmentCheck] = []
_LANGUAGE = re.compile(r"[a-z]{2}")
_DAYS = ", ".join(DayOfWeek)


def check_tariff(tariff: RoamingTariff) -> None:
    errors: dict[str, str] = {}
    _check_code(tariff, errors)
    _check_validity(tariff, errors)
    _check_limits(tariff, errors)
    if errors:
        raise ValidationError(errors)


def check_detail(detail: TariffDetail) -> None:
    errors: dict[str, str] = {}
    _check_priority(detail, errors)
    _check_weekdays(detail, errors)
    _check_times(detail, errors)
    if errors:
        raise ValidationError(errors)


def check_text(text: TariffText) -> None:
    if not _LANGUAGE.fullmatch(text.language):
        raise ValidationError({"language": _("Use the two small letters of ISO 639-1, for example en.")})


def _check_code(tariff: RoamingTariff, errors: dict[str, str]) -> None:
    if RoamingTariff.objects.filter(code__iexact=tariff.code).exclude(pk=tariff.pk).exists():
        errors["code"] = gettext("Another tariff has this code; partners ignore case. Choose another one.")
    published = TariffVersion.objects.filter(tariff=tariff.pk).order_by("number").first()
    if published and published.content["id"] != tariff.code:
        errors["code"] = gettext(
            "Partners know this tariff as %(code)s since %(date)s. "
            "Keep the code, or set this tariff inactive and add a new one."
        ) % {"code": published.content["id"], "date": f"{published.created_at:%Y-%m-%d}"}


def _check_validity(tariff: RoamingTariff, errors: dict[str, str]) -> None:
    if tariff.valid_from and tariff.valid_until and tariff.valid_until <= tariff.valid_from:
        errors["valid_until"] = gettext("Valid until must be later than valid from.")
    if conflict := _zone_conflict(tariff):
        errors["valid_from" if tariff.valid_from else "valid_until"] = conflict


def _check_limits(tariff: RoamingTariff, errors: dict[str, str]) -> None:
    blocked, least, most = tariff.preauthorisation, tariff.min_price, tariff.max_price
    if blocked is not None and (blocked <= 0 or money(blocked, tariff.currency) != blocked):
        text = gettext("Enter an amount that a card can pay in %(currency)s, for example 50.")
        errors["preauthorisation"] = text % {"currency": tariff.currency}
    elif blocked is not None and most is not None and blocked > most:
        errors["preauthorisation"] = gettext("Block at most the maximum price: a session never costs more than that.")
    if least is not None and blocked is not None and least > blocked:
        errors["min_price"] = gettext("The minimum price must not be higher than the pre-authorisation.")
    if least is not None and most is not None and least > most:
        errors["min_price"] = gettext("The minimum price must not be higher than the maximum price.")


def _check_priority(detail: TariffDetail, errors: dict[str, str]) -> None:
    others = TariffDetail.objects.filter(tariff=detail.tariff_id, priority=detail.priority)
    if detail.tariff_id and others.exclude(pk=detail.pk).exists():
        errors["priority"] = gettext("Another detail of this tariff has this priority. Give each detail its own.")
    steps: dict[str, int] = {"energy_step_size": detail.energy_step_size, "time_step_size": detail.time_step_size}
    for name, size in steps.items():
        if size < 1:
            errors[name] = gettext("Use 1 to bill exactly, or a larger number to round up.")


def _check_weekdays(detail: TariffDetail, errors: dict[str, str]) -> None:
    days = detail.weekdays
    if not isinstance(days, list) or not set(map(str, days)) <= set(DayOfWeek):
        errors["weekdays"] = gettext("Use these names: %(names)s.") % {"names": _DAYS}
    elif days and detail.recurrence == Recurrence.ONE_TIME:
        errors["weekdays"] = gettext(
            "A one-time detail lasts from start to stop. Leave the weekdays empty, or choose daily."
        )


def _check_times(detail: TariffDetail, errors: dict[str, str]) -> None:
    for name, value in (("start", detail.start), ("stop", detail.stop)):
        if value and (value.second or value.microsecond):
            errors[name] = gettext("Use whole minutes.")
    if detail.start is None or detail.stop is None:
        return
    if detail.stop < detail.start:
        errors["stop"] = gettext("Stop must be later than start.")
    elif detail.stop == detail.start and detail.recurrence == Recurrence.DAILY:
        errors["stop"] = gettext(
            "A daily detail with equal times of day must last at least one whole day. Choose a later stop date, "
            "or another time of day."
        )
    elif detail.stop == detail.start:
        errors["stop"] = gettext("Start and stop are equal: the detail would never apply. Choose a later stop.")


def check_has_details(tariff: RoamingTariff, details: int) -> None:
    """Without details a published tariff would go on with prices that nobody sees any more."""
    is_published = tariff.pk is not None and TariffVersion.objects.filter(tariff=tariff.pk).exists()
    if is_published and tariff.status == TariffStatus.ACTIVE and not details:
        raise ValidationError(_("A published tariff needs at least one detail. Set it inactive first."))


def check_is_complete(tariff: RoamingTariff, details: int) -> None:
    """For a form that holds all of it: programs may save the details after the tariff."""
    check_has_details(tariff, details)
    if tariff.status == TariffStatus.ACTIVE and not details:
        raise ValidationError(_("An active tariff needs at least one detail: add one, or keep the tariff a draft."))


def check_level(settings: SessionSettings) -> None:
    levels = [settings.site_id, settings.operator_id, settings.charger_id]
    if sum(level is not None for level in levels) != 1:
        raise ValidationError(_("Choose exactly one of site, operator and charger."))


def on_assignment_check(check: AssignmentCheck) -> None:
    """`check(settings, tariffs)` raises ValidationError when these tariffs must not apply together there.

    Apps above say so in their `AppConfig.ready`; the rows are not yet written when it runs.
    """
    _assignment_checks.append(check)


def check_assignment(settings: SessionSettings, tariffs: Collection[RoamingTariff]) -> None:
    """ValidationError when these tariffs must not apply together at this level."""
    for conflict in filter(None, (_zone_conflict(tariff, settings) for tariff in tariffs)):
        raise ValidationError(conflict)
    for check in _assignment_checks:
        check(settings, tariffs)


def _zone_conflict(tariff: RoamingTariff, *more: SessionSettings) -> str | None:
    """A validity is one instant: in two time zones it would begin at two different local times."""
    if tariff.pk is None or not (tariff.valid_from or tariff.valid_until):
        return None
    others = tariff.session_settings.exclude(pk__in=[settings.pk for settings in more if settings.pk])
    locations = [location for settings in (*others, *more) for location in _locations_of(settings)]
    zones = {location.effective_time_zone for location in locations}
    if len(zones) < 2:
        return None
    return gettext(
        "%(tariff)s has a limited validity, but applies to chargers in several time zones "
        "(%(zones)s). Use one tariff per zone, or details with start and stop."
    ) % {"tariff": tariff, "zones": ", ".join(sorted(zones))}


def _locations_of(settings: SessionSettings) -> QuerySet[Location]:
    locations = Location.objects.select_related("operator__site")
    if settings.charger_id is not None:
        return locations.filter(chargers=settings.charger_id)
    if settings.operator_id is not None:
        return locations.filter(operator=settings.operator_id)
    return locations.all()
