"""Tariff details read from JSON, for tools that price them without the database."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tariffs.choices import Recurrence
from tariffs.pricing.emit import Detail, DetailPrice
from tariffs.pricing.errors import PricingError
from tariffs.pricing.reading import (
    read_amount,
    read_choice,
    read_count,
    read_integer,
    read_list,
    read_local,
    read_mapping,
)
from tariffs.pricing.tariff import DayOfWeek

_PRICES = ("energy", "charge_time", "park_time", "flat", "reservation_time")


def read_details(value: Any) -> list[Detail]:
    """Details with `id`, `priority`, `recurrence`, `start`, `stop`, `weekdays` and `prices`.

    What staff may not enter is not refused: equal priorities go by id, an empty range never applies.
    """
    return [read_detail(one, f"details[{index}]") for index, one in enumerate(read_list(value, "details"))]


def read_detail(value: Any, path: str) -> Detail:
    raw = read_mapping(value, path)
    try:
        return Detail(
            id=_read_id(raw.get("id"), f"{path}.id"),
            priority=read_integer(raw.get("priority"), f"{path}.priority"),
            recurrence=read_choice(raw.get("recurrence"), Recurrence, f"{path}.recurrence"),
            start=_read_boundary(raw, "start", path),
            stop=_read_boundary(raw, "stop", path),
            weekdays=_read_weekdays(raw.get("weekdays"), f"{path}.weekdays"),
            **_read_prices(raw.get("prices"), f"{path}.prices"),
        )
    except PricingError as error:
        # What a detail checks by itself, it does not know by number.
        raise PricingError(re.sub(r"^details\.", f"{path}.", error.field), error.message) from None


def _read_id(value: Any, path: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise PricingError(path, "is missing" if value is None else "must be a text or a whole number")
    return value


def _read_boundary(raw: Mapping[str, Any], name: str, path: str) -> datetime | None:
    value = raw.get(name)
    return None if value is None else read_local(value, f"{path}.{name}")


def _read_weekdays(value: Any, path: str) -> tuple[DayOfWeek, ...]:
    days = () if value is None else read_list(value, path)
    return tuple(read_choice(day, DayOfWeek, path) for day in days)


def _read_prices(value: Any, path: str) -> dict[str, DetailPrice]:
    raw = read_mapping(value, path)
    for name in raw:
        if name not in _PRICES:
            raise PricingError(f"{path}.{name}", f"unknown price; there are {', '.join(_PRICES)}")
    return {name: _read_price(one, f"{path}.{name}") for name, one in raw.items() if one is not None}


def _read_price(value: Any, path: str) -> DetailPrice:
    raw = read_mapping(value, path)
    price, vat = raw.get("price"), raw.get("vat")
    return DetailPrice(
        None if price is None else read_amount(price, f"{path}.price"),
        None if vat is None else read_amount(vat, f"{path}.vat"),
        read_count(raw.get("step_size", 1), f"{path}.step_size"),
    )
