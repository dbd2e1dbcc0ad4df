"""The payment terminal that the simulated provider shows: a driver's minute, and what goes wrong in it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import DESKTOP, PATIENCE, PHONE, PICTURES, SERIOUS
from tests.e2e.cast import GARAGE_1, GARAGE_2, MOTORWAY, Cast

Terminal = Callable[..., Page]


@pytest.fixture
def terminal(cast: Cast, browser: Browser) -> Iterator[Terminal]:
    """Opens the screen with the named connector chosen, as a row of the list."""
    opened: list[Page] = []

    def open_screen(row: int, size: tuple[int, int] = PHONE, **settings: Any) -> Page:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, **settings)
        page.set_default_timeout(PATIENCE)
        opened.append(page)
        page.goto(f"{cast.ptp.base}/terminal")
        page.locator("#outlets button").nth(row).click()
        return page

    yield open_screen
    for page in opened:
        page.close()


def says(page: Page, headline: str) -> None:
    expect(page.locator("#headline")).to_have_text(headline, timeout=PATIENCE)


def check(page: Page) -> None:
    """Nothing serious for axe, and no page that moves sideways."""
    found = [one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in SERIOUS]
    assert not found
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def test_a_session_is_sold_and_outlives_a_reload_and_a_lost_connection(cast: Cast, terminal: Terminal) -> None:
    cast.wait("a free outlet", lambda: cast.is_ready(GARAGE_1))
    page = terminal(0)
    tap = page.get_by_role("button", name="Tap card")
    expect(tap).to_be_in_viewport(ratio=1)
    expect(page.locator("#amount")).to_have_text(re.compile("40"))
    check(page)
    picture(page, "terminal")
    tap.click()
    says(page, "Charging")
    page.reload()
    says(page, "Charging")
    page.context.set_offline(True)
    expect(page.locator("#lost")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("#energy")).to_contain_text(re.compile("[1-9].* kWh"), timeout=PATIENCE)
    check(page)
    picture(page, "terminal-charging")
    page.get_by_role("button", name="Stop charging").click()
    expect(page.locator("#captured")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#code")).to_have_js_property("complete", True)
    assert page.locator("#code").evaluate("one => one.naturalWidth") > 0
    check(page)
    with page.expect_popup() as invoice:
        page.get_by_role("link", name="invoice").click()
    expect(invoice.value.locator("img, svg").first).to_be_visible()
    invoice.value.screenshot(path=PICTURES / "invoice.png", full_page=True)


def test_who_cannot_charge_reads_why_for_as_long_as_it_takes(cast: Cast, terminal: Terminal) -> None:
    cast.wait("a free outlet", lambda: cast.is_ready(GARAGE_2))
    page = terminal(1, DESKTOP, locale="de-DE", color_scheme="dark")
    page.get_by_label("Wird gleich abgelehnt").check()
    page.get_by_role("button", name="Karte vorhalten").click()
    says(page, "Karte abgelehnt")
    page.get_by_role("button", name="Noch einmal").click()
    page.get_by_label("Eine gute Karte").check()
    cast.charger(GARAGE_2).post("/behave", reject_remote_start=True)
    page.get_by_role("button", name="Karte vorhalten").click()
    says(page, "Im Moment nicht möglich")
    cast.charger(GARAGE_2).post("/behave", reject_remote_start=False)
    # Longer than the screen takes to look again.
    page.wait_for_timeout(2500)
    says(page, "Im Moment nicht möglich")
    expect(page.locator("#hint")).to_contain_text("wieder frei")
    check(page)


def test_another_browser_finds_what_charges_and_ends_it(cast: Cast, terminal: Terminal) -> None:
    cast.begin(MOTORWAY)
    page = terminal(2)
    says(page, "Charging")
    page.get_by_role("button", name="Stop charging").click()
    says(page, "Thank you, drive safely!")
