"""Run by `make browser`. The profile makes no difference to a browser, so once, on the embedded one, is enough."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.desk import OPTIONS, Desk, executable
from tests.e2e.cast import Cast

Window = Callable[..., Desk]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """The demo's installation with its chargers and its provider, shared by all tests but that of the empty one."""
    with Cast(tmp_path_factory.mktemp("cast")) as cast:
        yield cast


@pytest.fixture
def window(browser: Browser, cast: Cast) -> Iterator[Window]:
    """Opens windows on the demo's admin, logged in."""
    from config.demo.data import ADMIN_PASSWORD, ADMIN_USER

    opened: list[Desk] = []

    def open_window(path: str = "/admin/", **settings: Any) -> Desk:
        desk = Desk(browser, cast.plugtill.base_url, **settings)
        opened.append(desk)
        desk.log_in(ADMIN_USER, ADMIN_PASSWORD)
        desk.open(path)
        return desk

    yield open_window
    for desk in opened:
        desk.close()
