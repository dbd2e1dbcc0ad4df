"""The admin page that answers which price a driver would pay, and why."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin import site as admin_site
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget

from chargers.models import ChargingSession
from infrastructure import access
from infrastructure.admin_forms import WallTimeField
from infrastructure.models import Connector
from roaming.models import RoamingPlatform
from roaming.price_panels import TITLE, may_ask, visible_platforms
from roaming.services.price_reasons import Candidate, Offer, PriceAnswer, explain
from roaming.services.retail import terms_of
from tariffs.calculator_page import YEARS
from tariffs.models import RoamingTariff
from tariffs.pricing import RetailTerms
from tariffs.services.details import to_pricing
from tariffs.services.gross_prices import amount, hours_in_words, prices_in_words
from tariffs.services.publish import retail_texts

_LOCAL = "%Y-%m-%dT%H:%M"


class PriceForm(forms.Form):
    """Sent by GET, so that an answer can be shared."""

    platform = forms.ModelChoiceField(
        RoamingPlatform.objects.none(), label=_("Who asks (partner)"), widget=UnfoldAdminSelectWidget()
    )
    connector = forms.ModelChoiceField(
        Connector.objects.none(),
        label=_("Connector"),
        # Connectors are searched for as on the forms of the admin: there may be thousands.
        widget=AutocompleteSelect(ChargingSession._meta.get_field("connector"), admin_site),
    )
    at = WallTimeField(
        label=_("When (local time of the area; empty: now)"),
        required=False,
        input_formats=[_LOCAL],
        validators=YEARS,
        widget=forms.DateTimeInput({"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}, format=_LOCAL),
    )

    def __init__(self, request: HttpRequest) -> None:
        platforms = visible_platforms(request)
        query = request.GET.copy()
        if "platform" not in query and len(platforms) == 1:
            query["platform"] = str(platforms[0].pk)
        super().__init__(query if "connector" in query else None, initial=query.dict())
        self.fields["platform"].queryset = platforms  # type: ignore[attr-defined]
        self.fields["connector"].queryset = _connectors(request)  # type: ignore[attr-defined]

    @property
    def instant(self) -> datetime:
        """What was entered, in the area's time zone; a repeated time means the first one."""
        entered: datetime | None = self.cleaned_data["at"]
        zone = self.cleaned_data["connector"].evse.charger.location.zone_info()
        return timezone.now() if entered is None else entered.replace(tzinfo=zone).astimezone(UTC)


class PricePage:
    """Mixin of the platform's admin: the page, and the button that leads to it."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        own = path("price/", self.admin_site.admin_view(self.price), name="roaming_price")
        return [own, *super().get_urls()]  # type: ignore[misc]

    @action(description=_("Prices"), url_path="which-price", icon="help", permissions=["view"])
    def which_price(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('admin:roaming_price')}?{urlencode({'platform': object_id})}")

    def price(self, request: HttpRequest) -> HttpResponse:
        if not may_ask(request):
            raise PermissionDenied
        form = PriceForm(request)
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            platform, connector = form.cleaned_data["platform"], form.cleaned_data["connector"]
            at = form.instant
            context["sheet"] = _sheet(request, explain(platform, connector, at), platform, connector, at)
        context |= {**self.admin_site.each_context(request), "title": TITLE}
        return TemplateResponse(request, "roaming/price.html", context)


@dataclass(frozen=True, slots=True)
class Row:
    """A tariff that was considered; addresses are empty where the user may not go."""

    tariff: RoamingTariff
    tariff_url: str
    place: str
    place_url: str
    is_winner: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An answer as the page shows it."""

    platform: RoamingPlatform
    connector: Connector
    connector_url: str
    week_url: str
    local: str
    is_past: bool
    prices: str
    detail: str
    blocked: str
    text: str
    retail: str
    offer: Offer | None
    rows: tuple[Row, ...]
    hidden: tuple[str, ...]


def _connectors(request: HttpRequest) -> QuerySet[Connector]:
    connectors = access.scope(Connector.objects.all(), request.user)
    return connectors.select_related("evse__charger__location__operator__site")


def _sheet(
    request: HttpRequest, answer: PriceAnswer, platform: RoamingPlatform, connector: Connector, at: datetime
) -> Sheet:
    offer, area, terms = answer.offer, connector.evse.charger.location, terms_of(platform)
    local = at.astimezone(area.zone_info())
    return Sheet(
        platform=platform,
        connector=connector,
        connector_url=reverse("admin:infrastructure_connector_change", args=[connector.pk]),
        week_url=_week_url(offer, local) if offer else "",
        local=f"{date_format(local, 'l d F Y, H:i')} ({area.effective_time_zone})",
        is_past=(timezone.now() - at).total_seconds() > 60,
        prices=prices_in_words(offer.prices, offer.version.content["currency"]) if offer else "",
        detail=_detail_in_words(offer) if offer else "",
        blocked=_blocked(offer, terms) if offer else "",
        text=_text(offer, terms) if offer else "",
        retail=_retail(offer, terms) if offer and terms else "",
        offer=offer,
        rows=tuple(_row(request, candidate) for candidate in answer.candidates),
        hidden=answer.hidden,
    )


def _row(request: HttpRequest, candidate: Candidate) -> Row:
    place = candidate.place
    is_linked = place is not None and (place.settings.site_id is None or request.user.is_superuser)
    return Row(
        tariff=candidate.tariff,
        tariff_url=reverse("admin:tariffs_roamingtariff_change", args=[candidate.tariff.pk]),
        place=str(place) if place else "",
        place_url=reverse("admin:tariffs_sessionsettings_change", args=[place.settings.pk])
        if place and is_linked
        else "",
        is_winner=candidate.is_winner,
        reasons=candidate.reasons,
    )


def _week_url(offer: Offer, local: datetime) -> str:
    tariff_url = reverse("admin:tariffs_roamingtariff_change", args=[offer.version.tariff_id])
    return f"{tariff_url}?{urlencode({'week': local.date(), 'zone': local.tzinfo})}#week"


def _detail_in_words(offer: Offer) -> str:
    if not offer.is_covered:
        return gettext("No detail of the tariff covers this moment, so charging is free.")
    if offer.detail is None:
        text = gettext("These are the prices of version %(number)d; the details have been changed since.")
        return text % {"number": offer.version.number}
    named = {"priority": offer.detail.priority, "hours": hours_in_words(to_pricing(offer.detail))}
    return gettext("Detail with priority %(priority)d: %(hours)s.") % named


def _blocked(offer: Offer, terms: RetailTerms | None) -> str:
    if offer.blocked is None:
        return ""
    currency = offer.version.content["currency"]
    return amount(terms.preauthorised(offer.blocked, currency) if terms else offer.blocked, currency)


def _text(offer: Offer, terms: RetailTerms | None) -> str:
    """What the driver reads, in the site's first language."""
    texts = retail_texts(offer.version.tariff, terms) if terms else offer.version.content["tariff_alt_text"]
    return next((str(text["text"]) for text in texts), "")


def _retail(offer: Offer, terms: RetailTerms) -> str:
    words = _("This is what the partner owes us. Its drivers pay it times %(factor)s, plus %(surcharge)s once.")
    surcharge = amount(terms.surcharge, offer.version.content["currency"])
    return str(words % {"factor": f"{terms.factor.normalize():f}", "surcharge": surcharge})
