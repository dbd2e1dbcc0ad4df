"""What a CDR's cost consists of, as tables."""

from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from infrastructure.admin_display import shown_json, table
from tariffs.calculator_page import COMPONENTS, TIMED
from tariffs.pricing import CostDimension

# Our names of what `CDR.cost` holds; amounts are told with their currency.
HEADS = {"dimension": _("Item"), "quantity": _("Quantity"), "vat": _("VAT %")}
AMOUNTS = {
    "unit_price": _("Unit price (net)"),
    "excl_vat": _("Net"),
    "incl_vat": _("Gross"),
    "net": _("Net"),
    "vat_amount": _("VAT"),
    "gross": _("Gross"),
}
UNITS: dict[str, str] = {CostDimension.ENERGY: "kWh", **dict.fromkeys(TIMED, "h")}


def lines(cost: dict[str, Any], currency: str) -> SafeString:
    return _table(cost.get("lines"), ["dimension", "quantity", "unit_price", "vat", "excl_vat", "incl_vat"], currency)


def vat(cost: dict[str, Any], currency: str) -> SafeString:
    return _table(cost.get("vat_totals"), ["vat", "net", "vat_amount", "gross"], currency)


def _table(rows: list[dict[str, Any]] | None, columns: list[str], currency: str) -> SafeString:
    if not rows:
        return shown_json(None)
    heads = [f"{AMOUNTS[name]} ({currency})" if name in AMOUNTS else str(HEADS[name]) for name in columns]
    return table(heads, [[_cell(row, name) for name in columns] for row in rows])


def _cell(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return "–"
    if name == "dimension":
        return str(COMPONENTS[value])
    return f"{value} {UNITS.get(row['dimension'], '')}".strip() if name == "quantity" else str(value)
