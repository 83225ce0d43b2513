"""A headless Chromium, and a whole NOC for it to look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from noc_netlab.lab import Netlab
from tests.browser.page import Page
from tests.parts.chromium import started
from tests.parts.smtp import SmtpSink
from tests.scenarios.whole import Noc

WIDTHS = {"narrow": 390, "usual": 1440, "wide": 3840}


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with started(tmp_path_factory.mktemp("chromium")) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def watched(internet: Netlab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Noc, Netlab]]:
    """One NOC for all tests of a module: a router that answers and a server that does too."""
    internet.behave()
    with SmtpSink() as mails, Noc(tmp_path_factory.mktemp("watched"), mails) as noc:
        noc.add("router", "10.99.0.1", group="core", tags=["edge"])
        noc.add("server", "10.99.0.2", interval_s=2, packets=3, group="core/servers", critical=True)
        noc.wait_states({"router": "UP", "server": "UP"}, 60)
        yield noc, internet
    internet.firewall.close()


@pytest.fixture(scope="module")
def cookies() -> dict[str, Any]:
    """The admin's session, for all tests that do not end it."""
    return {}


@pytest.fixture
def page(chromium: webdriver.Chrome, watched: tuple[Noc, Netlab], cookies: dict[str, Any]) -> Iterator[Page]:
    """Logged in as admin, on the overview. A script error or a breach of the page's policy fails the test."""
    noc, _ = watched
    chromium.set_window_size(WIDTHS["usual"], 1000)
    page = Page(chromium, noc)
    cookies["admin"] = page.enter(cookies.get("admin"))
    first = chromium.current_window_handle
    try:
        yield page
    finally:
        page.leave(first)
    page.has_no_complaints()


@pytest.fixture
def shots() -> Path | None:
    """Where screenshots go, if NOC_TEST_SHOTS names a folder."""
    folder = os.environ.get("NOC_TEST_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) if folder else None
