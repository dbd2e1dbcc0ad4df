"""Forms of platforms and profiles: what the services would refuse is said at the field."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from infrastructure import access
from infrastructure.admin_forms import ServiceForm
from infrastructure.models import Operator
from roaming.choices import Initiation, PlatformType
from roaming.models import RoamingPlatform, RoamingProfile
from roaming.services import assignments, tokens
from tariffs.models import RoamingTariff
from tariffs.services import places


class PlatformForm(ServiceForm):
    # Whose page it is: what several operators share is changed by who works for all of them.
    user: access.User
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Not in the form for who may not change it.
        initiation: Any = self.fields.get("initiation")
        if initiation is not None:
            initiation.choices = [
                (Initiation.PARTNER, _("I will provide a token to my roaming partner")),
                (Initiation.CPO, _("I will use the token provided by my roaming partner")),
            ]
            initiation.help_text = _("Who is given a token registers: the partner at ours, or we at the partner's.")

    def clean_partner_token(self) -> str:
        token: str = self.cleaned_data["partner_token"]
        if token:
            try:
                tokens.check_token(token)
            except tokens.TokenRefused as error:
                raise forms.ValidationError(str(error)) from None
        return token

    def clean_profiles(self) -> list[RoamingProfile]:
        profiles = list(self.cleaned_data["profiles"].prefetch_related("operators"))
        if self.instance.pk is not None:
            # Saving must not take away those that the user may not see.
            seen = access.scope(RoamingProfile.objects.all(), self.user)
            profiles += self.instance.profiles.exclude(pk__in=seen.values("pk"))
        theirs = set(access.wholly(RoamingProfile.objects.all(), self.user).values_list("pk", flat=True))
        self._check_others("profiles", profiles, lambda profile: profile.pk in theirs)
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
        if self.instance.pk is not None and not access.is_theirs(self.instance, self.user):
            self._check_others("tariffs", tariffs, lambda tariff: places.may_change(self.user, tariff))
        # Not in the form for who may not change it.
        platform_type = self.cleaned_data.get("type", self.instance.type)
        assignments.check_tariffs(platform_type, tariffs)
        assignments.check_candidates(platform_type, self.cleaned_data.get("name", self.instance.name), tariffs)
        return tariffs

    def _check_others(self, name: str, chosen: Iterable[Any], may_change: Callable[[Any], bool]) -> None:
        before = set(getattr(self.instance, name).all()) if self.instance.pk is not None else set()
        of_others = sorted(str(row) for row in before.symmetric_difference(chosen) if not may_change(row))
        if of_others:
            text = _("%(rows)s: operators for whom you do not work use this, too. Leave it as it is here.")
            raise forms.ValidationError(text % {"rows": ", ".join(of_others)})


class ProfileForm(ServiceForm):
    class Meta:
        model = RoamingProfile
        fields = "__all__"

    def clean_operators(self) -> list[Operator]:
        operators = list(self.cleaned_data["operators"])
        if self.instance.pk is not None:
            assignments.check_operators(self.instance, operators)
        return operators
