"""Files of areas, chargers, EVSEs and connectors."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from infrastructure import access
from infrastructure.choices import Facility, as_choices
from infrastructure.exchange.columns import Cell, Found, SomeOf, Whole, column
from infrastructure.exchange.resources import ServiceResource, TableResource, as_error, only
from infrastructure.models import EVSE, Charger, Connector, Location, Operator

Row = dict[str, str]


def find_operator(name: str, user: access.User) -> Operator:
    """By its name, among those of the user."""
    mine = access.operators_of(user)
    yours = ", ".join(mine.order_by("name").values_list("name", flat=True)[:5]) or _("none")
    unknown = _("You have no operator “%(name)s”. Yours: %(yours)s.") % {"name": name, "yours": yours}
    found: Operator = only(mine.filter(name__iexact=name), unknown, unknown)
    return found


def find_area(name: str, user: access.User) -> Location:
    """By its roaming id or its name, among those of the user."""
    mine = access.scope(Location.objects.select_related("operator__site"), user)
    by_id = mine.filter(roaming_id__iexact=name).first()
    if by_id is not None:
        return by_id
    found: Location = only(
        mine.filter(name__iexact=name),
        _("You have no area “%(name)s”. Give its name or roaming id, or import the areas first.") % {"name": name},
        _("Several areas are named “%(name)s”. Give the roaming id instead.") % {"name": name},
    )
    return found


def find_charger(identity: str, user: access.User) -> Charger:
    unknown = _("You have no charger “%(name)s”. Give its identity, or import the chargers first.") % {"name": identity}
    mine = access.scope(Charger.objects.select_related("location__operator__site"), user)
    found: Charger = only(mine.filter(identity=identity), unknown, unknown)
    return found


OPERATOR = Found(find_operator, lambda operator: operator.name)
AREA = Found(find_area, lambda area: area.name)


class LocationResource(ServiceResource):
    name = column(Location, "name", "area", explained=_("What drivers read."), example="Vienna HQ")
    operator = column(Location, "operator", cell=OPERATOR, explained=_("Name of the operator. Empty: your only one."))
    roaming_id = column(Location, "roaming_id")
    address = column(Location, "address")
    postal_code = column(Location, "postal_code", explained=_("For example 1010."))
    city = column(Location, "city", explained=_("For example Vienna."))
    state = column(Location, "state", explained=_("For example Lower Austria; may be empty."))
    country = column(Location, "country")
    latitude = column(Location, "latitude")
    longitude = column(Location, "longitude")
    phone = column(Location, "phone", "phone")
    time_zone = column(Location, "time_zone")
    currency = column(Location, "currency")
    parking_type = column(Location, "parking_type", explained=_("For example PARKING_GARAGE; may be empty."))
    facilities = column(
        Location,
        "facilities",
        cell=SomeOf(as_choices(Facility)),
        explained=_("Separated by commas, for example HOTEL, WIFI."),
    )
    publish = column(Location, "publish")

    key = ("area",)
    related = ("operator",)
    examples = (
        (
            *("Vienna HQ", "", "VIE-HQ", "Ringstrasse 1", "1010", "Vienna", "", "AUT", "48.208490", "16.372080"),
            *("+43 1 234567", "Europe/Vienna", "EUR", "PARKING_GARAGE", "HOTEL, WIFI", "yes"),
        ),
        (
            *("Linz South", "", "LNZ-1", "Hauptplatz 3", "4020", "Linz", "", "", "48.305900", "14.286200"),
            *("", "", "", "ON_STREET", "", "yes"),
        ),
    )

    class Meta(ServiceResource.Meta):
        model = Location
        name = _("Areas")

    def key_of(self, row: Row) -> Any:
        return (row.get("roaming id") or row["area"]).casefold(), row.get("operator", "").casefold()

    def find(self, row: Row) -> Location | None:
        mine = access.scope(Location.objects.select_related("operator__site"), self.user)
        if row.get("roaming id"):
            by_id = mine.filter(roaming_id__iexact=row["roaming id"]).first()
            if by_id is not None:
                return by_id
        same = mine.filter(name__iexact=row["area"], operator=self._operator(row))
        if row.get("roaming id"):
            # A second area of this name, unless the first one still waits for its id.
            same = same.filter(roaming_id="")
        if same.count() > 1:
            as_error("name", lambda: find_area(row["area"], self.user))
        return same.first()

    def begin(self, row: Row) -> Location:
        return Location(operator=self._operator(row))

    def _operator(self, row: Row) -> Operator:
        name = row.get("operator", "")
        if name:
            found: Operator = as_error("operator", lambda: find_operator(name, self.user))
            return found
        more = _("You have several operators: say here whose area it is.")
        mine: Operator = as_error(
            "operator", lambda: only(access.operators_of(self.user), _("Add an operator first."), more)
        )
        return mine

    def import_field(self, field: Any, instance: Any, row: Row, is_m2m: bool = False, **kwargs: Any) -> None:
        """An empty operator leaves the one that `find` and `begin` know."""
        if field.column_name != "operator" or row.get("operator"):
            super().import_field(field, instance, row, is_m2m, **kwargs)


class ChargerResource(ServiceResource):
    identity = column(Charger, "identity", example="CP-0001")
    location = column(Charger, "location", "area", cell=AREA, explained=_("Its name or its roaming id."))
    charger_name = column(Charger, "name", explained=_("For staff, for example Garage left."))
    roaming_id = column(Charger, "roaming_id")
    roaming = column(Charger, "roaming")

    key = ("identity",)
    related = ("location",)
    examples = (
        ("CP-0001", "Vienna HQ", "Garage left", "VIE-HQ-01", "yes"),
        ("CP-0002", "VIE-HQ", "Garage right", "VIE-HQ-02", "no"),
    )

    class Meta(ServiceResource.Meta):
        model = Charger
        name = _("Chargers")

    def key_of(self, row: Row) -> Any:
        return row["identity"]

    def find(self, row: Row) -> Charger | None:
        mine = access.scope(Charger.objects.select_related("location__operator__site"), self.user)
        return mine.filter(identity=row["identity"]).first()

    def dehydrate_location(self, charger: Charger) -> str:
        """The name, or the roaming id where several areas have that name."""
        area = charger.location
        return area.roaming_id if area.roaming_id and area.name in self.ambiguous else area.name

    def before_export(self, queryset: Any, **kwargs: Any) -> None:
        names = list(access.scope(Location.objects.all(), self.user).values_list("name", flat=True))
        self.ambiguous = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()


class ConnectorResource(ServiceResource):
    """One row per connector; its EVSE stands in the same row and is added when it is not there."""

    charger = column(Connector, "evse__charger", "charger", cell=Found(find_charger), explained=_("Its identity."))
    evse_number = column(Connector, "evse__number", "EVSE", explained=_("1.6 connectorId, 2.0.1 evse.id: 1, 2, ..."))
    number = column(Connector, "number", "connector", explained=_("1, or 2 for the second plug of the same EVSE."))
    evse_id = column(Connector, "evse__evse_id")
    uid = column(Connector, "evse__uid")
    physical_reference = column(Connector, "evse__physical_reference")
    floor_level = column(Connector, "evse__floor_level", explained=_("For example -1."))
    roaming_id = column(Connector, "roaming_id")
    standard = column(Connector, "standard", explained=_("For example IEC_62196_T2 or IEC_62196_T2_COMBO (CCS)."))
    format = column(Connector, "format", explained=_("SOCKET or CABLE."))
    power_type = column(Connector, "power_type", explained=_("AC_1_PHASE, AC_3_PHASE or DC."))
    max_voltage = column(Connector, "max_voltage", "voltage (V)")
    max_amperage = column(Connector, "max_amperage", "current (A)")
    max_electric_power = column(Connector, "max_electric_power", "power (W)")

    key = ("charger", "EVSE", "connector")
    parent = "evse"
    related = ("evse__charger",)
    examples = (
        (
            *("CP-0001", "1", "1", "AT*PLG*E0001*1", "", "1A", "-1", "1", "IEC_62196_T2", "SOCKET", "AC_3_PHASE"),
            *("230", "32", "22000"),
        ),
        (
            *("CP-0001", "2", "1", "AT*PLG*E0001*2", "", "1B", "-1", "1", "IEC_62196_T2_COMBO", "CABLE", "DC"),
            *("920", "200", "150000"),
        ),
    )

    class Meta(ServiceResource.Meta):
        model = Connector
        name = _("Connectors")

    def find(self, row: Row) -> Connector | None:
        numbers = {
            "evse__number": as_error("evse__number", lambda: Whole().clean(row["EVSE"])),
            "number": as_error("number", lambda: Whole().clean(row["connector"])),
        }
        mine = access.scope(Connector.objects.select_related("evse__charger__location__operator__site"), self.user)
        return mine.filter(evse__charger__identity=row["charger"], **numbers).first()

    def begin(self, row: Row) -> Connector:
        charger: Charger = as_error("evse__charger", lambda: find_charger(row["charger"], self.user))
        number = Whole().clean(row["EVSE"])
        evse = charger.evses.filter(number=number).first() or EVSE(charger=charger, number=number)
        evse.charger = charger
        return Connector(evse=evse)


class EVSEResource(TableResource):
    """As they stand now; EVSEs come in with the connectors' file."""

    charger = column(EVSE, "charger", cell=Found(find_charger))
    number = column(EVSE, "number", "EVSE")
    area = column(EVSE, "charger__location__name", "area")
    evse_id = column(EVSE, "evse_id")
    uid = column(EVSE, "uid")
    physical_reference = column(EVSE, "physical_reference")
    status = column(EVSE, "status", cell=Cell())
    last_updated = column(EVSE, "last_updated", "last updated (UTC)")

    related = ("charger__location",)

    class Meta(TableResource.Meta):
        model = EVSE
        name = _("EVSEs")
