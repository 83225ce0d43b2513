"""The live connection of real pages to the real process on a real broker."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import websocket

from noc_bus.broker import Broker
from noc_bus.channels import COMMANDS, PROBERS, REPLIES, RESULTS, STATES, TARGETS, VERDICTS
from noc_bus.messages import Command, Reply, Target, VerdictState
from noc_bus.session import Session
from noc_bus.time import Time
from tests.parts.brokers import Mosquitto
from tests.parts.browser_store import applied
from tests.parts.figures import Figures
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until
from tests.web.conftest import PASSWORD, Service
from tests.web.facts import presence, result, state, verdict
from tests.web.page import Page, Person, check_tiles, shown

TARGET_COUNT: Final = 50
PEOPLE: Final = ("viewer", "operator", "admin")
EVERYBODY: Final = ("anonymous", "token", *PEOPLE)
MAY_SAY: Final = {"hello": PEOPLE, "watch": PEOPLE, "refresh": PEOPLE}
"""Every event that a page may send, and who is answered."""
EVENTS: Final = tuple(MAY_SAY)


@dataclass
class Noc:
    """A broker, the web service as a process, and a prober's and the alerter's end of the bus."""

    port: int
    processes: Processes
    others: Session
    commands: list[Command]
    targets: dict[str, Target]

    @functools.cached_property
    def admin(self) -> Person:
        """Logged in once: comparing a password takes the service as long as a hundred other requests."""
        return Person(self.port, "admin", PASSWORD)

    def add_person(self, name: str, role: str = "operator") -> Person:
        self.admin.api("POST", "users", {"name": name, "role": role, "password": PASSWORD})
        return Person(self.port, name, PASSWORD)


@pytest.fixture(scope="module")
def noc(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noc]:
    folder = tmp_path_factory.mktemp("noc")
    with Mosquitto(folder / "mosquitto") as broker, Processes(folder / "logs") as processes:
        port = free_port()
        settings = {
            "NOC_DATA": str(folder / "web"),
            "NOC_MQTT_URL": broker.url(),
            "NOC_HTTP_PORT": str(port),
            "NOC_ADMIN_PASSWORD": PASSWORD,
        }
        processes.service("web", settings)
        wait_until(lambda: listens(port), 20, "the web service", seen=lambda: processes.log("web"))
        others = Session(Broker.parse(broker.url()), "others")
        noc = Noc(port, processes, others, [], {})
        others.subscribe(COMMANDS, lambda command, _: noc.commands.append(command) if command else None)
        others.subscribe(TARGETS, lambda target, _: noc.targets.update({target.id: target}) if target else None)
        others.start()
        wait_until(lambda: others.connected, 10, "the others on the broker")
        rows = [{"id": f"t-{number}", "address": f"10.0.0.{number}"} for number in range(TARGET_COUNT)]
        noc.admin.api("POST", "targets/import", rows)
        others.publish(PROBERS, presence(since=Time.now(), clock=Time.now()))
        wait_until(lambda: len(noc.targets) == TARGET_COUNT, 10, "every target on the bus")
        yield noc
        others.stop()


# -- who is let in


def test_without_a_session_no_live_connection_is_made(noc: Noc) -> None:
    for cookie in ("", "noc_session=forged"):
        with Page(noc.port, cookie) as page:
            assert page.refused == "log in"
    token = noc.admin.api("POST", "tokens", {"name": "machine", "role": "admin"})["token"]
    with Page(noc.port, Authorization=f"Bearer {token}") as page:
        assert page.refused == "log in"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1", "null", "http://127.0.0.1.evil.example"]
)
def test_a_page_of_another_site_is_refused_even_with_the_cookie(noc: Noc, origin: str) -> None:
    assert upgrade(noc, {"Origin": origin}) == 400


def test_whoever_says_no_origin_is_no_page(noc: Noc) -> None:
    with Page(noc.port, noc.admin.cookie, origin=None) as page:
        assert page.refused == "a page says where it comes from, in the header Origin"


def test_the_page_s_own_origin_is_let_in(noc: Noc) -> None:
    assert upgrade(noc, {"Origin": f"http://127.0.0.1:{noc.port}"}) == 101


def upgrade(noc: Noc, headers: dict[str, str], transport: str = "websocket") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", noc.port, timeout=10)
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    asked |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Cookie": noc.admin.cookie, **headers}
    try:
        connection.request("GET", f"/socket.io/?EIO=4&transport={transport}", headers=asked)
        return connection.getresponse().status
    finally:
        connection.close()


def test_polling_is_refused(noc: Noc) -> None:
    person = noc.admin
    for method in ("GET", "POST"):
        status, text = person.ask(method, "/socket.io/?EIO=4&transport=polling")
        assert status == 400, text


def test_nobody_holds_more_than_twenty_pages_open(noc: Noc) -> None:
    person = noc.add_person("many", "viewer")
    pages = [Page(noc.port, person.cookie) for _ in range(21)]
    try:
        assert [page.refused for page in pages] == [None] * 20 + ["many has 20 pages open already"]
    finally:
        for page in pages:
            page.close()


# -- what they get


def test_a_page_gets_a_snapshot_then_numbered_deltas_at_most_four_a_second_whatever_the_load(noc: Noc) -> None:
    with noc.admin.open_page() as page:
        page.wait_for("snapshot")
        begun_s = time.monotonic()
        for number in range(1500):
            name = f"t-{number % TARGET_COUNT}"
            noc.others.publish(RESULTS, result(name, rtts_ms=[1.0, float(number)], seq=number))
            if number % 10 == 0:
                noc.others.publish(VERDICTS, verdict(name, [*VerdictState][number // 10 % 8], reason=str(number)))
                noc.others.publish(STATES, state(name, rtt_ms=1.0, seq=number))
            # 500 a second.
            wait_until(lambda number=number: time.monotonic() - begun_s >= number / 500, 5, "the next moment")  # type: ignore[misc]
        took_s = time.monotonic() - begun_s
        page.wait_for("delta", 3)
        in_time = [at_s for at_s in page.when("delta") if at_s <= begun_s + took_s]
        assert len(in_time) <= 4 * took_s + 1
        page.wait_for("tick", deadline_s=7)
        wait_until(lambda: "1490" in {row["reason"] for row in page.content()["targets"]}, 5, "the last verdict shown")
        page.say("refresh", {})
        again = page.wait_for("snapshot", 2)
        assert page.all("result") == []
        check_tiles(page.content())
        assert len(again["targets"]) == TARGET_COUNT


def test_whoever_comes_back_gets_only_the_deltas_that_were_missed(noc: Noc) -> None:
    person = noc.admin
    with person.open_page() as page:
        known = page.wait_for("snapshot")
    for number in range(3):
        with person.open_page(hello={"boot": known["boot"], "revision": known["revision"]}) as page:
            noc.others.publish(VERDICTS, verdict("t-0", VerdictState.UP, reason=f"missed {number}"))
            wait_until(lambda: f"missed {number}" in str(page.all("delta")), 10, "the change on the page")  # noqa: B023
    with person.open_page(hello={"boot": known["boot"], "revision": known["revision"]}) as page:
        page.wait_for("delta", 3)
        assert page.all("snapshot") == []
        deltas = page.all("delta")
        assert [delta["revision"] for delta in deltas] == [known["revision"] + 1 + n for n in range(len(deltas))]
        page.say("refresh", {})
        now = page.wait_for("snapshot")
    missed = [body for _, name, body in page.events if name == "delta" and body["revision"] <= now["revision"]]
    resumed = known
    for delta in missed:
        resumed = applied(resumed, delta)
    assert shown(resumed) == shown(now)


@pytest.mark.parametrize(
    "hello", [{}, {"boot": "another", "revision": 1}, {"boot": None, "revision": "x"}, "no object", 7]
)
def test_whoever_names_no_moment_of_this_start_gets_a_snapshot(noc: Noc, hello: object) -> None:
    with noc.admin.open_page(hello=hello) as page:
        assert len(page.wait_for("snapshot")["targets"]) == TARGET_COUNT


def test_a_refresh_is_answered_to_whoever_asked_with_what_is_true_now(noc: Noc) -> None:
    person = noc.admin
    with person.open_page() as page, person.open_page() as other:
        page.wait_for("snapshot")
        other.wait_for("snapshot")
        asked_at = Time.now()
        page.say("refresh", {})
        snapshot = page.wait_for("snapshot", 2)
        assert asked_at <= Time.parse(snapshot["at"]) <= Time.now()
        status = person.api("GET", "status")
        assert {row["id"] for row in status["targets"]} == {row["id"] for row in snapshot["targets"]}
        check_tiles(snapshot)
        assert len(other.all("snapshot")) == 1


def test_every_result_goes_to_the_pages_of_its_target_and_to_no_other(noc: Noc) -> None:
    person = noc.admin
    with person.open_page() as one, person.open_page() as two, person.open_page() as none:
        for page in (one, two, none):
            page.wait_for("snapshot")
        one.say("watch", {"target": "t-1"})
        two.say("watch", {"target": "t-2"})
        none.say("watch", {"target": "nothing"})
        settle(one, two, none)
        for name in ("t-1", "t-2", "t-3"):
            noc.others.publish(RESULTS, result(name, rtts_ms=[4.0, 4.5]))
        assert one.wait_for("result")["rtts_ms"] == [4.0, 4.5]
        two.wait_for("result")
        one.say("watch", {"target": "t-2"})
        two.say("watch", {"target": None})
        settle(one, two)
        noc.others.publish(RESULTS, result("t-1"))
        noc.others.publish(RESULTS, result("t-2"))
        one.wait_for("result", 2)
        settle(one, two, none)
        assert [body["target"] for body in one.all("result")] == ["t-1", "t-2"]
        assert [body["target"] for body in two.all("result")] == ["t-2"]
        assert none.all("result") == []


def settle(*pages: Page) -> None:
    """Wait until the service has heard all that these pages said, and told them what it had to tell."""
    for page in pages:
        before = len(page.all("snapshot"))
        page.say("refresh", {})
        page.wait_for("snapshot", before + 1)


def test_a_reply_goes_to_the_person_who_asked_and_to_nobody_else(noc: Noc) -> None:
    anna = noc.add_person("anna")
    with anna.open_page() as hers, noc.admin.open_page() as other:
        hers.wait_for("snapshot")
        other.wait_for("snapshot")
        noc.commands.clear()
        asked = anna.api("POST", "targets/t-1/check", {"site": "here"})
        wait_until(lambda: noc.commands, 10, "the command on the bus")
        assert noc.commands[0].request == asked["request"]
        noc.others.publish(REPLIES, Reply(request=asked["request"], site="here", target="t-1", at=Time.now()))
        assert hers.wait_for("reply")["request"] == asked["request"]
        settle(other)
        assert other.all("reply") == []


# -- when it ends


@pytest.mark.parametrize("ending", ["log out", "password", "role", "deleted"])
def test_the_live_connections_of_an_ended_session_are_cut_within_two_seconds(noc: Noc, ending: str) -> None:
    name = f"ending-{ending.replace(' ', '-')}"
    person, admin = noc.add_person(name), noc.admin
    other = Person(noc.port, name, PASSWORD)
    with person.open_page() as page, admin.open_page() as unconcerned:
        page.wait_for("snapshot")
        if ending == "log out":
            assert person.ask("POST", "/logout")[0] == 302
        elif ending == "password":
            other.api("POST", "me/password", {"current": PASSWORD, "new": "another battery"})
        elif ending == "role":
            admin.api("PUT", f"users/{name}", {"role": "viewer"})
        else:
            admin.api("DELETE", f"users/{name}")
        page.wait_until_cut(2)
        settle(unconcerned)
        assert not unconcerned.is_cut
    with Page(noc.port, person.cookie) as again:
        assert again.refused == "log in"


def test_a_page_that_floods_is_cut_and_the_others_go_on(noc: Noc) -> None:
    with noc.admin.open_page() as page, noc.admin.open_page() as other:
        page.wait_for("snapshot")
        for _ in range(250):
            page.say("watch", {"target": "t-1"})
        page.wait_until_cut(5)
        settle(other)


def test_of_a_page_that_was_cut_no_connection_is_kept(noc: Noc) -> None:
    """Also where the page does not agree to the end: a frozen one never would."""
    with closing(noc.admin.connect()) as frozen:
        wait_until(lambda: _is_over(frozen), 30, "the end of a connection that floods")


def _is_over(frozen: websocket.WebSocket) -> bool:
    """Whether the server has ended the connection; floods it, and answers nothing."""
    connection = frozen.sock
    assert connection is not None
    connection.settimeout(0.2)
    try:
        for _ in range(50):
            frozen.send('42["watch",{}]')
        return not connection.recv(65536)
    except (TimeoutError, websocket.WebSocketTimeoutException):
        return False
    except (OSError, websocket.WebSocketConnectionClosedException):
        return True


@pytest.fixture
def small_packets(own_network: None) -> Iterator[None]:
    """As on an Ethernet: the kernel takes much less at once than for the loopback's large packets."""
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500"], check=True)
    yield
    subprocess.run(["ip", "link", "set", "lo", "mtu", "65536"], check=True)


def test_a_large_picture_arrives_whole_at_a_page_that_reads_slowly(noc: Noc, small_packets: None) -> None:
    rows = [{"id": f"many-{number}", "address": f"10.9.{number // 250}.{number % 250}"} for number in range(1000)]
    noc.admin.api("POST", "targets/import", rows)
    with closing(noc.admin.connect(receive_buffer=4096)) as slow:
        slow.send("40")
        slow.send('42["refresh",{}]')
        time.sleep(1)
        slow.settimeout(10)
        frame = ""
        while not frame.startswith('42["snapshot"'):
            frame = str(slow.recv())
    assert len(json.loads(frame[2:])[1]["targets"]) == TARGET_COUNT + len(rows)


def test_a_page_that_sends_more_than_64_kb_at_once_is_cut(noc: Noc) -> None:
    with noc.admin.open_page() as page:
        page.wait_for("snapshot")
        page.say("watch", {"target": "x" * 70_000})
        page.wait_until_cut(5)


def test_nonsense_from_a_page_stops_nothing(noc: Noc) -> None:
    with noc.admin.open_page() as page:
        page.wait_for("snapshot")
        nonsense: tuple[object, ...] = (
            None,
            1,
            "x",
            [],
            {"target": {}},
            {"target": ["t-1"]},
            {"revision": 2**80, "boot": []},
        )
        for said in nonsense:
            for event in ("watch", "hello", "no such event"):
                page.say(event, said)
        settle(page)


# -- every door has its guard


def test_every_event_that_is_answered_is_known(service: Service) -> None:
    server = service.live.io.server
    assert server.handlers.keys() == {"/"}
    assert not server.namespace_handlers
    assert {*server.handlers["/"]} == {"connect", "disconnect", *EVENTS}


def test_every_event_is_answered_to_exactly_those_in_the_table(noc: Noc, figure: Figures) -> None:
    cookies = {role: noc.add_person(f"says-{role}", role).cookie for role in PEOPLE} | {"anonymous": "", "token": ""}
    token = noc.admin.api("POST", "tokens", {"name": "says", "role": "admin"})["token"]
    for role in EVERYBODY:
        for event, allowed in MAY_SAY.items():
            headers = {"Authorization": f"Bearer {token}"} if role == "token" else {}
            with Page(noc.port, cookies[role], **headers) as page:
                is_refused = page.refused is not None
                assert is_refused == (role not in allowed), (role, event)
                if is_refused:
                    continue
                page.say(event, {"target": "t-1"})
                if event == "watch":
                    _wait_for_result(noc, page)
                else:
                    page.wait_for("snapshot")
    figure.at_least("event_role_pairs", len(MAY_SAY) * len(EVERYBODY), len(MAY_SAY))


def _wait_for_result(noc: Noc, page: Page) -> None:
    def is_heard() -> bool:
        noc.others.publish(RESULTS, result("t-1"))
        return bool(page.all("result"))

    wait_until(is_heard, 10, "a result of the target that is watched")


def test_no_event_is_answered_without_asking_who_it_is(noc: Noc) -> None:
    """Work before anybody is asked who it is: a WebSocket that does not say who it is ends, whatever it sends."""
    with contextlib.ExitStack() as open_ones:
        strangers = []
        for greeting in ("", "40"):
            for event in EVENTS:
                stranger = Person.nobody(noc.port).connect()
                assert stranger.sock is not None
                stranger.sock.settimeout(20)
                open_ones.enter_context(closing(stranger.sock))
                if greeting:
                    stranger.send(greeting)
                stranger.send(f'42["{event}",{{}}]')
                strangers.append(stranger)
        begun_s = time.monotonic()
        received: list[str] = []
        for stranger in strangers:
            with contextlib.suppress(websocket.WebSocketException, OSError):
                while True:
                    received.append(str(stranger.recv()))
        assert time.monotonic() - begun_s < 15
        assert not [frame for frame in received if frame.startswith("42")]


# -- the end of the process


def test_the_service_ends_at_once_when_told_though_pages_are_open(
    mosquitto: Mosquitto, noc_processes: Processes, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "NOC_DATA": str(tmp_path / "web"),
        "NOC_MQTT_URL": mosquitto.url(),
        "NOC_HTTP_PORT": str(port),
        "NOC_ADMIN_PASSWORD": PASSWORD,
    }
    noc_processes.service("web", settings)
    wait_until(lambda: listens(port), 20, "the web service")
    person = Person(port, "admin", PASSWORD)
    with person.open_page() as page:
        known = page.wait_for("snapshot")
        code, took_s = noc_processes.stop("web")
        assert (code, took_s < 6) == (0, True)
        page.wait_until_cut(5)
    noc_processes.restart("web")
    wait_until(lambda: listens(port), 20, "the web service again")
    # Nobody is logged out by a restart, and what was seen before it is told from what is seen now.
    with person.open_page(hello={"boot": known["boot"], "revision": known["revision"]}) as page:
        assert page.wait_for("snapshot")["boot"] != known["boot"]
