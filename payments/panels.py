"""What staff see on the page of a terminal (which tariff its drivers get where) and of a session (its payment)."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string

from chargers.models import ChargingSession
from infrastructure import access
from infrastructure.admin_display import link, table
from infrastructure.models import Connector
from infrastructure.panels import Panel
from payments import sheets
from payments.models import FinancialAdviceConfirmation, Invoice, Terminal
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
    yield "Prices here now", render_to_string("payments/terminal_prices.html", context)


def _served(terminal: Terminal, request: HttpRequest) -> QuerySet[Connector]:
    """Connectors of the EVSEs of its areas and of those that it serves besides."""
    connectors = access.scope(Connector.objects.all(), request.user).filter(
        Q(evse__charger__location__in=terminal.locations.values("pk")) | Q(evse__in=terminal.evses.values("pk"))
    )
    return connectors.select_related("evse__charger__location").order_by("evse__charger__identity", "evse__number")


def of_session(session: ChargingSession, request: HttpRequest) -> Iterable[Panel]:
    """Invoice, what was captured, and the terminals at which it may have been paid."""
    invoices = access.scope(Invoice.objects.filter(cdr__session=session), request.user)
    rows = [("Invoice", link(invoice), sheets.amount(invoice.total_gross, invoice.currency)) for invoice in invoices]
    advices = access.scope(FinancialAdviceConfirmation.objects.filter(session=session), request.user)
    rows += [
        (f"Card: {one.get_capture_status_code_display()}", link(one), sheets.amount(one.total_gross, one.currency))
        for one in advices
    ]
    rows += [("Terminal that serves this place", link(terminal), str(terminal.platform)) for terminal in _near(session)]
    if rows:
        yield "Payment", table(["", "", ""], rows)


def _near(session: ChargingSession) -> QuerySet[Terminal]:
    """No protocol says at which terminal a card was tapped: those of the partner that serve the EVSE."""
    if session.connector is None or not session.peer_id:
        return Terminal.objects.none()
    evse = session.connector.evse
    serves = Q(evses=evse) | Q(locations=evse.charger.location_id)
    terminals = Terminal.objects.filter(serves, platform__peer_id=session.peer_id)
    return terminals.select_related("platform").distinct()[:MOST]
