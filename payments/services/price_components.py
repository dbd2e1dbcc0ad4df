"""The ad hoc price of a displayed tariff in the order of AFIR (Regulation (EU) 2023/1804, article 5 (4))."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from payments.models import DisplayedTariff
from tariffs.pricing import DetailPrice, PriceComponent, RetailTerms, Tariff, TariffElement
from tariffs.pricing.restrictions import ActiveComponents, Moment, active_components
from tariffs.services import alt_texts
from tariffs.services.gross_prices import amount

ZERO = Decimal(0)
_NOTHING_USED = (ZERO, timedelta())


@dataclass(frozen=True, slots=True)
class Components:
    """Gross and in words: one price, the lowest and the highest where it depends on the hour, "" where it is free."""

    per_kwh: str
    per_minute: str
    per_session: str
    other: str


def components(displayed: DisplayedTariff, at: datetime | None, time_zone: str) -> Components:
    """For a session that starts `at`; None: of all hours."""
    tariff = Tariff.from_ocpi(displayed.body)
    active = list(_active(tariff.session_elements, at, time_zone))
    terms = RetailTerms() if displayed.retail is None else RetailTerms.from_json(displayed.retail)
    write = _Writer(tariff.currency, terms)
    return Components(
        per_kwh=write([one.energy for one in active]),
        per_minute=write([one.time for one in active], 60),
        per_session=write([one.flat for one in active], extra=terms.surcharge),
        other="; ".join(_other(tariff, active, at, time_zone, write)),
    )


def _other(
    tariff: Tariff, active: Sequence[ActiveComponents], at: datetime | None, time_zone: str, write: "_Writer"
) -> Iterator[str]:
    parked = write([one.parking for one in active], 60)
    if parked:
        yield _("%(price)s per minute connected without charging") % {"price": parked}
    reserved = write([one.time for one in _active(tariff.reservation_elements, at, time_zone)], 60)
    if reserved:
        yield _("%(price)s per minute reserved") % {"price": reserved}
    if tariff.min_price is not None:
        least = amount(write.terms.gross(tariff.min_price.incl_vat or tariff.min_price.excl_vat), tariff.currency)
        yield _("at least %(price)s per session") % {"price": least}


def _active(elements: Sequence[TariffElement], at: datetime | None, time_zone: str) -> Iterator[ActiveComponents]:
    """What applies at the instant; without one what may ever apply: nothing after an element that always does."""
    if at is not None:
        yield active_components(elements, Moment(at.astimezone(ZoneInfo(time_zone)), *_NOTHING_USED))
        return
    for element in elements:
        yield ActiveComponents(element.flat, element.energy, element.time, element.parking)
        if not element.restrictions or not element.restrictions.has_clock:
            return


@dataclass(frozen=True, slots=True)
class _Writer:
    currency: str
    terms: RetailTerms

    def __call__(self, found: Iterable[PriceComponent | None], parts: int = 1, extra: Decimal = ZERO) -> str:
        """Per unit, of which there are `parts` in the component's own, and `extra` besides."""
        prices = sorted({(ZERO if one is None else _gross(one) * self.terms.factor) / parts + extra for one in found})
        if not prices or not prices[-1]:
            return ""
        texts = [amount(price, self.currency) for price in (prices[0], prices[-1])]
        return " – ".join(dict.fromkeys(texts))


def _gross(component: PriceComponent) -> Decimal:
    return alt_texts.gross(DetailPrice(component.price, component.vat, component.step_size))
