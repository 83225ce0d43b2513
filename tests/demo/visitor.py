"""A person at the demonstration's pages, without a browser."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.parse
import urllib.request
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.parts.chromium import console
from tests.parts.waiting import wait_until


class Visitor:
    def __init__(self, address: str) -> None:
        self.address = address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        self._csrf = ""
        self._login = ("", "")

    def log_in(self, name: str, password: str) -> None:
        self._login = name, password
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page("/login"))
        assert token
        form = {"csrf_token": token[1], "username": name, "password": password, "next": "/"}
        shell = self._open("/login", urllib.parse.urlencode(form).encode(), {"Referer": self.address})
        found = re.search(r'name="csrf" content="([^"]+)"', shell)
        assert found, shell
        self._csrf = found[1]

    def look_with(self, chrome: webdriver.Chrome) -> None:
        """Log in with a browser too, and stay on the overview."""
        chrome.get(f"{self.address}/login")
        console(chrome)  # forgets what the browser's first page said
        for field, text in zip(("username", "password"), self._login, strict=True):
            chrome.find_element(By.NAME, field).send_keys(text)
        chrome.find_element(By.CSS_SELECTOR, "button").click()
        wait_until(lambda: self.is_live(chrome), 30, "a live page")

    def is_live(self, chrome: webdriver.Chrome) -> bool:
        return bool(chrome.find_elements(By.CSS_SELECTOR, '[data-testid="connection"][data-state="live"]'))

    def page(self, path: str) -> str:
        return self._open(path)

    def get(self, path: str) -> Any:
        return json.loads(self._open(path))

    def post(self, path: str) -> Any:
        return json.loads(self._open(path, b"", {"X-CSRFToken": self._csrf, "Referer": self.address}))

    def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in self.get("/api/v1/status")["targets"]}

    def _open(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> str:
        request = urllib.request.Request(f"{self.address}{path}", body, headers or {})
        with self._opener.open(request, timeout=15) as answer:
            text: str = answer.read().decode()
            return text
