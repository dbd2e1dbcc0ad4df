"""OCPI objects of the payments module (DirectPayment v1.9, 5.1.2 and 5.2.2) to model values and back."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from infrastructure.models import EVSE, Location
from payments.countries import alpha_3
from payments.models import FinancialAdviceConfirmation, Terminal
from roaming.ocpi.errors import InvalidParameters
from roaming.ocpi.types import format_datetime, number, parse_number
from tariffs.pricing.rounding import ocpi_number

Json = dict[str, Any]

LARGEST_AMOUNT = Decimal(10**8)

_TERMINAL_TEXTS = (
    "customer_reference",
    "party_id",
    "country_code",
    "address",
    "city",
    "postal_code",
    "state",
    "invoice_base_url",
    "invoice_creator",
)


def terminal_fields(body: Json) -> Json:
    """Model values of what the PTP says about its terminal: absent fields stay as they are, null empties."""
    fields: Json = {name: body[name] or "" for name in _TERMINAL_TEXTS if name in body}
    if "country" in body:
        fields["country"] = alpha_3(body["country"] or "")
    if "coordinates" in body:
        fields["coordinates"] = body["coordinates"]
    return fields


def terminal_body(terminal: Terminal) -> Json:
    """OCPI Terminal."""
    body: Json = {"terminal_id": terminal.terminal_id}
    for name in (*_TERMINAL_TEXTS, "country", "coordinates"):
        if value := getattr(terminal, name):
            body[name] = value
    return body | assignment(terminal) | {"last_updated": format_datetime(terminal.last_updated)}


def assignment(terminal: Terminal) -> dict[str, list[str]]:
    """What the terminal serves, in the ids that partners know; the union of both lists is meant."""
    return {
        "location_ids": location_ids(terminal.locations.all()),
        "evse_uids": evse_uids(terminal.evses.all()),
    }


def location_ids(areas: Iterable[Location]) -> list[str]:
    return sorted(area.roaming_id for area in areas if area.roaming_id)


def evse_uids(outlets: Iterable[EVSE]) -> list[str]:
    return sorted(outlet.effective_uid for outlet in outlets if outlet.effective_uid)


def advice_fields(body: Json) -> Json:
    """Model values of a FinancialAdviceConfirmation. Raises InvalidParameters for an amount beyond all sense."""
    total_gross = gross(body["total_costs"])
    if abs(total_gross) >= LARGEST_AMOUNT:
        raise InvalidParameters("total_costs: is too large")
    return {
        "authorization_reference": body["authorization_reference"],
        "total_gross": ocpi_number(total_gross),
        "currency": body["currency"].upper(),
        "eft_data": body.get("eft_data") or [],
        "capture_status_code": body["capture_status_code"],
        "capture_status_message": body.get("capture_status_message") or "",
        "raw": body,
    }


def gross(price: Json) -> Decimal:
    """Amount with VAT of either shape: 2.2.1 {excl_vat, incl_vat?} or 2.3.0 {before_taxes, taxes}."""
    if price.get("incl_vat") is not None:
        return parse_number(price["incl_vat"])
    if price.get("before_taxes") is not None:
        taxes = price.get("taxes") or []
        return parse_number(price["before_taxes"]) + sum((parse_number(tax["amount"]) for tax in taxes), Decimal(0))
    return parse_number(price["excl_vat"])


def net(price: Json) -> Decimal:
    value = price.get("excl_vat")
    return parse_number(price["before_taxes"] if value is None else value)


def advice_body(advice: FinancialAdviceConfirmation) -> Json:
    """OCPI FinancialAdviceConfirmation as the PTP sent it, its amounts in the Price of 2.2.1."""
    raw: Json = advice.raw
    costs = {"excl_vat": number(net(raw["total_costs"])), "incl_vat": number(advice.total_gross)}
    return raw | {
        "id": advice.advice_id,
        "total_costs": costs,
        "last_updated": format_datetime(advice.last_updated),
    }
