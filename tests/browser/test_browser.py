"""What a person sees in a real browser."""

from __future__ import annotations

import functools
import json
from contextlib import closing
from pathlib import Path

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from noc_bus import join
from noc_netlab.lab import Netlab
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.database.opening import Database
from tests.browser.conftest import WIDTHS
from tests.browser.page import Page
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}<script>alert(2)</script>'


def test_an_outage_shows_live_and_so_does_its_end(page: Page, watched: tuple[Noc, Netlab]) -> None:
    noc, netlab = watched
    page.wait(lambda: page.state_of("router") == "UP" and page.count_of("up") >= 2, "two targets UP")
    with netlab.silence("10.99.0.1"):
        page.wait(lambda: page.state_of("router") == "DOWN", "the row says DOWN", 60)
        page.wait(lambda: page.count_of("down") == 1, "the tile says 1 DOWN")
        assert page.count_of("total") == sum(
            page.count_of(one) for one in ("up", "degraded", "partial", "down", "unknown")
        )
        assert len(noc.mails.wait(1, 30, "router")) == 1
        first = page.find('[data-testid="target-row"]')[0]
        assert first.get_attribute("data-target") == "router"
    page.wait(lambda: page.state_of("router") == "UP", "the row says UP", 60)
    page.open("/targets/router")
    outages = page.wait(lambda: page.the("outages").text, "the list of outages")
    assert "Down" in outages or "DOWN" in outages
    page.open("/incidents")
    page.press("All")
    page.wait(lambda: "router" in page.the("incidents").text, "the incident")
    incident = noc.get("incidents?target=router")["incidents"][0]["id"]
    page.open(f"/incidents/{incident}")
    page.wait(lambda: "router" in page.the("members").text, "who was part of it")
    page.wait(lambda: "target went down" in page.the("timeline").text, "what happened")
    assert "target recovered" in page.the("timeline").text
    assert "oncall@noc.test" in page.the("incident-mails").text


def test_a_target_is_added_changed_and_deleted(page: Page) -> None:
    page.forgiven = ["422"]
    page.click("add-target")
    page.type("address", "999.0.0.1")
    page.type("interval_s", "0")
    page.click("save-target")
    page.wait(lambda: "Interval: 0 is not accepted" in page.the("target-form").text, "the sentence at the field")
    assert "999.0.0.1" in page.the("target-form").text
    page.type("address", "10.99.0.7")
    page.type("name", "Printer")
    page.type("interval_s", "2")
    page.type("packets", "3")
    page.type("timeout_ms", "500")
    page.type("group", "office")
    with page.deleting("targets/printer"):
        page.click("save-target")
        page.wait(lambda: page.driver.current_url.endswith("/targets/printer"), "the page of the new target")
        page.open("/")
        page.wait(lambda: page.state_of("printer") == "UP", "the new row is UP", 60)
        resolved = page.noc.get("targets/printer")["resolved"]
        assert [resolved[name] for name in ("interval_s", "packets", "timeout_ms", "group")] == [2, 3, 500, "office"]
        page.open("/targets/printer")
        page.click("edit-target")
        page.wait(lambda: page.driver.find_element(By.NAME, "name").get_attribute("value") == "Printer", "the form")
        page.type("name", "Colour printer")
        page.click("rehearse")
        page.wait(lambda: "Incidents" in page.the("rehearsed").text, "what these settings would have done")
        assert "options of 1 target would change" in page.the("rehearsal").text
        page.type("group_wait_s", "90\n")
        page.wait(
            lambda: "Gathered for 90 s, today for " in page.the("rehearsal").text, "what a longer wait would have done"
        )
        page.type("group_wait_s", "301\n")
        page.wait(
            lambda: "Gather what goes down together for: '301' is not accepted" in page.the("rehearsal").text,
            "the sentence with the label of the field",
        )
        page.the("rehearsal").find_element(By.CSS_SELECTOR, "footer button").click()
        page.click("save-target")
        page.wait(lambda: "Colour printer" in page.the("target-head").text, "the new name")
        page.click("delete-target")
        page.one('dialog[open] [name="history"]').click()
        page.wait(
            lambda: "gone for good" in page.driver.find_element(By.CSS_SELECTOR, "dialog[open]").text, "what goes"
        )
        page.click("confirm")
        page.wait(lambda: "/targets/" not in page.driver.current_url, "the overview")
        page.wait(lambda: page.state_of("router") and page.state_of("printer") is None, "no such row any more")


def test_the_refresh_button_asks_the_server_and_shows_when_it_answered(page: Page) -> None:
    loaded_at = page.wait(lambda: page.the("refreshed-at").get_attribute("datetime"), "the time of the first answer")
    page.click("refresh")
    page.wait(lambda: (page.the("refreshed-at").get_attribute("datetime") or "") > loaded_at, "a later time")


def test_the_theme_is_kept_for_the_user(page: Page) -> None:
    seen = set()
    for _ in range(3):
        seen.add(page.theme())
        before = page.theme()
        page.click("theme-toggle")
        page.wait(lambda before=before: page.theme() != before, "another theme")
    assert seen == {"auto", "dark", "light"}
    while page.theme() != "light":
        page.click("theme-toggle")
    page.wait(lambda: page.noc.ask("GET", "status")[0] == 200, "the server")
    page.driver.refresh()
    page.wait(lambda: page.theme() == "light", "light after a reload")
    page.log_in()
    assert page.theme() == "light"
    while page.theme() != "auto":
        page.click("theme-toggle")


def test_the_target_page_draws_history_uptime_and_the_path(page: Page) -> None:
    wait_until(lambda: len(page.noc.cycles("server")) >= 5, 60, "some cycles")
    page.open("/targets/server")
    chart = page.wait(lambda: page.the("history-chart").find_element(By.TAG_NAME, "canvas"), "the chart")
    assert chart.size["width"] > 300
    assert _is_drawn_on(page)
    figures = page.wait(lambda: page.the("uptime").text, "uptime")
    assert "100" in figures
    assert "Coverage" in figures
    page.click("trace-button")
    hops = page.wait(lambda: page.the("trace-hops").text, "the path", 60)
    assert "10.99.0.2" in hops
    page.click("check-now")
    page.wait(lambda: "here: 3 of 3 answered" in page.the("target-head").text, "what the check gave")


def _is_drawn_on(page: Page) -> bool:
    """Whether the chart's canvas has more than one colour."""
    script = """
        const canvas = document.querySelector('[data-testid="history-chart"] canvas');
        const found = new Set(new Uint32Array(
            canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer));
        return found.size;
    """
    return int(page.driver.execute_script(script)) > 5


def test_the_report_lists_every_target_and_comes_as_csv(page: Page) -> None:
    page.open("/reports")
    page.wait(lambda: "router" in page.the("report-table").text and "server" in page.the("report-table").text, "rows")
    link = page.the("report-csv").get_attribute("href") or ""
    assert "/api/v1/reports/uptime" in link
    assert "format=csv" in link
    # As the link in a report's mail asks.
    page.open("/reports?tag=nowhere")
    page.wait(lambda: "No target has the tag nowhere." in page.text(), "a report of this tag")
    assert "tag=nowhere" in (page.the("report-csv").get_attribute("href") or "")


def test_the_report_says_how_much_was_measured_and_counts_as_one_chooses(page: Page) -> None:
    page.open("/reports")
    row = page.wait(lambda: page.find('[data-target="router"]'), "the row")[0]
    coverage = row.find_element(By.CSS_SELECTOR, '[data-label="Coverage"]')
    measured = page.noc.get("reports/uptime")["rows"]
    assert coverage.text.endswith("%")
    assert 0 < measured[0]["coverage_pct"] < 100
    Select(page.the("report-profile")).select_by_visible_text("Down and Unreachable")
    page.wait(lambda: "Counted as downtime: Down and Unreachable." in page.text(), "the report counted so")
    assert "profile=unreachable-is-down" in page.driver.current_url
    hours = page.one('[name="hours"]')
    hours.send_keys("Mon-Sun 00:00-24:00\n")
    page.wait(lambda: "all targets, Mon-Sun 00:00-24:00" in page.text(), "the report of these hours")
    assert "profile=unreachable-is-down" in (page.the("report-csv").get_attribute("href") or "")


def test_what_was_saved_and_deserves_a_second_look_is_said(page: Page) -> None:
    page.click("add-target")
    page.type("address", "10.99.0.1")
    page.type("name", "Twin")
    with page.deleting("targets/twin"):
        _save_and_change_the_twin(page)


def _save_and_change_the_twin(page: Page) -> None:
    page.click("save-target")
    page.wait(lambda: "10.99.0.1 is also the address of router (router)." in page.the("warnings").text, "the warning")
    page.wait(lambda: page.focused("data-testid") == "warnings-seen", "the keyboard goes on at its button")
    page.click("warnings-seen")
    page.wait(lambda: page.driver.current_url.endswith("/targets/twin"), "the page of the new target")
    page.wait(lambda: page.the("target-head"), "the target")
    page.click("edit-target")
    page.wait(lambda: page.driver.find_element(By.NAME, "name").get_attribute("value") == "Twin", "the form")
    page.type("note", "the same router")
    page.click("save-target")
    page.wait(lambda: page.find('[data-testid="warnings"]'), "the warning again")
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    page.wait(lambda: not page.find("dialog"), "the page alone")
    assert page.noc.get("targets/twin")["note"] == "the same router"


def test_every_router_of_a_hop_has_its_own_line_and_its_reason(page: Page) -> None:
    """Where traffic is balanced several routers answer at one hop. Here the answer of the API is such a trace."""
    routers = [
        {"address": "192.0.2.1", "name": "edge-a", "rtts_ms": [1.0, 2.0], "reason": None},
        {
            "address": "192.0.2.2",
            "name": "edge-b",
            "rtts_ms": [3.0],
            "reason": "communication administratively prohibited",
        },
    ]
    hops = [
        {"ttl": 1, "address": "192.0.2.1", "name": "edge-a", "rtts_ms": [1.0, 2.0, 3.0], "routers": routers},
        {"ttl": 2, "address": None, "name": None, "rtts_ms": [], "routers": []},
        {"ttl": 3, "address": "10.99.0.2", "name": None, "rtts_ms": [4.0]},
    ]
    at = "2026-01-01T00:00:00.000Z"
    trace = {"site": "here", "target": "server", "address": "10.99.0.2", "at": at, "hops": hops, "reached": True}
    page.wait(lambda: page.state_of("server"), "the table")
    page.driver.execute_script(
        """
        const body = arguments[0];
        const real = window.fetch;
        window.fetch = (path, how) => String(path).includes("/traces")
            ? Promise.resolve(new Response(body, {headers: {"Content-Type": "application/json"}})) : real(path, how);
        """,
        json.dumps({"traces": {"here": trace}}),
    )
    page.one('[data-target="server"] a').send_keys(Keys.ENTER)
    page.wait(lambda: page.the("trace-hops"), "the path")
    rows = [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")[:5]] for row in page.find(".hops tbody tr")]
    assert rows == [
        ["1", "192.0.2.1", "edge-a", "1.00 ms", "2.00 ms"],
        ["1", "192.0.2.2 communication administratively prohibited", "edge-b", "3.00 ms", "3.00 ms"],
        ["2", "no answer", "", "\u2013", "\u2013"],
        ["3", "10.99.0.2", "", "4.00 ms", "4.00 ms"],
    ]


def test_the_tags_are_in_the_table_at_every_width(page: Page) -> None:
    for width in WIDTHS.values():
        page.be_wide(width)
        page.wait(lambda: [tag.text for tag in page.find('[data-target="router"] .tag')] == ["edge"], f"at {width} px")
        assert page.find('[data-target="router"] .tag')[0].is_displayed()


def test_a_page_whose_server_is_gone_says_so_and_heals_by_itself(page: Page) -> None:
    page.forgiven = ["ERR_CONNECTION_REFUSED", "WebSocket", "ERR_"]
    page.noc.processes.kill("web")
    try:
        page.wait(lambda: page.the("connection").get_attribute("data-state") == "lost", "not live", 60)
    finally:
        page.noc.processes.restart("web")
    page.wait(page.is_live, "live again", 60)
    page.wait(lambda: page.state_of("router") == "UP" and page.state_of("server") == "UP", "the table")


def test_hostile_text_is_shown_as_text_everywhere(page: Page) -> None:
    with page.deleting("targets/hostile"):
        page.noc.add("hostile", "10.99.0.8", note=HOSTILE, group=HOSTILE.replace("/", "|")[:60])
        _look_for_hostile_text(page)


def _look_for_hostile_text(page: Page) -> None:
    assert page.noc.ask("PATCH", "targets/hostile", {"name": HOSTILE})[0] == 200
    # What would turn the text around on the screen does not even get in.
    status, refusal = page.noc.ask("PATCH", "targets/hostile", {"note": "gnp.\u202eexe"})
    assert status == 422
    assert "U+202E" in str(refusal)
    for path in ("/", "/targets/hostile", "/reports", "/groups", "/incidents"):
        page.open(path)
        page.wait(lambda: page.the("connection").get_attribute("data-state") == "live", "a live page")
        if path in ("/", "/targets/hostile", "/reports"):
            page.wait(lambda: "onerror=alert(1)" in page.text(), f"the text itself on {path}")
        assert not page.find("img[src='x']")
        assert "49" not in page.text().partition("{{7*7}}")[0][-4:]


def test_a_viewer_sees_and_cannot_change(page: Page) -> None:
    password = "correct horse battery"
    with page.deleting("users/vera"):
        assert page.noc.ask("POST", "users", {"name": "vera", "role": "viewer", "password": password})[0] == 201
        page.log_in("vera", password)
        page.wait(lambda: page.state_of("router") == "UP", "the table")
        assert not page.find('[data-testid="add-target"]')
        page.open("/targets/router")
        page.wait(lambda: page.the("trace-site"), "the whole page")
        assert not page.find('[data-testid="delete-target"]')
        assert not page.find('[data-testid="trace-button"]')


def test_every_page_fits_every_width(page: Page, shots: Path | None) -> None:
    page.noc.ask("PUT", "sites/here", {"label": "Here", "location": "Berlin", "anchors": ["10.99.0.1"]})
    long = {
        "id": "long",
        "address": "2001:db8:85a3:1234:5678:8a2e:370:7334",
        "group": "/".join(["a-long-group-name"] * 4),
    }
    with page.deleting("targets/long"):
        assert page.noc.ask("POST", "targets", long)[0] == 201
        for name, path in (
            ("overview", "/"),
            ("target", "/targets/server"),
            ("long", "/targets/long"),
            ("incidents", "/incidents"),
            *[("incident", f"/incidents/{one['id']}") for one in page.noc.get("incidents")["incidents"][:1]],
            ("history", "/history"),
            ("reports", "/reports"),
            ("groups", "/groups"),
            ("settings", "/settings"),
        ):
            page.open(path)
            page.wait(page.is_live, "a live page")
            page.wait(lambda: "Loading" not in page.text(), "everything loaded")
            page.wait(lambda: not page.find("main .empty h1"), "the target is known")
            for width_px in WIDTHS.values():
                page.be_wide(width_px, 1000 if width_px < 2000 else 2000)
                page.wait(lambda: not page.overflows(), f"{name} fits into {width_px} px", 5)
                # The theme is colours only.
                if shots:
                    for theme in ("dark", "light"):
                        page.show_theme(theme)
                        page.driver.save_screenshot(str(shots / f"{name}-{theme}-{width_px}.png"))


def test_the_history_can_be_narrowed_to_any_range(page: Page) -> None:
    page.open("/targets/server")
    page.wait(lambda: page.the("history-chart").find_element(By.TAG_NAME, "canvas"), "the chart")
    selects = [Select(one) for one in page.find("select")]
    buttons = [
        one for one in page.find("button") if one.text.strip() in ("15 min", "1 h", "6 h", "24 h", "7 d", "30 d")
    ]
    assert len(buttons) >= 6 or selects
    for button in buttons:
        button.click()
        page.wait(lambda: page.the("history-chart").find_element(By.TAG_NAME, "canvas"), "the chart of that range")
    area = page.the("history-chart").find_element(By.CLASS_NAME, "u-over")
    ActionChains(page.driver).move_to_element(area).click_and_hold().move_by_offset(80, 0).release().perform()
    page.click("zoom-back")


def test_a_form_has_the_focus_and_gives_it_back(page: Page) -> None:
    page.forgiven = ["422"]
    for key in ("Cancel", "Escape"):
        page.the("add-target").send_keys(Keys.ENTER)
        page.wait(lambda: page.focused("name") == "address", "the first field has the focus")
        if key == "Cancel":
            page.press("Cancel")
        else:
            ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
        page.wait(lambda: not page.find("dialog"), "no form any more")
        page.wait(lambda: page.focused("data-testid") == "add-target", f"the focus is back after {key}")
    page.click("add-target")
    page.type("address", "10.99.0.7")
    page.type("timeout_ms", "-1")
    page.click("save-target")
    page.wait(lambda: page.focused("name") == "timeout_ms", "the focus is in the field that was refused")


def test_a_word_that_begins_like_a_suggestion_stays_one_word(page: Page) -> None:
    page.click("add-target")
    page.wait(lambda: page.find('#option-tags-list option[value="edge"]'), "the tag of another target as a suggestion")
    tags = page.one('[name="option-tags"]')
    tags.send_keys("edge-of-town", Keys.ENTER)
    assert [chip.text.split("\n")[0] for chip in page.find(".chip")] == ["edge-of-town"]


def test_what_is_typed_outlives_the_session(page: Page) -> None:
    """The log-in ends while a form is open; after another one in a second tab it is saved as it was typed."""
    page.forgiven = ["400", "401", "WebSocket"]
    page.click("add-target")
    page.type("address", "10.99.0.7")
    page.type("name", "Kept")
    cookie = page.driver.get_cookie("noc_session")
    page.driver.delete_all_cookies()
    page.click("save-target")
    page.wait(lambda: "what you typed is still here" in page.the("target-form").text, "the sentence in the form")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.log_in()
    assert page.driver.get_cookie("noc_session") != cookie
    page.driver.close()
    page.driver.switch_to.window(first)
    with page.deleting("targets/kept"):
        page.click("save-target")
        page.wait(lambda: page.driver.current_url.endswith("/targets/kept"), "the page of the new target")


def test_two_people_change_one_target_and_both_are_heard(page: Page) -> None:
    with page.deleting("targets/shared"):
        page.noc.add("shared", "10.99.0.7", note="old", group="office")
        _change_what_another_changes(page)


def _change_what_another_changes(page: Page) -> None:
    page.open("/targets/shared")
    page.click("edit-target")
    page.wait(lambda: page.driver.find_element(By.NAME, "note").get_attribute("value") == "old", "the form")
    assert page.noc.ask("PATCH", "targets/shared", {"packets": 3})[0] == 200
    page.type("note", "new")
    page.type("group", "")
    page.click("save-target")
    page.wait(lambda: not page.find("dialog"), "saved")
    own = page.noc.get("targets/shared")
    assert (own["packets"], own.get("group"), own["note"]) == (3, None, "new")


def test_a_page_too_many_says_why_it_is_not_live_and_becomes_live_later(page: Page) -> None:
    page.forgiven = ["WebSocket"]
    # As many as there is room for beside this page, one after the other: many at once a browser lets wait for each other.
    crowd = """
        const done = arguments[0];
        window.crowd = [];
        import(new URL("../vendor/socket.io-client-4.8.4.js", document.querySelector("script[type=module]").src)).then(async ({ io }) => {
            while (window.crowd.length < 19) {
                const one = io({ transports: ["websocket"], forceNew: true, reconnection: false });
                const refused = await new Promise((over) => one.on("connect", () => over("")).on("connect_error", (error) => over(error.message)));
                if (refused) return done(refused);
                window.crowd.push(one);
            }
            done("");
        });
    """
    first = page.driver.current_window_handle
    try:
        assert page.driver.execute_async_script(crowd) == ""
        page.driver.switch_to.new_window("tab")
        second = page.driver.current_window_handle
        page.open("/")
        # The refusal may come at any moment, also while the page is being drawn.
        page.wait(lambda: "has 20 pages open already" in page.text(), "the reason")
    finally:
        page.driver.switch_to.window(first)
        page.driver.execute_script("window.crowd.forEach((one) => one.disconnect())")
    page.driver.switch_to.window(second)
    page.wait(page.is_live, "live without being asked")


def test_an_address_that_makes_no_sense_still_shows_its_page(page: Page) -> None:
    for address in (
        "/reports?from=yesterday&to=1",
        "/reports?from=1e300&to=2e300",
        "/targets/server?from=x&to=y",
        "/targets/%E0%A4",
    ):
        page.open(address)
        page.wait(lambda: page.find("main h1"), f"a page with a heading at {address}")


def test_a_period_half_typed_is_not_overwritten_by_the_live_one(page: Page) -> None:
    # It moves on every half minute, and once a second in a browser whose clock rings more often.
    faster = "const real = setInterval; window.setInterval = (act, ms) => real(act, Math.min(ms, 1000));"
    name = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": faster})
    try:
        page.open("/targets/server")
        page.wait(lambda: page.find(".custom-period"), "the fields of a period")
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", name)
    shown = 'return document.querySelector(".custom-period [name=%s]").value'
    typed = """
        const field = document.querySelector(".custom-period [name=from]");
        field.value = "2026-01-01T00:00:00";
        field.dispatchEvent(new Event("input", {bubbles: true}));
    """
    end = page.driver.execute_script(shown % "to")
    page.driver.execute_script(typed)
    page.wait(lambda: page.driver.execute_script(shown % "to") != end, "the live period has moved on")
    assert page.driver.execute_script(shown % "from").startswith("2026-01-01T00:00")


def test_the_browsers_back_and_forward_go_through_ranges_and_pages(page: Page) -> None:
    page.open("/")
    page.wait(lambda: page.state_of("server"), "the table")
    page.one('[data-target="server"] a').send_keys(Keys.ENTER)
    page.wait(lambda: "server" in page.driver.title, "the title names the target")
    assert page.focused("id") == "main"
    page.wait(lambda: page.find('[data-range="7d"]'), "the ranges")[0].click()
    page.wait(lambda: page.find('[data-range="7d"][aria-pressed="true"]'), "seven days")
    page.driver.back()
    page.wait(lambda: page.find('[data-range="1h"][aria-pressed="true"]'), "the hour again")
    page.driver.forward()
    page.wait(lambda: page.find('[data-range="7d"][aria-pressed="true"]'), "seven days again")
    page.driver.back()
    page.driver.back()
    page.wait(lambda: "Overview" in page.driver.title, "the overview")
    assert page.state_of("server")


def test_results_arrive_live_on_the_page_of_a_target_just_added(page: Page) -> None:
    page.click("add-target")
    page.type("address", "10.99.0.7")
    page.type("name", "Fresh")
    page.type("interval_s", "2")
    with page.deleting("targets/fresh"):
        page.click("save-target")
        page.wait(lambda: page.driver.current_url.endswith("/targets/fresh"), "its page")
        heard = """
            const done = arguments[0];
            import(new URL("wiring.js", document.querySelector("script[type=module]").src)).then(({ live }) => live.on("result", (said) => done(said.target)));
        """
        assert page.driver.execute_async_script(heard) == "fresh"


def test_what_happens_while_a_view_is_being_drawn_is_shown_too(page: Page) -> None:
    happen = """
        const done = arguments[0];
        const of = (name) => import(new URL(name, document.querySelector("script[type=module]").src));
        Promise.all(["ui.js", "hooks.js", "wiring.js"].map(of)).then(([{ html, render }, { useStore }, { store }]) => {
            const box = document.createElement("div");
            render(html`<${() => useStore((state) => state.refusal)} />`, box);
            store.happen({ kind: "refused", sentence: "drawn late" });
            setTimeout(() => {
                done(box.textContent);
                render(null, box);
                store.happen({ kind: "accepted" });
            }, 500);
        });
    """
    assert page.driver.execute_async_script(happen) == "drawn late"


def test_a_site_gets_its_key_on_the_sites_page_and_loses_it_there(page: Page) -> None:
    page.forgiven.append("409")
    page.open("/settings?part=sites")
    page.wait(lambda: page.find("[name=key-site]"), "the form").pop().send_keys("paris\n")
    page.wait(lambda: "start NOC with --listen ADDRESS" in page.text(), "what is missing, and the cure")
    with closing(Database(page.noc.data)) as database:
        BrokerAccounts(database).arrange(Arrangement(urls=("wss://192.0.2.9:8883",)), {})
    with page.deleting("sites/paris"):
        page.find("[name=key-site]").pop().send_keys("\n")
        line = page.wait(lambda: page.the("join").text, "the line that starts its prober")
        assert join.parse(line.removeprefix("./noc prober --join ")).site == "paris"
        page.wait(lambda: page.find('[data-site="paris"]'), "its row")
        key = '[data-site="paris"] [data-label="Key"]'

        def reads(state: str) -> bool:
            return state in page.find(key).pop().text

        for button, state in (("Disable", "disabled"), ("Enable", "not used yet")):
            pressed = page.find(f'[aria-label="{button} the key of paris"]').pop()
            # It may lie under a warning at the lower edge, where a person would scroll.
            page.driver.execute_script("arguments[0].click()", pressed)
            page.wait(functools.partial(reads, state), state)


def test_what_is_added_replaces_nothing_that_is_called_the_same(page: Page) -> None:
    """Ids are made of the names of contacts and routes; calendars and reports by mail have none but their names."""
    noc = page.noc
    with page.deleting("contacts/the-night"), page.deleting("contacts/the-night-2"):
        for address in ("one@example.org", "two@example.org"):
            _add(page, "/notifications", "Add a contact", {"name": "The Night", "field-mails": address})
        kept = noc.ask("GET", "contacts")[1]["contacts"]
        assert {one["id"]: one["mails"] for one in kept if one["name"] == "The Night"} == {
            "the-night": ["one@example.org"],
            "the-night-2": ["two@example.org"],
        }
    with page.deleting("notification-routes/nightly"), page.deleting("notification-routes/nightly-2"):
        for to in ("one@example.org", "two@example.org"):
            _add(page, "/notifications", "Add a route", {"name": "Nightly", "field-contacts": to})
        kept = noc.ask("GET", "notification-routes")[1]["routes"]
        assert {one["id"]: one["contacts"] for one in kept} == {
            "nightly": ["one@example.org"],
            "nightly-2": ["two@example.org"],
        }
    with page.deleting("calendars/nights"):
        _add(page, "/settings?part=calendars", "Add a calendar", {"calendar": "nights", "hours": "Mon-Fri 22:00-23:00"})
        _is_refused(
            page, "/settings?part=calendars", "Add a calendar", {"calendar": "nights", "hours": "Sat 01:00-02:00"}
        )
        assert [one["hours"] for one in noc.ask("GET", "calendars")[1]["calendars"]] == ["Mon-Fri 22:00-23:00"]
    with page.deleting("report-mails/board"):
        _add(page, "/settings?part=reports", "Add a report", {"report": "board", "recipients": "one@example.org"})
        _is_refused(
            page, "/settings?part=reports", "Add a report", {"report": "board", "recipients": "two@example.org"}
        )
        (kept,) = noc.ask("GET", "report-mails")[1]["report_mails"]
        assert [one["address"] for one in kept["recipients"]] == ["one@example.org"]


def _fill(page: Page, path: str, button: str, fields: dict[str, str]) -> None:
    page.open(path)
    page.press(button)
    page.wait(lambda: page.find("dialog[open]"), f"the form of {button}")
    for name, text in fields.items():
        page.type(name, text)
    page.find("dialog[open] footer .primary").pop().click()


def _add(page: Page, path: str, button: str, fields: dict[str, str]) -> None:
    _fill(page, path, button, fields)
    page.wait(lambda: not page.find("dialog[open]"), f"{fields} saved")


def _is_refused(page: Page, path: str, button: str, fields: dict[str, str]) -> None:
    _fill(page, path, button, fields)
    where, name = next(iter(fields.items()))
    said = page.wait(lambda: page.find(f"#field-{where}-wrong"), "a sentence beside the field").pop()
    assert said.text.endswith(f"'{name}' exists already; choose another name.")
