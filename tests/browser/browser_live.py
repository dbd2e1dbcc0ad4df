"""What refreshes by itself goes on under a dispatcher's eyes and hands, and says so when it is old."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.desk import PATIENCE
from tests.e2e.cast import MOTORWAY

SESSIONS = "/admin/chargers/chargingsession/"
REFRESHED = """() => new Promise((done) => document.addEventListener("desk:refreshed", done, {once: true}))"""
ENERGY = "[data-live=overview] dd:has-text('kWh')"


@pytest.fixture
def running(cast):
    """The authorization reference of a session that grows."""
    [reference] = cast.begin(MOTORWAY)
    yield reference
    cast.stop_at_charger(MOTORWAY)
    cast.wait("the capture", lambda: cast.ptp.events("advice", authorization_reference=reference))


@pytest.fixture
def session(running, window):
    """A window on it."""
    desk = window()
    desk.search(running)
    desk.see("At a glance")
    return desk


def energy(desk) -> str:
    """As a whole, with the case that styles change: what `to_have_text` compares with."""
    return desk.page.locator(ENERGY).text_content()


def grown(desk, before: str) -> None:
    expect(desk.page.locator(ENERGY)).to_be_visible()
    expect(desk.page.locator(ENERGY)).not_to_have_text(before, timeout=PATIENCE)


def test_facts_and_charts_of_a_running_session_go_on(session):
    page = session.page
    page.wait_for_function("document.querySelector('canvas.chart') && Chart.getChart(document.querySelector('canvas'))")
    canvas = page.evaluate_handle("document.querySelector('canvas.chart')")
    before, points = energy(session), "chart => Chart.getChart(chart).data.labels.length"
    drawn = canvas.evaluate(points)
    for _ in range(2):
        page.evaluate(REFRESHED)
    grown(session, before)
    assert canvas.evaluate("chart => chart.isConnected")
    assert canvas.evaluate(points) > drawn


def test_who_has_reached_a_button_with_the_keyboard_keeps_it_while_figures_go_on(session):
    stop = session.page.get_by_role("link", name=re.compile("^Stop")).last
    stop.focus()
    grown(session, energy(session))
    expect(stop).to_be_focused()


def test_nothing_changes_while_the_hand_is_on_a_button(session):
    page = session.page
    stop = page.get_by_role("link", name=re.compile("^Stop")).last
    before = energy(session)
    stop.hover()
    page.mouse.down()
    expect(page.locator("#desk-live")).to_contain_text("the pointer moves", timeout=PATIENCE)
    expect(page.locator(ENERGY)).to_have_text(before)
    page.mouse.move(0, 0)
    page.mouse.up()
    grown(session, before)
    expect(page.locator("#desk-live span")).to_have_text("", timeout=PATIENCE)


def test_ticked_rows_stay_ticked_while_the_list_goes_on(running, window):
    desk = window(SESSIONS)
    row = desk.page.locator("#result_list tbody", has_text=running)
    row.locator("input[type=checkbox]").check()
    before = row.text_content()
    expect(row).not_to_have_text(before, timeout=PATIENCE)
    expect(row.locator("input[type=checkbox]")).to_be_checked()


def test_old_figures_are_called_old_while_the_network_is_cut(session):
    page = session.page
    page.context.set_offline(True)
    expect(page.get_by_role("status")).to_contain_text("Not up to date", timeout=PATIENCE)
    before = energy(session)
    page.context.set_offline(False)
    grown(session, before)
    expect(page.locator("#desk-live span")).to_have_text("", timeout=PATIENCE)


def test_who_is_logged_out_is_told_and_led_back(session):
    page = session.page
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("status").get_by_role("link", name="Log in again").click(timeout=PATIENCE)
    expect(page.locator("#id_username")).to_be_visible()
    assert "next=/admin/chargers/chargingsession/" in page.url
