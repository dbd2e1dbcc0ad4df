"""Tariff details in the words of the pricing engine, which knows net prices only.

`TariffDetail.start` and `stop` are wall-clock times at the area, kept as if they were UTC: 18:00 typed means
18:00 at every area, whatever its zone.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from tariffs.choices import Recurrence
from tariffs.models import TariffDetail
from tariffs.pricing import DayOfWeek, Detail, DetailPrice, ocpi_number
from tariffs.pricing.tariff import TariffElement


def wall_time(stored: datetime | None) -> datetime | None:
    return None if stored is None else stored.astimezone(UTC).replace(tzinfo=None)


def to_pricing(detail: TariffDetail) -> Detail:
    """Raises PricingError where `validation` would have refused the detail."""

    def price(entered: Decimal | None, vat: Decimal | None, step_size: int = 1) -> DetailPrice:
        return DetailPrice(net_price(entered, vat, is_gross=detail.tariff.prices_include_vat), vat, step_size)

    return Detail(
        id=detail.pk,
        priority=detail.priority,
        recurrence=Recurrence(detail.recurrence),
        start=wall_time(detail.start),
        stop=wall_time(detail.stop),
        weekdays=tuple(DayOfWeek(day) for day in detail.weekdays),
        energy=price(detail.energy_price, detail.energy_vat, detail.energy_step_size),
        charge_time=price(detail.charge_time_price, detail.charge_time_vat, detail.time_step_size),
        park_time=price(detail.park_time_price, detail.park_time_vat, detail.time_step_size),
        flat=price(detail.flat_price, detail.flat_vat),
        reservation_time=price(detail.reservation_time_price, detail.reservation_time_vat, detail.time_step_size),
    )


def net_price(entered: Decimal | None, vat: Decimal | None, *, is_gross: bool) -> Decimal | None:
    """The price that is published and billed: without VAT (percent), four decimals."""
    if entered is None:
        return None
    return ocpi_number(entered / vat_factor(vat)) if is_gross else entered


def vat_factor(vat: Decimal | None) -> Decimal:
    """What a net amount is multiplied with; no VAT is 1."""
    return 1 + (vat or Decimal(0)) / 100


def prices_of(elements: Iterable[TariffElement]) -> list[Detail]:
    """What `pricing.max_limit` and `min_limit` need to know of published elements: every price with its VAT."""
    return [
        Detail(id="", energy=DetailPrice(component.price, component.vat))
        for element in elements
        for component in element.price_components
        if component.price > Decimal(0)
    ]
