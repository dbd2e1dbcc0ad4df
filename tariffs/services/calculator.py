"""What an imagined session would cost: priced from the document that partners get, by the engine that bills."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.utils import timezone

from tariffs.models import RoamingTariff, TariffVersion
from tariffs.pricing import ChargingPeriod, Cost, Detail, Price, Tariff, price_periods, split_session
from tariffs.services.details import to_pricing
from tariffs.services.publish import build_content
from tariffs.services.versions import ocpi_tariff
from tariffs.services.week import Timetable

ZERO = Decimal(0)
WATT_HOURS_PER_KWH = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A session: energy flows evenly for `charging`, then the car stays connected for `parked`. `start` is UTC."""

    start: datetime
    charging: timedelta
    kwh: Decimal
    parked: timedelta
    zone: ZoneInfo

    @property
    def charged_at(self) -> datetime:
        return self.start + self.charging

    @property
    def end(self) -> datetime:
        return self.charged_at + self.parked


@dataclass(frozen=True, slots=True)
class PricedPeriod:
    """One charging period until `end`; `cost` is what it adds to the bill before limits.

    Rounding up to steps happens once per session, so the last period that is rounded carries it.
    """

    period: ChargingPeriod
    end: datetime
    detail: Detail | None
    cost: Price


@dataclass(frozen=True, slots=True)
class Calculation:
    """`details` are those of the tariff, highest priority first."""

    tariff: Tariff
    details: tuple[Detail, ...]
    periods: tuple[PricedPeriod, ...]
    cost: Cost


def calculate(tariff: RoamingTariff, example: Example, *, for_terminals: bool) -> Calculation:
    """The session under the tariff as it is saved, published or not; for terminals never above the blocked amount.

    Raises ValidationError for a tariff without details and PricingError for input that cannot be priced.
    """
    document = tariff_as_published(tariff, for_terminals=for_terminals)
    periods = _periods(document, example)
    cost = _priced_whole(document, periods, example)
    details = tuple(to_pricing(row) for row in tariff.details.order_by("-priority", "pk"))
    return Calculation(document, details, tuple(_priced(document, periods, example, Timetable(details))), cost)


def tariff_as_published(tariff: RoamingTariff, *, for_terminals: bool) -> Tariff:
    """The tariff that partners have, or would have if it was published now. Raises ValidationError without details."""
    version = TariffVersion(tariff=tariff, number=0, content=build_content(tariff))
    return document_of(version, for_terminals=for_terminals)


def document_of(version: TariffVersion, *, for_terminals: bool) -> Tariff:
    """The tariff as partners get it, read again as they read it."""
    published = ocpi_tariff(
        version, country_code="", party_id="", last_updated=timezone.now(), for_terminals=for_terminals
    )
    return Tariff.from_ocpi(published)


def cost_of(document: Tariff, example: Example) -> Cost:
    """Of the whole session, without its periods. Raises PricingError."""
    return _priced_whole(document, _periods(document, example), example)


def _periods(document: Tariff, example: Example) -> Sequence[ChargingPeriod]:
    readings = [(example.start, ZERO), (example.charged_at, example.kwh * WATT_HOURS_PER_KWH)]
    spans = [(example.charged_at, example.end)] if example.parked else []
    return split_session(document, readings, spans, example.start, example.end, example.zone)


def _priced_whole(document: Tariff, periods: Sequence[ChargingPeriod], example: Example) -> Cost:
    return price_periods(document, periods, example.end, example.zone).published()


def _priced(
    tariff: Tariff, periods: Sequence[ChargingPeriod], example: Example, timetable: Timetable
) -> Iterator[PricedPeriod]:
    """Each period with the difference that it makes: the bill up to its end less the bill up to its start."""
    ends = [*(period.start for period in periods[1:]), example.end]
    bills = [
        price_periods(tariff, periods[: number + 1], end, example.zone).published().subtotal
        for number, end in enumerate(ends)
    ]
    for period, end, (before, after) in zip(periods, ends, pairwise([Price(ZERO, ZERO), *bills]), strict=True):
        cost = Price(after.excl_vat - before.excl_vat, after.incl_vat - before.incl_vat)
        yield PricedPeriod(period, end, timetable.detail_at(period.start, example.zone), cost)
