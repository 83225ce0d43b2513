"""What a screen must be for everybody: no finding of axe, nothing that jumps, nothing cut, paper that can be read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from noc_netlab.lab import Netlab
from tests.browser.conftest import WIDTHS
from tests.browser.page import Page
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

PAGES = (
    *("/", "/targets/server?with=router", "/incidents?show=all", "/reports", "/groups", "/notifications"),
    *("/maintenance", "/maintenance?show=calendar"),
    *(f"/history?view={view}" for view in ("days", "worst", "groups", "unusual")),
)
PARTS = ("account", "calendars", "reports", "sites", "users", "tokens", "mail", "audit")
DIALOGS = {
    "add a target": ("/", '[data-testid="add-target"]'),
    "import targets": ("/", '[data-testid="import-targets"]'),
    "change a target": ("/targets/server", '[data-testid="edit-target"]'),
    "delete a target, and its history": ("/targets/server", '[data-testid="delete-target"]', '[name="history"]'),
    "rehearse a target": ("/targets/server", '[data-testid="edit-target"]', '[data-testid="rehearse"]:enabled'),
    "add a contact": ("/notifications", '[aria-label="Contacts"] .primary', ".channels > button"),
    "options of a group": ("/groups", '[data-testid="add-group"]'),
    "set up a site": ("/settings?part=sites", "main .primary"),
    "add a calendar": ("/settings?part=calendars", "main .primary"),
    "add a report by mail": ("/settings?part=reports", "main .primary"),
    "plan maintenance": ("/maintenance", '[data-testid="silence"]'),
    "add a user": ("/settings?part=users", "main .primary"),
}


@pytest.fixture(scope="module")
def axe(npm_packages: Path) -> str:
    return (npm_packages / "axe-core/axe.min.js").read_text(encoding="utf-8")


def findings(page: Page, axe: str) -> list[str]:
    """What axe has to say in both themes, each with the first place of it; in the second only of colours: nothing else differs."""
    run = "const [only, done] = arguments; axe.run(document, {resultTypes: ['violations'], ...only}).then((found) => done(found.violations));"
    found: list[dict[str, Any]] = []
    for theme, only in (("dark", {}), ("light", {"runOnly": ["color-contrast"]})):
        page.show_theme(theme)
        page.driver.execute_script(f"window.axe || (() => {{ {axe} }})()")
        found += page.driver.execute_async_script(run, only)
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}" for one in found]


def at_both_widths(page: Page, axe: str) -> list[str]:
    found = []
    for width in ("narrow", "usual"):
        page.be_wide(WIDTHS[width])
        found += [f"at {WIDTHS[width]} px: {one}" for one in findings(page, axe)]
    return found


def loaded(page: Page, path: str) -> None:
    page.open(path)
    page.wait(page.is_live, "a live page")
    page.wait(lambda: "Loading" not in page.text() and "Calculating" not in page.text(), "everything loaded")


@pytest.mark.timeout(600)
def test_axe_finds_nothing_on_any_page(page: Page, axe: str) -> None:
    bad: dict[str, list[str]] = {}
    for path in (*PAGES, *(f"/settings?part={part}" for part in PARTS)):
        loaded(page, path)
        bad[path] = at_both_widths(page, axe)
    assert {where: what for where, what in bad.items() if what} == {}


@pytest.mark.timeout(600)
def test_axe_finds_nothing_in_any_dialog(page: Page, axe: str) -> None:
    bad: dict[str, list[str]] = {}
    for name, (path, *buttons) in DIALOGS.items():
        loaded(page, path)
        if "import" in buttons[0]:
            page.one("details.menu summary").click()
        for button in buttons:
            page.wait(lambda button=button: page.find(button), name)[0].click()
        page.wait(lambda: page.find("dialog[open]") and not re.search("Loading|Playing", page.text()), name)
        bad[name] = at_both_widths(page, axe)
        assert _cut_buttons(page) == [], name
    assert {where: what for where, what in bad.items() if what} == {}


def _cut_buttons(page: Page) -> list[str]:
    """Buttons below a dialog that a phone of 390 by 700 px would not show."""
    page.be_wide(WIDTHS["narrow"], 700)
    below = "return [...document.querySelectorAll('dialog[open] footer button')].filter((one) => one.getBoundingClientRect().bottom > innerHeight || one.getBoundingClientRect().bottom > one.closest('dialog').getBoundingClientRect().bottom).map((one) => one.textContent)"
    cut: list[str] = page.driver.execute_script(below)
    return cut


REMOVALS = {
    "delete a site": ("sites", "Delete gone"),
    "delete a user": ("users", "Delete nobody"),
    "delete a token": ("tokens", "Delete spare"),
}


@pytest.mark.timeout(600)
def test_axe_finds_nothing_where_one_asks_again_or_refuses(page: Page, axe: str, watched: tuple[Noc, Netlab]) -> None:
    """Questions before something goes, refusals in forms, and the pages without a session."""
    page.forgiven = ["404", "422", "401"]
    noc, netlab = watched
    with page.deleting("sites/gone"), page.deleting("users/nobody"), page.deleting("tokens/spare"):
        assert noc.ask("POST", "sites", {"id": "gone", "label": "Gone"})[0] == 201
        assert noc.ask("POST", "users", {"name": "nobody", "role": "viewer", "password": "correct horse"})[0] == 201
        assert noc.ask("POST", "tokens", {"name": "spare", "role": "viewer"})[0] == 201
        bad = _ask_again_and_refuse(page, axe, noc, netlab)
    assert {where: what for where, what in bad.items() if what} == {}


def _ask_again_and_refuse(page: Page, axe: str, noc: Noc, netlab: Netlab) -> dict[str, list[str]]:
    bad: dict[str, list[str]] = {}
    for name, (part, button) in REMOVALS.items():
        loaded(page, f"/settings?part={part}")
        page.wait(lambda button=button: page.find(f'[aria-label="{button}"]'), name)[0].click()
        page.wait(lambda: page.find('dialog[open] [data-testid="confirm"]'), name)
        for history in page.find('dialog[open] [name="history"]'):
            history.click()
        bad[name] = findings(page, axe)
    loaded(page, "/")
    page.one("details.menu summary").click()
    page.click("import-targets")
    page.wait(lambda: page.find("dialog textarea"), "the form")[0].send_keys("address,interval_s\n10.99.0.7,0\n")
    page.press("Import")
    page.wait(lambda: page.find("dialog .error li"), "a reason for every row")
    bad["an import that is refused"] = findings(page, axe)
    loaded(page, "/")
    page.click("add-target")
    page.type("address", "10.99.0.1")
    page.type("interval_s", "0")
    page.click("save-target")
    page.wait(lambda: page.find("dialog .is-wrong"), "the field that is refused")
    bad["a target that is refused"] = findings(page, axe)
    with netlab.silence("10.99.0.1"):
        loaded(page, "/incidents")
        page.wait(lambda: page.find('[data-testid="acknowledge"]'), "the incident", 60)[0].click()
        page.wait(lambda: page.find("dialog[open] textarea"), "the form")
        bad["acknowledge an incident"] = findings(page, axe)
    noc.wait_states({"router": "UP", "server": "UP"}, 60)
    for path in ("/password", "/no/such/page"):
        page.open(path)
        page.wait(lambda: page.find("h1"), path)
        bad[path] = findings(page, axe)
    loaded(page, "/")
    page.log_out()
    bad["log-in"] = findings(page, axe)
    page.one('[name="username"]').send_keys("admin")
    page.one('[name="password"]').send_keys("wrong")
    page.one("button").click()
    page.wait(lambda: page.find(".error"), "the refusal")
    bad["a log-in that is refused"] = findings(page, axe)
    return bad


def test_every_page_says_where_nobody_will_be_told_and_settings_try_the_mail(
    page: Page, axe: str, watched: tuple[Noc, Netlab]
) -> None:
    noc, _ = watched
    page.forgiven = ["409"]
    bad = {}
    noc.processes.stop("alerter")
    noc.processes.service("alerter", {"NOC_DATA": str(noc.data), "NOC_MQTT_URL": noc.broker.url("alerter")})
    try:
        page.wait(lambda: "Nobody will be told of an outage" in page.text(), "the banner", 60)
        bad["everywhere"] = findings(page, axe)
        loaded(page, "/settings?part=mail")
        page.press("Send test mails")
        page.wait(lambda: "No test mail was sent: no mail server is set: enter one in" in page.text(), "what to set")
        for name, text in (("mail_server", noc.mails.url), ("mail_from", "noc@noc.test"), ("mail_to", "new@noc.test ")):
            page.one(f"#field-{name}").send_keys(text)
        page.press("Save")
        page.wait(lambda: "Nobody will be told" not in page.text(), "that mail is set up, without a restart", 20)
        page.press("Send test mails")
        page.wait(lambda: "new@noc.test\nThe mail server took it: 250 taken" in page.text(), "a test mail by it", 20)
    finally:
        noc.processes.stop("alerter")
        noc.start("alerter")
    page.wait(lambda: "Nobody will be told" not in page.text(), "no banner any more", 60)
    page.wait(noc.is_whole, "the alerter", 60)
    page.press("Send test mails")
    taken = "oncall@noc.test\nThe mail server took it: 250 taken"
    page.wait(lambda: page.find('[data-testid="mail-tests"]') and page.the("mail-tests").text == taken, "its words")
    assert noc.mails.about("Test mail")[-1].recipients == ["oncall@noc.test"]
    noc.mails.mode = "refuse-recipients"
    try:
        page.press("Send test mails")
        refused = "Not sent: oncall@noc.test refused: 550 5.1.1 no such user here"
        page.wait(lambda: refused in page.text(), "its refusal")
        bad["mail"] = findings(page, axe)
    finally:
        noc.mails.mode = "ok"
    assert bad == {"everywhere": [], "mail": []}


def test_no_state_and_no_loss_is_cut_in_the_table(page: Page) -> None:
    page.wait(lambda: page.state_of("router"), "the table")
    cut = """
        const done = arguments[0];
        const states = new URL("states.js", document.querySelector("script[type=module]").src);
        import(states).then(({ STATES, word }) => {
            const cell = document.querySelector('[data-target="router"] .c-state');
            const text = [...cell.firstElementChild.childNodes].find((node) => node.nodeType === Node.TEXT_NODE);
            const loss = document.querySelector('[data-target="router"] .c-loss');
            loss.classList.add("is-lossy");
            loss.firstChild.data = "100 %";
            const cut = STATES.filter((state) => {
                text.data = word(state);
                return cell.scrollWidth > cell.clientWidth;
            });
            done([STATES.length, loss.scrollWidth > loss.clientWidth ? [...cut, "100 %"] : cut]);
        });
    """
    for width_px in (800, 1440, 1600, 3840):
        page.be_wide(width_px)
        assert page.driver.execute_async_script(cut) == [8, []], width_px


@pytest.mark.parametrize("height_px", [560, 857, 1200])
@pytest.mark.parametrize("width_px", [1001, 1440, 2200, 3840])
def test_the_table_and_its_count_lie_over_nothing_and_can_be_reached(page: Page, width_px: int, height_px: int) -> None:
    page.wait(lambda: page.state_of("router"), "the table")
    page.be_wide(width_px, height_px)
    left_to_see = """
        const of = (name) => document.querySelector(name).getBoundingClientRect();
        document.querySelector(".count").scrollIntoView({ block: "end" });
        const [count, foot] = [of(".count"), of(".foot")];
        return [count.bottom - foot.top, foot.bottom - innerHeight, 100 - of(".grid").height];
    """
    over = page.driver.execute_script(left_to_see)
    assert max(over) <= 1, over


WATCHED_AND_DELAYED = """
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push([one.value, one.sources.map(({ node }) => node?.outerHTML?.slice(0, 150))]);
    }).observe({ type: "layout-shift", buffered: true });
    const delays = DELAYS;
    const late = (of) => new Promise((over) => setTimeout(over, delays[Object.keys(delays).find((part) => of.includes(part))] ?? 0));
    const fetched = window.fetch;
    window.fetch = async (path, how) => {
        const answer = await fetched(path, how);
        await late(String(path));
        return answer;
    };
    window.WebSocket = class extends WebSocket {
        set onmessage(act) {
            super.onmessage = (event) => late("live").then(() => act(event));
        }
    };
"""
ANSWERS = (
    "live",
    "/states",
    "/traces",
    "/routes",
    "/suggested-parents",
    "/incidents",
    "/groups",
    "openapi.json",
    "/history",
    "/targets/",
    "/reports",
    "/users",
)
EARLY_LAST = {name: 240 - 40 * place for place, name in enumerate(ANSWERS[:6])}
"""How many milliseconds each answer waits: what comes early by itself comes late."""
LATE_LAST = {name: 30 * place for place, name in enumerate(ANSWERS)}
JUMPS = {
    390: (
        "/",
        "/targets/server",
        "/incidents?show=all",
        "/reports",
        "/groups",
        "/notifications",
        "/settings?part=users",
    ),
    800: ("/", "/targets/server"),
    1440: ("/", "/targets/server", "/history", "/reports", "/groups", "/settings?part=tokens"),
    3840: ("/", "/targets/server", "/settings?part=audit"),
}
WARN = """
    const done = arguments[0];
    import(new URL("wiring.js", document.querySelector("script[type=module]").src)).then(({ store }) => {
        const { kpis, revision, sites } = store.state;
        const none = { targets: [], removed: [], removed_sites: [], incidents: [], removed_incidents: [], services: null };
        const said = { ...none, revision: revision + 1, kpis, sites: sites.map((one) => ({ ...one, overloaded: true, coverage_pct: 40 })), trouble: ["recorder is not running"] };
        store.happen({ kind: "delta", said, nowMs: Date.now() });
        // Two frames, and what observers are told after them.
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)));
    });
"""
"""What the page is told when the machine is too busy: a site that is blind, a service that has stopped."""


def test_nothing_jumps_while_a_page_loads_in_whatever_order(page: Page) -> None:
    jumps = []
    for width_px, paths in JUMPS.items():
        page.be_wide(width_px)
        for number, path in enumerate(paths):
            for delays in (EARLY_LAST, LATE_LAST) if "targets" in path else ((EARLY_LAST, LATE_LAST)[number % 2],):
                script = WATCHED_AND_DELAYED.replace("DELAYS", json.dumps(delays))
                name = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
                try:
                    loaded(page, path)
                finally:
                    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", name)
                if "targets" in path:
                    page.wait(
                        lambda: page.find(".strips:not(.is-unseen)") and page.find('[data-option="packets"]'),
                        "all of it",
                    )
                page.driver.execute_async_script(WARN)
                shifts = page.driver.execute_script("return window.shifts")
                if sum(value for value, _ in shifts) > 0.02:
                    jumps.append((width_px, path, delays, shifts))
    assert jumps == []


def test_no_page_moves_for_ever(page: Page) -> None:
    """Pages are open all day: an animation without end draws sixty pictures a second, for nothing."""
    endless = "return document.getAnimations().filter((one) => one.effect.getTiming().iterations === Infinity).map((one) => one.animationName)"
    for path in PAGES:
        page.open(path)
        page.wait(page.is_live, f"{path} live")
        assert page.driver.execute_script(endless) == [], path


def test_the_focus_stays_in_its_row_when_rows_move(page: Page, watched: tuple[Noc, Netlab]) -> None:
    _, netlab = watched
    page.wait(lambda: page.state_of("router") == "UP" and page.state_of("server") == "UP", "the table")
    order = "return [...document.querySelectorAll('[data-testid=target-row]')].map((row) => row.dataset.target)"
    focused = "return document.activeElement.closest('[data-row]')?.dataset.row ?? document.activeElement.tagName"
    page.driver.execute_script("document.querySelector('[data-target=server] a').focus()")
    before = page.driver.execute_script(order)
    with netlab.silence("10.99.0.2"):
        page.wait(lambda: page.driver.execute_script(order)[0] == "server" != before[0], "the row has moved up", 60)
        assert page.driver.execute_script(focused) == "server"
    page.wait(lambda: page.driver.execute_script(order) == before, "the row is back", 60)
    assert page.driver.execute_script(focused) == "server"


def test_where_a_chart_was_moved_to_is_in_the_address_and_back_undoes_it(page: Page) -> None:
    page.open("/targets/server?with=router")
    page.wait(lambda: "(router)" in page.the("history-chart").text, "the other target beside it")
    page.open("/targets/server")
    page.wait(lambda: page.find(".u-over"), "the chart")
    _drag(page, "mouse")
    page.wait(
        lambda: "from=" in page.driver.current_url and "to=" in page.driver.current_url, "the zoom in the address"
    )
    page.driver.back()
    page.wait(lambda: "from=" not in page.driver.current_url, "no zoom any more")
    page.wait(lambda: page.find(".u-over"), "the chart")
    _drag(page, "touch")
    page.wait(lambda: "from=" in page.driver.current_url, "moved along by a finger")
    page.click("zoom-back")
    page.wait(lambda: "from=" not in page.driver.current_url, "live again")
    page.wait(lambda: page.find(".u-over"), "the chart")
    _drag(page, "wheel")
    page.wait(lambda: "from=" in page.driver.current_url, "scaled by the wheel")
    page.click("zoom-back")
    page.wait(lambda: "from=" not in page.driver.current_url, "live again")
    page.wait(lambda: page.find(".u-over"), "the chart")
    page.the("history-chart").send_keys("-")
    page.wait(lambda: "last=" in page.driver.current_url, "longer by a key, and live as it reaches now")
    page.click("log-axis")
    page.click("period-before")
    page.wait(lambda: "y=log" in page.driver.current_url and "before=1" in page.driver.current_url, "both chosen")
    page.wait(lambda: page.the("history-chart").find_element(By.TAG_NAME, "canvas"), "the chart")
    script = "window.saved = []; HTMLAnchorElement.prototype.click = function () { saved.push(this.download); }"
    page.driver.execute_script(script)
    page.click("chart-png")
    page.click("chart-csv")
    saved = page.wait(
        lambda: (
            sorted(page.driver.execute_script("return saved"))
            if len(page.driver.execute_script("return saved")) == 2
            else None
        ),
        "both files",
    )
    assert [name.rpartition(".")[2] for name in saved] == ["csv", "png"]
    assert all(name.startswith("server-20") for name in saved)


def test_each_of_several_targets_has_the_period_before_dashed(page: Page) -> None:
    page.open("/targets/server?with=router&last=20s&before=1")
    page.wait(lambda: "(router)" in page.the("history-chart").text, "the other target beside it")
    # Of a line that is dashed so, whatever colour it has: each target has its own.
    script = """
        const own = CanvasRenderingContext2D.prototype, lineTo = own.lineTo;
        window.dashed = new Set();
        own.lineTo = function (...place) {
          if (this.getLineDash()[0] > this.getLineDash()[1]) dashed.add(this.strokeStyle);
          return lineTo.apply(this, place);
        };
    """
    page.driver.execute_script(script)

    def is_dashed() -> bool:
        page.click("log-axis")
        return bool(page.driver.execute_script("return dashed.size") == 2)

    page.wait(is_dashed, "a dashed line of each", 90)


CONTROL = 2
"""As the protocol of the browser calls the key."""


def _drag(page: Page, by: str) -> None:
    """Over a third of the plot; a wheel turns once, with the key that scales."""
    page.driver.execute_script("document.querySelector('.u-over').scrollIntoView({block: 'center'})")
    box = page.driver.execute_script("return document.querySelector('.u-over').getBoundingClientRect().toJSON()")
    y = box["y"] + box["height"] / 2
    places = [box["x"] + box["width"] * part for part in (0.4, 0.5, 0.6, 0.7)]
    if by == "wheel":
        event = {"type": "mouseWheel", "x": places[1], "y": y, "deltaX": 0, "deltaY": -300, "modifiers": CONTROL}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
        return
    if by == "touch":
        for kind, at in (("touchStart", places[0]), *(("touchMove", at) for at in places[1:])):
            page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at, "y": y}]})
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    for kind, at in (
        ("mousePressed", places[0]),
        *(("mouseMoved", at) for at in places[1:]),
        ("mouseReleased", places[-1]),
    ):
        event = {"type": kind, "x": at, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def test_the_strips_of_states_line_up_with_the_chart_above(page: Page) -> None:
    loaded(page, "/targets/server")
    place = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.left, box.right]"
    page.wait(lambda: page.find(".u-over") and page.find(".strip svg"), "the chart and the strips")
    plot = page.driver.execute_script(place, ".u-over")
    for strip in (".strip:first-child svg", ".strip:nth-child(2) svg"):
        assert page.driver.execute_script(place, strip) == pytest.approx(plot, abs=1.5)
    cursor = "return Number(document.querySelector('.history-panel').style.getPropertyValue('--cursor'))"
    for over in (".u-over", ".strip:nth-child(2) svg"):
        page.driver.execute_script("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", over)
        box = page.driver.execute_script(
            "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", over
        )
        for part in (0.1, 0.75):
            event = {"type": "mouseMoved", "x": box["x"] + box["width"] * part, "y": box["y"] + box["height"] / 2}
            page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
        page.wait(lambda: abs(page.driver.execute_script(cursor) - 0.75) < 0.01, f"one cursor for both, over {over}")


def test_a_phone_has_room_for_fingers_and_one_scroll(page: Page) -> None:
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        for path in ("/", "/targets/server", "/reports", "/groups", "/settings"):
            loaded(page, path)
            small = """
                return [...document.querySelectorAll("button, select, input:not([type=checkbox]), summary, .button")].filter((one) => {
                    const box = one.getBoundingClientRect();
                    return box.width && (box.height < 43.5 || box.width < 43.5);
                }).map((one) => one.outerHTML.slice(0, 120));
            """
            assert page.driver.execute_script(small) == [], path
            boxes = """
                return [...document.querySelectorAll("main *")].filter((one) => {
                    const style = getComputedStyle(one);
                    const scrolls = /auto|scroll/.test(style.overflowY) && one.scrollHeight > one.clientHeight + 1;
                    return scrolls || (/auto|scroll/.test(style.overflowX) && one.scrollWidth > one.clientWidth + 1);
                }).map((one) => one.className);
            """
            assert page.driver.execute_script(boxes) == [], path
            tiny = "return [...document.querySelectorAll('input, select, textarea')].filter((one) => parseFloat(getComputedStyle(one).fontSize) < 16).length"
            assert page.driver.execute_script(tiny) == 0, path
            assert not page.overflows(), path
        page.open("/")
        row = page.wait(lambda: page.find('[data-target="server"]'), "the row")[0]
        assert row.find_element(By.CLASS_NAME, "c-since").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_report_from_the_dark_theme_is_black_on_white_on_paper(page: Page) -> None:
    while page.theme() != "dark":
        page.click("theme-toggle")
    loaded(page, "/reports")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        seen = """
            const of = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
            return [of("body", "backgroundColor"), of(".report-table td", "color"), of(".top", "display"),
                    of(".report-table thead", "display"), of(".report-table tfoot", "display")];
        """
        # The head stands on every page, the sum once.
        parts = ["table-header-group", "table-row-group"]
        assert page.driver.execute_script(seen) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)", "none", *parts]
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF")


def test_a_target_says_where_its_options_come_from(page: Page) -> None:
    with page.deleting("targets/noted"), page.deleting("groups/core"):
        page.noc.ask("PUT", "groups/core", {"interval_s": 7, "tags": ["backbone"], "contacts": ["core@noc.test"]})
        page.noc.add(
            "noted",
            "10.99.0.7",
            group="core/deep",
            note="Ask Vera\nafter ten",
            packets=3,
            parents=["router"],
            site_parents=["here:-"],
        )
        _look_where_options_come_from(page)


def _look_where_options_come_from(page: Page) -> None:
    loaded(page, "/targets/noted")
    page.wait(lambda: page.find('[data-option="contacts"]'), "the options")
    options = page.the("options")
    said = {
        one.get_attribute("data-option"): one.text.replace("\n", " ")
        for one in options.find_elements(By.CSS_SELECTOR, "[data-option]")
    }
    assert "Ask Vera" in options.text
    assert said["interval_s"].endswith("7 s from core")
    assert said["packets"].endswith("3")
    assert said["timeout_ms"].endswith("1000 ms default")
    assert "backbone from core" in said["tags"]
    assert "core@noc.test from core" in said["contacts"]
    assert "router" in said["parents"]
    assert "Up" in said["parents"]
    assert said["site_parents"].endswith("from here none")


def test_a_refusal_keeps_the_theme_of_whoever_is_refused(page: Page) -> None:
    page.forgiven = ["404"]
    while page.theme() != "dark":
        page.click("theme-toggle")
    wait_until(lambda: page.noc.get("me") is not None, 5, "the server")
    page.open("/nowhere-at-all")
    page.wait(lambda: page.find(".card .error"), "the refusal")
    assert page.theme() == "dark"


def test_every_time_of_a_page_is_in_the_viewers_own_zone_and_the_page_says_which(page: Page) -> None:
    page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        loaded(page, "/incidents?show=all")
        assert page.text().count("Asia/Tokyo (UTC+9)") == 1
        titles = page.driver.execute_script(
            "return [...document.querySelectorAll('time[title]')].map((one) => one.title)"
        )
        assert all(title.endswith("UTC+9") for title in titles if title), titles
    finally:
        page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_a_report_of_thousands_holds_only_what_it_shows(page: Page) -> None:
    """The server's answer is made one of thousands; what asks for its pages is the page itself."""
    loaded(page, "/reports")
    answer = page.noc.get("reports/uptime?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z")
    answer["rows"] = answer["rows"][:1]
    page.driver.execute_script(
        """
        const answer = arguments[0];
        const real = window.fetch;
        window.fetch = (path, how) => {
            const asked = new URL(path, location.href);
            if (!asked.pathname.endsWith("/reports/uptime")) return real(path, how);
            const [offset, limit] = ["offset", "limit"].map((name) => Number(asked.searchParams.get(name) ?? 0));
            const row = (number) => ({...answer.rows[0], target: `t-${number}`, name: `Target ${number}`});
            const rows = Array.from({length: limit}, (_, place) => row(offset + place));
            return Promise.resolve(new Response(JSON.stringify({...answer, rows, offset, count: 5000})));
        };
        """,
        answer,
    )
    page.press("30 days")
    page.wait(lambda: "Total of 5000" in page.driver.find_element(By.TAG_NAME, "tfoot").text, "the long report")
    count = "return document.querySelectorAll('*').length"
    assert page.driver.execute_script(count) < 4000
    assert page.find('[data-testid="report-table"] [data-target="t-49"]')
    assert not page.find('[data-target="t-50"]')
    page.click("next-rows")
    page.wait(lambda: page.find('[data-target="t-99"]'), "the next rows")
    assert not page.find('[data-testid="report-table"] [data-target="t-49"]')
    assert "51 to 100 of 5000" in page.text()


def test_all_that_the_table_shows_is_silenced_at_once(page: Page, watched: tuple[Noc, Netlab]) -> None:
    noc, _ = watched
    loaded(page, "/?group=core")
    page.wait(lambda: page.find('.count [data-testid="silence"]:enabled'), "the button below the table")[0].click()
    page.wait(lambda: page.find(".covered"), "the form")
    page.click("save-maintenance")
    page.wait(lambda: not page.find("dialog[open]"), "that it is saved")
    (planned,) = [one["maintenance"] for one in noc.get("maintenances")["maintenances"]]
    with page.deleting(f"maintenances/{planned['id']}"):
        assert sorted(one["name"] for one in planned["covers"]) == ["router", "server"]
    noc.wait_states({"router": "UP", "server": "UP"}, 60)


def test_incidents_are_found_and_acknowledged_also_several_at_once_and_that_can_be_undone(
    page: Page, watched: tuple[Noc, Netlab]
) -> None:
    noc, netlab = watched
    with _own(page, noc, "spare", "10.99.0.7", "office"):
        noc.wait_states({"router": "UP", "server": "UP", "spare": "UP"}, 60)
        with netlab.silence("10.99.0.1", "10.99.0.7"):
            loaded(page, "/incidents")
            page.wait(lambda: len(_shown(page)) == 2, "both", 60)
            page.the("incident-search").send_keys("office spare")
            page.wait(lambda: len(_shown(page)) == 1, "the one that is searched")
            loaded(page, "/incidents?group=core")
            (number,) = page.wait(lambda: _shown(page), "the one of the group")
            # A mail's link, which asks for it.
            loaded(page, f"/incidents/{number}?acknowledge")
            title = page.wait(lambda: page.driver.find_element(By.CSS_SELECTOR, "dialog h2").text, "the dialog")
            assert title == "Acknowledge: router"
            _comment(page, "on it")
            page.wait(lambda: "on it" in page.the("incidents").text, "who has it")
            page.click("unacknowledge")
            page.wait(lambda: page.find('[data-testid="acknowledge"]'), "nobody has it any more")
            loaded(page, "/incidents")
            page.click("mark-all")
            page.click("acknowledge-marked")
            page.wait(lambda: page.find("dialog h2")[0].text == "Acknowledge: 2 incidents", "the dialog")
            _comment(page, "both")
            page.wait(lambda: page.the("incidents").text.count("both") == 2, "that both have somebody")
            page.one('[role="search"] [type="checkbox"]').click()
            page.wait(lambda: "None of 2 incidents is like that" in page.text(), "that none is left")
            loaded(page, "/incidents?show=mine")
            assert number in page.wait(lambda: _shown(page), "mine")
    noc.wait_states({"router": "UP", "server": "UP"}, 60)


@contextmanager
def _own(page: Page, noc: Noc, name: str, address: str, group: str, **options: object) -> Iterator[None]:
    """A target of this test alone: one that fails in many tests is flapping in the end, and its incident goes on."""
    with page.deleting(f"targets/{name}"):
        noc.add(name, address, interval_s=2, packets=3, timeout_ms=500, group=group, **options)
        wait_until(lambda: noc.states()[name] == "UP", 60, "that it is UP", seen=noc.states)
        yield


def test_people_comment_on_an_incident_and_write_what_they_learnt_from_it_once_it_is_over(
    page: Page, watched: tuple[Noc, Netlab], axe: str
) -> None:
    noc, netlab = watched
    with _own(page, noc, "plug", "10.99.0.8", "plant"):
        with netlab.silence("10.99.0.8"):
            loaded(page, "/incidents?group=plant")
            (number,) = page.wait(lambda: _shown(page), "the incident", 60)
            loaded(page, f"/incidents/{number}")
            page.wait(lambda: page.find('[data-testid="comment"]'), "the form")[0].send_keys("the power is gone")
            # What another writes meanwhile appears by itself.
            assert noc.ask("POST", f"incidents/{number}/comments", {"comment": "I bring a cable"})[0] == 204
            page.wait(lambda: "I bring a cable" in page.the("timeline").text, "what another wrote")
            page.click("add-comment")
            page.wait(lambda: "the power is gone" in page.the("timeline").text, "the comment")
            assert page.the("comment").get_attribute("value") == ""
        wait_until(lambda: noc.get(f"incidents/{number}")["incident"]["resolved_at"], 60, "that it is over")
        loaded(page, f"/incidents/{number}")
        page.wait(lambda: page.find('[data-testid="edit-post-mortem"]'), "the note")[0].click()
        assert noc.ask("POST", f"incidents/{number}/comments", {"comment": f"it was me{'!' * 300}"})[0] == 204
        page.wait(lambda: "it was me" in page.the("timeline").text, "what another wrote of one that is over")
        page.the("post-mortem-text").send_keys("One plug.\nTwo are better.")
        assert noc.ask("PUT", f"incidents/{number}/post-mortem", {"text": "A cable."})[0] == 204
        page.forgiven = ["409"]
        page.click("save-post-mortem")
        page.wait(lambda: "A cable." in page.text(), "what another wrote, before it is replaced")
        assert at_both_widths(page, axe) == []
        page.click("mine")
        page.click("save-post-mortem")
        page.wait(
            lambda: [one.text for one in page.find('[data-testid="post-mortem"]')] == ["One plug.\nTwo are better."],
            "the note",
        )
        assert "the power is gone" in page.the("timeline").text
        loaded(page, "/settings?part=audit")
        (written,) = page.wait(
            lambda: [one for one in page.find(".detail details") if "it was me" in one.text], "it in the audit"
        )
        assert written.text.count("!") < 200
        written.find_element(By.TAG_NAME, "summary").click()
        page.wait(lambda: written.text.count("!") == 300, "all of it")


def test_the_chart_of_an_incident_has_its_first_targets_together_and_each_alone(
    page: Page, watched: tuple[Noc, Netlab]
) -> None:
    noc, netlab = watched
    with (
        _own(page, noc, "trunk", "10.99.0.8", "trees"),
        _own(page, noc, "leaf", "10.99.0.9", "trees", parents=["trunk"]),
        netlab.silence("10.99.0.8", "10.99.0.9"),
    ):
        loaded(page, "/incidents?group=trees")
        page.wait(
            lambda: [one for one in noc.get("incidents?open=true")["incidents"] if one["total_members"] == 2],
            "both",
            60,
        )
        (number,) = page.wait(lambda: _shown(page), "the incident", 60)
        loaded(page, f"/incidents/{number}")
        page.wait(lambda: _lines(page) == ["leaf", "trunk"], "a line of each")
        page.one('[data-testid="chart-member"] [value="leaf"]').click()
        page.wait(lambda: _lines(page) == ["here"], "the sites of one")
        drawn = page.the("history-chart").get_attribute("data-points")
        assert int(drawn or 0) > 0


def _lines(page: Page) -> list[str]:
    """What the chart has a line of."""
    return sorted(one.text for one in page.find(".readout tbody th"))


def test_the_overview_shows_what_changed_last_also_once_it_is_over(page: Page, watched: tuple[Noc, Netlab]) -> None:
    noc, netlab = watched
    with _own(page, noc, "lamp", "10.99.0.9", "plant"):
        loaded(page, "/")
        page.wait(lambda: page.find('[data-testid="recent-changes"], [data-testid="no-changes"]'), "the changes")
        with netlab.silence("10.99.0.9"):
            page.wait(lambda: [one for one in _changes(page) if one.startswith("opened: lamp")], "it", 60)
        (ended,) = page.wait(
            lambda: [one for one in _changes(page) if one.startswith("ended: lamp")], "that it is over", 60
        )
        assert ended.split("\n")[-1].startswith("over ")
        now = _changes(page)
        loaded(page, "/")
        page.wait(lambda: _changes(page) == now, "the same on a page that is opened later")


def _changes(page: Page) -> list[str]:
    found = page.find('[data-testid="recent-changes"] li')
    return [f"{one.get_attribute('data-what')}: {one.text}" for one in found]


def _shown(page: Page) -> list[str]:
    """The incidents in the table."""
    return [str(row.get_attribute("data-incident")) for row in page.find('[data-testid="incidents"] [data-incident]')]


def _comment(page: Page, words: str) -> None:
    page.one('[name="comment"]').send_keys(words)
    page.one("dialog .primary").click()
