"""What a list without rows says: what will stand there, and what to do next."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Empty(NamedTuple):
    """`link` names the admin page where it is done, `title` is its button; adding a row has one anyway."""

    text: str | Promise
    link: str = ""
    title: str | Promise = ""


_CHARGERS = ("admin:infrastructure_charger_changelist", _("Go to the chargers"))
_CONNECTIONS = ("admin:chargers_chargerconnection_changelist", _("Go to the charger connections"))
_PLATFORMS = ("admin:roaming_roamingplatform_changelist", _("Go to the platforms"))
_SESSIONS = ("admin:chargers_chargingsession_changelist", _("Go to the sessions"))
_TARIFFS = ("admin:tariffs_roamingtariff_changelist", _("Go to the tariffs"))

LISTS: dict[str, Empty] = {
    "auth.User": Empty(_("Add each member of staff, and choose which operators they see.")),
    "auth.Group": Empty(
        _("Groups say what their members may do. They come back when Plugtill is updated or migrated.")
    ),
    "django_celery_beat.PeriodicTask": Empty(_("Schedules appear when Plugtill's scheduler starts. Start it.")),
    "infrastructure.Site": Empty(_("Begin here: the site gives time zone and currency to all the rest.")),
    "infrastructure.Operator": Empty(_("Add the company that runs the chargers; its areas come next.")),
    "infrastructure.Location": Empty(_("Add the first area (a car park, a street) or import a file of areas.")),
    "infrastructure.Charger": Empty(
        _("Add a charger with its EVSEs and connectors, or import a file. Unknown chargers that call wait elsewhere."),
        "admin:chargers_pendingcharger_changelist",
        _("Go to the pending chargers"),
    ),
    "infrastructure.EVSE": Empty(_("EVSEs are added on the page of their charger."), *_CHARGERS),
    "infrastructure.Connector": Empty(
        _("Connectors are added on the page of their charger, or imported from a file."), *_CHARGERS
    ),
    "infrastructure.Alert": Empty(_("All is well: what needs somebody's attention will stand here.")),
    "infrastructure.AlertDigest": Empty(
        _("No messages go out yet. Say who is to be told about alerts, by mail or at an address.")
    ),
    "infrastructure.OutboxEvent": Empty(_("All that happened has been passed on. Nothing to do.")),
    "tariffs.RoamingTariff": Empty(_("Add the first tariff, then assign it to the platforms that may use it.")),
    "tariffs.SessionSettings": Empty(
        _("Session settings say which tariff holds where. Add one for the site, an operator or a charger.")
    ),
    "tariffs.TariffVersion": Empty(_("A version appears when an assigned tariff is published."), *_TARIFFS),
    "chargers.ChargingSession": Empty(
        _("A session appears when a driver starts one: at a terminal, over a partner's app or with a card."),
        *_CONNECTIONS,
    ),
    "chargers.CDR": Empty(_("A CDR is written when a session ends."), *_SESSIONS),
    "chargers.Reservation": Empty(
        _("Partners' reservations appear here. To reserve for a driver, open the charger's connection."), *_CONNECTIONS
    ),
    "chargers.OutgoingCall": Empty(
        _("Ask a charger for something on the page of its connection; its answer stands here."), *_CONNECTIONS
    ),
    "chargers.ChargerConnection": Empty(
        _("Set a password on a charger's page and enter both in the charger; it appears here."), *_CHARGERS
    ),
    "chargers.ApiToken": Empty(_("Add a token for each program that uses the operator API.")),
    "chargers.IdToken": Empty(_("Add the cards that may charge without a partner, such as those of your own staff.")),
    "chargers.Token": Empty(
        _("Partners' tokens appear once an eMSP or a hub is registered and tells its own."), *_PLATFORMS
    ),
    "chargers.ChargingProfileTemplate": Empty(_("Add a profile to limit the power of chargers over the day.")),
    "chargers.LocalList": Empty(
        _("Send a list of cards on the page of a charger's connection, for the time when it is offline."), *_CONNECTIONS
    ),
    "chargers.PendingCharger": Empty(_("No unknown charger has called. One that does waits here until you accept it.")),
    "chargers.ChargerMessage": Empty(_("What chargers and Plugtill say to each other appears here."), *_CONNECTIONS),
    "chargers.ChargerEvent": Empty(_("Faults, security events and reports of chargers appear here."), *_CONNECTIONS),
    "chargers.ChargerVariable": Empty(
        _("Ask a charger for its configuration on the page of its connection."), *_CONNECTIONS
    ),
    "roaming.RoamingProfile": Empty(_("Add your country code and party id: the name under which partners know you.")),
    "roaming.RoamingPlatform": Empty(_("Add the partner; its page then leads you to the first payment.")),
    "roaming.Push": Empty(_("What partners are told appears here when something changes."), *_PLATFORMS),
    "roaming.Command": Empty(_("What partners ask for (start, stop, reserve, unlock) appears here."), *_PLATFORMS),
    "roaming.ProfileRequest": Empty(_("Partners' wishes to limit the power of a session appear here."), *_PLATFORMS),
    "roaming.Document": Empty(_("What a registered partner may read of areas and tariffs appears here."), *_PLATFORMS),
    "roaming.Message": Empty(_("What partners and Plugtill say to each other appears here."), *_PLATFORMS),
    "roaming.Pull": Empty(_("What is fetched from a partner appears once it is registered."), *_PLATFORMS),
    "roaming.ClientInfo": Empty(_("A hub tells who is behind it, once it is registered."), *_PLATFORMS),
    "payments.Invoice": Empty(
        _("An invoice is issued when a paid session has ended; what went wrong on the way is in the work list."),
        "admin:payments_paymentissue_changelist",
        _("Go to the work list"),
    ),
    "payments.InvoiceSeries": Empty(_("A series begins with the first invoice of an operator and a year.")),
    "payments.PriceEvidence": Empty(
        _("Prices are kept from the moment a tariff is assigned to a payment terminal's partner."), *_TARIFFS
    ),
    "payments.PaymentIssue": Empty(_("All payments are in order. One that needs somebody will stand here.")),
    "payments.Terminal": Empty(
        _("Terminals come from the payment partner: register it, then say what each terminal serves."), *_PLATFORMS
    ),
    "payments.FinancialAdviceConfirmation": Empty(
        _("The payment partner tells here what it captured from the card after each session."), *_SESSIONS
    ),
}


def empty_list(label: str) -> Empty:
    """For the list of the model `app.Model`."""
    return LISTS[label]
