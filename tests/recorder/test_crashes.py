"""A recorder that dies at each durable step, or finds no room, has everything exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from noc_bus.messages import ProbeResult, SiteState
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.inspection import check
from noc_history.sqlite import SqliteStore
from noc_history.store import Store
from tests.history.conftest import engine, open_store, url  # noqa: F401  # fixtures, and what opens their store
from tests.parts.figures import Figures
from tests.parts.waiting import wait_until
from tests.recorder.crashing import BAD_EVERY, EVERY_MS, TARGETS, begins_at, record

# In this order each is reached: what one leaves undone the next one finds. Two are in the midst of packing.
STEPS: Final = (
    "reject:after",
    "write:after:3",
    "settle:before",
    "pack:before:3",
    "pack:before:3",
    "sum up:before:2",
    "delete:before",
)
MORE_STEPS: Final = (
    "write:before:2",
    "settle:after",
    "pack:after:3",
    "sum up:after:2",
    "sum up:before:4",
    "delete:after",
)
FOREVER_DAYS: Final = 36_500
SECONDS: Final = 120


def start(folder: Path, begin: Time, last_seq: int, keep_days: int, **environment: str) -> subprocess.Popen[bytes]:
    with (folder.parent / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.recorder.crashing", folder, *map(str, (int(begin), last_seq, keep_days))],
            env={**os.environ, **environment},
            stderr=errors,
        )


def run(folder: Path, begin: Time, last_seq: int, keep_days: int = FOREVER_DAYS, **environment: str) -> int:
    process = start(folder, begin, last_seq, keep_days, **environment)
    code = process.wait(timeout=SECONDS)
    assert code in (0, -signal.SIGKILL), errors_of(folder)
    return code


def errors_of(folder: Path) -> str:
    return (folder.parent / "errors.txt").read_text(errors="replace")


def assert_each_once(folder: Path, begin: Time, last_seq: int, raw_from: Time, store: Store | None = None) -> None:
    """Raw cycles from `raw_from` on, and sums of all. `store`: instead of the file in the folder."""
    sent = [record(begin, seq) for seq in range(last_seq + 1)]
    good = [one for one in sent if one.seq % BAD_EVERY != BAD_EVERY - 1]
    results = [one for one in good if isinstance(one, ProbeResult)]
    store = store or SqliteStore(folder / "history.sqlite")
    end = Time(max(one.at for one in results) + HOUR_MS)
    counted = {target: one.cycles for target, one in store.totals(None, begin, end).items()}
    assert counted == Counter(one.target for one in results)
    for target in TARGETS:
        points = store.series(target, raw_from, end, 10**9).get("here", ())
        assert [(one.at, one.cycles) for one in points] == [
            (one.at, 1) for one in results if one.target == target and one.at >= raw_from
        ]
        states = store.states([target], begin, end)[target]["here"].states
        wanted = [(one.since, str(one.state)) for one in good if isinstance(one, SiteState) and one.target == target]
        assert [(one.since, one.state) for one in states] == wanted
    assert store.marks()["here"].seq == last_seq
    if isinstance(store, SqliteStore):
        assert store.inspected(lambda file: check(file, lambda share: None)) == []
    store.close()
    lines = (folder / "rejected.jsonl").read_text().splitlines()
    assert {json.loads(line)["record"]["seq"] for line in lines} == set(range(BAD_EVERY - 1, last_seq + 1, BAD_EVERY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.mark.thorough
def test_at_whatever_step_it_dies_everything_is_there_once(folder: Path, is_long: bool) -> None:
    """Every third record comes twice, and none in its order."""
    begin, last_seq, keep_days = begins_at(), 0, FOREVER_DAYS
    steps = sorted([*STEPS, *MORE_STEPS], key=lambda step: ORDER[step.split(":")[0]]) if is_long else STEPS
    for step in steps:
        # What is deleted was summed up in runs before: what comes later than raw cycles are kept may be left out.
        keep_days = 2 if step.startswith("delete") else keep_days
        last_seq += BAD_EVERY
        assert run(folder, begin, last_seq, keep_days, NOC_CRASH_AT=step) == -signal.SIGKILL, step
    assert run(folder, begin, last_seq, keep_days) == 0
    assert_each_once(folder, begin, last_seq, Time((Time.now() - 2 * DAY_MS) // HOUR_MS * HOUR_MS + HOUR_MS))


# What is deleted after a death is gone: there are only so many whole days of it.
EACH_TWENTY_TIMES: Final = (
    *20 * ("reject:after",),
    *10 * ("write:before", "write:after:2"),
    *10 * ("settle:before", "settle:after"),
    *10 * ("pack:before", "pack:after"),
    *10 * ("sum up:before", "sum up:after"),
    *17 * ("delete:before",),
    *3 * ("delete:after",),
)
A_LIFE: Final = 250


@pytest.mark.long_only
@pytest.mark.timeout(3600)
def test_killed_twenty_times_at_each_durable_step_everything_is_there_once(folder: Path, figure: Figures) -> None:
    """Three in ten records come twice, none in its order, and one in a thousand no store can take."""
    lives = [step for step in EACH_TWENTY_TIMES if not step.startswith("delete")]
    last_seq = len(lives) * A_LIFE
    begin = Time((Time.now() - last_seq * EVERY_MS) // HOUR_MS * HOUR_MS - 4 * HOUR_MS)
    plan = [f"{number * A_LIFE} {FOREVER_DAYS} {step}" for number, step in enumerate(lives, 4)]
    last_seq = (len(lives) + 3) * A_LIFE
    # What is deleted was summed up before: nothing comes later than raw cycles are kept.
    plan.append(f"{last_seq} {FOREVER_DAYS} ")
    plan += [f"{last_seq} 3 delete:before"] * 17 + [f"{last_seq} {days} delete:after" for days in (3, 2, 1)]
    plan.append(f"{last_seq} 1 ")
    follow(plan, folder, begin)
    # It fails where anything is lost, doubled, or set aside without need.
    assert_each_once(folder, begin, last_seq, Time((Time.now() - DAY_MS) // HOUR_MS * HOUR_MS + HOUR_MS))
    figure.at_least("kills", len(plan) - 2, 120)


@pytest.mark.long_only
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("url", ["influxd", "influxdb2"], indirect=True)
def test_killed_twenty_times_at_what_it_sends_to_influxdb_everything_is_there_once(
    url: str,  # noqa: F811  # the fixture
    folder: Path,
    figure: Figures,
) -> None:
    """As above. A batch is sent in four messages, its marks in the last; sums are sent beside it."""
    steps = [f"write:{side}:{number}" for number in range(1, 11) for side in ("before", "after")]
    lives = [*20 * ["reject:after"], *steps]
    last_seq = (len(lives) + 4) * A_LIFE
    begin = Time((Time.now() - last_seq * EVERY_MS) // HOUR_MS * HOUR_MS - 4 * HOUR_MS)
    plan = [f"{number * A_LIFE} {FOREVER_DAYS} {step}" for number, step in enumerate(lives, 4)]
    follow([*plan, f"{last_seq} {FOREVER_DAYS} "], folder, begin, NOC_HISTORY_URL=url)
    assert_each_once(folder, begin, last_seq, begin, open_store(url))
    figure.at_least("kills", len(lives), 40)


def follow(plan: list[str], folder: Path, begin: Time, **environment: str) -> None:
    """Lives and deaths, as `tests.recorder.crashing` reads them."""
    (folder.parent / "plan").write_text("\n".join(plan))
    with (folder.parent / "errors.txt").open("wb") as errors:
        command = [
            sys.executable,
            "-m",
            "tests.recorder.crashing",
            str(folder),
            str(int(begin)),
            str(folder.parent / "plan"),
        ]
        done = subprocess.run(command, stderr=errors, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, errors_of(folder)


ORDER: Final = {name: place for place, name in enumerate(("reject", "write", "settle", "pack", "sum up", "delete"))}


@pytest.mark.thorough
def test_killed_at_any_moment_everything_is_there_once(folder: Path, is_long: bool) -> None:
    rng, begin, last_seq, kills = random.Random(20), begins_at(), 12_000 if is_long else 3000, 20 if is_long else 2
    for _ in range(kills):
        process = start(folder, begin, last_seq, FOREVER_DAYS)
        time.sleep(rng.uniform(0.7, 1.6))
        process.kill()
        process.wait(timeout=SECONDS)
    assert run(folder, begin, last_seq) == 0
    assert_each_once(folder, begin, last_seq, begin)


@pytest.mark.thorough
def test_on_a_disk_that_is_full_it_waits_and_loses_nothing(small_disk: Path) -> None:
    begin, last_seq = begins_at(), 4000
    process = start(small_disk, begin, last_seq, FOREVER_DAYS)
    try:
        wait_until(lambda: "free disk space" in errors_of(small_disk), SECONDS, "a full disk")
        assert process.poll() is None
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        reader = SqliteStore(small_disk / "history.sqlite")
        wait_until(lambda: reader.marks()["here"].seq == last_seq, SECONDS, "everything stored after all")
        reader.close()
    finally:
        process.kill()
        process.wait()
    # Packing waits a minute after such a failure: a new start does not.
    assert run(small_disk, begin, last_seq) == 0
    assert_each_once(small_disk, begin, last_seq, begin)
