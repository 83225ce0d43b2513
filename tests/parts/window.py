"""A window of the browser on the pages of a NOC that runs."""

from __future__ import annotations

from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.parts.chromium import console
from tests.parts.waiting import wait_until

# Of a busy machine; who has what they wait for waits no longer.
WAIT_S = 30.0


class Window:
    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address
        self.forgiven: list[str] = []
        """Parts of console messages that a test provokes on purpose."""

    def log_in(self, name: str, password: str) -> None:
        # From where nothing asks the server. Still an answer on its way may bring the old cookie back: then once more.
        self.driver.get(f"{self.address}/static/icon.svg")
        self.wait(self._logged_out, "the log-in page")
        console(self.driver)  # forgets what another page said
        self.driver.find_element(By.NAME, "username").send_keys(name)
        self.driver.find_element(By.NAME, "password").send_keys(password)
        self.driver.find_element(By.CSS_SELECTOR, "button").click()
        self.wait(self.is_live, "a live page")

    def is_live(self) -> bool:
        return self.the("connection").get_attribute("data-state") == "live"

    def _logged_out(self) -> WebElement:
        self.driver.delete_all_cookies()
        self.driver.get(f"{self.address}/login")
        return self.driver.find_element(By.NAME, "username")

    def open(self, path: str) -> None:
        self.driver.get(f"{self.address}{path}")

    def the(self, testid: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, f'[data-testid="{testid}"]')

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def wait(self, condition: Any, what: str, deadline_s: float = WAIT_S) -> Any:
        def tried() -> Any:
            try:
                return condition()
            except (NoSuchElementException, StaleElementReferenceException):
                return None

        return wait_until(tried, deadline_s, what, seen=self.text)

    def has_no_complaints(self) -> None:
        """Neither errors of scripts nor breaches of the content security policy."""
        bad = [one for one in console(self.driver) if not any(part in one for part in self.forgiven)]
        assert not bad, bad
