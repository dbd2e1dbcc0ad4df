"""What stands on an invoice: a CDR's cost in the currency's decimals, in lines that add up. No state is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chargers.choices import StopReason
from infrastructure.models import Operator
from tariffs.pricing.rounding import money, money_unit

Json = dict[str, Any]

ZERO = Decimal(0)

_DIMENSIONS = {
    "ENERGY": ("Energy", "kWh"),
    "FLAT": ("Start fee", ""),
    "PARKING_TIME": ("Parking time", "h"),
    "RESERVATION_FLAT": ("Reservation fee", ""),
    "RESERVATION_TIME": ("Reservation", "h"),
    "SURCHARGE": ("Service fee", ""),
    "TIME": ("Charging time", "h"),
}
_STOPPED = {
    StopReason.DRIVER: "Ended by you at the vehicle or the charger.",
    StopReason.PARTNER: "Ended at the payment terminal.",
    StopReason.LIMIT: "Ended automatically at the pre-authorised amount.",
    StopReason.STAFF: "Ended by the operator.",
    StopReason.CHARGER: "Ended by the charger.",
}


@dataclass(frozen=True, slots=True)
class Content:
    """Amounts as strings in the currency's decimals; `total_gross` is the sum of the lines and of the rates."""

    lines: list[Json]
    vat_totals: list[Json]
    total_net: Decimal
    total_gross: Decimal


def content(cost: Json, total: Decimal, currency: str) -> Content:
    """Lines and totals of a CDR that costs `total`, VAT included."""
    total_gross = money(total, currency)
    vat_totals = _vat_totals(cost["vat_totals"], total_gross, currency)
    return Content(
        lines=_lines(cost["lines"], vat_totals, total, currency),
        vat_totals=vat_totals,
        total_net=sum((Decimal(entry["net"]) for entry in vat_totals), ZERO),
        total_gross=total_gross,
    )


def negated(entries: list[Json]) -> list[Json]:
    """Lines or totals per rate with all amounts negated; quantities and prices per unit stay as they were billed."""
    amounts = ("gross", "net", "vat_amount")
    return [
        {name: str(-Decimal(value)) if name in amounts else value for name, value in one.items()} for one in entries
    ]


def stop_reason(reason: str, remark: str) -> str:
    """For the driver: who ended the session."""
    return _STOPPED[StopReason(reason)] if reason else remark


def seller(operator: Operator) -> Json:
    """As the invoice names it for ever; its days and years are those of the time zone."""
    return {
        "name": operator.legal_name or operator.name,
        "address": operator.legal_address,
        "vat_number": operator.vat_number,
        "email": operator.email,
        "phone": operator.phone,
        "website": operator.website,
        "time_zone": operator.site.time_zone,
    }


def apportioned(amounts: Sequence[Decimal], total: Decimal, currency: str) -> list[Decimal]:
    """`amounts` in the currency's decimals so that they add up to `total`; the largest takes what is left over."""
    shares = [money(amount, currency) for amount in amounts]
    if shares:
        largest = max(range(len(shares)), key=lambda index: abs(shares[index]))
        shares[largest] += total - sum(shares, ZERO)
    return shares


def _vat_totals(entries: list[Json], total: Decimal, currency: str) -> list[Json]:
    entries = entries or [{"vat": None, "gross": str(total)}]
    shares = apportioned([Decimal(entry["gross"]) for entry in entries], total, currency)
    return [
        _vat_total(entry["vat"], share, currency)
        for entry, share in zip(entries, shares, strict=True)
        if share or len(entries) == 1
    ]


def _vat_total(rate: str | None, gross: Decimal, currency: str) -> Json:
    """Net follows from gross: the driver paid a gross price, and each row must add up."""
    net = money(gross / _factor(rate), currency)
    return {"vat": rate, "net": str(net), "vat_amount": str(gross - net), "gross": str(gross)}


def _lines(entries: list[Json], vat_totals: list[Json], total: Decimal, currency: str) -> list[Json]:
    """The lines of each rate add up to its total; where a minimum or maximum price acted, with a line that says so."""
    entries = [entry for entry in entries if Decimal(entry["quantity"]) and _is_worth_a_line(entry)]
    difference = total - sum((Decimal(entry["incl_vat"]) for entry in entries), ZERO)
    # A minimum or maximum price acted: the components alone do not make the total.
    is_limited = abs(difference) >= money_unit(currency) or not entries
    shares: dict[int, Decimal] = {}
    adjustments = []
    for rate, gross in _gross_by_rate(entries, vat_totals).items():
        own = [index for index, entry in enumerate(entries) if _rate(entry["vat"]) == rate]
        amounts = [Decimal(entries[index]["incl_vat"]) for index in own]
        target = money(sum(amounts, ZERO), currency) if is_limited or not own else gross
        shares |= zip(own, apportioned(amounts, target, currency), strict=True)
        if gross != target:
            adjustments.append(_adjustment(gross - target, rate, is_minimum=difference > 0))
    return [_line(entry, shares[index]) for index, entry in enumerate(entries)] + adjustments


def _gross_by_rate(entries: list[Json], vat_totals: list[Json]) -> dict[Decimal | None, Decimal]:
    totals = {_rate(one["vat"]): Decimal(one["gross"]) for one in vat_totals}
    return {_rate(entry["vat"]): ZERO for entry in entries} | totals


def _rate(vat: str | None) -> Decimal | None:
    return None if vat is None else Decimal(vat)


def _is_worth_a_line(entry: Json) -> bool:
    """Time that costs nothing is noise; the energy is what the driver came for."""
    return entry["dimension"] == "ENERGY" or bool(Decimal(entry["incl_vat"]))


def _line(entry: Json, gross: Decimal) -> Json:
    text, unit = _DIMENSIONS[entry["dimension"]]
    price = Decimal(entry["unit_price"]) * _factor(entry["vat"])
    return {
        "dimension": entry["dimension"],
        "text": text,
        "quantity": plain(Decimal(entry["quantity"]), 4),
        "unit": unit,
        "unit_price": plain(price, 4, least=2),
        "vat": entry["vat"],
        "gross": str(gross),
    }


def _adjustment(gross: Decimal, rate: Decimal | None, *, is_minimum: bool) -> Json:
    dimension, text = ("MIN_PRICE", "Minimum price") if is_minimum else ("MAX_PRICE", "Reduced to the maximum price")
    return {
        "dimension": dimension,
        "text": text,
        "quantity": "",
        "unit": "",
        "unit_price": "",
        "vat": None if rate is None else str(rate),
        "gross": str(gross),
    }


def _factor(rate: str | None) -> Decimal:
    return 1 + Decimal(rate or 0) / 100


def plain(value: Decimal, most: int, least: int = 0) -> str:
    """Text with `least` to `most` decimals, without superfluous zeros."""
    whole, _, decimals = f"{value:.{most}f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{decimals}" if decimals else whole
