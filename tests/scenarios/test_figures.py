"""The eight figures: faults of every kind for ten minutes, and the NOC's word against the simulator's own record.

lost, dup            cycles that hosts answered and history has not, or has twice
false_down           incidents about hosts that were not silent
missed_down          silences long enough without an incident
mail_lost, mail_dup  mails of incidents that never came, or came twice (once for each kill of the alerter may be)
wrong_state_s        seconds in which the table called a host up or down that had long been otherwise
heal_s               from the end of a fault until everything is right again, the worst

A host's change counts as long ago after interval, down_after seconds, timeout and two seconds more, and not while
its site is UNKNOWN, nor while a fault is played or heals, which is heal_s. A cycle in flight when the
prober is killed, stopped or set to another time is a declared gap. The short form plays each fault once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from noc_bus.messages import Incident
from noc_bus.time import Time
from noc_history.store import Store
from noc_history.stores import in_folder
from noc_netlab.lab import Netlab
from tests.parts.brokers import Mosquitto
from tests.parts.dns import Dns
from tests.parts.figures import Figures
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.parts.wallclock import WallClock
from tests.scenarios.whole import CENTRAL, Noc

SEED: Final = 7
SITE: Final = "here"
INTERVAL_S: Final = 2
TIMEOUT_MS: Final = 500
DOWN_AFTER: Final = 5
LONG_AGO_S: Final = INTERVAL_S + DOWN_AFTER + TIMEOUT_MS / 1000 + 2
HEAL_WITHIN_S: Final = 15.0
# So long after its start a count has ended. What is dated meanwhile is not counted, so no clock may have been so far ahead.
COUNT_WITHIN_S: Final = 150.0
STEADY: Final = {f"steady-{n}": f"10.99.1.{n + 1}" for n in range(40)}
FLAPPING: Final = {f"flapping-{n}": f"10.99.2.{n + 1}" for n in range(8)}
# At most 60 mails an hour go to one recipient, two for each silence and a few about the site.
SILENCES: Final = 22


@dataclass
class Silence:
    name: str
    from_s: float
    to_s: float | None = None


@dataclass
class Truth:
    """What the hosts really did, and when faults were played, by time.monotonic()."""

    netlab: Netlab
    silences: list[Silence] = field(default_factory=list)
    faults: list[tuple[float, float]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def play(self, rng: random.Random, seconds: float) -> None:
        """Let one host after the other fall silent and come back, until told to end."""
        pause_s = max(1.0, seconds / SILENCES - 20)
        while len(self.silences) < SILENCES and not self.over.wait(rng.uniform(0.5, 1.5) * pause_s):
            name = rng.choice(list(FLAPPING))
            silence = Silence(name, time.monotonic())
            self.netlab.behave(FLAPPING[name], silent=True)
            self.silences.append(silence)
            self.over.wait(rng.uniform(15, 25))
            self.netlab.behave(FLAPPING[name])
            silence.to_s = time.monotonic()

    def is_silent(self, name: str, at_s: float) -> bool:
        return any(one.name == name and one.from_s <= at_s < (one.to_s or at_s + 1) for one in self.silences)

    def changed_s(self, name: str) -> float:
        """When it last changed."""
        return max((max(one.from_s, one.to_s or 0) for one in self.silences if one.name == name), default=0.0)

    def is_disturbed(self, at_s: float) -> bool:
        """Whether a fault is played, or may still be healing."""
        return any(start <= at_s < end + HEAL_WITHIN_S for start, end in self.faults)


class OnSmallDisk(Mosquitto):
    """Its folder is a disk of its own, small enough to be filled. It is empty again after a kill."""

    def _command(self) -> list[str | Path]:
        command = [str(word) for word in super()._command()]
        kept = f"{self.folder}-kept"
        prepare = (
            f"rm -rf {kept} && cp -a {self.folder} {kept} && mount -t tmpfs -o size=24m tmpfs {self.folder} "
            f'&& cp -a {kept}/. {self.folder}/ && exec "$@"'
        )
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", prepare, "sh", *command]

    def fill(self, *, full: bool) -> None:
        act = f"dd if=/dev/zero of={self.folder}/fill bs=64k" if full else f"rm -f {self.folder}/fill"
        pid = str(self.processes.pid("broker"))
        subprocess.run(["nsenter", f"--mount=/proc/{pid}/ns/mnt", "sh", "-c", act], capture_output=True, check=False)


class Faults:
    """Each plays one fault and heals it."""

    def __init__(self, noc: Noc, broker: OnSmallDisk, clock: WallClock, dns: Dns, *, is_long: bool) -> None:
        self.noc = noc
        self.broker = broker
        self.clock = clock
        self.dns = dns
        self.seconds = 20.0 if is_long else 3.0
        self.kills: Counter[str] = Counter()
        self.gaps = 0
        """How often the prober was killed, or saw that time had passed without it: what was in flight is declared so."""
        self.dated: list[tuple[float, float]] = []
        """What a clock that was wrong has dated, from and to, in ms."""

    def kill(self, who: str) -> None:
        self.kills[who] += 1
        self.gaps += who == SITE
        if who == "broker":
            self.broker.kill()
            self.broker.start()
        else:
            self.noc.processes.kill(who)
            self.noc.processes.restart(who)

    def freeze(self, who: str) -> None:
        pid = self.broker.processes.pid("broker") if who == "broker" else self.noc.processes.pid(who)
        self.gaps += who == SITE
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.seconds)
        os.kill(pid, signal.SIGCONT)

    def step(self, offset_s: float) -> None:
        """The wall clock of prober and middle is wrong, and is put right; by years is what the recorder refuses."""
        self.gaps += 2
        start = Time.now()
        self.clock.set(offset_s)
        time.sleep(self.seconds)
        self.clock.set(0)
        self.dated.append((start + offset_s * 1000, Time.now() + (offset_s + HEAL_WITHIN_S) * 1000))

    def has_dated(self, now: Time, seconds: float) -> bool:
        """Whether a clock that was ahead has dated anything within the next `seconds`."""
        return any(start - seconds * 1000 < now < end for start, end in self.dated)

    def fill_the_brokers_disk(self) -> None:
        self.broker.fill(full=True)
        time.sleep(self.seconds)
        self.broker.fill(full=False)

    def lose_the_dns(self) -> None:
        self.dns.is_silent = True
        time.sleep(self.seconds)
        self.dns.is_silent = False

    def flood(self) -> None:
        """A site's user says what makes no sense, as fast as it can."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set("flooder", self.broker.passwords["flooder"])
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        end_s = time.monotonic() + self.seconds
        number = 0
        while time.monotonic() < end_s:
            number += 1
            client.publish(f"noc/v1/results/flooder/x-{number % 5000}", b'{"site":' + b"[" * 50, qos=0)
            client.publish(f"noc/v1/states/flooder/x-{number % 5000}", os.urandom(60), qos=0)
            if number % 50 == 0:
                time.sleep(0.01)
        client.disconnect()
        client.loop_stop()

    def all(self) -> list[tuple[str, Callable[[], None]]]:
        plays: list[tuple[str, Callable[[], None]]] = []
        for who in (*CENTRAL, SITE, "broker"):
            plays.append((f"kill {who}", functools.partial(self.kill, who)))
            plays.append((f"freeze {who}", functools.partial(self.freeze, who)))
        plays += [(f"clock {offset_s:+.0f} s", functools.partial(self.step, offset_s)) for offset_s in (-60.0, 600.0)]
        plays.append(("full broker disk", self.fill_the_brokers_disk))
        plays.append(("dead DNS", self.lose_the_dns))
        plays.append(("flood", self.flood))
        return plays


class Watcher:
    """Looks at the table all the time, as a screen does."""

    def __init__(self, noc: Noc, truth: Truth) -> None:
        self.noc = noc
        self.truth = truth
        self.wrong_s = 0.0
        self.wrong: list[tuple[str, str]] = []
        self.last_s = time.monotonic()

    def look(self) -> None:
        status, answer = self.noc.ask("GET", "status")
        now_s = time.monotonic()
        elapsed_s, self.last_s = now_s - self.last_s, now_s
        if status != 200 or self.truth.is_disturbed(now_s):
            return
        wrong = [
            (row["id"], row["state"]) for row in answer["targets"] if self._is_wrong(row["id"], row["state"], now_s)
        ]
        if wrong:
            self.wrong_s += elapsed_s
            self.wrong += wrong

    def _is_wrong(self, name: str, state: str, now_s: float) -> bool:
        if now_s - self.truth.changed_s(name) < LONG_AGO_S:
            return False
        return state in ("UP", "DEGRADED") if self.truth.is_silent(name, now_s) else state == "DOWN"

    def is_right(self) -> bool:
        """Everybody is there, every row is what its host is, and nothing waits to be stored."""
        self.look()
        if not self.noc.is_whole():
            return False
        now_s = time.monotonic()
        rows = self.noc.get("status")
        for row in rows["targets"]:
            has_settled = now_s - self.truth.changed_s(row["id"]) > LONG_AGO_S
            expected = ("DOWN",) if self.truth.is_silent(row["id"], now_s) else ("UP", "DEGRADED")
            if has_settled and row["state"] not in expected:
                return False
        return all(site["journal_depth"] < 500 for site in rows["sites"] if site["id"] == SITE)


@pytest.fixture
def stage(netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[tuple[Noc, OnSmallDisk, WallClock, Dns]]:
    """A NOC whose broker has a small disk, whose clock can be set, and whose prober asks a DNS server of ours."""
    with WallClock(tmp_path) as clock, Dns(tmp_path) as dns:
        dns.names["steady-0.lab"] = [STEADY["steady-0"]]
        noc = Noc(tmp_path / "noc", smtp_sink, sites=(SITE,), users=("flooder",))
        # Each silence is to be an incident of its own.
        noc.group_wait_s = 0
        noc.broker = broker = OnSmallDisk(tmp_path / "noc-broker", noc.broker.passwords)
        noc.environment = clock.environment
        noc.prober_wrap = dns.asking_it()
        with noc:
            yield noc, broker, clock, dns


@pytest.mark.alone(only="long")
@pytest.mark.before_others
@pytest.mark.timeout(1800)
def test_ten_minutes_of_faults_lose_nothing_and_say_nothing_wrong(
    stage: tuple[Noc, OnSmallDisk, WallClock, Dns],
    netlab: Netlab,
    is_long: bool,
    figure: Figures,
) -> None:
    noc, broker, clock, dns = stage
    began = Time.now()
    for name, address in (STEADY | FLAPPING).items():
        options = {"interval_s": INTERVAL_S, "packets": 1, "timeout_ms": TIMEOUT_MS, "down_after": DOWN_AFTER}
        noc.add(name, "steady-0.lab" if name == "steady-0" else address, **options)
    noc.wait_states(dict.fromkeys(STEADY | FLAPPING, "UP"), 60)
    rng = random.Random(SEED)
    truth = Truth(netlab)
    watcher = Watcher(noc, truth)
    faults = Faults(noc, broker, clock, dns, is_long=is_long)
    plays = faults.all()
    rng.shuffle(plays)
    seconds = 600.0 if is_long else 0.0
    hosts = threading.Thread(target=truth.play, args=[random.Random(SEED), seconds], daemon=True)
    hosts.start()
    end_s = time.monotonic() + seconds
    heals: dict[str, float] = {}
    for name, play in plays * 10:
        if time.monotonic() > end_s and len(heals) == len(plays):
            break
        start_s = time.monotonic()
        truth.faults.append((start_s, float("inf")))
        play()
        healing_s = time.monotonic()
        truth.faults[-1] = (start_s, healing_s)
        wait_until(watcher.is_right, 90, f"everything right after: {name}", seen=lambda: noc.ask("GET", "status"))
        heals[name] = max(heals.get(name, 0.0), time.monotonic() - healing_s)
    truth.over.set()
    hosts.join()
    wait_until(lambda: noc.states() == dict.fromkeys(STEADY | FLAPPING, "UP"), 60, "all UP at the end", seen=noc.states)
    wait_until(lambda: not noc.get("incidents?open=true")["incidents"], 30, "no incident open")
    worst = max(heals, key=lambda name: heals[name])
    print({name: round(seconds, 1) for name, seconds in heals.items()}, watcher.wrong[:20])
    # A count in whose time other cycles are dated that were asked for long ago would miss them.
    wait_until(lambda: not faults.has_dated(Time.now(), COUNT_WITHIN_S), 300, "the time that a clock was ahead to")
    counted_to = Time.now()
    with contextlib.closing(in_folder(noc.data).open()) as store:
        wait_until(lambda: _is_stored(store, counted_to), 60, "all cycles stored", seen=store.last_cycles)
        # The newest come first, and what the site kept for a recorder that was away comes beside them.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not _lost_and_dup(store, netlab, faults.gaps, began, counted_to)[0], 60, "the rest")
        lost, dup = _lost_and_dup(store, netlab, faults.gaps, began, counted_to)
        incidents = store.incidents(*_period())
    if lost or dup:
        here = next(site for site in noc.get("status")["sites"] if site["id"] == SITE)
        print({"lost": lost, "dup": dup, "at the site still": here["journal_depth"], "gaps": faults.gaps})
    for name in lost | dup:
        asked = [round(one.at_ms / 1000, 1) for one in netlab.seen(STEADY[name], began)]
        print(name, {"lost": lost.get(name), "dup": dup.get(name), "asked": asked, "stored": noc.cycles(name)})
    if lost or dup:
        print(noc.processes.log(SITE))
    false_down, missed_down = _wrong_downs(incidents, truth)
    mail_lost, mail_dup = _wrong_mails(noc, incidents, faults.kills["alerter"])
    figure.all_at_most(
        {
            "lost": (sum(lost.values()), 0),
            "dup": (sum(dup.values()), 0),
            "false_down": (false_down, 0),
            "missed_down": (missed_down, 0),
            "mail_lost": (mail_lost, 0),
            "mail_dup": (mail_dup, 0),
            "wrong_state_s": (round(watcher.wrong_s, 1), 0),
            f"heal_s ({worst})": (round(heals[worst], 1), HEAL_WITHIN_S),
        }
    )


def _is_stored(store: Store, to: Time) -> bool:
    last = store.last_cycles()
    return all(last[name, SITE] > to + INTERVAL_S * 1000 for name in STEADY)


def _lost_and_dup(
    store: Store, netlab: Netlab, gaps: int, began: Time, to: Time
) -> tuple[dict[str, int], dict[str, int]]:
    """By steady host, of its cycles from `began`, for other tests ask the same hosts, until `to`; one of each may have been in flight at each of the prober's gaps."""
    requests: dict[str, list[float]] = {}
    for one in netlab.seen(since_ms=began):
        requests.setdefault(one.address, []).append(one.at_ms)
    start, end = _period()
    lost: dict[str, int] = {}
    dup: dict[str, int] = {}
    for name, address in STEADY.items():
        begun = _cycles([at_ms for at_ms in requests[address] if at_ms <= to])
        # A clock that was set is a little beside ours, so we count to the middle between two cycles.
        middle = Time(int(begun[-1]) + INTERVAL_S * 500)
        # A clock that was ahead has dated some after all that has been asked for since.
        spans = ((start, middle), (Time(int(to + COUNT_WITHIN_S * 1000)), end))
        # Also those in which the prober was too late to believe what it saw; the others sent nothing.
        stored = sum(cycle.sent > 0 for span in spans for cycle in store.raw_cycles(name, *span))
        lost[name] = len(begun) - stored - gaps
        dup[name] = stored - sum(at_ms <= middle for at_ms in requests[address])
    return {name: n for name, n in lost.items() if n > 0}, {name: n for name, n in dup.items() if n > 0}


def _cycles(requests_ms: Sequence[float]) -> list[float]:
    """When a host's cycles began. The other requests came a second after a lost one, to be sure."""
    begun: list[float] = []
    for at_ms in requests_ms:
        if not begun or at_ms - begun[-1] > INTERVAL_S * 750:
            begun.append(at_ms)
    return begun


def _period() -> tuple[Time, Time]:
    """With all that was dated while a clock was ahead: the API never looks beyond now, the store does."""
    return Time(Time.now() - 3_600_000), Time(Time.now() + 3_600_000)


def _wrong_downs(incidents: Sequence[Incident], truth: Truth) -> tuple[int, int]:
    about = Counter(name for one in incidents if one.kind == "target-down" for name in one.targets)
    silences = Counter(one.name for one in truth.silences)
    noticeable = Counter(
        one.name
        for one in truth.silences
        if one.to_s and one.to_s - one.from_s > LONG_AGO_S and not _is_covered(one, truth)
    )
    false_down = sum(max(0, count - silences[name]) for name, count in about.items())
    missed_down = sum(max(0, count - about[name]) for name, count in noticeable.items())
    return false_down, missed_down


def _is_covered(silence: Silence, truth: Truth) -> bool:
    """Whether a fault left less of it than it takes to be sure."""
    assert silence.to_s is not None
    start_s = silence.from_s
    for fault_start_s, fault_end_s in truth.faults:
        if fault_start_s < start_s + LONG_AGO_S and fault_end_s + HEAL_WITHIN_S > start_s:
            start_s = fault_end_s + HEAL_WITHIN_S
    return silence.to_s - start_s < LONG_AGO_S


def _wrong_mails(noc: Noc, incidents: Sequence[Incident], kills: int) -> tuple[int, int]:
    # What was found in late data is over, and in one mail with the others of its finding.
    live = [one for one in incidents if one.found_at is None]
    expected = sum(1 + (one.resolved_at is not None) for one in live)
    time.sleep(5)
    sent = Counter(mail.message_id for mail in noc.mails.mails)
    return max(0, expected - len(sent)), max(0, sum(sent.values()) - len(sent) - kills)
