"""What strangers, and many at once, can make the real service hold, write or wait for."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gevent
import pytest

from noc_bus.broker import Broker
from noc_bus.channels import PROBERS, SERVICES, STATES, VERDICTS
from noc_bus.messages import ServicePresence
from noc_bus.session import Session
from noc_bus.time import Time
from noc_web.logs import LINES_A_MINUTE, Allowance
from noc_web.pools import Pool
from noc_web.problem import ProblemError
from tests.parts import proc
from tests.parts.brokers import Mosquitto
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until
from tests.web.conftest import PASSWORD
from tests.web.facts import presence, state, verdict
from tests.web.page import Person

DESCRIPTORS: Final = 450
TARGETS: Final = 40
HOUR_MS: Final = 3_600_000


@dataclass
class Web:
    """The service as a process that may open few files, so that a test can use them up."""

    port: int
    folder: Path
    processes: Processes

    def person(self) -> Person:
        return Person(self.port, "admin", PASSWORD)

    def health(self, source: str = "127.0.0.1") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(source, 0))
        with closing(connection):
            connection.request("GET", "/healthz")
            return connection.getresponse().status

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    @property
    def rss_mb(self) -> float:
        return proc.rss_mb(self.processes.pid("web"))


@pytest.fixture(scope="module")
def web(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("doors")
    with Mosquitto(folder / "mosquitto") as broker, Processes(folder / "logs") as processes:
        port = free_port()
        settings = {
            "NOC_DATA": str(folder / "web"),
            "NOC_MQTT_URL": broker.url(),
            "NOC_HTTP_PORT": str(port),
            "NOC_ADMIN_PASSWORD": PASSWORD,
        }
        few = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", sys.executable, "-m", "noc_web"]
        processes.start("web", few, settings)
        wait_until(lambda: listens(port), 20, "the web service", seen=lambda: processes.log("web"))
        web = Web(port, folder / "web", processes)
        rows = [{"id": f"t-{number}", "address": f"10.0.0.{number}"} for number in range(TARGETS)]
        web.person().api("POST", "targets/import", rows)
        others = Session(Broker.parse(broker.url()), "others")
        others.start()
        wait_until(lambda: others.connected, 10, "the others on the broker")
        others.publish(PROBERS, presence(since=Time.now(), clock=Time.now()))
        others.publish(SERVICES, ServicePresence(service="alerter", online=True, at=Time.now()))
        for number in range(TARGETS):
            others.publish(STATES, state(f"t-{number}", rtt_ms=2.0, loss_pct=0.0))
            others.publish(VERDICTS, verdict(f"t-{number}"))
        yield web
        others.stop()


# -- work before anybody is asked who it is


def half_a_body(path: str, length: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + b"x" * 100_000


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the end."""
    got = b""
    with contextlib.suppress(OSError):
        while data := connection.recv(65536):
            got += data
    return got


def test_nobody_s_body_is_read_before_it_is_known_whose_it_is(web: Web) -> None:
    """30 anonymous bodies of 16 MB, 15 of them sent, made the service grow by 430 MB."""
    before_mb = web.rss_mb
    with contextlib.ExitStack() as open_ones:
        connections = [open_ones.enter_context(web.connect()) for _ in range(30)]
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(half_a_body("/api/v1/targets/import", 16_000_000))
        answers = [answer_of(connection) for connection in connections]
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 401"}
    assert all(b"Connection: close" in answer for answer in answers)
    assert web.rss_mb - before_mb < 40


@pytest.mark.parametrize("path", ["/login", "/logout", "/nothing", "/api/v1/nothing", "/healthz"])
def test_where_a_stranger_may_ask_a_large_body_is_refused_unread(web: Web, path: str) -> None:
    with web.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(half_a_body(path, 16_000_000))
        assert answer_of(connection)[:10] == b"HTTP/1.1 4"


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "],
    ids=["nothing", "half a request line", "half a header"],
)
def test_a_connection_that_does_not_get_on_is_ended(web: Web, start: bytes) -> None:
    with web.connect() as connection:
        connection.sendall(start)
        began_s = time.monotonic()
        answer_of(connection)
        assert time.monotonic() - began_s < 15


def test_headers_have_a_size(web: Web) -> None:
    with web.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"x" * 60_000 + b"\r\n\r\n")
        assert answer_of(connection)[:12] == b"HTTP/1.1 400"


def test_connections_are_bounded_by_address_and_running_out_of_them_is_survived(web: Web) -> None:
    """1,100 idle connections at 1,024 descriptors ended the service."""
    with contextlib.ExitStack() as open_ones:
        turned_away = 0
        for _ in range(DESCRIPTORS + 50):
            connection = open_ones.enter_context(web.connect())
            connection.settimeout(0.01)
            with contextlib.suppress(TimeoutError, OSError):
                turned_away += connection.recv(12) == b"HTTP/1.1 503"
        assert turned_away > DESCRIPTORS / 2
        assert web.health("127.0.0.2") == 200, "from elsewhere one gets in all the same"
        wait_until(lambda: web.health() == 200, 20, "the idle ones to be ended")
    assert web.processes.is_running("web")


def test_what_strangers_send_fills_no_log(web: Web) -> None:
    """Junk frames wrote 1.5 kB of log each."""
    before = len(web.processes.log("web"))
    for _ in range(40):
        stranger = Person.nobody(web.port).connect()
        assert stranger.sock is not None
        with closing(stranger.sock), contextlib.suppress(Exception):
            for junk in ("x", "4", '42["', "45-["):
                stranger.send(junk)
            stranger.recv()
        with web.connect() as connection, contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x01\r\n\r\n")
            connection.recv(100)
    assert len(web.processes.log("web")) - before < 300 * 2 * LINES_A_MINUTE


def test_a_minute_s_lines_are_counted_and_the_next_minute_has_its_own() -> None:
    now_s = 0.0
    allowance = Allowance(2, lambda: now_s)
    assert [allowance.takes() for _ in range(4)] == [True, True, False, False]
    assert allowance.left_out == 2
    now_s = 60.0
    assert allowance.takes()


# -- threads that cannot starve each other


def test_more_work_than_its_threads_and_queue_take_is_refused_in_a_sentence() -> None:
    pool, other = Pool(1, 1, 503, "Too much."), Pool(1, 0, 503, "Too much.")
    going = threading.Event()
    waiting = [gevent.spawn(pool.run, going.wait, 20) for _ in range(2)]
    gevent.sleep(0.1)
    with pytest.raises(ProblemError, match="Too much") as refused:
        pool.run(int)
    assert refused.value.status == 503
    assert other.run(int) == 0, "work of another kind does not notice"
    going.set()
    gevent.joinall(waiting, timeout=10)
    assert pool.run(int) == 0


def test_the_service_says_that_it_is_alive_while_all_its_threads_are_busy(web: Web) -> None:
    """Log-ins by twelve at once: /healthz took 1.8 s instead of 0.01."""
    person = web.person()
    body = json.dumps({"current": "wrong", "new": "another long password"})
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        # On a busy machine the last of those that wait may wait too long.
        with contextlib.suppress(TimeoutError):
            answers.append(person.ask("POST", "/api/v1/me/password", body))

    threads = [threading.Thread(target=ask) for _ in range(25)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert web.health() == 200
        time.sleep(0.1)
    assert {status for status, _ in answers} == {403, 429}
    assert any("Too many passwords are being checked" in text for _, text in answers)


# -- pages that join together, requests that pile up


def test_pages_that_join_together_share_one_snapshot_of_the_whole_picture(web: Web) -> None:
    """After a restart a first snapshot had every target UNKNOWN."""
    person = web.person()
    web.processes.stop("web")
    web.processes.restart("web")
    wait_until(lambda: listens(web.port), 20, "the web service again")
    pages = [person.open_page() for _ in range(20)]
    try:
        firsts = [page.wait_for("snapshot") for page in pages]
        assert all({row["state"] for row in first["targets"]} == {"UP"} for first in firsts)
        assert all(first["targets"][0]["rtt_ms"] == 2.0 for first in firsts)
    finally:
        for page in pages:
            page.close()


def test_refreshes_that_pile_up_are_answered_once_and_hold_up_nobody(web: Web) -> None:
    """244 refreshes of one page: nobody got a snapshot for 30 s."""
    person = web.person()
    with person.open_page() as eager:
        eager.wait_for("snapshot")
        for _ in range(150):
            eager.say("refresh", {})
        asked_s = time.monotonic()
        with person.open_page() as other:
            other.wait_for("snapshot", deadline_s=5)
        eager.wait_for("snapshot", 2)
        time.sleep(1)
        assert len(eager.all("snapshot")) <= 2 + 20 * (time.monotonic() - asked_s)


def test_a_browser_gets_everything_compressed(web: Web) -> None:
    person = web.person()
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    with web.connect() as connection:
        connection.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
            f"Origin: http://127.0.0.1:{web.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nCookie: {person.cookie}\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n".encode()
        )
        stream = connection.makefile("rb")
        head = b"".join(iter(stream.readline, b"\r\n"))
        assert b"101" in head.split(b"\r\n")[0]
        assert b"permessage-deflate" in head
        assert b"server_no_context_takeover" in head
        for text in (b"40", b'42["hello",{}]'):
            connection.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        while True:
            first, size = stream.read(2)
            if size == 126:
                size = int.from_bytes(stream.read(2), "big")
            body = stream.read(size)
            if first & 0x40:
                break
        text = zlib.decompressobj(-15).decompress(body + b"\x00\x00\xff\xff")
        assert text.startswith(b'42["snapshot"')
        assert len(body) < len(text) / 5
        assert len(json.loads(text[2:])[1]["targets"]) == TARGETS


# -- sessions of screens, and the end


def test_a_page_that_is_open_keeps_its_session(web: Web) -> None:
    """A wall display was logged out after 12 hours though its page was live."""
    person = web.person()
    with person.open_page() as page:
        page.wait_for("snapshot")
        old = int(Time.now()) - 12 * HOUR_MS + 60_000
        with closing(sqlite3.connect(web.folder / "web.sqlite", timeout=10)) as database:
            database.execute("UPDATE session SET seen_at = ?", (old,))
            database.commit()

            def newest() -> Any:
                return database.execute("SELECT max(seen_at) FROM session").fetchone()[0]

            wait_until(lambda: newest() > old, 10, "the session to be used by its open page")


def test_what_is_asked_is_answered_before_the_service_ends(web: Web) -> None:
    """SIGTERM cut what was being answered, and some of those edits were applied all the same."""
    person = web.person()
    rows = [{"id": f"many-{number}", "address": f"10.8.{number // 250}.{number % 250}"} for number in range(3000)]
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(person.api("POST", "targets/import", rows)))
    asking.start()
    time.sleep(0.3)
    code, took_s = web.processes.stop("web", 15)
    asking.join(15)
    assert (code, took_s < 12) == (0, True)
    assert answers
    assert answers[0]["added"] == 3000
