"""What the web service costs and how soon it answers: idle, under slow requests, and when many pages come at once.

    .venv/bin/python benchmarks/web.py [--targets 2000] [--pages 200 1000]

The real process on a private Mosquitto, fed as probers and the alerter would; pages are real WebSockets that agree to
compression, as browsers do. CPU is that of the web service alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from noc_bus.broker import Broker
from noc_bus.channels import PROBERS, RESULTS, SERVICES, STATES, VERDICTS
from noc_bus.messages import ProbeResult, ProberPresence, ServicePresence, SiteState, State, Verdict, VerdictState
from noc_bus.session import Session
from noc_bus.time import Time
from noc_history.store import Batch
from noc_history.stores import in_folder

PASSWORD: Final = "seventeen green bottles"  # noqa: S105  # of users in a folder that is thrown away
INTERVAL_S: Final = 10
PAGES_OF_ONE: Final = 20
_HERTZ: Final = os.sysconf("SC_CLK_TCK")


class Service:
    """A broker and the web service in a folder that is thrown away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.mqtt_port = _free_port(), _free_port()
        conf = folder / "mosquitto.conf"
        conf.write_text(f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        self._broker = subprocess.Popen([_mosquitto(), "-c", str(conf)], stderr=subprocess.DEVNULL)  # noqa: S603  # from PATH, with a file of ours
        settings = {
            "NOC_DATA": str(folder),
            "NOC_MQTT_URL": f"mqtt://127.0.0.1:{self.mqtt_port}",
            "NOC_HTTP_PORT": str(self.port),
            "NOC_ADMIN_PASSWORD": PASSWORD,
            "NOC_LOG": "warning",
        }
        self._web = subprocess.Popen([sys.executable, "-m", "noc_web"], env=os.environ | settings)
        _wait_for_port(self.port)

    def stop(self) -> None:
        for process in (self._web, self._broker):
            process.terminate()
            process.wait()

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._web.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _HERTZ

    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self._web.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


class Feed:
    """One site's prober and the alerter: everything retained, then a result of each target every ten seconds."""

    def __init__(self, service: Service, targets: int) -> None:
        self._targets = targets
        self._bus = Session(Broker.parse(f"mqtt://127.0.0.1:{service.mqtt_port}"), "feed")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._bus.start()
        while not self._bus.connected:
            time.sleep(0.05)
        self._say_presence()
        for number in range(targets):
            now = Time.now()
            name = f"t{number}"
            self._bus.publish(
                STATES,
                SiteState(
                    site="here", target=name, epoch=1, seq=number, state=State.UP, since=now, reason="answers",
                    rtt_ms=3.0, loss_pct=0, at=now,
                ),
            )  # fmt: skip
            self._bus.publish(
                VERDICTS,
                Verdict(target=name, state=VerdictState.UP, since=now, reason="answers from here", sites={}, at=now),
            )
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._bus.stop()

    def _say_presence(self) -> None:
        now = Time.now()
        self._bus.publish(PROBERS, ProberPresence(site="here", online=True, since=now, clock=now, epoch=1))
        self._bus.publish(SERVICES, ServicePresence(service="alerter", online=True, at=now))

    def _run(self) -> None:
        seq, started_s = 0, time.monotonic()
        while not self._stop.wait(0.05):
            due = int((time.monotonic() - started_s) * self._targets / INTERVAL_S)
            while seq < due:
                name, rtt_ms = f"t{seq % self._targets}", 1 + seq * 7 % 90 / 10
                result = ProbeResult(
                    site="here", target=name, epoch=1, seq=seq, at=Time.now(), address="10.0.0.1", sent=5, received=5,
                    rtts_ms=[rtt_ms] * 5,
                )  # fmt: skip
                self._bus.publish(RESULTS, result)
                seq += 1
                if seq % (self._targets // 2) == 0:
                    self._say_presence()


class Refused(Exception):
    """Too many strangers of one address, as the pages of this benchmark are until their session is found."""


class Page:
    """A browser's live connection, as far as it takes to know what arrived when."""

    def __init__(self, service: Service, cookie: str) -> None:
        self._service, self._cookie = service, cookie
        self.at: dict[str, list[float]] = {}
        self.boot: str | None = None
        self.revision = -1
        self._boot_of = re.compile(rb'"boot":"(\w+)"')
        self._revision_of = re.compile(rb'"revision":(\d+)')

    async def join(self) -> None:
        """Connect and say hello; with what an earlier connection brought where there was one."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._service.port, limit=2**24)
        host = f"127.0.0.1:{self._service.port}"
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nCookie: {self._cookie}\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = head.partition(b"\r\n")[0].decode()
        if " 101 " not in status:
            self._writer.close()
            raise Refused(status)
        self._send("40")
        self.at.clear()
        self._task = asyncio.create_task(self._listen())

    async def leave(self) -> None:
        self._writer.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._task

    async def until(self, event: str, within_s: float) -> float:
        """When it first arrived; infinity where it does not."""
        deadline_s = time.monotonic() + within_s
        while event not in self.at and time.monotonic() < deadline_s:
            await asyncio.sleep(0.02)
        return self.at[event][0] if event in self.at else float("inf")

    def longest_silence_s(self, since_s: float) -> float:
        moments = sorted(at_s for many in self.at.values() for at_s in many if at_s >= since_s)
        moments = [since_s, *moments, time.monotonic()]
        return max(after - before for before, after in itertools.pairwise(moments))

    def _send(self, text: str) -> None:
        body = text.encode()
        assert len(body) < 126
        self._writer.write(bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body)

    async def _listen(self) -> None:
        while True:
            first, size = await self._reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            body = await self._reader.readexactly(size)
            # The beginning tells what it is; to read all of it would measure ourselves.
            text = zlib.decompressobj(-15).decompress(body, 300) if first & 0x40 else body[:300]
            if text == b"2":
                self._send("3")
            elif text.startswith(b"40"):
                self._send(f'42["hello",{{"boot":"{self.boot}","revision":{self.revision}}}]')
            elif text.startswith(b'42["'):
                self._take(text)

    def _take(self, text: bytes) -> None:
        self.at.setdefault(text[4 : text.index(b'"', 4)].decode(), []).append(time.monotonic())
        if boot := self._boot_of.search(text):
            self.boot = boot.group(1).decode()
        if revision := self._revision_of.search(text):
            self.revision = int(revision.group(1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--pages", type=int, nargs=2, default=[200, 1000])
    arguments = parser.parse_args()
    print(f"{'what':<72}{'measured':>12}{'aim':>10}")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        try:
            _measure(service, arguments.targets, *arguments.pages)
        finally:
            service.stop()
    return 0


def _say(what: str, measured: str, aim: str) -> None:
    print(f"{what:<72}{measured:>12}{aim:>10}", flush=True)


def _measure(service: Service, targets: int, few: int, many: int) -> None:
    admin = _log_in(service, "admin")
    _import(service, admin, targets // 2)
    feed = Feed(service, targets // 2)
    # What was imported is said a second time within this time.
    time.sleep(60)
    before_s = service.cpu_s()
    time.sleep(30)
    idle = (service.cpu_s() - before_s) / 30
    _say(f"{targets // 2} targets at {INTERVAL_S} s, no page open: of a core", f"{100 * idle:.1f} %", "1 %")
    _fill_history(service.folder)
    asyncio.run(_under_slow_requests(service, admin))
    feed.stop()
    _import(service, admin, targets)
    feed = Feed(service, targets)
    cookies = [admin, *_people(service, admin, many // PAGES_OF_ONE)]
    time.sleep(5)
    asyncio.run(_joining(service, cookies, targets, few, many))
    feed.stop()


async def _under_slow_requests(service: Service, admin: _Cookie) -> None:
    page = Page(service, admin.cookie)
    await page.join()
    await page.until("snapshot", 20)
    started_s = time.monotonic()
    loop = asyncio.get_running_loop()
    path = "/api/v1/targets/t0/history?points=5000&from=2026-01-01T00:00:00Z"
    threads = ThreadPoolExecutor(15)
    slow = [loop.run_in_executor(threads, _get, service, path, admin.cookie) for _ in range(14)]
    took_ms: list[float] = []
    while not all(one.done() for one in slow) or len(took_ms) < 100:
        asked_s = time.monotonic()
        await loop.run_in_executor(threads, _get, service, "/healthz", "")
        took_ms.append(1000 * (time.monotonic() - asked_s))
        await asyncio.sleep(0.02)
    lasted_s = time.monotonic() - started_s
    silence_s = page.longest_silence_s(started_s)
    await page.leave()
    threads.shutdown()
    p99 = statistics.quantiles(took_ms, n=100)[98]
    statuses = [one.result() for one in slow]
    what = f"14 slow history requests at once ({lasted_s:.0f} s, {statuses.count(200)} answered)"
    _say(f"{what}: /healthz p99", f"{p99:.0f} ms", "100 ms")
    _say("meanwhile the longest wait for a delta", f"{silence_s:.2f} s", "1 s")


async def _joining(service: Service, people: list[_Cookie], targets: int, few: int, many: int) -> None:
    cookies = [people[number // PAGES_OF_ONE].cookie for number in range(many)]
    witness = Page(service, cookies[0])
    await witness.join()
    await witness.until("snapshot", 20)
    pages = [Page(service, cookie) for cookie in cookies[1:]]
    steady_s = service.cpu_s()
    await asyncio.sleep(5)
    per_s = (service.cpu_s() - steady_s) / 5

    async def come(some: list[Page], what: str, event: str, within_s: float, spread_s: float = 0.0) -> None:
        started_s, cpu_s = time.monotonic(), service.cpu_s()

        async def one(number: int, page: Page) -> float:
            await asyncio.sleep(spread_s * number / len(some))
            wait_s = 0.5
            while True:
                try:
                    await page.join()
                    return await page.until(event, within_s + 30)
                except Refused:
                    # As the browser's own client does.
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, 10)

        arrived = await asyncio.gather(*(one(number, page) for number, page in enumerate(some)))
        took_s = max(arrived) - started_s
        cpu_ms = 1000 * (service.cpu_s() - cpu_s - per_s * (time.monotonic() - started_s)) / len(some)
        _say(what, f"{took_s:.1f} s", f"{within_s:.0f} s")
        # Over twenty seconds most of it is the deltas to all the others.
        if not spread_s:
            _say("  CPU of each, beyond what runs anyway", f"{cpu_ms:.1f} ms", "5 ms")
        silence_s = witness.longest_silence_s(started_s)
        _say("  longest silence for a page that was there", f"{silence_s:.1f} s", "2 s")

    joined = pages[: few - 1]
    await come(joined, f"{targets} targets: {few} pages join at once, the last has its snapshot after", "snapshot", 5)
    back = joined[: few * 19 // 20]
    await asyncio.gather(*(page.leave() for page in back))
    await asyncio.sleep(30)
    await come(back, f"{len(back)} of them come back after 30 s, the last is up to date after", "delta", 5)
    more = pages[few - 1 :]
    await come(more, f"{many} pages in all: the others join within 20 s, the last after", "snapshot", 30, spread_s=20)
    _say("memory of the web service then", f"{service.rss_mb():.0f} MB", "300 MB")
    await asyncio.gather(*(page.leave() for page in [witness, *pages]))


class _Cookie:
    def __init__(self, cookie: str, csrf: str) -> None:
        self.cookie, self.csrf = cookie, csrf


def _ask(
    service: Service, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0]
        return answer.status, answer.read().decode(), cookie
    finally:
        connection.close()


def _get(service: Service, path: str, cookie: str) -> int:
    """The status; 0 where there was no answer in time, which is no reason not to tell how the others fared."""
    try:
        return _ask(service, "GET", path, headers={"Cookie": cookie})[0]
    except TimeoutError:
        return 0


def _log_in(service: Service, name: str) -> _Cookie:
    _, page, cookie = _ask(service, "GET", "/login")
    form = urlencode({"csrf_token": _token(page), "username": name, "password": PASSWORD})
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    status, _, cookie = _ask(service, "POST", "/login", form, kind)
    assert status == 302, f"{name} could not log in: {status}"
    _, page, again = _ask(service, "GET", "/password", headers={"Cookie": cookie})
    return _Cookie(again or cookie, _token(page))


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)', page)
    assert found
    return found.group(1)


def _post(service: Service, who: _Cookie, path: str, body: Any) -> None:
    headers = {"Cookie": who.cookie, "X-CSRFToken": who.csrf, "Content-Type": "application/json"}
    status, text, _ = _ask(service, "POST", f"/api/v1/{path}", json.dumps(body), headers)
    assert 200 <= status < 300, text[:300]


def _import(service: Service, admin: _Cookie, targets: int) -> None:
    rows = [{"id": f"t{number}", "address": f"10.0.{number // 250}.{number % 250 + 1}"} for number in range(targets)]
    _post(service, admin, "targets/import?replace=true", rows)


def _people(service: Service, admin: _Cookie, count: int) -> list[_Cookie]:
    for number in range(count):
        _post(service, admin, "users", {"name": f"person{number}", "role": "viewer", "password": PASSWORD})
    return [_log_in(service, f"person{number}") for number in range(count)]


def _fill_history(folder: Path) -> None:
    """Half a million cycles of one target, so that reading them takes its time."""
    now, store = Time.now(), in_folder(folder).open()
    for start in range(0, 500_000, 20_000):
        results = [
            ProbeResult(
                site="here", target="t0", epoch=9, seq=number, at=Time(now - 10_000 * number), address="10.0.0.1",
                sent=5, received=5, rtts_ms=[3.0, 4.0, 5.0, 6.0, 7.0],
            )
            for number in range(start, start + 20_000)
        ]  # fmt: skip
        store.write(Batch(results=results))
    store.close()


def _mosquitto() -> str:
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit("the web service does not listen")


if __name__ == "__main__":
    sys.exit(main())
