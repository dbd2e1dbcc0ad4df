"""Gross prices and hours of single details, in words for staff: in their language or English."""

from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import get_language, gettext, pgettext

from tariffs.pricing import Detail, DetailPrice, PriceComponent
from tariffs.pricing.restrictions import ActiveComponents
from tariffs.services import alt_texts, timeframes
from tariffs.services.price_words import Amounts, PriceWriter
from tariffs.services.wording import WORDINGS, Wording


def free() -> str:
    return pgettext("price", "free")


def amount(value: Decimal, currency: str) -> str:
    """With the decimals of the currency, more only where they say something: "€0.49", "€0.4083"."""
    return PriceWriter(_wording(), currency, [Amounts()]).money(value)


def number(value: Decimal) -> str:
    """As the reader's language writes it, with its decimals as they are."""
    return _wording().numbers.number(value)


def plain(value: Decimal) -> str:
    """The same without trailing zeros."""
    return _wording().numbers.plain(value)


def energy_price(currency: str, details: Sequence[Detail]) -> str:
    """Per kWh alone, "" when energy is free, for example "€0.49 per kWh"."""
    return alt_texts.energy_price(currency, details, _language())


def prices_in_words(detail: Detail, currency: str) -> str:
    """Everything that costs something, for example "€0.49 per kWh, €0.60 start fee"; "free" if nothing does."""
    amounts = Amounts(*(alt_texts.gross(price) for price in detail.prices))
    listed = PriceWriter(_wording(), currency, [amounts]).listed(amounts)
    return ", ".join(filter(None, [listed, *_steps(detail)])) or free()


def short_price(detail: Detail, currency: str) -> str:
    """The one price that says most, for narrow places: of energy, else of time, else of the start."""
    units = ((detail.energy, ""), (detail.charge_time, "/h"), (detail.park_time, "/h"), (detail.flat, ""))
    for price, unit in units:
        if price.price:
            return f"{amount(alt_texts.gross(price), currency)}{unit}"
    return free()


def hours_in_words(detail: Detail) -> str:
    """When the detail applies unless a higher priority does, for example "Fri 22:00–06:00 from 1 May 2026"."""
    frame = timeframes.frame_of(detail)
    return gettext("always") if frame == timeframes.ALWAYS else timeframes.written(frame, _wording())


def detail_of(active: ActiveComponents) -> Detail:
    """Active components as a detail without hours, so that they are described alike."""
    return Detail(
        id="",
        flat=_price_of(active.flat),
        energy=_price_of(active.energy),
        charge_time=_price_of(active.time),
        park_time=_price_of(active.parking),
    )


def _steps(detail: Detail) -> list[str]:
    """Only those that a driver could notice on the bill."""
    energy = [step for step in [detail.energy.step_size] if detail.energy.price and step > 1]
    times = {price.step_size for price in (detail.charge_time, detail.park_time) if price.price}
    return [
        *(gettext("time in steps of %(step)s") % {"step": _duration(one)} for one in sorted(times) if one > 1),
        *(gettext("energy in steps of %(step)s") % {"step": f"{step} Wh"} for step in energy),
    ]


def _wording() -> Wording:
    return WORDINGS[_language()]


def _language() -> str:
    language = (get_language() or "")[:2]
    return language if language in WORDINGS else "en"


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds % 60 else f"{seconds // 60} min"


def _price_of(component: PriceComponent | None) -> DetailPrice:
    if component is None:
        return DetailPrice()
    return DetailPrice(component.price, component.vat, component.step_size)
