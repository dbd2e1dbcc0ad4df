"""The admin in a real browser, as a member of staff uses it."""

import re
import shutil
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# As root, in a container, and without looking for anything outside.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
DESKTOP, PHONE = (1280, 800), (390, 844)
PICTURES = Path("build/pictures")
# Milliseconds: a session of a simulated charger takes seconds, and the machine may be busy.
PATIENCE = 60_000
SERIOUS = {"serious", "critical"}


def executable() -> str:
    """The system's Chromium. Raises AssertionError where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), "")
    assert found, "The browser tests need Chromium: apt-get install chromium"
    return found


class Desk:
    """One window with somebody logged in. `size` in pixels; `scheme` light or dark."""

    def __init__(
        self, browser: Browser, base: str, *, size: tuple[int, int] = DESKTOP, scheme: str = "light", locale: str = "en"
    ) -> None:
        self.base = base
        viewport = {"width": size[0], "height": size[1]}
        # Staff sit where the site is: elsewhere each field of a date says so, in red.
        clock = {"timezone_id": "Europe/Vienna"}
        settings: dict[str, Any] = {"viewport": viewport, "color_scheme": scheme, "locale": locale, **clock}
        self.page: Page = browser.new_page(**settings)
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def log_in(self, user: str, password: str) -> None:
        self.open("/admin/")
        self.page.fill("#id_username", user)
        self.page.fill("#id_password", password)
        self.page.get_by_role("button", name=re.compile("log in|anmelden", re.IGNORECASE)).click()
        expect(self.page.locator("#id_password")).to_have_count(0)

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    def fill(self, **fields: str) -> None:
        """By the names of the fields; an inline's are written details_0_energy_price for details-0-energy_price."""
        for name, value in fields.items():
            control = self._control(name)
            if control.evaluate("one => one.tagName") == "SELECT":
                control.select_option(value)
            else:
                control.fill(value)

    def choose(self, name: str, text: str) -> None:
        """Looks a row up in a field with a search."""
        box = self.page.locator(f"#id_{name} + .select2")
        box.click()
        # A field for several has its search in the box itself, one for a single row above its results.
        search = self.page.locator(".select2-container--open .select2-search__field").last
        search.fill(text)
        self.page.locator(".select2-results__option--highlighted, .select2-results__option").filter(
            has_text=text
        ).first.click()

    def add_row(self, kind: str) -> None:
        """Opens an empty inline form."""
        self.page.get_by_role("link", name=f"Add another {kind}", exact=False).first.click()

    def save(self) -> None:
        """Saves the form. Raises AssertionError when it comes back with errors."""
        self.page.locator("[name=_save]").first.click()
        expect(self.page.get_by_text("successfully").first).to_be_visible()

    def see(self, text: str | re.Pattern[str]) -> Locator:
        """Waits until it is to be read on the page, however it gets there."""
        found = self.page.get_by_text(text).filter(visible=True).first
        try:
            expect(found).to_be_visible(timeout=PATIENCE)
        except AssertionError:
            self.picture("failure", whole=True)
            raise
        return found

    def open_row(self, path: str, name: str | re.Pattern[str]) -> None:
        """Opens the row of a list, once it is there: the list is asked for again like a person would."""
        link = self.page.locator("#result_list").get_by_role("link", name=name).first
        for _ in range(PATIENCE // 2000):
            self.open(path)
            if link.count():
                break
            self.page.wait_for_timeout(2000)
        link.click()

    def search(self, text: str) -> None:
        """Finds something by what somebody reads out, and opens the first result."""
        self.page.keyboard.press("Control+k")
        self.page.locator("#search-input-command").press_sequentially(text)
        self.page.locator("#command-results a").first.click()

    def picture(self, name: str, *, whole: bool = False) -> None:
        """`whole`: the page from top to bottom, in a window as high as itself, for what sticks to its edge."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        assert size is not None
        if whole:
            height = int(self.page.evaluate("document.documentElement.scrollHeight"))
            self.page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(height, 2400))})
        self.page.screenshot(path=PICTURES / f"{name}.png")
        self.page.set_viewport_size(size)

    def complaints(self) -> list[str]:
        """What axe finds serious on this page, and the errors of its scripts."""
        # The inside of select2 is not ours: its list has an input among its items.
        found = Axe().run(self.page, {"exclude": [[".select2-selection__rendered"]]}).response["violations"]
        serious = [
            f"{one['id']}: {one['help']}: {node['html'][:160]}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"][:3]
        ]
        return serious + self.errors

    def close(self) -> None:
        self.page.close()

    def _control(self, name: str) -> Locator:
        return self.page.locator("#id_" + re.sub(r"_([0-9]+)_", r"-\1-", name)).first
