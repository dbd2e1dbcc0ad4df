from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from infrastructure.admin_forms import ServiceForm, ServiceFormSet
from infrastructure.models import Site
from tariffs.services import validation

NO_DATE = _("Enter a date as well, for example 2026-05-01: the first or last day on which this applies.")
NO_TIME = _("Enter a time of day as well, for example 00:00.")


def wall_zone() -> tzinfo:
    """Wall-clock times of the areas are kept as if they were UTC: they are shown as they were typed."""
    return UTC


def site_zone() -> tzinfo:
    site = Site.objects.first()
    return ZoneInfo(site.time_zone) if site else UTC


class ZonedDateTimeField(forms.SplitDateTimeField):
    """Date and time in the zone that `zone` names, whatever the zone of the user; ambiguous means the first one."""

    widget = UnfoldAdminSplitDateTimeWidget

    def __init__(self, *args: Any, zone: Callable[[], tzinfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def compress(self, data_list: Any) -> datetime | None:
        # Without a zone the parent's result is naive only in our hands: it would apply the user's zone.
        if not data_list:
            return None
        date, time = data_list
        if date in self.empty_values:
            raise ValidationError(NO_DATE, code="invalid_date")
        if time in self.empty_values:
            raise ValidationError(NO_TIME, code="invalid_time")
        return datetime.combine(date, time, self.zone())

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(self.zone()).replace(tzinfo=None)
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class TariffDetailFormSet(ServiceFormSet):
    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if self._is_kept(form)]
        validation.check_is_complete(self.instance, len(kept))


class SessionSettingsForm(ServiceForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        data = self.cleaned_data
        for level in ("site", "operator", "charger"):
            if level in data:
                setattr(self.instance, level, data[level])
        try:
            validation.check_assignment(self.instance, data.get("tariffs") or ())
        except ValidationError as error:
            self.add_error("tariffs", error)
        return cleaned
