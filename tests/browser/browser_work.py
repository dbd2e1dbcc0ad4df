"""A day's work at the desk of the demo's operator."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.desk import PATIENCE, PHONE, Desk
from tests.e2e.cast import GARAGE_1, MOTORWAY

SESSIONS = "/admin/chargers/chargingsession/"


@pytest.mark.parametrize("size", [(1280, 800), PHONE], ids=["desktop", "phone"])
def test_a_dispatcher_finds_a_session_by_its_reference_and_stops_it(cast, window, size):
    [reference] = cast.begin(GARAGE_1)
    desk = window(size=size)
    desk.search(reference)
    desk.see(re.compile("charging", re.IGNORECASE))
    desk.picture(f"session-running-{size[0]}")
    desk.page.get_by_role("link", name=re.compile("^Stop")).first.click()
    desk.page.get_by_role("button", name=re.compile("^Stop")).click()
    cast.wait("the capture", lambda: cast.ptp.events("advice", authorization_reference=reference))
    desk.open(SESSIONS)
    desk.search(reference)
    desk.see("Invoice")
    desk.picture(f"session-{size[0]}", whole=True)


def test_a_running_session_grows_without_a_reload(cast, window):
    [reference] = cast.begin(MOTORWAY)
    desk = window(SESSIONS)
    row = desk.page.locator("#result_list tbody tr").first
    before = row.text_content()
    desk.page.evaluate("window.untouched = true")
    expect(row).not_to_have_text(before, timeout=PATIENCE)
    assert desk.page.evaluate("window.untouched")
    cast.stop_at_charger(MOTORWAY)
    cast.wait("the capture", lambda: cast.ptp.events("advice", authorization_reference=reference))


def test_a_tariff_is_made_and_priced(window):
    desk = window("/admin/tariffs/roamingtariff/add/")
    desk.fill(name="Night owl", code="NIGHT", status="ACTIVE", preauthorisation="40")
    desk.add_row("Tariff detail")
    desk.fill(
        details_0_energy_price="0.30", details_0_energy_vat="20", details_0_flat_price="1", details_0_flat_vat="20"
    )
    desk.save()
    desk.open_row("/admin/tariffs/roamingtariff/", "Night owl")
    desk.see("0.30")
    desk.picture("tariff", whole=True)


def test_a_tariff_without_a_sense_is_refused_at_its_field(window):
    desk = window("/admin/tariffs/roamingtariff/add/")
    desk.fill(name="Wrong", code="WRONG", preauthorisation="-1")
    desk.page.locator("[name=_save]").first.click()
    desk.see(re.compile("correct the error|greater than", re.IGNORECASE))
    expect(desk.page.locator("#id_name")).to_have_value("Wrong")


def test_an_import_says_what_is_wrong_and_keeps_nothing_until_all_is_right(window, tmp_path):
    desk = window("/admin/infrastructure/charger/import/")
    file = tmp_path / "chargers.csv"
    file.write_text("identity,area,roaming id\nNEW-1,City garage,VIE-NEW-1\nNEW-2,Nowhere,VIE-NEW-2\n")
    upload(desk, file)
    desk.see(re.compile("Nowhere"))
    desk.picture("import-errors")
    file.write_text("identity,area,roaming id\nNEW-1,City garage,VIE-NEW-1\n")
    upload(desk, file)
    desk.page.get_by_role("button", name="Import all rows").click()
    desk.open_row("/admin/infrastructure/charger/", "NEW-1")
    expect(desk.page.locator("#id_roaming_id")).to_have_value("VIE-NEW-1")


def upload(desk: Desk, file: Path) -> None:
    desk.open("/admin/infrastructure/charger/import/")
    desk.page.locator("input[type=file]").set_input_files(file)
    desk.page.get_by_role("button", name=re.compile("preview|look|check|submit", re.IGNORECASE)).first.click()
