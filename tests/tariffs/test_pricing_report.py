"""From JSON to JSON: what is refused, by which field, and what is priced all the same."""

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.pricing.report import report_line

pytestmark = pytest.mark.any_database

CASES = Path(__file__).parent / "cases"


def case(name):
    (path,) = CASES.glob(f"{name}_*.json")
    return json.loads(path.read_text())


def reported(raw):
    return report_line(json.dumps(raw))


def component(kind="ENERGY", **fields):
    return {"type": kind, "price": 0.4, "vat": 20, "step_size": 1} | fields


def period(start, *dimensions):
    return {
        "start_date_time": f"2026-02-02T{start}Z",
        "dimensions": [{"type": kind, "volume": volume} for kind, volume in dimensions],
    }


def detail(id_, **fields):
    prices = {"energy": {"price": 0.4, "vat": 20}}
    return {"id": id_, "priority": 1, "recurrence": "DAILY", "start": None, "stop": None, "prices": prices} | fields


def good_line(**fields):
    element = {"price_components": [component(), component("TIME"), component("PARKING_TIME")]}
    return {
        "time_zone": "Europe/Vienna",
        "tariff": {"id": "T", "currency": "EUR", "elements": [element]},
        "cdr": {
            "currency": "EUR",
            "start_date_time": "2026-02-02T09:00:00Z",
            "end_date_time": "2026-02-02T11:00:00Z",
            "charging_periods": [
                period("09:00:00", ("ENERGY", 10), ("TIME", 1)),
                period("10:00:00", ("ENERGY", 0), ("PARKING_TIME", 1)),
            ],
        },
    } | fields


def changed(path, value):
    """A good line with one value replaced, or removed for `...`."""
    raw = good_line()
    *parents, last = path.split("/")
    target = raw
    for name in parents:
        target = target[int(name) if name.isdigit() else name]
    last = int(last) if last.isdigit() else last
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return raw


def test_good_line_is_good():
    assert reported(good_line())["total_cost"] == {"excl_vat": 4.8, "incl_vat": 5.76}


PERIODS = "cdr/charging_periods"
COMPONENT = "tariff/elements/0/price_components/0"
RESTRICTIONS = "tariff/elements/0/restrictions"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("time_zone", ..., "time_zone"),
        ("time_zone", None, "time_zone"),
        ("time_zone", "", "time_zone"),
        ("time_zone", 1, "time_zone"),
        ("time_zone", "+01:00", "time_zone"),
        ("time_zone", "Europe", "time_zone"),
        ("tariff", "T", "tariff"),
        ("tariff/elements", ..., "tariff.elements"),
        ("tariff/elements", [], "tariff.elements"),
        ("tariff/elements", {}, "tariff.elements"),
        ("tariff/elements/0", None, "tariff.elements[0]"),
        ("tariff/elements/0/price_components", [], "tariff.elements[0].price_components"),
        ("tariff/currency", None, "tariff.currency"),
        ("tariff/min_price", 5, "tariff.min_price"),
        ("tariff/max_price", {"excl_vat": -1}, "tariff.max_price.excl_vat"),
        (f"{COMPONENT}/type", "POWER", "tariff.elements[0].price_components[0].type"),
        (f"{COMPONENT}/type", ["ENERGY"], "tariff.elements[0].price_components[0].type"),
        (f"{COMPONENT}/price", "0.4", "tariff.elements[0].price_components[0].price"),
        (f"{COMPONENT}/price", None, "tariff.elements[0].price_components[0].price"),
        (f"{COMPONENT}/price", True, "tariff.elements[0].price_components[0].price"),
        (f"{COMPONENT}/price", math.nan, "tariff.elements[0].price_components[0].price"),
        (f"{COMPONENT}/price", math.inf, "tariff.elements[0].price_components[0].price"),
        (f"{COMPONENT}/price", 10**400, "tariff.elements[0].price_components[0].price"),
        (f"{COMPONENT}/vat", -20, "tariff.elements[0].price_components[0].vat"),
        (f"{COMPONENT}/step_size", -1, "tariff.elements[0].price_components[0].step_size"),
        (f"{COMPONENT}/step_size", 1.5, "tariff.elements[0].price_components[0].step_size"),
        (f"{COMPONENT}/step_size", None, "tariff.elements[0].price_components[0].step_size"),
        (RESTRICTIONS, "", "tariff.elements[0].restrictions"),
        (RESTRICTIONS, [], "tariff.elements[0].restrictions"),
        (RESTRICTIONS, {"max_kw": 5}, "tariff.elements[0].restrictions.max_kw"),
        (RESTRICTIONS, {"day_of_week": ""}, "tariff.elements[0].restrictions.day_of_week"),
        (RESTRICTIONS, {"day_of_week": ["FREITAG"]}, "tariff.elements[0].restrictions.day_of_week"),
        (RESTRICTIONS, {"start_time": "8"}, "tariff.elements[0].restrictions.start_time"),
        (RESTRICTIONS, {"end_time": "08:60"}, "tariff.elements[0].restrictions.end_time"),
        (RESTRICTIONS, {"start_date": "20260202"}, "tariff.elements[0].restrictions.start_date"),
        (RESTRICTIONS, {"min_kwh": -1}, "tariff.elements[0].restrictions.min_kwh"),
        (RESTRICTIONS, {"max_duration": "60"}, "tariff.elements[0].restrictions.max_duration"),
        ("tariff/start_date_time", "2026-02-02T09:00:01Z", "tariff.start_date_time"),
        ("tariff/end_date_time", "2026-02-02T09:00:00Z", "tariff.end_date_time"),
        ("cdr", ..., "cdr"),
        ("cdr", [], "cdr"),
        ("cdr/currency", "CHF", "cdr.currency"),
        ("cdr/end_date_time", None, "cdr.end_date_time"),
        ("cdr/end_date_time", "2026-02-02", "cdr.end_date_time"),
        ("cdr/end_date_time", "2026-W06-1T11:00:00Z", "cdr.end_date_time"),
        ("cdr/end_date_time", "0001-01-01T00:00:00+14:00", "cdr.end_date_time"),
        ("cdr/end_date_time", "2026-02-02T09:59:59Z", "cdr.end_date_time"),
        ("cdr/start_date_time", "2026-02-02T09:00:01Z", "cdr.charging_periods[0].start_date_time"),
        ("cdr/start_date_time", 0, "cdr.start_date_time"),
        (PERIODS, ..., "cdr.charging_periods"),
        (PERIODS, [], "cdr.charging_periods"),
        (PERIODS, "x", "cdr.charging_periods"),
        (f"{PERIODS}/0", 1, "cdr.charging_periods[0]"),
        (f"{PERIODS}/1/start_date_time", "2026-02-02T08:59:59Z", "cdr.charging_periods[1].start_date_time"),
        (f"{PERIODS}/1/start_date_time", None, "cdr.charging_periods[1].start_date_time"),
        (f"{PERIODS}/0/dimensions", None, "cdr.charging_periods[0].dimensions"),
        (f"{PERIODS}/0/dimensions/1/type", "FLAT", "cdr.charging_periods[0].dimensions[1].type"),
        (f"{PERIODS}/0/dimensions/1/type", {}, "cdr.charging_periods[0].dimensions[1].type"),
        (f"{PERIODS}/0/dimensions/1/type", "ENERGY", "cdr.charging_periods[0].dimensions[1].type"),
        (f"{PERIODS}/0/dimensions/0/volume", -0.001, "cdr.charging_periods[0].dimensions[0].volume"),
        (f"{PERIODS}/0/dimensions/1/volume", -1, "cdr.charging_periods[0].dimensions[1].volume"),
        (f"{PERIODS}/1/dimensions/1/volume", "1", "cdr.charging_periods[1].dimensions[1].volume"),
        (f"{PERIODS}/1/dimensions/1/volume", math.nan, "cdr.charging_periods[1].dimensions[1].volume"),
    ],
)
def test_bad_input_is_refused_by_field(path, value, field):
    found = reported(changed(path, value))
    assert found["field"] == field
    assert found["error"].startswith(f"{field}: ")
    assert "total_cost" not in found


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"id": None}, "details[0].id"),
        ({"id": True}, "details[0].id"),
        ({"priority": "high"}, "details[0].priority"),
        ({"recurrence": "WEEKLY"}, "details[0].recurrence"),
        ({"start": "2026-01-01"}, "details[0].start"),
        ({"start": "2026-01-01T08:00:30"}, "details[0].start"),
        ({"stop": "2026-01-01T08:00Z"}, "details[0].stop"),
        ({"stop": "9999-12-31T00:00"}, "details[0].stop"),
        ({"weekdays": "MONDAY"}, "details[0].weekdays"),
        ({"weekdays": ["MO"]}, "details[0].weekdays"),
        ({"prices": None}, "details[0].prices"),
        ({"prices": {"enrgy": {"price": 1}}}, "details[0].prices.enrgy"),
        ({"prices": {"energy": 0.4}}, "details[0].prices.energy"),
        ({"prices": {"energy": {"price": -0.4}}}, "details[0].prices.energy.price"),
        ({"prices": {"energy": {"price": 0.4, "vat": "20"}}}, "details[0].prices.energy.vat"),
        ({"prices": {"energy": {"price": 0.4, "step_size": -1}}}, "details[0].prices.energy.step_size"),
    ],
)
def test_bad_details_are_refused_by_field(fields, field):
    assert reported(good_line(tariff=None, details=[detail(1, **fields)]))["field"] == field


def test_products_that_no_number_holds_are_refused():
    raw = changed(f"{COMPONENT}/price", 10**12)
    raw["cdr"]["charging_periods"][0]["dimensions"][0]["volume"] = 10**12
    assert reported(raw) == {"error": "cdr: cannot be computed: values are too large", "field": "cdr"}


def test_step_size_zero_rounds_nothing():
    raw = changed(f"{COMPONENT}/step_size", 0)
    raw["cdr"]["charging_periods"][0]["dimensions"][0]["volume"] = 10.0005
    assert reported(raw)["total_energy_cost"]["excl_vat"] == 4.0002


def test_time_zone_is_needed_even_where_the_tariff_does_not_depend_on_it():
    assert "restrictions" not in good_line()["tariff"]["elements"][0]
    assert reported(changed("time_zone", ...))["error"] == "time_zone: is missing"


def test_validity_includes_its_first_instant():
    assert "error" not in reported(changed("tariff/start_date_time", "2026-02-02T09:00:00Z"))
    # It ends while the session runs: the session keeps its tariff.
    assert "error" not in reported(changed("tariff/end_date_time", "2026-02-02T09:05:00Z"))


def test_equal_priorities_go_by_id_ascending():
    details = [detail(id_, prices={"energy": {"price": price}}) for id_, price in ((10, 0.1), (9, 0.9))]
    assert reported(good_line(tariff=None, details=details))["total_cost"]["excl_vat"] == 9.0


@pytest.mark.parametrize("recurrence", ["DAILY", "ONE_TIME"])
def test_empty_range_never_applies(recurrence):
    backwards = {"start": "2026-03-01T08:00", "stop": "2026-01-01T08:00", "recurrence": recurrence}
    details = [detail(1), detail(2, priority=9, prices={"energy": {"price": 9}}, **backwards)]
    found = reported(good_line(tariff=None, details=details))
    assert found["total_cost"] == {"excl_vat": 4.0, "incl_vat": 4.8}
    assert len(found["elements"]) == 2


def test_details_may_come_with_limits_and_without_currency():
    raw = good_line(tariff=None, details=[detail(1)], max_price={"excl_vat": 3, "incl_vat": 3.5})
    del raw["cdr"]["currency"]
    assert reported(raw)["total_cost"] == {"excl_vat": 3.0, "incl_vat": 3.5}


def test_tariff_beside_details_must_be_theirs():
    raw = case("h14")
    assert reported(raw)["total_cost"] == raw["expected"]
    raw["details"][0]["prices"]["energy"]["price"] = 0.51
    assert reported(raw)["field"] == "tariff.elements"


@pytest.mark.parametrize("name", ["h02", "h07", "h17", "h20", "h22"])
def test_costs_of_the_periods_add_up(name):
    found = reported(case(name))
    costs = [cost["excl_vat"] for one in found["periods"] for cost in one["costs"]]
    assert sum(costs) == pytest.approx(found["total_cost"]["excl_vat"], abs=0.00005)


def test_last_use_carries_what_the_step_adds():
    costs = [cost for one in reported(case("h17"))["periods"] for cost in one["costs"]]
    assert [(one["dimension"], one["quantity"], one["excl_vat"]) for one in costs if one["price"]] == [
        ("TIME", 0.8333, 2.4999),
        ("PARKING_TIME", 0.3333, 2.0),
    ]


def paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from paths(one, (*at, key))


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["2026-02-02T09:30:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "UTC", 10**12]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
NAMES = ["h02", "h05", "h11", "h14", "h20"]
LINES = [
    {key: case(name)[key] for key in ("cdr", "time_zone", what)} for name in NAMES for what in ("tariff", "details")
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_a_line_holds_it_is_priced_or_refused(data):
    raw = copy.deepcopy(data.draw(st.sampled_from(LINES)))
    for _ in range(data.draw(st.integers(1, 2))):
        *parents, last = data.draw(st.sampled_from(list(paths(raw))[1:]))
        target = raw
        for name in parents:
            target = target[name]
        target[last] = data.draw(ANYTHING)
    found = reported(raw)
    assert found["error"].startswith(found["field"]) if "error" in found else found["total_cost"]["excl_vat"] >= 0
    json.dumps(found, allow_nan=False)
