"""What staff see on the page of a terminal (which tariff its drivers get where) and of a charger (its prices)."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from infrastructure import access
from infrastructure.admin_display import table
from infrastructure.models import Charger, Connector
from infrastructure.panels import Panel
from payments.models import PriceEvidence, Terminal
from payments.services.price_components import components
from roaming import price_panels
from roaming.services import exposure

MOST = 50


def of_terminal(terminal: Terminal, request: HttpRequest) -> Iterable[Panel]:
    """At most `MOST` connectors, each with a link to the answer why this price."""
    if not price_panels.may_ask(request):
        return
    served = list(_served(terminal, request)[: MOST + 1])
    tariffs = exposure.resolver(terminal.platform)
    rows = [
        (
            connector,
            tariffs.tariff_for(connector),
            price_panels.address(platform=terminal.platform_id, connector=connector.pk),
        )
        for connector in served[:MOST]
    ]
    context = {"rows": rows, "most": MOST if len(served) > MOST else None}
    yield _("Prices here now"), render_to_string("payments/terminal_prices.html", context)


def _served(terminal: Terminal, request: HttpRequest) -> QuerySet[Connector]:
    """Connectors of the EVSEs of its areas and of those that it serves besides."""
    connectors = access.scope(Connector.objects.all(), request.user).filter(
        Q(evse__charger__location__in=terminal.locations.values("pk")) | Q(evse__in=terminal.evses.values("pk"))
    )
    return connectors.select_related("evse__charger__location").order_by("evse__charger__identity", "evse__number")


def of_charger(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    """What terminals show for it now, and where to find what they showed before."""
    if not request.user.has_perm("payments.view_priceevidence"):
        return
    standing = PriceEvidence.objects.filter(charger=charger, valid_until=None).select_related("tariff")
    rows = [
        (
            row.evse_id or row.evse_uid,
            components(row.tariff, None, row.time_zone).per_kwh,
            row.tariff,
            row.platform_name,
        )
        for row in standing.order_by("evse_uid", "platform_name")[:MOST]
    ]
    address = reverse("admin:payments_priceevidence_changelist", query={"place": charger.identity})
    history = format_html(
        '<p class="mt-3"><a class="text-link" href="{}">{}</a></p>', address, _("What did a driver see?")
    )
    shown = table(["EVSE", _("Per kWh"), _("Tariff"), _("Platform")], rows) if rows else _("None.")
    yield _("Prices at terminals now"), format_html("{}{}", shown, history)
