"""Boxes on the pages of connectors and tariffs that lead to the answer which price a driver would pay."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure import access
from infrastructure.models import Charger, Connector
from infrastructure.panels import Panel
from roaming.models import RoamingPlatform
from roaming.services.retail import terms_of
from tariffs.models import RoamingTariff, SessionSettings
from tariffs.services.gross_prices import amount, plain

TITLE = _("Which price, and why")


def address(**chosen: int) -> str:
    """The page with a `platform` and a `connector` (primary keys) already chosen."""
    return f"{reverse('admin:roaming_price')}?{urlencode(chosen)}"


def may_ask(request: HttpRequest) -> bool:
    """Who may look at platforms, connectors and tariffs; neither needs the right to change them."""
    names = ("roaming.{}_roamingplatform", "infrastructure.{}_connector", "tariffs.{}_roamingtariff")
    user = request.user
    return all(any(user.has_perm(name.format(verb)) for verb in ("view", "change")) for name in names)


def visible_platforms(request: HttpRequest) -> QuerySet[RoamingPlatform]:
    return access.scope(RoamingPlatform.objects.all(), request.user)


def of_connector(connector: Connector, request: HttpRequest) -> Iterable[Panel]:
    """A link per partner."""
    if may_ask(request):
        links = [
            (str(platform), address(platform=platform.pk, connector=connector.pk))
            for platform in visible_platforms(request)
        ]
        yield str(TITLE), render_to_string("roaming/price_links.html", {"links": links})


def of_tariff(tariff: RoamingTariff, request: HttpRequest) -> Iterable[Panel]:
    """Where the tariff may apply: the session settings and the partners that have it."""
    if not may_ask(request):
        return
    settings = SessionSettings.objects.filter(tariffs=tariff).select_related("site", "operator", "charger")
    if not request.user.is_superuser:
        operators = access.operators_of(request.user)
        settings = settings.filter(Q(operator__in=operators) | Q(charger__location__operator__in=operators))
    chargers = access.scope(Charger.objects.all(), request.user).filter(
        Q(location__operator__site__session_settings__in=settings)
        | Q(location__operator__session_settings__in=settings)
        | Q(session_settings__in=settings)
    )
    context = {
        "settings": [(str(one), reverse("admin:tariffs_sessionsettings_change", args=[one.pk])) for one in settings],
        "chargers": chargers.distinct().count(),
        "platforms": [
            (str(one), reverse("admin:roaming_roamingplatform_change", args=[one.pk]), _other_price(one, tariff))
            for one in visible_platforms(request).filter(tariffs=tariff)
        ],
        "address": reverse("admin:roaming_price"),
    }
    yield gettext("Where it applies"), render_to_string("roaming/price_places.html", context)


def _other_price(platform: RoamingPlatform, tariff: RoamingTariff) -> str:
    """How the price of this platform's drivers differs from the tariff, "" if it does not."""
    terms = terms_of(platform)
    if terms is None:
        return ""
    values = {"factor": plain(terms.factor), "surcharge": amount(terms.surcharge, tariff.currency)}
    return gettext("its drivers pay these prices times %(factor)s, plus %(surcharge)s once") % values
