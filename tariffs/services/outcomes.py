"""What becomes of the prices that staff enter: the net price that is published, and what a driver then pays."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, TariffDetail
from tariffs.pricing import money
from tariffs.services.details import net_price, vat_factor
from tariffs.services.gross_prices import number, plain

MANY = 100
_PRICES = (
    ("energy", _("Energy price"), _("kWh")),
    ("charge_time", _("Charge time price"), _("hours of charging")),
    ("park_time", _("Park time price"), _("hours without charging")),
    ("flat", _("Flat price"), _("sessions")),
    ("reservation_time", _("Reservation time price"), _("reserved hours")),
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
        vat = gettext("no VAT") if self.vat is None else gettext("%(rate)s %% VAT") % {"rate": plain(self.vat)}
        text = gettext(
            "%(net)s net is published, %(gross)s with %(vat)s results; %(many)d %(units)s cost %(billed)s %(currency)s"
        )
        if self.is_surprising:
            text = gettext(
                "%(net)s net is published, %(gross)s with %(vat)s results; "
                "%(many)d %(units)s cost %(billed)s %(currency)s, not %(expected)s"
            )
        return text % {
            "net": number(self.net),
            "gross": plain(self.gross),
            "vat": vat,
            "many": MANY,
            "units": self.units,
            "billed": number(self.billed),
            "currency": self.currency,
            "expected": number(self.expected),
        }


def outcomes(detail: TariffDetail) -> Iterator[Outcome]:
    """Of every price of the detail that is entered and not zero."""
    is_gross, currency = detail.tariff.prices_include_vat, detail.tariff.currency
    for name, label, units in _PRICES:
        entered, vat = getattr(detail, f"{name}_price"), getattr(detail, f"{name}_vat")
        net = net_price(entered, vat, is_gross=is_gross)
        if entered and net is not None:
            yield Outcome(str(label), str(units), currency, vat, is_gross, entered, net)


def surprises(tariff: RoamingTariff) -> list[str]:
    """What staff may not have meant: no price at all, or a rounding that drivers see on a bill of `MANY` units."""
    details = tariff.details.select_related("tariff")
    prices = [(detail, outcome) for detail in details for outcome in outcomes(detail)]
    if tariff.status == TariffStatus.ACTIVE and not prices and not tariff.min_price:
        return [gettext("No detail has a price: charging is free by this tariff.")]
    return [
        gettext("%(detail)s: %(price)s %(entered)s cannot be published exactly. %(outcome)s.")
        % {"detail": detail, "price": outcome.name, "entered": plain(outcome.entered), "outcome": outcome}
        for detail, outcome in prices
        if outcome.is_surprising
    ]
