"""What a session costs, itemised."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from tariffs.pricing.rounding import money, money_unit, ocpi_number, price_for_ocpi
from tariffs.pricing.tariff import Price

ZERO = Decimal(0)


class CostDimension(StrEnum):
    """What a line charges for; reserved time and its fee are apart from those of the session, and the surcharge of
    `retail` is no part of any tariff."""

    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"
    RESERVATION_FLAT = "RESERVATION_FLAT"
    RESERVATION_TIME = "RESERVATION_TIME"
    SURCHARGE = "SURCHARGE"


@dataclass(frozen=True, slots=True)
class CostLine:
    """Billed quantity (kWh, hours or times) at one net price and VAT percentage; amounts unrounded."""

    dimension: CostDimension
    price: Decimal
    vat: Decimal | None
    quantity: Decimal
    excl_vat: Decimal
    incl_vat: Decimal


@dataclass(frozen=True, slots=True)
class VatTotal:
    """Net, VAT and gross of one VAT percentage in the currency's decimals; `rate` None: no VAT applies."""

    rate: Decimal | None
    net: Decimal
    vat: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a session in `currency`, unrounded; `subtotal` is the total before price limits."""

    currency: str
    lines: tuple[CostLine, ...]
    fixed: Price
    energy: Price
    time: Price
    parking: Price
    reservation: Price
    subtotal: Price
    total: Price
    gross_by_rate: tuple[tuple[Decimal | None, Decimal], ...]

    def published(self) -> "Cost":
        """With totals in the four decimals that a CDR has. What is billed follows from these, for partners and
        accountants know no others: 5.57496 is published as 5.5750 and captured as 5.58."""
        return replace(self, subtotal=_published(self.subtotal), total=_published(self.total))

    @property
    def net(self) -> Decimal:
        """Total without VAT, rounded to the currency."""
        return money(self.total.excl_vat, self.currency)

    @property
    def gross(self) -> Decimal:
        """Total with VAT, rounded to the currency: of what was `published`, the amount captured and invoiced."""
        return money(self.total.incl_vat, self.currency)

    def to_ocpi(self) -> dict[str, dict[str, float]]:
        """The cost fields of a CDR. The parts add up to the total unless a price limit acts."""
        costs = {
            "total_cost": self.total,
            "total_fixed_cost": self.fixed,
            "total_energy_cost": self.energy,
            "total_time_cost": self.time,
            "total_parking_cost": self.parking,
            "total_reservation_cost": self.reservation,
        }
        return {name: price_for_ocpi(price) for name, price in costs.items()}

    def vat_totals(self) -> tuple[VatTotal, ...]:
        """Totals per VAT percentage, in ascending order; their gross amounts add up to `gross` exactly.

        A total that a limit changed is spread in proportion to the gross amounts before the limit.
        """
        shares = self.shares()
        amounts = _apportioned([share for _, share in shares], self.gross, money_unit(self.currency))
        return tuple(self._vat_total(rate, share, gross) for (rate, share), gross in zip(shares, amounts, strict=True))

    def shares(self) -> list[tuple[Decimal | None, Decimal]]:
        """Unrounded gross per rate after limits."""
        shares = sorted(self.gross_by_rate, key=lambda one: -1 if one[0] is None else one[0])
        if self.total.incl_vat == self.subtotal.incl_vat:
            return shares
        # Not `subtotal`: published, that of a few Wh is zero or far from the sum of its shares.
        before = sum((gross for _, gross in shares), ZERO)
        if not before:
            return [(self._rate_of_total(), self.total.incl_vat)]
        return [(rate, gross * self.total.incl_vat / before) for rate, gross in shares]

    def _rate_of_total(self) -> Decimal | None:
        """The percentage inside a minimum price, for a session in which nothing else costs anything."""
        net, gross = self.total.excl_vat, self.total.incl_vat
        if gross <= net or not net:
            return None
        exact = (gross - net) / net * 100
        # Limits have four decimals: the 0.4167 in 0.50 are 19.99 % and were 20 %.
        for unit in ("1", "0.1"):
            rate = exact.quantize(Decimal(unit))
            if ocpi_number(gross / (1 + rate / 100)) == net:
                return rate
        return exact.quantize(Decimal("0.01"))

    def _vat_total(self, rate: Decimal | None, share: Decimal, gross: Decimal) -> VatTotal:
        if not rate:
            return VatTotal(rate, gross, gross - gross, gross)
        # Where the cent that makes the sum right was taken from a tiny share, VAT must not become negative.
        net = min(money(share / (1 + rate / 100), self.currency), gross)
        return VatTotal(rate, net, gross - net, gross)


def _published(total: Price) -> Price:
    return Price(ocpi_number(total.excl_vat), ocpi_number(total.incl_vat))


def _apportioned(shares: Sequence[Decimal], total: Decimal, unit: Decimal) -> list[Decimal]:
    """Round the shares so that they add up to the total: the largest remainders are rounded up."""
    amounts = [share.quantize(unit, ROUND_DOWN) for share in shares]
    missing = int((total - sum(amounts, ZERO)) / unit)
    by_remainder = sorted(range(len(shares)), key=lambda index: amounts[index] - shares[index])
    for index in by_remainder[:missing]:
        amounts[index] += unit
    return amounts
