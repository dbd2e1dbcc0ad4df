"""What becomes of the prices that staff enter: the net price that is published, and what a driver then pays."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from tariffs.models import RoamingTariff, TariffDetail
from tariffs.pricing import money
from tariffs.services.details import net_price, vat_factor

MANY = 100
_PRICES = (
    ("energy", "kWh"),
    ("charge_time", "hours of charging"),
    ("park_time", "hours without charging"),
    ("flat", "sessions"),
    ("reservation_time", "reserved hours"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One entered price: `net` is published and billed, `gross` (exact) is paid; `units` is what is counted."""

    name: str
    units: str
    currency: str
    vat: Decimal | None
    is_gross: bool
    entered: Decimal
    net: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net * vat_factor(self.vat)

    @property
    def billed(self) -> Decimal:
        """What `MANY` units cost including VAT."""
        return money(MANY * self.gross, self.currency)

    @property
    def expected(self) -> Decimal:
        """What they would cost if the price could be published as it was entered."""
        return money(MANY * self.entered * (1 if self.is_gross else vat_factor(self.vat)), self.currency)

    @property
    def is_surprising(self) -> bool:
        return self.billed != self.expected

    def __str__(self) -> str:
        vat = "no VAT" if self.vat is None else f"{plain(self.vat)} % VAT"
        example = f"{MANY} {self.units} cost {self.billed:f} {self.currency}"
        if self.is_surprising:
            example += f", not {self.expected:f}"
        return f"{self.net:f} net is published, {plain(self.gross)} with {vat} results; {example}"


def outcomes(detail: TariffDetail) -> Iterator[Outcome]:
    """Of every price of the detail that is entered and not zero."""
    is_gross, currency = detail.tariff.prices_include_vat, detail.tariff.currency
    for name, units in _PRICES:
        entered, vat = getattr(detail, f"{name}_price"), getattr(detail, f"{name}_vat")
        net = net_price(entered, vat, is_gross=is_gross)
        if entered and net is not None:
            yield Outcome(f"{name.capitalize().replace('_', ' ')} price", units, currency, vat, is_gross, entered, net)


def surprises(tariff: RoamingTariff) -> list[str]:
    """A sentence for every price whose rounding a driver could see on a bill of `MANY` units."""
    return [
        f"{detail}: {outcome.name} {plain(outcome.entered)} cannot be published exactly. {outcome}."
        for detail in tariff.details.select_related("tariff")
        for outcome in outcomes(detail)
        if outcome.is_surprising
    ]


def plain(number: Decimal) -> str:
    """Without trailing zeros and never in scientific notation."""
    return f"{number.normalize():f}"
