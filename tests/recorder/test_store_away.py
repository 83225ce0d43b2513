"""The store is away under load: a file that nobody may write to, an InfluxDB that is stopped. Nothing is lost or there twice."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Mark, ProbeResult
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Store
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import Intake
from noc_recorder.late import Late
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer
from tests.history.conftest import engine, open_store  # noqa: F401  # a fixture
from tests.history.influx_engine import InfluxEngine
from tests.parts import proc
from tests.parts.figures import Figures
from tests.parts.waiting import wait_until

A_SECOND: Final = 300
TARGETS: Final = 100
_REPLAY: Final = 2_000
_HELD: Final = 5_000


def cycle(begin: Time, seq: int) -> ProbeResult:
    return ProbeResult(
        site="here", target=f"host-{seq % TARGETS}", epoch=1, seq=seq, at=Time(begin + seq * 1000 // A_SECOND),
        address="192.0.2.1", sent=2, received=2, rtts_ms=[seq % 97 + 1.0, seq % 89 + 1.5],
    )  # fmt: skip


class Site:
    """Sends what is new at once, and from its journal again what no mark has reached."""

    def __init__(self, intake: Intake, marked: Callable[[], int]) -> None:
        self.begin = Time.now()
        self.sent = 0
        self._intake, self._marked = intake, marked
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Nothing new any more; what is missing goes on coming."""
        self._is_over.set()

    def stop(self) -> None:
        self._is_over.set()
        self._marked = lambda: self.sent
        self._thread.join()

    def _run(self) -> None:
        started_s = looked_s = time.monotonic()
        reached = -1
        while not (self._is_over.is_set() and self._marked() >= self.sent - 1):
            time.sleep(0.02)
            if not self._is_over.is_set():
                due = int((time.monotonic() - started_s) * A_SECOND)
                self._intake.put(*(cycle(self.begin, seq) for seq in range(self.sent, due)))
                self.sent = due
            if time.monotonic() - looked_s > 0.5:
                mark, looked_s = self._marked(), time.monotonic()
                # Some of it is stored meanwhile, and all of it may be there already.
                if mark == reached or self._is_over.is_set():
                    self._intake.put(
                        *(cycle(self.begin, seq) for seq in range(mark + 1, min(self.sent, mark + 1 + _REPLAY)))
                    )
                reached = mark


@dataclass
class Away:
    """A store, and how it goes and comes back."""

    store: Store
    goes: Callable[[], None]
    comes: Callable[[], None]


@pytest.fixture(params=["sqlite", "influxd"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Away]:
    if request.param == "sqlite":
        store: Store = SqliteStore(tmp_path / "history.sqlite")
        with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite", check_same_thread=False)) as other:
            # As a copy of the file, or a disk that answers nobody, would keep it.
            yield Away(store, lambda: none(other.execute("BEGIN IMMEDIATE")), other.rollback)
        store.close()
    else:
        server: InfluxEngine = request.getfixturevalue("engine")
        store = open_store(server.make_bucket("away"))
        yield Away(store, server.kill, server.start)
        store.close()


def none(_: object) -> None:
    return


@pytest.mark.timeout(1500)
def test_a_store_that_is_away_under_load_gets_everything_once_by_itself(
    away: Away, tmp_path: Path, figure: Figures, is_long: bool
) -> None:
    """For ten minutes with --long."""
    away_s, bus = 600.0 if is_long else 2.0, FakeBus(Hub())
    definitions, intake = Definitions(bus), Intake(_HELD)
    late = Late(bus, tmp_path, away.store, definitions.now)
    rejected = RejectedFile(tmp_path)
    writer = Writer(
        away.store, intake, rejected, definitions, Deletions(bus, tmp_path), late, write_every_s=0.2
    )  # fmt: skip
    stop, told = threading.Event(), list[Mark]()
    thread = threading.Thread(target=writer.run, args=[stop, told.extend], daemon=True)
    thread.start()

    def marked() -> int:
        return max((mark.seq for mark in told if mark.site == "here"), default=-1)

    site = Site(intake, marked)
    wait_until(lambda: marked() > A_SECOND, 30, "a first mark")
    away.goes()
    wait_until(lambda: writer.trouble, 30, "that it says so")
    before, memory_mb = marked(), proc.rss_mb(os.getpid())
    time.sleep(away_s)
    assert marked() == before
    away.comes()
    back_s, due = time.monotonic(), site.sent
    wait_until(lambda: marked() > before, 60, "that it goes on")
    heal_s = time.monotonic() - back_s
    site.end()
    wait_until(lambda: marked() == site.sent - 1, 300, "all of it", seen=lambda: (marked(), site.sent))
    caught_up_s = time.monotonic() - back_s
    stop.set()
    thread.join()
    site.stop()
    found = sorted(one.seq for n in range(TARGETS) for one in away.store.raw_cycles(f"host-{n}", Time(0), Time.now()))
    assert writer.trouble is None
    assert due > before + A_SECOND
    figure.all_at_most(
        {
            "lost": (len(set(range(site.sent)) - set(found)), 0),
            "doubled": (len(found) - len(set(found)), 0),
            "heal_s": (heal_s, 45),
            "caught_up_s": (caught_up_s, 300),
            # This process holds what could not be stored.
            "more_memory_mb": (proc.rss_mb(os.getpid()) - memory_mb, 100),
        }
    )
