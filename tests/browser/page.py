"""The NOC's pages as a person uses them."""

from __future__ import annotations

from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

WAIT_S = 10.0


class Page:
    def __init__(self, driver: webdriver.Chrome, noc: Noc) -> None:
        self.driver = driver
        self.noc = noc
        self.forgiven: list[str] = []
        """Parts of console messages that a test provokes on purpose."""

    def log_in(self, name: str = "admin", password: str | None = None) -> None:
        # From where nothing asks the server. Still an answer on its way may bring the old cookie back: then once more.
        self.driver.get(f"{self.noc.address}/static/icon.svg")
        self.wait(self._logged_out, "the log-in page")
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # forgets what another page said
        self.driver.find_element(By.NAME, "username").send_keys(name)
        self.driver.find_element(By.NAME, "password").send_keys(password or self.noc.password)
        self.driver.find_element(By.CSS_SELECTOR, "button").click()
        self.wait(lambda: self.the("connection").get_attribute("data-state") == "live", "a live page")

    def log_out(self) -> None:
        self.driver.find_element(By.CSS_SELECTOR, "form[action='/logout'] button").click()
        self.wait(lambda: self.driver.find_element(By.NAME, "username"), "the log-in page")

    def _logged_out(self) -> WebElement:
        self.driver.delete_all_cookies()
        self.driver.get(f"{self.noc.address}/login")
        return self.driver.find_element(By.NAME, "username")

    def open(self, path: str) -> None:
        self.driver.get(f"{self.noc.address}{path}")

    def the(self, testid: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, f'[data-testid="{testid}"]')

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, testid: str) -> None:
        self.wait(lambda: self.the(testid).is_enabled() and self.the(testid).is_displayed(), f"{testid} to press")
        self.the(testid).click()

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

    def wait(self, condition: Any, what: str, deadline_s: float = WAIT_S) -> Any:
        def tried() -> Any:
            try:
                return condition()
            except (NoSuchElementException, StaleElementReferenceException):
                return None

        return wait_until(tried, deadline_s, what, seen=self.text)

    def focused(self, attribute: str) -> str | None:
        """An attribute of what has the focus."""
        return self.driver.switch_to.active_element.get_attribute(attribute)

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

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

    def overflows(self) -> bool:
        """Whether the page as a whole must be pushed sideways."""
        return bool(
            self.driver.execute_script(
                "return document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"
            )
        )

    def has_no_complaints(self) -> None:
        """Neither errors of scripts nor breaches of the content security policy."""
        told = [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        bad = [one for one in told if not any(part in one for part in self.forgiven)]
        assert not bad, bad
