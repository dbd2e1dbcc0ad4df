"""Amounts of money as the card business has them: two decimals, half up."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

CENT = Decimal("0.01")


def cents(amount: Any) -> Decimal:
    """Rounds half up to two decimals."""
    return Decimal(str(amount)).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Capture:
    """What is taken from the card; gross and net."""

    incl_vat: Decimal
    excl_vat: Decimal
    complete: bool


def capture(total_cost: dict[str, Any], held: Decimal) -> Capture:
    """The gross total of a CDR, never more than is held; the net part shrinks along with it."""
    gross = cents(total_cost.get("incl_vat", total_cost["excl_vat"]))
    net = cents(total_cost["excl_vat"])
    taken = min(gross, held)
    if taken == gross:
        return Capture(gross, net, complete=True)
    return Capture(taken, cents(net * taken / gross), complete=False)


def drivers_price(total_cost: dict[str, Any], hold: dict[str, Any]) -> dict[str, Any]:
    """The price of a CDR by the terms of the tap: a provider that buys wholesale sells for that times its factor, and a
    surcharge for each session that costs anything."""
    factor, surcharge = Decimal(hold.get("retail_factor", "1")), Decimal(hold.get("retail_surcharge", "0"))
    costs = {name: Decimal(str(value)) for name, value in total_cost.items()}
    return {name: value * factor + surcharge if value else value for name, value in costs.items()}
