"""From an empty database to the first paid session, all of it by clicks (docs/first-steps.md)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from config.demo.processes import Processes, free_port
from tests.browser.desk import PATIENCE, Desk
from tests.e2e.plugtill import PlugtillProcess

PASSWORD = "right-horse-staple"


@pytest.fixture
def plugtill(tmp_path: Path) -> Iterator[PlugtillProcess]:
    with PlugtillProcess(tmp_path, {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}) as plugtill:
        plugtill.start()
        plugtill.manage("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com")
        yield plugtill


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as processes:
        yield processes


def test_from_an_empty_database_to_the_first_paid_session(browser, plugtill, processes):
    desk = Desk(browser, plugtill.base_url)
    desk.log_in("ada", PASSWORD)
    set_up_infrastructure(desk)
    connect_charger(desk, plugtill, processes)
    set_up_tariff(desk)
    set_up_platform(desk)
    provider = register(desk, plugtill, processes)
    assign_terminal(desk)
    pay(browser, provider)
    desk.open("/admin/payments/invoice/")
    desk.see("captured")
    desk.close()


def set_up_infrastructure(desk: Desk) -> None:
    desk.open("/admin/")
    desk.see("First steps")
    desk.picture("first-steps")
    desk.open("/admin/infrastructure/site/add/")
    desk.fill(name="Volt")
    desk.save()
    desk.open("/admin/infrastructure/operator/add/")
    desk.fill(name="Volt & Co", phone="+43 1 234567", legal_name="Volt & Co GmbH", vat_number="ATU12345678")
    desk.save()
    desk.open("/admin/infrastructure/location/add/")
    desk.fill(name="Head office", roaming_id="VIE-HQ", address="Ring 1", postal_code="1010", city="Wien")
    desk.fill(latitude="48.2082", longitude="16.3738")
    desk.choose("operator", "Volt & Co")
    desk.add_row("Charger")
    desk.fill(chargers_0_identity="CP-0001", chargers_0_roaming_id="VIE-HQ-01")
    desk.page.locator("#id_chargers-0-roaming").check()
    desk.save()
    desk.open_row("/admin/infrastructure/charger/", "CP-0001")
    desk.add_row("EVSE")
    desk.fill(evses_0_evse_id="AT*PLG*E0001*1")
    desk.save()
    desk.open_row("/admin/infrastructure/evse/", "AT*PLG*E0001*1")
    desk.add_row("Connector")
    desk.fill(connectors_0_roaming_id="1")
    desk.save()


def connect_charger(desk: Desk, plugtill: PlugtillProcess, processes: Processes) -> None:
    desk.open_row("/admin/infrastructure/charger/", "CP-0001")
    desk.page.get_by_role("link", name="Set a new password").click()
    desk.page.get_by_role("button", name="Set a new password").click()
    password = desk.page.locator("#password").inner_text()
    processes.start(
        "CP-0001",
        *("-m", "chargers.simulator", "--identity", "CP-0001", f"--password={password}"),
        *("--url", f"ws://127.0.0.1:{plugtill.port}/ocpp", "--speed-up", "60", "--meter-interval", "0.5"),
        *("--auto-unplug", "0.1", "--json"),
    )
    desk.open_row("/admin/infrastructure/charger/", "CP-0001")
    desk.see("online")


def set_up_tariff(desk: Desk) -> None:
    desk.open("/admin/tariffs/roamingtariff/add/")
    desk.fill(name="Card at the charger", code="ADHOC-AC", status="ACTIVE", preauthorisation="50")
    desk.add_row("Tariff detail")
    desk.fill(details_0_energy_price="0.49", details_0_energy_vat="20")
    desk.save()
    desk.open_row("/admin/tariffs/roamingtariff/", "Card at the charger")
    desk.see("0.49")


def set_up_platform(desk: Desk) -> None:
    desk.open("/admin/roaming/roamingprofile/add/")
    desk.fill(name="Volt", code="volt", country_code="AT", party_id="VLT")
    desk.choose("operators", "Volt & Co")
    desk.save()
    desk.open("/admin/roaming/roamingplatform/add/")
    desk.fill(name="PayTerm", code="payterm")
    desk.choose("profiles", "Volt")
    desk.choose("tariffs", "Card at the charger")
    desk.save()
    desk.open("/admin/tariffs/sessionsettings/add/")
    desk.choose("operator", "Volt & Co")
    desk.choose("tariffs", "Card at the charger")
    desk.save()


def register(desk: Desk, plugtill: PlugtillProcess, processes: Processes) -> str:
    """The provider's address."""
    desk.open_row("/admin/roaming/roamingplatform/", "PayTerm")
    desk.see("Way to the first payment")
    desk.page.get_by_role("link", name="Token", exact=True).click()
    desk.page.get_by_role("button", name="Generate token").click()
    token, versions_url = (desk.page.locator(name).inner_text() for name in ("#token", "#versions-url"))
    desk.page.get_by_role("button", name="Copy").first.click()
    desk.see("Copied")
    port = free_port()
    processes.start(
        "ptp",
        *("-m", "payments.simulator", "--listen", f"127.0.0.1:{port}", "--sync", f"--token={token}"),
        *("--plugtill-versions", versions_url, "--json"),
    )
    desk.open_row("/admin/roaming/roamingplatform/", "PayTerm")
    desk.see("5 of 6 done")
    desk.picture("onboarding")
    return f"http://127.0.0.1:{port}"


def assign_terminal(desk: Desk) -> None:
    desk.open_row("/admin/payments/terminal/", re.compile("TERM|PT-|[0-9]"))
    desk.choose("locations", "Head office")
    desk.save()


def pay(browser: Browser, provider: str) -> None:
    """At the screen of the terminal."""
    page = browser.new_page()
    page.goto(f"{provider}/terminal")
    page.get_by_role("button", name="Connector").click(timeout=PATIENCE)
    tap = page.get_by_role("button", name="Tap card")
    expect(tap).to_be_enabled(timeout=PATIENCE)
    expect(page.locator("#price")).to_contain_text("0.49")
    tap.click()
    expect(page.locator("#energy")).to_contain_text(re.compile("[1-9].* kWh"), timeout=PATIENCE)
    page.get_by_role("button", name="Stop charging").click()
    expect(page.locator("#captured")).to_be_visible(timeout=PATIENCE)
    with page.expect_popup() as invoice:
        page.get_by_role("link", name="Invoice").click()
    expect(invoice.value.get_by_text("Volt & Co GmbH").first).to_be_visible()
    page.close()
