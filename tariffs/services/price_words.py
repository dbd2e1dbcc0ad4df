"""Gross prices in the words of one language."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

from tariffs.pricing import money, ocpi_number
from tariffs.services.wording import Wording

_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
_TIMES = ("charge_time", "park_time", "reservation_time")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Gross prices that apply together: per kWh, per hour, per session."""

    energy: Decimal = _ZERO
    charge_time: Decimal = _ZERO
    park_time: Decimal = _ZERO
    flat: Decimal = _ZERO
    reservation_time: Decimal = _ZERO


_NAMES = tuple(field.name for field in fields(Amounts))


class PriceWriter:
    """Writes the prices of one tariff; `offers` are all that can apply, at different times."""

    def __init__(self, wording: Wording, currency: str, offers: Sequence[Amounts]) -> None:
        self.wording = wording
        self.currency = currency
        self.offers = offers
        self._by_minute = {name for name in _TIMES if all(_is_exact(getattr(offer, name) / 60) for offer in offers)}
        prices = wording.prices
        self._templates = {
            "energy": prices.energy,
            "charge_time": prices.per_minute if "charge_time" in self._by_minute else prices.per_hour,
            "park_time": prices.parked_per_minute if "park_time" in self._by_minute else prices.parked_per_hour,
            "flat": prices.start_fee,
            "reservation_time": (
                prices.reserved_per_minute if "reservation_time" in self._by_minute else prices.reserved_per_hour
            ),
        }

    @property
    def common(self) -> frozenset[str]:
        """Prices that are the same at all times and can be said once: each offer must have another one left."""
        same = {name for name in _NAMES if len({getattr(offer, name) for offer in self.offers}) == 1}
        has_other = all(any(getattr(offer, name) for name in _NAMES if name not in same) for offer in self.offers)
        return frozenset(name for name in same if getattr(self.offers[0], name)) if has_other else frozenset()

    def listed(self, offer: Amounts, *, only: Collection[str] = _NAMES, without: Collection[str] = ()) -> str:
        """What costs something, "" for nothing."""
        wanted = (name for name in _NAMES if name in only and name not in without and getattr(offer, name))
        return ", ".join(self._templates[name].format(self._amount(name, offer)) for name in wanted)

    def ranges(self) -> str:
        """The lowest to the highest of each price that is not always zero."""
        return ", ".join(filter(None, (self._range(name) for name in _NAMES)))

    def energy_range(self) -> str:
        return self._range("energy")

    def money(self, amount: Decimal) -> str:
        """With the decimals of the currency, more only where they say something."""
        rounded, numbers = money(amount, self.currency), self.wording.numbers
        number = numbers.number(rounded) if rounded == amount else numbers.plain(ocpi_number(amount))
        symbol = _SYMBOLS.get(self.currency)
        if symbol is None:
            return numbers.with_code.format(code=self.currency, number=number)
        return numbers.with_symbol.format(symbol=symbol, number=number)

    def _range(self, name: str) -> str:
        low, high = (self._amount(name, extreme) for extreme in self._extremes(name))
        if not any(getattr(offer, name) for offer in self.offers):
            return ""
        return self._templates[name].format(low if low == high else self.wording.prices.between.format(low, high))

    def _extremes(self, name: str) -> tuple[Amounts, Amounts]:
        ordered = sorted(self.offers, key=lambda offer: getattr(offer, name))
        return ordered[0], ordered[-1]

    def _amount(self, name: str, offer: Amounts) -> str:
        amount = getattr(offer, name)
        return self.money(amount / 60 if name in self._by_minute else amount)


def _is_exact(amount: Decimal) -> bool:
    """With the four decimals of OCPI."""
    return ocpi_number(amount) == amount
