"""What axe finds serious on the main pages, and that they work in dark mode, on a phone and by keyboard."""

import pytest
from playwright.sync_api import expect

from tests.browser.desk import DESKTOP, PHONE
from tests.e2e.cast import GARAGE_2, MOTORWAY

PAGES = {
    "home": "/admin/",
    "sessions": "/admin/chargers/chargingsession/",
    "session": "/admin/chargers/chargingsession/1/change/",
    "chargers": "/admin/infrastructure/charger/",
    "charger": "/admin/infrastructure/charger/1/change/",
    "platform": "/admin/roaming/roamingplatform/1/change/",
    "tariff": "/admin/tariffs/roamingtariff/1/change/",
    "terminals": "/admin/payments/terminal/",
    "coverage": "/admin/payments/terminal/coverage/",
    "reconciliation": "/admin/payments/paymentissue/reconciliation/",
    "work-list": "/admin/payments/paymentissue/",
    "invoices": "/admin/payments/invoice/",
    "pushes": "/admin/roaming/push/",
    "deletion": "/admin/infrastructure/charger/1/delete/",
    "import": "/admin/infrastructure/charger/import/",
    "user": "/admin/auth/user/1/change/",
}
LOOKS = {
    "desktop": (DESKTOP, "light"),
    "phone": (PHONE, "light"),
    "dark": (DESKTOP, "dark"),
    "phone-dark": (PHONE, "dark"),
}


@pytest.fixture(scope="module", autouse=True)
def some_sessions(cast):
    """Pages with something on them: one session that is paid, one that runs."""
    [reference] = cast.begin(GARAGE_2)
    cast.stop_at_charger(GARAGE_2)
    cast.wait("the capture", lambda: cast.ptp.events("advice", authorization_reference=reference))
    cast.begin(MOTORWAY)


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious(window, look):
    size, scheme = LOOKS[look]
    desk = window(size=size, scheme=scheme)
    found = {}
    for name, path in PAGES.items():
        desk.open(path)
        desk.page.wait_for_load_state("networkidle")
        desk.picture(f"{name}-{look}", whole=name == "home")
        if complaints := desk.complaints():
            found[name] = complaints
    assert not found, "\n".join(f"{name}: {one}" for name, complaints in found.items() for one in complaints)


def test_no_page_is_wider_than_a_phone(window):
    desk = window(size=PHONE)
    wide = []
    for name, path in PAGES.items():
        desk.open(path)
        if desk.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
    assert not wide


def test_the_search_opens_by_keyboard(window):
    desk = window()
    desk.page.keyboard.press("Control+k")
    expect(desk.page.locator("#search-input-command")).to_be_focused()


def test_menus_of_the_mouse_open_by_keyboard_and_give_the_focus_back(window):
    page = window("/admin/roaming/roamingplatform/1/change/").page
    opener = page.locator("#header-inner a", has_text="Connection").first
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Update credentials")).to_be_visible()
    expect(page.locator("body > nav a:focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Update credentials")).to_have_count(0)
    expect(opener).to_be_focused()


def test_folded_groups_of_the_sidebar_open_by_keyboard(window):
    page = window().page
    page.get_by_role("heading", name="Exchange with partners").focus()
    page.keyboard.press(" ")
    expect(page.get_by_role("link", name="Pushes", exact=True)).to_be_visible()


def test_the_first_tab_leads_past_the_sidebar(window):
    page = window("/admin/infrastructure/charger/").page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#content').contains(document.activeElement)")


def test_the_bar_of_buttons_never_hides_the_field_with_the_focus(window):
    page = window("/admin/roaming/roamingplatform/1/change/").page
    page.locator("#id_name").focus()
    edge = page.get_by_role("button", name="Save", exact=True).bounding_box()["y"]
    hidden = []
    for _ in range(12):
        page.keyboard.press("Tab")
        bottom, name = page.evaluate("""() => {
            const one = document.activeElement;
            return [one.getBoundingClientRect().bottom, one.outerHTML.slice(0, 80)];
        }""")
        if bottom > edge:
            hidden.append(name)
    assert not hidden


def test_a_form_that_comes_back_goes_to_the_first_field_that_is_wrong(window):
    desk = window("/admin/infrastructure/location/1/change/")
    desk.add_row("Charger")
    desk.page.get_by_role("button", name="Save", exact=True).click()
    desk.see("Please correct the error")
    expect(desk.page.locator("[name$=identity][aria-invalid=true]")).to_be_focused()
    expect(desk.page.locator("[name$=identity][aria-invalid=true]")).to_be_in_viewport()


def test_screen_readers_find_the_page_itself_and_a_name_on_buttons_that_are_icons(window):
    desk = window("/admin/infrastructure/evse/1/change/", size=PHONE, scheme="dark")
    expect(desk.page.get_by_role("main")).to_have_count(1)
    expect(desk.page.get_by_role("button", name="Menu").filter(visible=True).first).to_be_visible()
    assert desk.complaints() == []
