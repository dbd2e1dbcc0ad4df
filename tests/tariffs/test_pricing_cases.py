"""Worked examples: details as staff enter them, the OCPI tariff, a CDR, and totals worked out by hand."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tariffs.pricing import (
    DayOfWeek,
    Detail,
    DetailPrice,
    Tariff,
    emit_elements,
    price_periods,
    read_periods,
    split_session,
)

pytestmark = pytest.mark.any_database

PATHS = sorted((Path(__file__).parent / "cases").glob("h*.json"))


def instant(text):
    return datetime.fromisoformat(text)


def local(text):
    return datetime.fromisoformat(text) if text else None


def number(value):
    return None if value is None else Decimal(str(value))


def detail_from(raw):
    prices = {
        name: DetailPrice(number(one.get("price")), number(one.get("vat")), one.get("step_size", 1))
        for name, one in raw["prices"].items()
    }
    weekdays = tuple(DayOfWeek(day) for day in raw["weekdays"])
    return Detail(
        raw["id"],
        raw["priority"],
        raw["recurrence"],
        local(raw["start"]),
        local(raw["stop"]),
        weekdays,
        **prices,
    )


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def case(request):
    return json.loads(request.param.read_text())


def test_there_are_cases():
    assert len(PATHS) == 14


def test_cdr_costs_what_was_worked_out_by_hand(case):
    cdr = case["cdr"]
    cost = price_periods(
        Tariff.from_ocpi(cdr["tariffs"][0]),
        read_periods(cdr["charging_periods"]),
        instant(cdr["end_date_time"]),
        case["time_zone"],
    )
    assert cost.to_ocpi()["total_cost"] == case["expected"] == cdr["total_cost"]


def test_details_become_these_elements(case):
    details = [detail_from(raw) for raw in reversed(case["details"])]
    assert [one.to_ocpi() for one in emit_elements(details)] == case["tariff"]["elements"]


def test_meter_readings_become_these_periods(case):
    if case["name"] == "h26_price_what_you_publish":
        return  # its three periods have one price: we publish one, see test_pricing_split
    cdr = case["cdr"]
    periods = cdr["charging_periods"]
    starts = [instant(period["start_date_time"]) for period in periods]
    ends = [*starts[1:], instant(cdr["end_date_time"])]
    kinds = [{one["type"]: one["volume"] for one in period["dimensions"]} for period in periods]
    register, readings, parked = Decimal(500), [(starts[0], Decimal(500))], []
    for start, end, volumes in zip(starts, ends, kinds, strict=True):
        register += Decimal(str(volumes.get("ENERGY", 0))) * 1000
        readings.append((end, register))
        if "PARKING_TIME" in volumes:
            parked.append((start, end))
    is_reserved = "RESERVATION_TIME" in kinds[0]
    split = split_session(
        Tariff.from_ocpi(case["tariff"]),
        readings,
        parked,
        starts[1] if is_reserved else starts[0],
        ends[-1],
        case["time_zone"],
        reserved_from=starts[0] if is_reserved else None,
    )
    assert split == read_periods(periods)
