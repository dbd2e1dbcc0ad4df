"""The search by keyboard alone, while a driver is on the phone."""

import re

from playwright.sync_api import expect

from tests.browser.desk import PATIENCE, PHONE

FOUND = "#command-results a"


def test_what_is_typed_and_entered_at_once_opens_the_first_result(window):
    desk = window()
    desk.page.keyboard.press("Control+k")
    desk.page.keyboard.type("A4-GOETTLES")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url("**/infrastructure/location/*/change/", timeout=PATIENCE)


def test_arrows_walk_through_results_and_escape_leads_back(window):
    page = window().page
    opener = page.get_by_role("button", name=re.compile("Search")).first
    opener.focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("dialog", name="Search")
    expect(box.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("DEMO")
    expect(box.get_by_role("status")).to_have_text(re.compile("found"), timeout=PATIENCE)
    page.keyboard.press("ArrowDown")
    expect(page.locator(FOUND).first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(box.get_by_role("textbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_search_without_result_says_so(window):
    for size in ((1280, 800), PHONE):
        desk = window(size=size)
        desk.page.get_by_role("button", name=re.compile("Search")).filter(visible=True).first.click()
        desk.page.keyboard.type("xyzzz")
        expect(desk.page.locator("#desk-found")).to_contain_text("Nothing found for", timeout=PATIENCE)
        assert desk.complaints() == []
