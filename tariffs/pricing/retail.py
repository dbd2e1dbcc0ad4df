"""The driver's price at a partner that only gets a wholesale tariff: the tariff times a factor, plus a fixed amount.

The wholesale cost is priced once, by the tariff. The driver's total follows from that of the CDR as it is published and
is rounded once, at the end: whoever has the CDR and the terms finds the same cent. The factor multiplies net and gross
of every line alike, so VAT keeps its rates. The fixed surcharge is an amount including VAT of a rate of its own, due
once per session that costs something at all. Limits of the tariff act before the factor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tariffs.pricing.cost import ZERO, Cost, CostDimension, CostLine
from tariffs.pricing.rounding import cut_number, money_up, ocpi_number
from tariffs.pricing.tariff import Price

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class RetailTerms:
    """`factor` > 0; `surcharge` gross, with `surcharge_vat` percent in it (None: no VAT applies)."""

    factor: Decimal = ONE
    surcharge: Decimal = ZERO
    surcharge_vat: Decimal | None = None

    @property
    def is_other(self) -> bool:
        """Whether the driver pays anything else than the tariff."""
        return self.factor != ONE or bool(self.surcharge)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RetailTerms":
        vat = value["surcharge_vat"]
        return cls(Decimal(value["factor"]), Decimal(value["surcharge"]), None if vat is None else Decimal(vat))

    def to_json(self) -> dict[str, str | None]:
        vat = None if self.surcharge_vat is None else f"{self.surcharge_vat.normalize():f}"
        factor, surcharge = f"{self.factor.normalize():f}", f"{self.surcharge.normalize():f}"
        return {"factor": factor, "surcharge": surcharge, "surcharge_vat": vat}

    def gross(self, wholesale: Decimal) -> Decimal:
        """The driver's gross amount, unrounded, for a wholesale amount as a CDR tells it."""
        published = ocpi_number(wholesale)
        return published * self.factor + self.surcharge if published else ZERO

    def wholesale_limit(self, limit: Decimal) -> Decimal:
        """The highest wholesale gross amount, in four decimals, with which the driver's does not exceed `limit`."""
        return cut_number(max((limit - self.surcharge) / self.factor, ZERO))

    def preauthorised(self, wholesale: Decimal, currency: str) -> Decimal:
        """What is blocked on the card for a wholesale amount: in whole cents, never less than it may cost."""
        return money_up(self.gross(wholesale), currency)

    def cost(self, wholesale: Cost) -> Cost:
        """What the driver pays. Limits have acted already: `subtotal` is the total."""
        wholesale = wholesale.published()
        rates = {rate: gross * self.factor for rate, gross in wholesale.shares()}
        lines = tuple(self._line(line) for line in wholesale.lines)
        surcharge = Price(ZERO, ZERO)
        if self.surcharge and wholesale.total.incl_vat:
            surcharge = Price(self.surcharge / (1 + (self.surcharge_vat or ZERO) / 100), self.surcharge)
            rates[self.surcharge_vat] = rates.get(self.surcharge_vat, ZERO) + self.surcharge
            lines = (*lines, self._surcharge_line(surcharge))
        total = _sum(self._times(wholesale.total), surcharge)
        return replace(
            wholesale,
            lines=lines,
            fixed=_sum(self._times(wholesale.fixed), surcharge),
            energy=self._times(wholesale.energy),
            time=self._times(wholesale.time),
            parking=self._times(wholesale.parking),
            reservation=self._times(wholesale.reservation),
            subtotal=total,
            total=total,
            gross_by_rate=tuple(rates.items()),
        )

    def _line(self, line: CostLine) -> CostLine:
        return replace(
            line,
            price=line.price * self.factor,
            excl_vat=line.excl_vat * self.factor,
            incl_vat=line.incl_vat * self.factor,
        )

    def _surcharge_line(self, amount: Price) -> CostLine:
        return CostLine(
            CostDimension.SURCHARGE, amount.excl_vat, self.surcharge_vat, ONE, amount.excl_vat, amount.incl_vat
        )

    def _times(self, price: Price) -> Price:
        return Price(price.excl_vat * self.factor, price.incl_vat * self.factor)


def _sum(one: Price, other: Price) -> Price:
    return Price(one.excl_vat + other.excl_vat, one.incl_vat + other.incl_vat)
