"""The history of the version that had a row for each cycle becomes one of blocks, is cut off meanwhile, and shows the same."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.sketch import ERROR
from noc_history.sqlite import SqliteStore
from noc_history.store import PERCENTS, Bucket
from tests.history import asked
from tests.history.asked import CHARTS, Asked, answers
from tests.parts.before import code_of, on_path
from tests.parts.figures import Figures
from tests.parts.waiting import wait_until

BEFORE: Final = "c9cb409c4eba86efe70818aa1e086c214908f5d6"
"""The last state that kept a row for each cycle."""
LONG: Final = 10_000_000
SHORT: Final = 12_000
_PERCENT: Final = re.compile(r"packed [█·]{30} +(\d+)%")
_STEP_S: Final = 60.0


@dataclass
class Compacting:
    """`noc history compact` on a terminal."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    shown: str = ""

    def __post_init__(self) -> None:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "noc_launcher", "history", "compact", "--data", str(self.data)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("NOC_")}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | self.environment
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=[ours], daemon=True)
        self._reader.start()

    @property
    def percents(self) -> list[int]:
        return [int(percent) for percent in _PERCENT.findall(self.shown)]

    def end(self) -> int:
        """Its exit code, once all that it said has been read."""
        code = self.process.wait()
        self._reader.join(_STEP_S)
        return code

    def _read(self, ours: int) -> None:
        try:
            while said := os.read(ours, 65_536):
                self.shown += said.decode(errors="replace")
        except OSError:
            # That is how a terminal ends.
            pass
        finally:
            os.close(ours)


@pytest.fixture
def wanted(is_long: bool) -> Asked:
    """It ends yesterday, and of 30 days, which this version kept, nothing is too old meanwhile."""
    cycles, days = (LONG, 8) if is_long else (SHORT, 1)
    return Asked(cycles, (Time.now() // DAY_MS - 1 - days) * DAY_MS, days)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    return code_of(BEFORE, tmp_path / "code")


def run_before(code: Path, act: str, path: Path, history: Asked) -> str:
    numbers = [str(number) for number in (history.cycles, history.start, history.days)]
    command = [sys.executable, asked.__file__, act, str(path), *numbers]
    environment = os.environ | on_path(code)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.timeout(7200)  # ten million cycles, on a busy machine
def test_a_history_of_rows_is_packed_through_kills_and_ctrl_c_and_shows_the_same(
    tmp_path: Path, before: Path, wanted: Asked, is_long: bool, figure: Figures
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path, rows = data / "history.sqlite", tmp_path / "rows.sqlite"
    run_before(before, "write", path, wanted)
    expected = json.loads(run_before(before, "ask", path, wanted))
    shutil.copy(path, rows)
    with closing(sqlite3.connect(rows)) as db:
        version = db.execute("SELECT user_version FROM pragma_user_version").fetchone()[0]
    assert (rows_left(rows), version) == (wanted.cycles, 2)
    begun_s = time.monotonic()
    left = cut_off_and_packed(data, wanted, 6 if is_long else 0)
    took_s = time.monotonic() - begun_s

    assert answers(path, wanted) == expected
    # Of all targets the days, of some every cycle.
    assert daily(path) == daily_of_rows(rows)
    for one in wanted.targets[:CHARTS]:
        assert_same_cycles(path, rows, one.id)
    for one in wanted.targets[:2]:
        assert_same_charts(path, rows, one.id, wanted)
    figure.at_least("times_cut_off", len(left), 2)
    figure.at_most("cycles_left_at_the_last", left[-1], wanted.cycles - 1)
    figure.at_most("migrated_s", took_s, 7200)
    figure.at_most("bytes_a_cycle", path.stat().st_size / wanted.cycles, 20 if is_long else 60)
    figure.at_least("bytes_a_cycle_before", rows.stat().st_size / wanted.cycles, 40)


def cut_off_and_packed(data: Path, wanted: Asked, times: int) -> list[int]:
    """How many rows were left each time it was cut off: by a kill at a step, by Ctrl-C, and at so many moments more."""
    path = data / "history.sqlite"
    few = {part: of_part for part, of_part in answers(path, wanted, 2).items() if part != "charts"}
    killed_at_a_step(data)
    left = [rows_left(path)]
    stopped_by_ctrl_c(data)
    left.append(rows_left(path))
    assert 0 < left[0] < wanted.cycles
    for number in range(times):
        cut_off_at_some_moment(data, [signal.SIGKILL, signal.SIGINT][number % 2], random.Random(number))
        left.append(rows_left(path))
        found = answers(path, wanted, 2)
        assert {part: found[part] for part in few} == few
    assert left == sorted(left, reverse=True)
    last = Compacting(data)
    assert last.end() == 0, last.shown
    assert last.percents == sorted(last.percents)
    assert last.percents
    assert rows_left(path) == 0
    return left


def killed_at_a_step(data: Path) -> None:
    """Once the first day's hours are packed, and the rows of a few of its series gone."""
    one = Compacting(data, {"NOC_CRASH_AT": "pack:after:27"})
    assert one.end() == -signal.SIGKILL, one.shown
    assert one.percents


def stopped_by_ctrl_c(data: Path) -> None:
    """While it waits for another program's transaction, so that it cannot be done before."""
    with closing(sqlite3.connect(data / "history.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        one = Compacting(data)
        wait_until(lambda: one.percents, _STEP_S, "a progress bar", seen=lambda: one.shown)
        one.process.send_signal(signal.SIGINT)
        db.execute("ROLLBACK")
    assert one.end() == 128 + signal.SIGINT, one.shown
    assert one.shown.rstrip().endswith(
        "noc: Stopped: what is packed stays so, and the same command goes on from there."
    )
    assert "Traceback" not in one.shown


def cut_off_at_some_moment(data: Path, how: signal.Signals, rng: random.Random) -> None:
    one = Compacting(data)
    wait_until(lambda: one.percents, _STEP_S, "a progress bar", seen=lambda: one.shown)
    # No condition to wait for: any moment is to do.
    time.sleep(rng.uniform(1, 15))
    one.process.send_signal(how)
    assert one.end() == (128 + how if how == signal.SIGINT else -how), one.shown
    assert one.percents[-1] >= one.percents[0]


def rows_left(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT COUNT(*) FROM cycle").fetchone()[0])


def daily(path: Path) -> dict[tuple[str, int], tuple[int, ...]]:
    store = SqliteStore(path)
    found = store.daily(None, Time(0), Time.now())
    store.close()
    return {(target, day.at): day[1:] for target, days in found.items() for day in days}


def daily_of_rows(rows: Path) -> dict[tuple[str, int], tuple[int, ...]]:
    with closing(sqlite3.connect(rows)) as db:
        found = db.execute(
            "SELECT target, at / 86400000 * 86400000, COUNT(*), SUM(NOT is_valid), SUM(is_valid * sent), "
            "SUM(is_valid * received) FROM cycle JOIN series ON series.id = cycle.series GROUP BY 1, 2"
        )
        return {(target, at): tuple(counts) for target, at, *counts in found}


def rows_of(rows: Path, target: str) -> Iterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(rows)) as db:
        yield from db.execute(
            "SELECT site, at, seq, sent, received, is_valid, rtts_us, invalid_code, error_codes "
            "FROM cycle JOIN series ON series.id = cycle.series WHERE target = ? ORDER BY site, at, seq",
            (target,),
        )


def rtts_in(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(packed) // 4}I", packed)


def assert_same_cycles(path: Path, rows: Path, target: str) -> None:
    """Every one, with every RTT."""
    store = SqliteStore(path)
    found = store.raw_cycles(target, Time(0), Time.now())
    for one, row in zip(found, rows_of(rows, target), strict=True):
        assert row == (
            one.site, one.at, one.seq, one.sent, one.received, one.invalid is None,
            struct.pack(f"<{len(one.rtts_ms)}I", *[round(rtt * 1000) for rtt in one.rtts_ms]),
            one.invalid_code, " ".join(one.error_codes) or None,
        )  # fmt: skip
    store.close()


def assert_same_charts(path: Path, rows: Path, target: str, wanted: Asked) -> None:
    start, end = Time(wanted.start), Time(wanted.end)
    store = SqliteStore(path)
    every = list(rows_of(rows, target))
    for width_ms in (60_000, 300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS):
        chart = store.chart([target], None, start, end, (end - start) // width_ms)[target]
        assert chart.width_ms == width_ms
        expected: dict[tuple[str, int], list[tuple[Any, ...]]] = defaultdict(list)
        for row in every:
            for site in (row[0], ""):
                expected[site, row[1] // width_ms * width_ms].append(row)
        found = {(site, one.at): one for site, drawn in {**chart.sites, "": chart.merged}.items() for one in drawn}
        assert found.keys() == expected.keys()
        for place, bucket in found.items():
            assert_sums_up(bucket, expected[place])
    store.close()


def assert_sums_up(bucket: Bucket, rows: list[tuple[Any, ...]]) -> None:
    valid = [row for row in rows if row[5]]
    assert bucket[1:5] == (
        len(rows),
        len(rows) - len(valid),
        sum(row[3] for row in valid),
        sum(row[4] for row in valid),
    )
    rtts_ms = sorted(rtt / 1000 for row in valid for rtt in rtts_in(row[6]))
    if not rtts_ms:
        assert bucket.percentiles_ms is None
        return
    assert (bucket.rtt_min_ms, bucket.rtt_max_ms) == (rtts_ms[0], rtts_ms[-1])
    assert bucket.rtt_mean_ms == pytest.approx(sum(rtts_ms) / len(rtts_ms))
    for percent, value in zip(PERCENTS, bucket.percentiles_ms or (), strict=True):
        true_ms = rtts_ms[int(percent * (len(rtts_ms) - 1) / 100)]
        assert value == pytest.approx(true_ms, rel=ERROR * 1.000001)
