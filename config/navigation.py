"""The admin's frame: what stands in the sidebar, and what every page loads. Unfold reads UNFOLD from the settings."""

from django.templatetags.static import static
from django.urls import reverse_lazy


def _link(title: str, icon: str, model: str, *, superusers_only: bool = False) -> dict[str, object]:
    """A sidebar entry for a model's list, shown to those who may see it."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: (
            request.user.is_superuser if superusers_only else request.user.has_perm(f"{app}.view_{name}")
        ),
    }


def _page(title: str, icon: str, name: str, permission: str) -> dict[str, object]:
    """A sidebar entry for a page that is no list of rows."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}"),
        "permission": lambda request: request.user.has_perm(permission),
    }


def _group(title: str, *links: dict[str, object], collapsible: bool = False) -> dict[str, object]:
    return {"title": title, "separator": True, "collapsible": collapsible, "items": list(links)}


UNFOLD = {
    "SITE_TITLE": "Plugtill",
    "SITE_HEADER": "Plugtill",
    "SITE_SYMBOL": "ev_station",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("config/favicon.svg")}],
    "STYLES": [lambda request: static("config/desk.css")],
    "SCRIPTS": [lambda request: static("config/live.js")],
    "DASHBOARD_CALLBACK": "config.desk.home.home",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "COMMAND": {"search_callback": "config.desk.search.search"},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        # In the order of a day's work: what runs, what it brought, who it is for, what it runs on.
        "navigation": [
            _group(
                "Charging",
                _link("Sessions", "bolt", "chargers.chargingsession"),
                _link("CDRs", "receipt_long", "chargers.cdr"),
                _link("Reservations", "event_available", "chargers.reservation"),
            ),
            _group(
                "Payments",
                _link("Payment work list", "assignment_late", "payments.paymentissue"),
                _page("Reconciliation", "account_balance", "payments_reconciliation", "payments.view_invoice"),
                _link("Invoices", "request_quote", "payments.invoice"),
                _link("Invoice series", "format_list_numbered", "payments.invoiceseries"),
                _link("Terminals", "point_of_sale", "payments.terminal"),
                _page("Terminal coverage", "rule", "payments_coverage", "payments.view_terminal"),
                _link("Financial advices", "credit_score", "payments.financialadviceconfirmation"),
            ),
            _group(
                "Infrastructure",
                _link("Areas", "location_on", "infrastructure.location"),
                _link("Chargers", "ev_station", "infrastructure.charger"),
                _link("EVSEs", "outlet", "infrastructure.evse"),
                _link("Connectors", "power", "infrastructure.connector"),
                _link("Operators", "business", "infrastructure.operator"),
                _link("Site", "domain", "infrastructure.site"),
            ),
            _group(
                "Tariffs",
                _link("Roaming tariffs", "sell", "tariffs.roamingtariff"),
                _link("Session settings", "tune", "tariffs.sessionsettings"),
                _link("Published versions", "history", "tariffs.tariffversion"),
            ),
            _group(
                "Roaming",
                _link("Platforms", "hub", "roaming.roamingplatform"),
                _link("Profiles", "badge", "roaming.roamingprofile"),
                _link("Commands", "terminal", "roaming.command"),
                _link("Charging profiles", "speed", "roaming.profilerequest"),
                _link("Tokens", "contactless", "chargers.token"),
                _link("Parties behind hubs", "device_hub", "roaming.clientinfo"),
                _link("Pushes", "outbox", "roaming.push"),
                _link("Documents", "description", "roaming.document"),
                _link("Messages", "forum", "roaming.message"),
                _link("Pulls", "download", "roaming.pull"),
            ),
            _group(
                "System",
                _link("Alerts", "notifications", "infrastructure.alert"),
                _link("Alert messages", "outgoing_mail", "infrastructure.alertdigest", superusers_only=True),
                _link("Charger connections", "lan", "chargers.chargerconnection"),
                _link("Id tokens", "nfc", "chargers.idtoken"),
                _link("Local lists", "fact_check", "chargers.locallist"),
                _link("Charging profiles", "show_chart", "chargers.chargingprofiletemplate"),
                _link("API tokens", "api", "chargers.apitoken"),
                {"title": "API documentation", "icon": "menu_book", "link": reverse_lazy("api:docs")},
                _link("Calls to chargers", "call_made", "chargers.outgoingcall"),
                _link("Charger messages", "chat", "chargers.chargermessage"),
                _link("Charger events", "notifications", "chargers.chargerevent"),
                _link("Pending chargers", "how_to_reg", "chargers.pendingcharger"),
                _link("Outbox", "inbox", "infrastructure.outboxevent", superusers_only=True),
                _link("Users", "person", "auth.user", superusers_only=True),
                _link("Groups", "group", "auth.group", superusers_only=True),
                _link("Schedules", "schedule", "django_celery_beat.periodictask", superusers_only=True),
                collapsible=True,
            ),
        ],
    },
}
