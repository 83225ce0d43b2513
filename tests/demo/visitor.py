"""A person at the demonstration's pages, without a browser."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.parse
import urllib.request
from typing import Any


class Visitor:
    def __init__(self, address: str) -> None:
        self.address = address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        self._csrf = ""

    def log_in(self, name: str, password: str) -> None:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page("/login"))
        assert token
        form = {"csrf_token": token[1], "username": name, "password": password, "next": "/"}
        shell = self._open("/login", urllib.parse.urlencode(form).encode(), {"Referer": self.address})
        found = re.search(r'name="csrf" content="([^"]+)"', shell)
        assert found, shell
        self._csrf = found[1]

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
