"""`noc demo --pictures FOLDER`: the pictures of the documents, of the same moment every time.

The moment is fixed, and so are the simulation's seed, the web service's clock and the browser's. Nothing
is pinged: what probers and alerter would retain at that moment is published in their names, as the week
before it gives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from noc_bus.broker import MQTT_URL
from noc_bus.channels import INCIDENTS, PROBERS, SERVICES, STATES, VERDICTS, Channel
from noc_bus.messages import Message, ProberPresence, ServicePresence, SiteState, Verdict, VerdictState
from noc_bus.presence import PRESENCE_EVERY_S
from noc_bus.session import Session
from noc_bus.time import Time
from noc_demo.demo import PASSWORD, Catalog, free_port, thrown_away, without_settings
from noc_demo.network import HOSTS, SITES
from noc_demo.past import Line, Past
from noc_demo.script import BY_ID
from noc_frame import log
from noc_history.stores import in_folder
from noc_launcher import loglines
from noc_launcher.brokers import nats
from noc_launcher.errors import CommandError
from noc_launcher.ports import listens
from noc_launcher.supervisor import Program, Supervisor, as_child
from noc_rules.parents import parents_of
from noc_rules.verdict import Vote, decide
from noc_web.broker.__main__ import prepare
from noc_web.broker.accounts import READER, Arrangement

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# A working day, early in the afternoon.
MOMENT: Final = Time.parse("2026-11-20T13:40:00.000Z")
_AGES_S: Final = {"dublin-slow": 26 * 60, "vienna-loses-bank": 9 * 60, "stuttgart-fails": 4 * 60}
"""What is wrong at the moment, and for how long."""
_WIDTH, _HEIGHT = 1440, 900
_PICTURES: Final = (
    ("overview", "/", '[data-testid="target-row"][data-target="stuttgart-router"]'),
    ("target", "/targets/stuttgart-router?range=24h", '[data-testid="history-chart"] canvas'),
    ("incident", "/incidents?show=all", '[data-testid="incidents"] tbody tr'),
    ("report", "/reports", '[data-testid="report-table"] tbody tr'),
)
"""File name, address, and what must be on the page."""
_SCHEMES: Final = ("dark", "light")
_PATIENCE_S: Final = 60.0
# Charts are drawn after what they show has come, and some things move into their place.
_STILL_S: Final = 0.6
_FROZEN: Final = """
(() => {
  const now = %d;
  const Real = Date;
  globalThis.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(now); }
    static now() { return now; }
  };
  const style = document.createElement("style");
  style.textContent = "*, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }";
  document.addEventListener("DOMContentLoaded", () => document.head.append(style));
})();
"""


def draw(folder: Path, environment: Mapping[str, str]) -> int:
    """Write the pictures into a folder. Raises CommandError."""
    folder.mkdir(parents=True, exist_ok=True)
    log.configure("error")
    with thrown_away() as data:
        asyncio.run(_draw(folder, data, environment))
    return 0


async def _draw(folder: Path, data: Path, environment: Mapping[str, str]) -> None:
    past = await asyncio.to_thread(_make_past, data)
    web_port, broker_port = free_port(), free_port()
    users = ("recorder", "alerter", "web", READER, *(site.id for site in SITES))
    passwords = dict.fromkeys(users, "pictures")
    broker = data / "broker"
    broker.mkdir()
    prepare(data, Arrangement(str(broker), anonymous_read=True), passwords)
    command = nats.prepare(broker, broker_port)
    plain = without_settings(environment)
    url = "mqtt://{}:pictures@127.0.0.1:" + str(broker_port)
    own = {
        "NOC_DATA": str(data),
        "NOC_MQTT_URL": url.format("web"),
        "NOC_HTTP_PORT": str(web_port),
        "NOC_ADMIN_PASSWORD": PASSWORD,
    }
    web = [sys.executable, "-P", "-m", "noc_demo.child", str(os.getpid()), "frozen-web", str(int(MOMENT))]
    programs = [
        Program("broker", as_child(["program", *command]), plain, lambda: listens(broker_port)),
        Program("web", web, {**plain, **own}, lambda: listens(web_port)),
    ]
    ready = asyncio.Event()
    supervisor = Supervisor(programs, _show)
    running = asyncio.create_task(supervisor.run(ready.set))
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        address = f"http://127.0.0.1:{web_port}"
        await asyncio.to_thread(Catalog(data, address, plain).fill)
        await asyncio.to_thread(_publish_and_photograph, past, url, address, folder)
    finally:
        supervisor.stop()
        await running


def _make_past(data: Path) -> Past:
    at_s = MOMENT / 1000
    extra = [replace(BY_ID[name].trouble(at_s - age_s), ends_s=at_s + 1) for name, age_s in _AGES_S.items()]
    past = Past(MOMENT, extra=extra)
    store = in_folder(data).open()
    for _, batch in past.batches():
        store.write(batch)
    store.close()
    return past


def _publish_and_photograph(past: Past, url: str, address: str, folder: Path) -> None:
    users = (*(site.id for site in SITES), "alerter", "recorder")
    with contextlib.ExitStack() as stack:
        sessions = {user: stack.enter_context(_session(url.format(user))) for user in users}

        def publish(what: Iterable[tuple[str, Channel[Any], Message]]) -> None:
            for user, channel, message in what:
                sessions[user].publish(channel, message)

        publish(_retained(past))
        stack.enter_context(_again_and_again(lambda: publish(_presences(past))))
        cookie = _log_in(address)
        chrome = stack.enter_context(_chromium())
        for scheme in _SCHEMES:
            _prepare(chrome, address, cookie, scheme)
            for name, path, wanted in _PICTURES:
                _photograph(chrome, f"{address}{path}", wanted, folder / f"{name}-{scheme}.png")


@contextlib.contextmanager
def _again_and_again(publish: Callable[[], None]) -> Iterator[None]:
    """Who says nothing for a while is taken for dead, whatever is retained."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(PRESENCE_EVERY_S):
            publish()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# -- what is retained at the moment


def _retained(past: Past) -> Iterator[tuple[str, Channel[Any], Message]]:
    """Who says what, and where."""
    yield from _presences(past)
    for line in past.lines:
        yield line.site, STATES, _state(line)
    verdicts = _verdicts(past)
    for verdict in verdicts.values():
        yield "alerter", VERDICTS, verdict
    for incident in past.incidents():
        if incident.resolved_at is None and verdicts[incident.targets[0]].state is VerdictState.DOWN:
            yield "alerter", INCIDENTS, incident


def _presences(past: Past) -> Iterator[tuple[str, Channel[Any], Message]]:
    for site in SITES:
        yield site.id, PROBERS, ProberPresence(
            site=site.id, online=True, version="0.1.0", since=past.start, epoch=1, targets=len(HOSTS), echoes_per_s=26.4, lateness_ms=1.8
        )  # fmt: skip
    for service in ("recorder", "alerter"):
        presence = ServicePresence(service=service, online=True, version="0.1.0", since=past.start, at=MOMENT)
        yield service, SERVICES, presence


def _state(line: Line) -> SiteState:
    view = line.view
    rtt_ms, loss_pct = view.rtt_ms, view.loss_pct
    if line.last:
        # While all is well nothing is judged, and the last cycle has the figures.
        loss_pct = round(100 * (line.last.sent - line.last.received) / line.last.sent, 2)
        rtt_ms = round(sum(line.last.rtts_ms) / len(line.last.rtts_ms), 3) if line.last.rtts_ms else None
    return SiteState(
        site=line.site, target=line.host.id, epoch=1, seq=0, state=view.state, since=Time(view.since), reason=view.reason.text, code=view.reason.code,
        rtt_ms=rtt_ms, loss_pct=loss_pct, at=MOMENT,
    )  # fmt: skip


def _verdicts(past: Past) -> dict[str, Verdict]:
    """Of every target, parents first."""
    found: dict[str, Verdict] = {}
    by_target: dict[str, list[Line]] = {}
    for line in past.lines:
        by_target.setdefault(line.host.id, []).append(line)
    waiting = [lines[0].target for lines in by_target.values()]
    while waiting:
        target = next(one for one in waiting if all(parent in found for parent in parents_of(one)))
        waiting.remove(target)
        lines = by_target[target.id]
        votes = {line.site: Vote(line.view.state, line.view.reason.text) for line in lines}
        decision = decide(target, votes, found)
        alike = [line.view.since for line in lines if str(line.view.state) == str(decision.state)]
        since = Time(max(alike or [line.view.since for line in lines]))
        found[target.id] = Verdict(
            target=target.id, state=decision.state, since=since, reason=decision.reason, sites=decision.sites, at=MOMENT
        )  # fmt: skip
    return found


@contextlib.contextmanager
def _session(url: str) -> Iterator[Session]:
    session = Session(MQTT_URL.parse(url), "noc-pictures")
    session.start()
    until_s = time.monotonic() + _PATIENCE_S
    while not session.connected:
        if time.monotonic() > until_s:
            raise CommandError(f"The broker of the pictures cannot be reached: {session.trouble}.")
        time.sleep(0.05)
    try:
        yield session
    finally:
        session.stop()


# -- the browser


def _log_in(address: str) -> str:
    """The cookie of somebody who has logged in."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
    page = opener.open(f"{address}/login", timeout=10).read().decode()
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    form = {"csrf_token": token[1] if token else "", "username": "admin", "password": PASSWORD, "next": "/"}
    request = urllib.request.Request(f"{address}/login", urllib.parse.urlencode(form).encode(), {"Referer": address})  # noqa: S310
    # Not followed: to a cookie jar with the real clock, the frozen one's cookies may have expired.
    answer = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), _Stay(), urllib.request.HTTPCookieProcessor(jar)
    ).open(request, timeout=10)
    found = re.search(r"noc_session=([^;]+)", answer.headers.get("Set-Cookie", ""))
    if found is None:
        raise CommandError("The pictures' web service lets nobody log in; the lines above say why.")
    return found[1]


class _Stay(urllib.request.HTTPErrorProcessor):
    """Hands out every answer as it came."""

    def http_response(self, request: urllib.request.Request, response: object) -> object:
        return response


@contextlib.contextmanager
def _chromium() -> Iterator[Chrome]:
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or browser is None:
        raise CommandError(
            "Pictures need Chromium; install it (Debian and Ubuntu: apt install chromium chromium-driver)."
        )
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        raise CommandError(
            "Pictures need what the tests need; run ./noc test --version once, which installs it."
        ) from None
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    with tempfile.TemporaryDirectory(prefix="noc-pictures-", ignore_cleanup_errors=True) as profile:
        for argument in (
            "--headless=new", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
            "--force-device-scale-factor=1", "--font-render-hinting=none", "--disable-lcd-text", "--disable-gpu",
            # What is drawn again in part, or by what this processor can do, differs in a pixel now and then.
            "--disable-partial-raster", "--disable-skia-runtime-opts", "--force-color-profile=srgb", f"--user-data-dir={profile}",
            *(["--no-sandbox"] if os.getuid() == 0 else []),
        ):  # fmt: skip
            options.add_argument(argument)
        chrome = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield chrome
        finally:
            chrome.quit()


def _prepare(chrome: Chrome, address: str, cookie: str, scheme: str) -> None:
    tell = chrome.execute_cdp_cmd
    tell(
        "Emulation.setDeviceMetricsOverride",
        {"width": _WIDTH, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": False},
    )
    # The page's policy lets no style of ours in, and the one that stops all movement is.
    tell("Page.setBypassCSP", {"enabled": True})
    tell("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
    tell("Emulation.setLocaleOverride", {"locale": "en-GB"})
    tell("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    if scheme == _SCHEMES[0]:
        tell("Page.addScriptToEvaluateOnNewDocument", {"source": _FROZEN % int(MOMENT)})
    tell("Network.enable", {})
    tell("Network.setCookie", {"name": "noc_session", "value": cookie, "url": address, "httpOnly": True})


def _photograph(chrome: Chrome, address: str, wanted: str, file: Path) -> None:
    chrome.get(address)
    until_s = time.monotonic() + _PATIENCE_S
    live = '[data-testid="connection"][data-state="live"]'
    while not (chrome.find_elements("css selector", wanted) and chrome.find_elements("css selector", live)):
        if time.monotonic() > until_s:
            raise CommandError(
                f"{address} does not show {wanted}: {chrome.find_element('tag name', 'body').text[:500]}"
            )
        time.sleep(0.1)
    before = b""
    while (now := _settled(chrome)) != before:
        if time.monotonic() > until_s:
            raise CommandError(f"{address} does not come to rest.")
        before = now
    file.write_bytes(now)
    print(file, file=sys.stderr)


def _settled(chrome: Chrome) -> bytes:
    time.sleep(_STILL_S)
    return chrome.get_screenshot_as_png()


def _show(name: str, line: str) -> None:
    if '"level": "error"' in line or name == "noc":
        loglines.show(name, line)
