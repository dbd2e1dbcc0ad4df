"""Statements 65 to 82: prices by the printed examples, and tariffs as partners get them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tariffs.pricing import ChargingPeriod, Cost, Tariff, price_periods, split_session
from tariffs.pricing.restrictions import PowerBounds
from tests.conformance.charger import until
from tests.conformance.client import Json
from tests.conformance.marks import statement
from tests.conformance.partner import Partner, Received, envelope
from tests.conformance.seed import AREAS, BLOCKED
from tests.conformance.stage import Peer, Stage

MONDAY = datetime(2026, 2, 2, tzinfo=UTC)


def component(kind: str, price: float, step: int = 1, vat: float | None = None) -> Json:
    return {"type": kind, "price": price, "step_size": step} | ({} if vat is None else {"vat": vat})


def element(*components: Json, **restrictions: Any) -> Json:
    return {"price_components": list(components)} | ({"restrictions": restrictions} if restrictions else {})


def tariff(*elements: Json, **fields: Any) -> Tariff:
    return Tariff.from_ocpi({"id": "T", "currency": "EUR", "elements": list(elements)} | fields)


def cost(
    example: Tariff, *pieces: tuple[str, float, float], at: str = "09:00", power: PowerBounds | None = None, **end: bool
) -> Cost:
    """Pieces are dimension, minutes and kWh; the location's time is UTC."""
    hour, minute = at.split(":")
    moment, periods = MONDAY + timedelta(hours=int(hour), minutes=int(minute)), []
    for kind, minutes, kwh in pieces:
        hours = Decimal(str(minutes)) / 60
        bounds: Json = {} if power is None else {"power": power}
        periods.append(ChargingPeriod(moment, Decimal(str(kwh)), **{kind: hours}, **bounds))
        moment += timedelta(minutes=minutes)
    return price_periods(example, periods, moment, "UTC", **end)


def totals(found: Cost) -> tuple[float, float]:
    total = found.to_ocpi()["total_cost"]
    return total["excl_vat"], total["incl_vat"]


def net(*args: Any, **kwargs: Any) -> float:
    return totals(cost(*args, **kwargs))[0]


def test_065_the_first_matching_element_per_dimension() -> None:
    example = tariff(
        element(component("TIME", 6.0), start_time="17:00"),
        element(component("ENERGY", 0.2)),
        element(component("ENERGY", 0.9), component("TIME", 3.0)),
    )
    assert net(example, ("time_h", 60, 10), at="09:00") == 2.0 + 3.0
    assert net(example, ("time_h", 60, 10), at="18:00") == 2.0 + 6.0


def test_066_what_no_element_matches_is_free() -> None:
    example = tariff(element(component("TIME", 3.0)), element(component("ENERGY", 0.9), min_kwh=100))
    assert net(example, ("time_h", 60, 10), ("parking_h", 60, 0)) == 3.0


def test_067_a_price_change_is_a_period_boundary() -> None:
    example = tariff(element(component("ENERGY", 0.2), end_time="17:00"), element(component("ENERGY", 0.27)))
    begin, end = MONDAY + timedelta(hours=16, minutes=55), MONDAY + timedelta(hours=17, minutes=5)
    readings = [(begin, Decimal(1000)), (end, Decimal(3000))]
    periods = split_session(example, readings, [], begin, end, "UTC")
    assert [period.start for period in periods] == [begin, MONDAY + timedelta(hours=17)]
    assert [period.energy_kwh for period in periods] == [1, 1]


EXAMPLE_14 = tariff(
    element(component("TIME", 1.2, 1800), component("PARKING_TIME", 1.0, 900), start_time="00:00", end_time="17:00"),
    element(component("TIME", 2.4, 900), component("PARKING_TIME", 1.0, 900), start_time="17:00", end_time="20:00"),
    element(component("TIME", 2.4, 900), start_time="20:00", end_time="00:00"),
)


def test_068_example_14_parking_absorbs_the_step() -> None:
    pieces = [("time_h", 5, 0), ("time_h", 5, 0), ("parking_h", 2, 0)]
    assert net(EXAMPLE_14, *pieces, at="16:55") == 0.55


def test_069_example_14_the_last_step_counts_for_the_total() -> None:
    assert net(EXAMPLE_14, ("time_h", 25, 0), ("time_h", 10, 0), at="16:35") == 1.30


def test_070_example_14_free_parking_does_not_count() -> None:
    pieces = [("time_h", 12, 0), ("parking_h", 8, 0), ("parking_h", 12, 0)]
    assert net(EXAMPLE_14, *pieces, at="19:40") == 0.73


def test_071_the_energy_of_the_session_is_rounded_once() -> None:
    example = tariff(element(component("ENERGY", 0.2, 500), end_time="17:00"), element(component("ENERGY", 0.27, 500)))
    found = cost(example, ("time_h", 60, 4.3), ("time_h", 60, 1.1), at="16:00")
    assert totals(found)[0] == 1.184  # 4.3 at 0.20 and 1.2 at 0.27
    assert sum(line.quantity for line in found.lines) == Decimal("5.5")


def test_072_step_0_and_flat_round_nothing() -> None:
    assert net(tariff(element(component("FLAT", 0.0, 0))), ("time_h", 60, 20)) == 0
    assert net(tariff(element(component("FLAT", 2.5, 900))), ("time_h", 1, 0.001)) == 2.5
    assert net(tariff(element(component("ENERGY", 0.25, 0))), ("time_h", 60, 0.1152)) == 0.0288


def limits(name: str, excl_vat: float, incl_vat: float) -> Tariff:
    price = {"excl_vat": excl_vat, "incl_vat": incl_vat}
    return tariff(element(component("ENERGY", 0.25, vat=10.0)), **{name: price})


def test_073_max_price_caps_net_and_gross_independently() -> None:
    pieces = ("time_h", 60, 40)  # 10.00 and 11.00
    assert totals(cost(limits("max_price", 8, 9), pieces)) == (8, 9)
    assert totals(cost(limits("max_price", 20, 9), pieces)) == (10, 9)
    assert totals(cost(limits("max_price", 8, 20), pieces)) == (8, 11)


def test_074_min_price_lifts_net_and_gross_independently() -> None:
    pieces = ("time_h", 60, 4)  # 1.00 and 1.10
    assert totals(cost(limits("min_price", 2, 3), pieces)) == (2, 3)
    assert totals(cost(limits("min_price", 0.5, 3), pieces)) == (1, 3)
    assert totals(cost(limits("min_price", 2, 0.5), pieces)) == (2, 1.1)


def test_075_no_vat_and_vat_of_zero() -> None:
    without, zero = (
        cost(tariff(element(component("ENERGY", 0.25, vat=vat))), ("time_h", 60, 4)) for vat in (None, 0.0)
    )
    assert totals(without) == totals(zero) == (1, 1)
    assert [line.rate for line in without.vat_totals()] == [None]
    assert [(line.rate, line.vat) for line in zero.vat_totals()] == [(0, 0)]


@pytest.mark.parametrize(
    ("start", "end", "inside", "outside"),
    [("20:00", "00:00", "23:30", "19:00"), ("22:00", "06:00", "03:00", "12:00"), ("22:00", "06:00", "23:00", "06:00")],
)
def test_076_windows_up_to_and_over_midnight(start: str, end: str, inside: str, outside: str) -> None:
    example = tariff(element(component("ENERGY", 0.5), start_time=start, end_time=end))
    assert net(example, ("time_h", 10, 2), at=inside) == 1
    assert net(example, ("time_h", 10, 2), at=outside) == 0


@statement(76)
def test_076_the_end_of_the_day_is_no_beginning() -> None:
    for window in ({"end_time": "00:00"}, {"start_time": "00:00", "end_time": "00:00"}):
        example = tariff(element(component("ENERGY", 0.5), **window))
        assert net(example, ("time_h", 10, 2), at="12:00") == 1


def test_077_min_power_is_inclusive_and_max_power_exclusive() -> None:
    exactly = PowerBounds(min_power=Decimal(16), max_power=Decimal(16))
    below = PowerBounds(min_power=Decimal("15.9"), max_power=Decimal("15.9"))
    most = tariff(element(component("ENERGY", 0.2), max_power=16.0))
    least = tariff(element(component("ENERGY", 0.2), min_power=16.0))
    assert (net(most, ("time_h", 60, 10), power=exactly), net(most, ("time_h", 60, 10), power=below)) == (0, 2)
    assert (net(least, ("time_h", 60, 10), power=exactly), net(least, ("time_h", 60, 10), power=below)) == (2, 0)


def test_078_example_17_expired_and_used() -> None:
    example = tariff(
        element(component("FLAT", 4.0, vat=20.0), reservation="RESERVATION_EXPIRES"),
        element(component("TIME", 2.0, 600, vat=20.0), reservation="RESERVATION"),
        element(component("FLAT", 0.5, vat=20.0), component("ENERGY", 0.25, vat=10.0)),
    )
    assert net(example, ("reservation_h", 60, 0), reservation_expired=True) == 6.0
    assert net(example, ("reservation_h", 22, 0), ("time_h", 60, 20)) == 6.5


# What partners get


def test_079_a_terminals_tariff_tells_the_amount_and_the_price(ptp: Peer) -> None:
    found = ptp.client.get("tariffs").data
    assert {one["party_id"] for one in found} == {"VLT", "AMP"}
    for one in found:
        assert one["max_price"].keys() == {"excl_vat", "incl_vat"}
        assert one["max_price"]["incl_vat"] == BLOCKED
        assert {text["language"] for text in one["tariff_alt_text"]} >= {"en", "de"}
        assert all(text["text"] for text in one["tariff_alt_text"])
        assert one["elements"]


def test_081_a_tariff_comes_before_its_location_and_goes_after(stage: Stage) -> None:
    peer = stage.register("new-emsp", stage.new_partner("EMS", country="DE"))
    partner = peer.partner
    partner.wait("PUT", "/2.2.1/locations", count=AREAS + 1)
    told = partner.calls("PUT", "/2.2.1/tariffs")
    assert {call.body["id"] for call in told} == {"ADHOC", "PLAIN"}
    assert max(call.number for call in told) < min(call.number for call in partner.calls("PUT", "/2.2.1/locations"))
    naming = {path for path, location in held_by(partner).items() if "PLAIN" in str(location)}
    assert naming

    since, overtaken = partner.now, []

    def answer_late(request: Received) -> tuple[int, Any]:
        """Whoever does not wait for this answer has the time to come before it."""
        with partner.news:
            overtaken.append(partner.news.wait_for(lambda: partner.calls("DELETE", since=since), timeout=0.3))
        return 200, envelope()

    partner.plan["PUT /2.2.1/locations"] = answer_late
    stage.save("roaming/roamingplatform", "new-emsp", tariffs=stage.admin.rows("tariffs/roamingtariff", "ADHOC")[:1])
    partner.wait("DELETE", "/2.2.1/tariffs", since, count=2)
    assert {call.path for call in partner.calls("PUT", "/2.2.1/locations", since)} == naming
    assert not any(overtaken)
    assert "PLAIN" not in str(held_by(partner))


def held_by(partner: Partner) -> Json:
    """The locations as it was told them last."""
    return {call.path: call.body for call in partner.calls("PUT", "/2.2.1/locations")}


@pytest.mark.parametrize("path", ["tariffs/ADHOC", "tariffs/AT/VLT/ADHOC"])
def test_082_a_tariff_by_its_id(ptp: Peer, path: str) -> None:
    answer = ptp.client.get(path)
    assert answer.both == (200, 1000)
    assert (answer.data["id"], answer.data["currency"]) == ("ADHOC", "EUR")
    assert until("the same in the list", lambda: answer.data in ptp.client.get("tariffs").data)
