"""How fast the pricing engine is; see README.md in this folder. Run: .venv/bin/python -m benchmarks.pricing"""

import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tariffs.pricing import ChargingPeriod, Tariff, cost_now, price_periods
from tariffs.pricing.report import report_line

ZONE = "Europe/Vienna"
START = datetime(2026, 2, 6, 19, tzinfo=UTC)
SAMPLES = 500
SAMPLE_INTERVAL = timedelta(seconds=10)
ROUNDS = 7
SECONDS_PER_ROUND = 0.4


def element(energy: float, time_: float, parking: float, **restrictions: Any) -> dict[str, Any]:
    prices = {"FLAT": 0.5, "ENERGY": energy, "TIME": time_, "PARKING_TIME": parking}
    components = [{"type": kind, "price": price, "vat": 20, "step_size": 1} for kind, price in prices.items()]
    return {"price_components": components} | ({"restrictions": restrictions} if restrictions else {})


# Four elements of four components; the session falls into three of them, and into the next calendar day.
TARIFF = {
    "id": "BENCHMARK",
    "currency": "EUR",
    "elements": [
        element(0.29, 0, 0.6, start_time="22:00", day_of_week=["FRIDAY", "SATURDAY"]),
        element(0.31, 0, 0.6, end_time="06:00", start_date="2026-01-01", end_date="2027-01-01"),
        element(0.44, 1.2, 6, min_kwh=20),
        element(0.49, 1.2, 6),
    ],
    "max_price": {"excl_vat": 80, "incl_vat": 96},
}
CDR = {
    "currency": "EUR",
    "start_date_time": "2026-02-06T19:00:00Z",
    "end_date_time": "2026-02-06T23:30:00Z",
    "charging_periods": [
        {"start_date_time": start, "dimensions": [{"type": kind, "volume": volume} for kind, volume in volumes.items()]}
        for start, volumes in (
            ("2026-02-06T19:00:00Z", {"ENERGY": 20, "TIME": 0.7317}),
            ("2026-02-06T19:43:54Z", {"ENERGY": 12.345, "TIME": 1.2683}),
            ("2026-02-06T21:00:00Z", {"ENERGY": 0, "PARKING_TIME": 2.5}),
        )
    ],
}


def processor_seconds(work: Callable[[], object]) -> float:
    """Of this process for one call, the best of some rounds: others use the machine as well."""
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        calls, began = 0, time.process_time()
        while (spent := time.process_time() - began) < SECONDS_PER_ROUND:
            for _ in range(20):
                work()
            calls += 20
        best = min(best, spent / calls)
    return best


def reference(periods: list[ChargingPeriod], price: Decimal) -> Decimal:
    """What everybody writes first: kWh x price, added up."""
    total = Decimal(0)
    for period in periods:
        total += period.energy_kwh * price
    return total


def main() -> None:
    tariff = Tariff.from_ocpi(TARIFF)
    periods = [ChargingPeriod.from_ocpi(period) for period in CDR["charging_periods"]]
    end, price = datetime(2026, 2, 6, 23, 30, tzinfo=UTC), Decimal("0.49")
    readings = [(START + number * SAMPLE_INTERVAL, Decimal(number * 61)) for number in range(SAMPLES)]
    now = readings[-1][0] + SAMPLE_INTERVAL
    line = json.dumps({"tariff": TARIFF, "cdr": CDR, "time_zone": ZONE}).encode()

    cdr = processor_seconds(lambda: price_periods(tariff, periods, end, ZONE))
    plain = processor_seconds(lambda: reference(periods, price))
    again = processor_seconds(lambda: cost_now(tariff, readings, [], START, now, ZONE))
    whole = processor_seconds(lambda: json.dumps(report_line(line)))

    print(f"Python {platform.python_version()}, {platform.machine()}, processor time, best of {ROUNDS} rounds")
    print(f"{'CDRs of 3 periods under 4 elements':<52}{1 / cdr:>12,.0f} /s   (wanted: 25,000)")
    print(f"{'  reference: 3 x kWh x price':<52}{1 / plain:>12,.0f} /s")
    print(f"{'  ratio to the reference':<52}{cdr / plain:>12.1f} x")
    print(f"{f'Pricing a running session again, {SAMPLES} samples':<52}{again * 1000:>12.2f} ms  (wanted: below 2)")
    print(f"{'Lines of `manage.py price --batch`, from JSON to JSON':<52}{1 / whole:>12,.0f} /s")


if __name__ == "__main__":
    main()
