"""The only place where amounts, energy and time are rounded."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tariffs.pricing.tariff import Price

SECONDS_PER_HOUR = Decimal(3600)
_FOUR_DECIMALS = Decimal("0.0001")
_ONE = Decimal(1)

# ISO 4217 minor units where they are not two.
_MINOR_UNITS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def ocpi_number(value: Decimal) -> Decimal:
    """Round half up to the four decimals an OCPI number has (2.2.1 types, number)."""
    return value.quantize(_FOUR_DECIMALS, ROUND_HALF_UP)


def json_number(value: Decimal) -> float:
    """The OCPI number as a JSON number with at most four decimals."""
    return float(ocpi_number(value))


def money_unit(currency: str) -> Decimal:
    """The smallest amount of an ISO 4217 currency, for example 0.01 for EUR."""
    return _ONE.scaleb(-_MINOR_UNITS.get(currency.upper(), 2))


def currencies_with_decimals(decimals: int) -> tuple[str, ...]:
    """ISO 4217 codes with so many decimals, other than the usual two: for rounding in the database."""
    return tuple(code for code, number in _MINOR_UNITS.items() if number == decimals)


def money(amount: Decimal, currency: str) -> Decimal:
    """Round an amount half up to the decimals of an ISO 4217 currency."""
    return amount.quantize(money_unit(currency), ROUND_HALF_UP)


def money_up(amount: Decimal, currency: str) -> Decimal:
    """Round an amount up to the decimals of an ISO 4217 currency."""
    return amount.quantize(money_unit(currency), ROUND_CEILING)


def cut_number(value: Decimal) -> Decimal:
    """The four decimals of an OCPI number, never more than `value`; which is not negative."""
    return value.quantize(_FOUR_DECIMALS, ROUND_DOWN)


def price_for_ocpi(price: "Price") -> dict[str, float]:
    """An OCPI Price object with at most four decimals."""
    return {"excl_vat": json_number(price.excl_vat), "incl_vat": json_number(price.incl_vat)}


def truncated_hours(seconds: Decimal) -> Decimal:
    """Hours cut to four decimals: never more than the true time, so that step_size 1 finds the true second."""
    return (seconds / SECONDS_PER_HOUR).quantize(_FOUR_DECIMALS, ROUND_DOWN)


def whole_watt_hours(watt_hours: Decimal) -> Decimal:
    """Energy cut to whole Wh."""
    return watt_hours.quantize(_ONE, ROUND_DOWN)
