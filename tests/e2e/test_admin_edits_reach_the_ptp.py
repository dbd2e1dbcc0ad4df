"""Whatever staff saves in the forms of the admin, the payment terminal provider hears of it."""

from decimal import Decimal

import pytest

from tests.e2e.cast import GARAGE_1, GARAGE_2, MOTORWAY, Cast, Place

ADDED = [Place("ADDED-1", number, "VIE-CITY") for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def added(cast: Cast) -> str:
    """A charger with three EVSEs, entered in the forms; the path of its row."""
    area = cast.admin.rows("infrastructure/location", "VIE-CITY")
    path = "infrastructure/charger/add/"
    form, evses = cast.admin.form(path), {}
    for place in ADDED:
        evses |= form.new_row("evses", place.outlet - 1, number=str(place.outlet), evse_id=evse_id(place))
    cast.admin.save(path, identity="ADDED-1", roaming_id="ADDED-1", roaming="on", location=area, **evses)
    for place in ADDED:
        evse = cast.admin.row("infrastructure/evse", evse_id(place))
        connector = cast.admin.form(f"{evse}change/").new_row("connectors", 0, roaming_id="1")
        cast.admin.save(f"{evse}change/", **connector | {"connectors-0-max_electric_power": "22000"})
    return cast.admin.row("infrastructure/charger", "ADDED-1")


def evse_id(place: Place) -> str:
    return f"AT*VLT*EADDED*{place.outlet}"


def status(cast: Cast, place: Place) -> str | None:
    found: str | None = cast.ptp.evse(place).get("status")
    return found


def test_what_is_added(cast: Cast, added: str) -> None:
    for place in ADDED:
        cast.wait(f"the new {place}", lambda place=place: status(cast, place) == "UNKNOWN")


def test_an_edit_of_an_area(cast: Cast) -> None:
    area = cast.admin.row("infrastructure/location", "VIE-CITY")
    cast.admin.save(f"{area}change/", name="City garage, level -2")
    cast.wait("the new name", lambda: cast.ptp.state["locations"]["VIE-CITY"]["name"] == "City garage, level -2")


def test_an_inline_edit_of_an_evse_in_the_form_of_its_charger(cast: Cast) -> None:
    charger = cast.admin.row("infrastructure/charger", "DEMO-AC-1")
    reference = cast.admin.form(f"{charger}change/").beside("number", "1", "physical_reference")
    cast.admin.save(f"{charger}change/", **{reference: "A7"})
    cast.wait("the new reference", lambda: cast.ptp.evse(GARAGE_1).get("physical_reference") == "A7")
    assert cast.ptp.evse(GARAGE_2).get("physical_reference") != "A7"


def test_an_inline_edit_of_a_connector_in_the_form_of_its_evse(cast: Cast) -> None:
    evse = cast.admin.row("infrastructure/evse", "DEMO-DC-1")
    power = cast.admin.form(f"{evse}change/").beside("roaming_id", "1", "max_electric_power")
    cast.admin.save(f"{evse}change/", **{power: "120000"})
    cast.wait("the new power", lambda: cast.ptp.evse(MOTORWAY)["connectors"][0].get("max_electric_power") == 120_000)


def test_an_inline_edit_of_a_price(cast: Cast) -> None:
    tariff = cast.admin.row("tariffs/roamingtariff", "ADHOC-DC")
    cast.admin.save(f"{tariff}change/", **{"details-0-flat_price": "0.9000"})
    cast.wait("the new price", lambda: gross_flat_price(cast) == Decimal("0.9"))


def gross_flat_price(cast: Cast) -> Decimal:
    """Per session, with the 20 % VAT that OCPI adds; the form has it included."""
    components = cast.ptp.state["tariffs"]["ADHOC-DC"]["elements"][0]["price_components"]
    prices = {one["type"]: Decimal(str(one["price"])) for one in components}
    return prices["FLAT"] * Decimal("1.2")


def test_a_deleted_connector_takes_its_evse_away(cast: Cast, added: str) -> None:
    cast.wait("the EVSE", lambda: status(cast, ADDED[0]) == "UNKNOWN")
    cast.admin.delete(cast.admin.row("infrastructure/connector", evse_id(ADDED[0])))
    cast.wait("the removed EVSE", lambda: status(cast, ADDED[0]) == "REMOVED")
    assert status(cast, ADDED[1]) == "UNKNOWN"


def test_an_evse_deleted_in_the_form_of_its_charger(cast: Cast, added: str) -> None:
    delete = cast.admin.form(f"{added}change/").beside("number", "2", "DELETE")
    cast.admin.save(f"{added}change/", **{delete: "on"})
    cast.wait("the removed EVSE", lambda: status(cast, ADDED[1]) == "REMOVED")
    assert status(cast, ADDED[2]) == "UNKNOWN"


def test_a_deleted_charger_takes_its_evses_away(cast: Cast, added: str) -> None:
    cast.admin.delete(added)
    cast.wait("the removed EVSE", lambda: status(cast, ADDED[2]) == "REMOVED")
    assert status(cast, GARAGE_1) != "REMOVED"


def test_a_form_that_is_refused_reaches_nobody(cast: Cast) -> None:
    area = cast.admin.row("infrastructure/location", "A4-GOETTLES")
    answer = cast.admin.submit(f"{area}change/", roaming_id="A4-OTHER", name="Never")
    assert answer.status_code == 200
    assert "Partners know this" in answer.text
    assert cast.ptp.state["locations"]["A4-GOETTLES"]["name"] != "Never"
