"""What a CDR costs under a tariff, from JSON to JSON: the content of `manage.py price`."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Any

from tariffs.pricing.cost import CostLine
from tariffs.pricing.details import read_details
from tariffs.pricing.emit import emit_elements
from tariffs.pricing.engine import price_each_period
from tariffs.pricing.errors import PricingError, errors_inside
from tariffs.pricing.periods import ChargingPeriod, read_periods, written_instant
from tariffs.pricing.reading import read_instant, read_mapping, read_text
from tariffs.pricing.restrictions import read_time_zone
from tariffs.pricing.rounding import json_number
from tariffs.pricing.tariff import Tariff

# ISO 4217 for "no currency": amounts in four decimals are the same in all of them.
_NO_CURRENCY = "XXX"

Report = dict[str, Any]


def read_json(text: str | bytes, field: str) -> Any:
    """The JSON of a file or line in UTF-8. Raises PricingError."""
    try:
        return json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise PricingError(field, f"is no JSON: {error}" if text.strip() else "is empty") from None


def report_line(line: str | bytes) -> Report:
    """One line of a batch: `cdr`, `time_zone` and either `tariff` or `details`; on bad input `error` and `field`."""
    try:
        raw = read_mapping(read_json(line, "line"), "line")
        if raw.get("details") is None:
            return report(raw.get("tariff"), raw.get("cdr"), raw.get("time_zone"))
        return report_details(raw)
    except PricingError as error:
        return {"error": str(error), "field": error.field}


def report(tariff: Any, cdr: Any, time_zone: Any) -> Report:
    """The price of an OCPI 2.2.1 CDR under an OCPI tariff, in total and for each period. Raises PricingError."""
    try:
        with errors_inside("tariff"):
            read = Tariff.from_ocpi(tariff)
        return _priced(read, cdr, read_time_zone(time_zone))
    except ArithmeticError:
        # Each value is in range; a product or a date of them is not.
        raise PricingError("cdr", "cannot be computed: values are too large") from None


def report_details(raw: Mapping[str, Any]) -> Report:
    """The same for a tariff of details, with the `elements` that partners would see. Raises PricingError.

    `currency`, `min_price` and `max_price` (OCPI Price) may stand beside `details`. A `tariff` beside them must
    have exactly these elements.
    """
    elements = [element.to_ocpi() for element in emit_elements(read_details(raw["details"]))]
    tariff = raw.get("tariff")
    if tariff is None:
        cdr = read_mapping(raw.get("cdr"), "cdr")
        currency = raw.get("currency", cdr.get("currency", _NO_CURRENCY))
        limits = {name: raw.get(name) for name in ("min_price", "max_price")}
        tariff = {"id": "details", "currency": currency, "elements": elements, **limits}
    elif read_mapping(tariff, "tariff").get("elements") != elements:
        raise PricingError("tariff.elements", "are not those of the details; give one of the two")
    return report(tariff, raw.get("cdr"), raw.get("time_zone")) | {"elements": elements}


def _priced(tariff: Tariff, cdr: Any, zone: tzinfo) -> Report:
    with errors_inside("cdr"):
        raw = read_mapping(cdr, "cdr")
        periods = read_periods(raw.get("charging_periods"))
        end = read_instant(raw.get("end_date_time"), "end_date_time")
        cost, lines = price_each_period(tariff, periods, end, zone)
        _check_currency(raw, tariff)
        _check_start(raw, periods)
    _check_validity(tariff, periods[0].start)
    return {"currency": tariff.currency, **cost.to_ocpi(), "periods": _periods(periods, end, zone, lines)}


def _check_currency(cdr: Mapping[str, Any], tariff: Tariff) -> None:
    currency = cdr.get("currency")
    if currency is not None and read_text(currency, "currency").upper() != tariff.currency.upper():
        raise PricingError("currency", f"is {currency}, but that of the tariff is {tariff.currency}")


def _check_start(cdr: Mapping[str, Any], periods: Sequence[ChargingPeriod]) -> None:
    start = cdr.get("start_date_time")
    if start is not None and read_instant(start, "start_date_time") > periods[0].start:
        raise PricingError("charging_periods[0].start_date_time", f"lies before the start of the session, {start}")


def _check_validity(tariff: Tariff, start: datetime) -> None:
    if not tariff.is_valid_at(start):
        is_early = tariff.start_date_time is not None and start < tariff.start_date_time
        field = "tariff.start_date_time" if is_early else "tariff.end_date_time"
        raise PricingError(field, f"the tariff is not valid when the session starts, {written_instant(start)}")


def _periods(
    periods: Sequence[ChargingPeriod], end: datetime, zone: tzinfo, lines: Sequence[Sequence[CostLine]]
) -> list[Report]:
    bounds = pairwise([*(period.start for period in periods), end])
    return [
        {
            "start_date_time": written_instant(since),
            "end_date_time": written_instant(until),
            "local_start": since.astimezone(zone).isoformat(),
            "costs": [_line(line) for line in of_period],
        }
        for (since, until), of_period in zip(bounds, lines, strict=True)
    ]


def _line(line: CostLine) -> Report:
    """Billed kWh or hours and the price of each; amounts with four decimals."""
    return {
        "dimension": line.dimension.value,
        "quantity": json_number(line.quantity),
        "price": json_number(line.price),
        "vat": None if line.vat is None else json_number(line.vat),
        "excl_vat": json_number(line.excl_vat),
        "incl_vat": json_number(line.incl_vat),
    }
