"""Forms of platforms and profiles: what the services would refuse is said at the field."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from infrastructure.admin_forms import ServiceForm
from infrastructure.models import Operator
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform, RoamingProfile
from roaming.services import assignments, tokens
from tariffs.models import RoamingTariff


def _with_hidden(form: Any, name: str, chosen: Iterable[Model]) -> list[Any]:
    """The chosen rows and those that the user may not see: saving must not take them away."""
    if form.instance.pk is None:
        return list(chosen)
    hidden = getattr(form.instance, name).exclude(pk__in=form.fields[name].queryset.values("pk"))
    return [*chosen, *hidden]


class PlatformForm(ServiceForm):
    partner_token = forms.CharField(
        label=_("Partner's token"),
        required=False,
        max_length=tokens.TOKEN_LENGTH,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_(
            "The registration token that the partner gave us, if we initiate. It is stored encrypted and "
            "never shown again; empty keeps the one stored."
        ),
    )

    class Meta:
        model = RoamingPlatform
        fields = "__all__"

    def clean_partner_token(self) -> str:
        token: str = self.cleaned_data["partner_token"]
        if token:
            try:
                tokens.check_token(token)
            except tokens.TokenRefused as error:
                raise forms.ValidationError(str(error)) from None
        return token

    def clean_profiles(self) -> list[RoamingProfile]:
        profiles = _with_hidden(self, "profiles", self.cleaned_data["profiles"].prefetch_related("operators"))
        assignments.check_profiles(profiles)
        return profiles

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        # Not in the form for who may not change it.
        platform_type = cleaned.get("type", self.instance.type)
        factor, surcharge = cleaned.get("retail_factor", 1), cleaned.get("retail_surcharge", 0)
        if platform_type != PlatformType.PTP and (factor != 1 or surcharge):
            self.add_error(
                "retail_surcharge" if factor == 1 else "retail_factor",
                _("Only drivers at payment terminals pay a price of ours: leave the factor 1 and the surcharge 0."),
            )
        return cleaned

    def clean_tariffs(self) -> list[RoamingTariff]:
        tariffs = list(self.cleaned_data["tariffs"])
        # Not in the form for who may not change it.
        platform_type = self.cleaned_data.get("type", self.instance.type)
        assignments.check_tariffs(platform_type, tariffs)
        assignments.check_candidates(platform_type, self.cleaned_data.get("name", self.instance.name), tariffs)
        return tariffs


class ProfileForm(ServiceForm):
    class Meta:
        model = RoamingProfile
        fields = "__all__"

    def clean_operators(self) -> list[Operator]:
        operators = _with_hidden(self, "operators", self.cleaned_data["operators"])
        if self.instance.pk is not None:
            assignments.check_operators(self.instance, operators)
        return operators
