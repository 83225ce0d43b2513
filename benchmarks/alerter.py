"""How the alerter bears it when everything goes down at once.

    .venv/bin/python benchmarks/alerter.py [--targets 500 3000 10000]

A real alerter on a real broker and a real mail server, and one site that says DOWN of every target in five groups in
one breath. All times count from the first of these words: until every target is kept in the alerter's database as part
of an incident, until the incidents on the broker count them all, and until the first mail. `silent` is the longest time
in which nothing was heard from the alerter meanwhile, `acknowledged` how long an acknowledgement given in the middle
of it took. CPU and memory are the alerter's own. Mails are counted until a minute has passed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from noc_bus.broker import Broker
from noc_bus.channels import ACKNOWLEDGEMENTS, EVENTS, INCIDENTS, PROBERS, SERVICES, STATES, TARGETS, VERDICTS
from noc_bus.messages import (
    Acknowledgement,
    Incident,
    ProberPresence,
    ServicePresence,
    SiteState,
    State,
    Summary,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.retained import Published, RevCounter
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log

_SITE = "north"
_DEADLINE_S = 300.0
_PRESENCE_EVERY_S = 10.0
_GROUPS = 5


@dataclass
class Figures:
    """As in the table."""

    kept_s: float = 0.0
    published_s: float = 0.0
    silent_s: float = 0.0
    acknowledged_s: float = 0.0
    first_mail_s: float = 0.0
    mails: int = 0
    largest_kb: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description="How the alerter bears it when everything goes down at once.")
    parser.add_argument("--targets", type=int, nargs="+", default=[500, 3000, 10_000])
    log.configure("error")
    titles = (
        "targets", "kept s", "on broker s", "silent s", "acknowledged s", "first mail s", "mails", "largest kB", "CPU s",
        "RSS MB",
    )  # fmt: skip
    print("".join(f"{title:>16}" for title in titles))
    for targets in parser.parse_args().targets:
        with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as url:
            found = outage(url, Path(folder), targets, mailed_for_s=60)
        cells = (
            f"{targets}", f"{found.kept_s:.2f}", f"{found.published_s:.2f}", f"{found.silent_s:.2f}",
            f"{found.acknowledged_s:.2f}", f"{found.first_mail_s:.1f}", f"{found.mails}", f"{found.largest_kb:.1f}",
            f"{found.cpu_s:.2f}", f"{found.rss_mb:.0f}",
        )  # fmt: skip
        print("".join(f"{cell:>16}" for cell in cells), flush=True)
    return 0


class Everybody:
    """The web service and one site, and an ear for the alerter."""

    def __init__(self, url: str) -> None:
        self.session = Session(Broker.parse(url), "benchmark")
        revs = RevCounter()
        self.targets: Published[str, Target] = Published(self.session, TARGETS, revs)
        self.states: Published[tuple[str, str], SiteState] = Published(self.session, STATES, revs, site=_SITE)
        self.verdicts: dict[str, Verdict] = {}
        self.incidents: dict[str, Incident] = {}
        self.heard_s: list[float] = []
        self.given_s: dict[str, float] = {}
        self.acknowledged_s: list[float] = []
        self._spoken_s = 0.0
        self.session.subscribe(VERDICTS, self._on_anything)
        self.session.subscribe(INCIDENTS, self._on_anything)
        self.session.subscribe(EVENTS, self._on_anything)
        self.session.subscribe(SERVICES, self._on_anything, service="alerter")
        self.session.subscribe(VERDICTS, self._on_verdict)
        self.session.subscribe(INCIDENTS, self._on_incident)
        self.session.start()
        self.until(lambda: self.session.connected, "the broker")

    def say(self, targets: int, state: State) -> None:
        now = Time.now()
        for number in range(targets):
            self.states.put(
                SiteState(
                    site=_SITE, target=f"t{number}", epoch=1, seq=number, state=state, since=now, reason=str(state), at=now
                )
            )  # fmt: skip
        self.speak()

    def speak(self) -> None:
        """Everybody's sign of life, with what they have retained."""
        self._spoken_s = time.monotonic()
        now = Time.now()
        web = {
            "targets": self.targets.summary(),
            **dict.fromkeys(("sites", "maintenances"), Summary(count=0, rev_sum=0)),
        }
        self.session.publish(SERVICES, ServicePresence(service="web", online=True, at=now, retained=web))
        site = {"states": self.states.summary()}
        self.session.publish(PROBERS, ProberPresence(site=_SITE, online=True, clock=now, retained=site))

    def until(self, condition: Callable[[], object], what: str) -> None:
        end_s = time.monotonic() + _DEADLINE_S
        while not condition():
            if time.monotonic() > end_s:
                raise TimeoutError(f"waited {_DEADLINE_S:g} s in vain for {what}")
            if time.monotonic() - self._spoken_s > _PRESENCE_EVERY_S and self._spoken_s:
                self.speak()
            time.sleep(0.01)

    def _on_anything(self, message: Any, variables: dict[str, str]) -> None:
        self.heard_s.append(time.monotonic())

    def _on_verdict(self, verdict: Verdict | None, variables: dict[str, str]) -> None:
        if verdict is not None:
            self.verdicts[verdict.target] = verdict

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        if incident is None or incident.resolved_at is not None:
            # One that turned out to be part of another is not acknowledged any more.
            self.incidents.pop(variables["incident"], None)
            self.given_s.pop(variables["incident"], None)
            return
        now_s = time.monotonic()
        if incident.acknowledged is not None and incident.id in self.given_s:
            self.acknowledged_s.append(now_s - self.given_s.pop(incident.id))
        self.incidents[incident.id] = incident
        if not self.acknowledged_s and not self.given_s:
            self.given_s[incident.id] = now_s
            given = Acknowledgement(incident=incident.id, by="benchmark", at=Time.now())
            self.session.publish(ACKNOWLEDGEMENTS, given)


class Mailbox:
    """Takes every mail, and notes when it came and how large it was."""

    def __init__(self) -> None:
        self.came: list[tuple[float, int]] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.came.append((time.monotonic(), len(envelope.content)))
        return "250 taken"


def outage(url: str, folder: Path, targets: int, mailed_for_s: float = 0.0) -> Figures:
    """So many targets go down at once, on an empty broker; the alerter's files go to `folder`.

    Mails are waited for `mailed_for_s` after it.
    """
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=_free_port())
    server.start()
    try:
        return _outage(url, folder, targets, mailbox, server.port, mailed_for_s)
    finally:
        server.stop()


def _outage(url: str, folder: Path, targets: int, mailbox: Mailbox, smtp_port: int, mailed_for_s: float) -> Figures:
    everybody = Everybody(url)
    for number in range(targets):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        group = f"group-{number % _GROUPS}"
        everybody.targets.put(Target(id=f"t{number}", name=f"Target {number}", address=address, group=group))
    everybody.say(targets, State.UP)
    settings = {
        "NOC_MQTT_URL": url, "NOC_DATA": str(folder / "data"), "NOC_LOG": "error",
        "NOC_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}", "NOC_MAIL_FROM": "noc@noc.test", "NOC_MAIL_TO": "ops@noc.test",
    }  # fmt: skip
    with _process([sys.executable, "-m", "noc_alerter"], settings) as alerter:
        up = VerdictState.UP
        everybody.until(
            lambda: (
                len(everybody.verdicts) == targets and all(one.state is up for one in list(everybody.verdicts.values()))
            ),
            "a verdict on every target",
        )
        cpu_before_s = _cpu_s(alerter.pid)
        kept = threading.Thread(
            target=_watch_ledger, args=[folder / "data" / "alerter.sqlite", targets, found := Figures()]
        )
        started_s = time.monotonic()
        kept.start()
        everybody.say(targets, State.DOWN)
        everybody.until(
            lambda: (
                sum(one.open_members or 0 for one in list(everybody.incidents.values())) >= targets
                and everybody.acknowledged_s
            ),
            "every target as part of an incident",
        )
        kept.join()
        found.kept_s -= started_s
        moments = [started_s, *(one for one in everybody.heard_s if one > started_s)]
        found.published_s = moments[-1] - started_s
        found.silent_s = max(later - one for one, later in itertools.pairwise(moments))
        found.acknowledged_s = max(everybody.acknowledged_s, default=0.0)
        until_s = time.monotonic() + mailed_for_s
        everybody.until(lambda: time.monotonic() >= until_s, "the mails")
        found.first_mail_s = mailbox.came[0][0] - started_s if mailbox.came else 0.0
        found.mails, found.largest_kb = len(mailbox.came), max((size for _, size in mailbox.came), default=0) / 1000
        found.cpu_s = _cpu_s(alerter.pid) - cpu_before_s
        found.rss_mb = _rss_mb(alerter.pid)
    everybody.session.stop()
    return found


def _watch_ledger(path: Path, targets: int, found: Figures) -> None:
    """Note when the last target is on the disk; found by looking, as any other reader would."""
    end_s = time.monotonic() + _DEADLINE_S
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as reader:
        while time.monotonic() < end_s:
            if reader.execute("SELECT COUNT(*) FROM member WHERE is_open").fetchone()[0] >= targets:
                break
            time.sleep(0.05)
    found.kept_s = time.monotonic()


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """The bundled broker, as `./noc up` runs it."""
    beside = Path(sys.executable).parent / "nats-server"
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None:
        raise SystemExit("needs the nats-server that is bundled with the launcher: run ./noc test once")
    port = _free_port()
    settings = {
        "server_name": "noc-benchmark", "host": "127.0.0.1", "port": _free_port(),
        "jetstream": {"store_dir": str(folder / "jetstream")}, "mqtt": {"host": "127.0.0.1", "port": port},
    }  # fmt: skip
    config = folder / "nats.conf"
    config.write_text(json.dumps(settings))
    with _process([program, "-c", str(config), "-l", str(folder / "nats.log")], {}):
        end_s = time.monotonic() + _DEADLINE_S
        while time.monotonic() < end_s:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"mqtt://127.0.0.1:{port}"


@contextlib.contextmanager
def _process(command: list[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOC_")}
    # The log would stand between the lines of the table.
    process = subprocess.Popen(  # noqa: S603  # our own programs
        command, env=clean | settings, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
