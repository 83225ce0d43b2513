"""The NOC's pages as a person uses them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.parts.chromium import console
from tests.parts.window import Window
from tests.scenarios.whole import Noc


class Page(Window):
    def __init__(self, driver: webdriver.Chrome, noc: Noc) -> None:
        super().__init__(driver, noc.address)
        self.noc = noc

    def log_in(self, name: str = "admin", password: str | None = None) -> None:
        super().log_in(name, password or self.noc.password)

    def enter(self, cookie: dict[str, Any] | None) -> dict[str, Any]:
        """Show the overview to the admin, whose session has this cookie; the cookie. Without a session that lasts still: log in."""
        self.driver.get(f"{self.address}/static/icon.svg")
        if cookie:
            self.driver.delete_all_cookies()
            self.driver.add_cookie(cookie)
            console(self.driver)  # forgets what another page said
            self.open("/")
        if "/login" not in self.driver.current_url and cookie:
            self.wait(self.is_live, "a live page")
        else:
            self.log_in()
        found: dict[str, Any] = self.driver.get_cookie("noc_session") or {}
        return found

    @contextmanager
    def deleting(self, path: str) -> Iterator[None]:
        """What is made inside at this path of the API is gone afterwards, however the test ends."""
        try:
            yield
        finally:
            # A page that shows it would go on asking for it.
            self.open("/static/icon.svg")
            self.noc.ask("DELETE", path)

    def leave(self, first: str) -> None:
        """Close every window but the first, and let nothing that was emulated reach another test."""
        for window in self.driver.window_handles:
            if window != first:
                self.driver.switch_to.window(window)
                self.driver.close()
        self.driver.switch_to.window(first)
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def log_out(self) -> None:
        self.one("form[action='/logout'] button").click()
        self.wait(lambda: self.driver.find_element(By.NAME, "username"), "the log-in page")

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The element that this finds, once it is there to be seen and used."""

        def ready() -> WebElement | None:
            found = self.driver.find_element(By.CSS_SELECTOR, selector)
            return found if found.is_displayed() and found.is_enabled() else None

        found: WebElement = self.wait(ready, f"{selector} to use")
        return found

    def click(self, testid: str) -> None:
        self.one(f'[data-testid="{testid}"]').click()

    def press(self, word: str) -> None:
        """The button with this text."""
        self.wait(lambda: self._buttons(word), f"a button {word}")[0].click()

    def _buttons(self, word: str) -> list[WebElement]:
        return [one for one in self.find("button") if one.text.strip() == word]

    def type(self, field: str, text: str) -> None:
        """Replace what a field of a form holds, once it is there."""
        element = self.wait(lambda: self.driver.find_element(By.NAME, field), f"the field {field}")
        # As a person does: what a driver clears tells no script of it, and the next drawing would bring the old text back.
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(text or Keys.DELETE)

    def focused(self, attribute: str) -> str | None:
        """An attribute of what has the focus."""
        return self.driver.switch_to.active_element.get_attribute(attribute)

    def state_of(self, target: str) -> str | None:
        """What the table says about a target; None where it has no row."""
        rows = self.find(f'[data-testid="target-row"][data-target="{target}"]')
        return rows[0].get_attribute("data-state") if rows else None

    def count_of(self, state: str) -> int:
        """What a tile says."""
        return int(self.the(f"kpi-{state}").find_element(By.TAG_NAME, "strong").text)

    def theme(self) -> str | None:
        return self.driver.find_element(By.TAG_NAME, "html").get_attribute("data-theme")

    def take_theme(self, theme: str) -> None:
        while self.theme() != theme:
            self.click("theme-toggle")

    def show_theme(self, theme: str) -> None:
        """As the button does, also where a window lies over it, and as the server does on a page without scripts."""
        script = """
            const [wanted, done] = arguments;
            const main = document.querySelector("script[type=module]");
            if (main) import(new URL("theme.js", main.src)).then(({ setTheme }) => done(setTheme(wanted)));
            else done((document.documentElement.dataset.theme = wanted));
        """
        self.driver.execute_async_script(script, theme)

    def be_wide(self, width_px: int, height_px: int = 1000) -> None:
        """Narrower, too, than the browser's own window can be."""
        screen = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def overflows(self) -> bool:
        """Whether the page as a whole must be pushed sideways."""
        return bool(
            self.driver.execute_script(
                "return document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"
            )
        )
