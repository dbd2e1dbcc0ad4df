"""Files of terminals and of invoices."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from infrastructure import access
from infrastructure.exchange.columns import Cell, Column, Found, FoundAll, column
from infrastructure.exchange.resources import ServiceResource, TableResource, as_error, only
from infrastructure.models import EVSE
from infrastructure.resources import OPERATOR, Row, find_area
from payments.models import Invoice, Terminal
from payments.services import terminals
from roaming.models import RoamingPlatform


def find_platform(name: str, user: access.User) -> RoamingPlatform:
    unknown = _("You have no platform “%(name)s”.") % {"name": name}
    found: RoamingPlatform = only(
        access.scope(RoamingPlatform.objects.all(), user).filter(name__iexact=name), unknown, unknown
    )
    return found


def find_evse(name: str, user: access.User) -> EVSE:
    """By its EVSE id."""
    unknown = _("You have no EVSE “%(name)s”. Give its EVSE id, for example AT*PLG*E0001*1.") % {"name": name}
    mine = access.scope(EVSE.objects.select_related("charger__location__operator"), user)
    several = _("Several EVSEs have the id “%(name)s”.") % {"name": name}
    found: EVSE = only(mine.filter(evse_id__iexact=name), unknown, several)
    return found


class Served(Column):
    """What a terminal serves: as the file says, else as it is."""

    def __init__(self, relation: str, name: str, cell: Cell, explained: Any) -> None:
        super().__init__(f"wanted_{relation}", name, cell, empty=list, explained=explained)
        self.relation = relation

    def get_value(self, instance: Any) -> Any:
        if not hasattr(instance, self.attribute):
            return list(getattr(instance, self.relation).all()) if instance.pk else []
        return getattr(instance, self.attribute)


class TerminalResource(ServiceResource):
    """Terminals come from the partner; a file says whose they are and what they serve."""

    platform = column(
        Terminal, "platform", cell=Found(find_platform, lambda platform: platform.name), explained=_("Its name.")
    )
    terminal_id = column(Terminal, "terminal_id", explained=_("As the partner calls it, for example T-0001."))
    operator = column(Terminal, "operator", cell=OPERATOR, explained=_("Name of the operator. Empty: as it is."))
    locations = Served(
        "locations",
        "areas",
        FoundAll(find_area, lambda area: area.roaming_id or area.name),
        _("Names or roaming ids, separated by commas. It serves all their EVSEs."),
    )
    evses = Served(
        "evses",
        "EVSEs",
        FoundAll(find_evse, lambda evse: evse.evse_id),
        _("EVSE ids, separated by commas, besides."),
    )

    key = ("platform", "terminal id")
    related = ("platform", "operator")
    prefetched = ("locations", "evses__charger")
    examples = (
        ("Payter", "T-0001", "", "VIE-HQ", ""),
        ("Payter", "T-0002", "", "", "AT*PLG*E0001*1, AT*PLG*E0001*2"),
    )

    class Meta(ServiceResource.Meta):
        model = Terminal
        name = _("Terminals")

    def find(self, row: Row) -> Any:
        platform = as_error("platform", lambda: find_platform(row["platform"], self.user))
        mine = access.scope(Terminal.objects.select_related("platform", "operator"), self.user)
        terminal: Any = mine.filter(platform=platform, terminal_id__iexact=row["terminal id"]).first()
        if terminal is None:
            raise ValidationError(
                {"terminal_id": _("There is no such terminal. Terminals come from the partner: pull them first.")}
            )
        terminal.wanted_locations = list(terminal.locations.order_by("pk"))
        terminal.wanted_evses = list(terminal.evses.order_by("pk"))
        return terminal

    def import_field(self, field: Any, instance: Any, row: Row, is_m2m: bool = False, **kwargs: Any) -> None:
        """The id stays as the partner spells it; only the page puts a terminal back into the pool."""
        is_kept = field.column_name == "terminal id" or (field.column_name == "operator" and not row["operator"])
        if not is_kept:
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def write(self, instance: Any, is_new: bool) -> None:
        terminals.check_assignment(instance, instance.wanted_locations, instance.wanted_evses)
        terminals.choose_operator(instance, instance.operator)
        before = Terminal.objects.get(pk=instance.pk)
        if instance.wanted_locations != list(before.locations.order_by("pk")) or instance.wanted_evses != list(
            before.evses.order_by("pk")
        ):
            areas, outlets = instance.wanted_locations, instance.wanted_evses
            terminals.assign_terminal(instance, areas, outlets)


class InvoiceResource(TableResource):
    number = column(Invoice, "number")
    kind = column(Invoice, "kind", cell=Cell())
    issued_at = column(Invoice, "issued_at", "issued (UTC)")
    operator = column(Invoice, "operator__name", "operator")
    platform = column(Invoice, "platform__name", "platform")
    authorization_reference = column(Invoice, "authorization_reference")
    session = column(Invoice, "cdr__session__uid", "session")
    cdr = column(Invoice, "cdr__uid", "CDR")
    total_gross = column(Invoice, "total_gross", "total (gross)")
    currency = column(Invoice, "currency")
    captured_gross = column(Invoice, "captured_gross", "captured (gross)")
    capture_status_code = column(Invoice, "capture_status_code", "capture", cell=Cell())

    related = ("operator", "platform", "cdr__session")

    class Meta(TableResource.Meta):
        model = Invoice
        name = _("Invoices")
