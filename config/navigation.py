"""The admin's frame: what stands in the sidebar, and what every page loads. Unfold reads UNFOLD from the settings."""

from functools import lru_cache

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_links: list[object] = []


def _entry(title: Promise, icon: str, name: str, **more: object) -> dict[str, object]:
    link = reverse_lazy(f"admin:{name}")
    _links.append(link)
    return {"title": title, "icon": icon, "link": link, "active": lambda request: _is_active(link, request), **more}


def _is_active(link: object, request: HttpRequest) -> bool:
    return str(link) == _nearest_entry(request.path)


# Each entry of a page asks anew, and to spell all addresses takes longer than the rest of the page.
@lru_cache(maxsize=100)
def _nearest_entry(path: str) -> str | None:
    """Of all entries above the page the nearest: a page below a list has an entry of its own beside the list's."""
    return max((link for link in map(str, _links) if path.startswith(link)), key=len, default=None)


def _link(title: Promise, icon: str, model: str, *, superusers_only: bool = False) -> dict[str, object]:
    """A sidebar entry for a model's list, shown to those who may see it."""
    app, name = model.split(".")
    return _entry(
        title,
        icon,
        f"{app}_{name}_changelist",
        permission=lambda request: (
            request.user.is_superuser if superusers_only else request.user.has_perm(f"{app}.view_{name}")
        ),
    )


def _page(title: Promise, icon: str, name: str, permission: str) -> dict[str, object]:
    """A sidebar entry for a page that is no list of rows."""
    return _entry(title, icon, name, permission=lambda request: request.user.has_perm(permission))


def _group(title: Promise, *links: dict[str, object], collapsible: bool = False) -> dict[str, object]:
    return {"title": title, "separator": True, "collapsible": collapsible, "items": list(links)}


OUR_SCRIPTS = ("patch", "live", "search", "copy", "labels")

UNFOLD = {
    "SITE_TITLE": "Plugtill",
    "SITE_HEADER": "Plugtill",
    "SITE_SYMBOL": "ev_station",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("config/favicon.svg")}],
    "STYLES": [lambda request: static("config/desk.css")],
    "SCRIPTS": [
        lambda request, name=name: static(f"config/{name}.js")
        for name in ("patch", "live", "search", "copy", "labels", "keyboard")
    ],
    "DASHBOARD_CALLBACK": "config.desk.home.home",
    "SHOW_HISTORY": True,
    "SHOW_LANGUAGES": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": True,
        # In the order of a day's work: what runs, what it brought, who it is for, what it runs on.
        "navigation": [
            _group(
                _("Charging"),
                _link(_("Sessions"), "bolt", "chargers.chargingsession"),
                _link(_("CDRs"), "receipt_long", "chargers.cdr"),
                _link(_("Reservations"), "event_available", "chargers.reservation"),
            ),
            _group(
                _("Payments"),
                _link(_("Payment work list"), "assignment_late", "payments.paymentissue"),
                _page(_("Reconciliation"), "account_balance", "payments_reconciliation", "payments.view_invoice"),
                _link(_("Invoices"), "request_quote", "payments.invoice"),
                _link(_("Terminals"), "point_of_sale", "payments.terminal"),
                _page(_("Terminal coverage"), "rule", "payments_coverage", "payments.view_terminal"),
                _link(_("Financial advices"), "credit_score", "payments.financialadviceconfirmation"),
                _link(_("Displayed prices"), "price_check", "payments.priceevidence"),
                _link(_("Invoice series"), "format_list_numbered", "payments.invoiceseries"),
            ),
            _group(
                _("Infrastructure"),
                _link(_("Areas"), "location_on", "infrastructure.location"),
                _link(_("Chargers"), "ev_station", "infrastructure.charger"),
                _link(_("EVSEs"), "outlet", "infrastructure.evse"),
                _link(_("Connectors"), "power", "infrastructure.connector"),
                _link(_("Operators"), "business", "infrastructure.operator"),
                _link(_("Site"), "domain", "infrastructure.site"),
            ),
            _group(
                _("Tariffs"),
                _link(_("Roaming tariffs"), "sell", "tariffs.roamingtariff"),
                _link(_("Session settings"), "tune", "tariffs.sessionsettings"),
                _link(_("Published versions"), "history", "tariffs.tariffversion"),
            ),
            _group(
                _("Roaming"),
                _link(_("Platforms"), "hub", "roaming.roamingplatform"),
                _link(_("Profiles"), "badge", "roaming.roamingprofile"),
                _link(_("Tokens"), "contactless", "chargers.token"),
                _link(_("Parties behind hubs"), "device_hub", "roaming.clientinfo"),
            ),
            # What follows is looked up when something went wrong: folded away unless one is there.
            _group(
                _("Exchange with partners"),
                _link(_("Commands"), "terminal", "roaming.command"),
                _link(_("Charging profiles"), "speed", "roaming.profilerequest"),
                _link(_("Pushes"), "outbox", "roaming.push"),
                _link(_("Pulls"), "download", "roaming.pull"),
                _link(_("Documents"), "description", "roaming.document"),
                _link(_("Messages"), "forum", "roaming.message"),
                collapsible=True,
            ),
            _group(
                _("Charger operation"),
                _link(_("Pending chargers"), "how_to_reg", "chargers.pendingcharger"),
                _link(_("Charger connections"), "lan", "chargers.chargerconnection"),
                _link(_("Calls to chargers"), "call_made", "chargers.outgoingcall"),
                _link(_("Charger messages"), "chat", "chargers.chargermessage"),
                _link(_("Charger events"), "event_note", "chargers.chargerevent"),
                _link(_("Id tokens"), "nfc", "chargers.idtoken"),
                _link(_("Local lists"), "fact_check", "chargers.locallist"),
                _link(_("Charging profiles"), "show_chart", "chargers.chargingprofiletemplate"),
                collapsible=True,
            ),
            _group(
                _("System"),
                _link(_("Alerts"), "notifications", "infrastructure.alert"),
                _link(_("Alert messages"), "outgoing_mail", "infrastructure.alertdigest", superusers_only=True),
                _link(_("Audit trail"), "policy", "infrastructure.act"),
                _link(_("Users"), "person", "auth.user", superusers_only=True),
                _link(_("Groups"), "group", "auth.group", superusers_only=True),
                _link(_("API tokens"), "api", "chargers.apitoken"),
                {"title": _("API documentation"), "icon": "menu_book", "link": reverse_lazy("api:docs")},
                _link(_("Outbox"), "inbox", "infrastructure.outboxevent", superusers_only=True),
                _link(_("Schedules"), "schedule", "django_celery_beat.periodictask", superusers_only=True),
                collapsible=True,
            ),
        ],
    },
}
