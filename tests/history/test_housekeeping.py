"""What the SQLite store does beside writing: wherever a cycle is on its way, it is there once."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.messages import Mark, ProbeResult
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame.sqlite import Database
from noc_history.housekeeping import Housekeeping
from noc_history.sqlite import LADDER, SqliteStore
from noc_history.store import Batch, Store, StoreError
from noc_history.sums import HOURS, MINUTES, Tier
from tests.history.files import (
    FOREVER,
    assert_same,
    charts,
    days_ago,
    drawn,
    pack,
    places,
    plain,
    some_cycles,
    write,
)
from tests.history.records import at, cycle


@pytest.mark.parametrize("seed", range(3))
def test_in_whatever_order_cycles_come_and_however_often_each_is_stored_once(tmp_path: Path, seed: int) -> None:
    """A third comes twice, everything is shuffled over five hours, and packing happens anywhere between."""
    rng, path = random.Random(seed), tmp_path / "history.sqlite"
    cycles = some_cycles(rng, 5)
    again = rng.sample(cycles, len(cycles) // 3)
    sent = [*cycles, *again]
    rng.shuffle(sent)
    store, repeated, stored = SqliteStore(path), 0, 0
    while sent:
        size = rng.choice([1, 7, 150, 600])
        stored += store.write(Batch(results=sent[:size])).stored
        del sent[:size]
        if rng.random() < 0.2:
            repeated += pack(path)
    assert_same(drawn(store), plain(cycles))
    repeated += pack(path)
    assert_same(drawn(store), plain(cycles))
    assert stored - repeated == len(cycles)
    assert places(path)["tail"] == 0
    store.close()


@pytest.mark.thorough
def test_a_power_cut_between_any_two_steps_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """After each step the files are copied as a killed process leaves them, and opened; then the work goes on there."""
    rng, path = random.Random(4), tmp_path / "history.sqlite"
    cycles = some_cycles(rng, 3, every_s=90)
    late = cycles[::7]
    store = SqliteStore(path)
    write(store, [one for one in cycles if one not in late])
    pack(path)
    write(store, [*late, *cycles[::11]])
    expected, expected_last, copies = drawn(store), store.last_cycles(), 0
    assert_same(expected, plain(cycles))
    packer = SqliteStore(path)
    while packer.maintain(Time(0), 0.0).backlog_rows or not copies:
        copy = tmp_path / f"copy-{copies}" / path.name
        copy.parent.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
        survivor = SqliteStore(copy)
        assert drawn(survivor) == expected
        assert survivor.last_cycles() == expected_last
        if copies % 3 == 0:
            pack(copy)
            assert drawn(survivor) == expected
        survivor.close()
        copies += 1
    assert copies > 10
    assert places(path)["tail"] == 0
    packer.close()
    store.close()


def test_the_hour_that_is_not_over_stays_open(tmp_path: Path) -> None:
    path, now = tmp_path / "history.sqlite", Time.now()
    store = SqliteStore(path)
    results = [replace(cycle(0, seq=n), at=Time(now - n * 60_000)) for n in range(180)]
    write(store, results)
    pack(path)
    assert places(path)["tail"] >= 1
    points = store.series("router", Time(0), FOREVER, 10**6)["here"]
    assert [one.at for one in points] == sorted(one.at for one in results)
    store.close()


def test_a_cycle_dated_ahead_becomes_the_newest_only_when_its_time_has_come(tmp_path: Path) -> None:
    path, now = tmp_path / "history.sqlite", Time.now()
    store = SqliteStore(path)
    store.write(Batch(results=[cycle(0, seq=1), replace(cycle(0, seq=2), at=Time(now + 400))]))
    pack(path)
    if Time.now() < now + 400:
        assert store.last_cycles() == {("router", "here"): at(0)}
    while Time.now() <= now + 400:
        pass
    assert store.last_cycles() == {("router", "here"): Time(now + 400)}
    store.close()


def test_what_is_too_old_goes_by_hours_wherever_it_is(tmp_path: Path) -> None:
    path, rng = tmp_path / "history.sqlite", random.Random(6)
    cycles = some_cycles(rng, 4)
    store = SqliteStore(path)
    write(store, cycles[::2])
    pack(path)
    write(store, cycles[1::2])
    pack(path, at(2.5 * 3600))
    hour = (at(2.5 * 3600) // 3_600_000) * 3_600_000
    assert_same(drawn(store), plain([one for one in cycles if one.at >= hour]))
    store.close()


def test_a_disk_that_takes_no_more_is_told_of_and_nothing_is_lost(tmp_path: Path) -> None:
    path, rng = tmp_path / "history.sqlite", random.Random(7)
    cycles = some_cycles(rng, 2)
    store, stored = SqliteStore(path), 0
    store.marks()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        while (fault := fault_of_writing(store, cycles[stored : stored + 20], stored + 19)) is None:
            stored += 20
        assert_same(drawn(store), plain(cycles[:stored]))
        assert store.marks() == {"here": mark(stored - 1)}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert fault.can_retry
    assert f"cannot write {path}: disk I/O error; free disk space" in str(fault)
    write(store, cycles[stored:])
    pack(path)
    assert_same(drawn(store), plain(cycles))
    store.close()


def fault_of_writing(store: Store, cycles: Sequence[ProbeResult], seq: int) -> StoreError | None:
    try:
        store.write(Batch(results=cycles, marks=[mark(seq)]))
    except StoreError as fault:
        return fault
    return None


def mark(seq: int) -> Mark:
    return Mark(site="here", epoch=1, seq=seq, at=at(0))


def test_many_commits_that_nothing_settles_are_all_kept(tmp_path: Path) -> None:
    """More than there are slots: the housekeeping thread stands still."""
    path, rng = tmp_path / "history.sqlite", random.Random(9)
    cycles = some_cycles(rng, 0.4)
    store, other = SqliteStore(path), SqliteStore(path)
    for number, one in enumerate(cycles):
        (store if number % 3 else other).write(Batch(results=[one]))
    assert_same(drawn(store), plain(cycles))
    pack(path)
    assert_same(drawn(store), plain(cycles))
    store.close()
    other.close()


@pytest.mark.thorough
def test_the_many_commits_of_the_hour_that_is_not_over_become_few_runs(tmp_path: Path) -> None:
    """Each of 400 targets' cycles is in a commit of its own; two packers get in each other's way, and a reader looks."""
    path, start = tmp_path / "history.sqlite", Time.now() // HOUR_MS * HOUR_MS
    store, one, other = SqliteStore(path), SqliteStore(path), SqliteStore(path)
    rng = random.Random(11)
    large = [replace(cycle(0, seq=n, target=f"lone-{n}"), at=Time(start)) for n in range(4096)]
    store.write(Batch(results=large))
    before = tail(path)
    sent: list[ProbeResult] = []
    for number in range(280):
        rtts = [[rng.lognormvariate(2, 0.3) for _ in range(5)] for _ in range(400)]
        some = [replace(cycle(0, rtts[n], seq=number, target=f"host-{n}"), at=Time(start + number)) for n in range(400)]
        # Some are sent again.
        store.write(Batch(results=[*some, *sent[-50:]]))
        sent += some
        (one if number % 2 else other).maintain(Time(0), 0.0)
        if number % 40 == 0:
            assert seqs(store, "host-7") == seqs(store, "host-399") == list(range(number + 1))
    for packer in (one, other):
        while packer.maintain(Time(0), 0.0).backlog_rows:
            packer.pack_soon()
    left = tail(path)
    # Small ones, larger ones, and those that are not settled yet.
    assert len({key >> 32 for key in left}) < 2 * 16 + 32
    assert sum(key in left and left[key] == data for key, data in before.items()) == len(before)
    for number in (0, 7, 200, 399):
        assert seqs(store, f"host-{number}") == list(range(280))
    assert {target for target, _ in store.last_cycles()} == {result.target for result in (*sent, *large)}
    assert all(found == start + 279 for (target, _), found in store.last_cycles().items() if "host" in target)
    for some_store in (store, one, other):
        some_store.close()


def test_what_one_packer_folds_while_another_files_it_away_is_not_lost(tmp_path: Path) -> None:
    """As `noc history compact` does beside a recorder; hours that are over, and runs that reach into the next."""
    path, border = tmp_path / "history.sqlite", Time(Time.now() // HOUR_MS * HOUR_MS - 3 * HOUR_MS)
    store, one, other = SqliteStore(path), SqliteStore(path), SqliteStore(path)

    def write_commits(numbers: range) -> None:
        for n in numbers:
            around = ((2 * n, border - 1000 * (n + 1)), (2 * n + 1, border + 1000 * n))
            store.write(Batch(results=[replace(cycle(0, seq=seq), at=Time(at)) for seq, at in around]))

    # More than there are slots for, so that there are runs at once.
    write_commits(range(136))
    while not places(path)["block"]:
        one.maintain(Time(0), 0.0)
    write_commits(range(136, 300))
    runs = {key >> 32 for key in tail(path)}
    while len(folded := {key >> 32 for key in tail(path)}) >= len(runs):
        other.maintain(Time(0), 0.0)
    assert min(runs) in folded
    for packer in (one, other):
        while packer.maintain(Time(0), 0.0).backlog_rows:
            packer.pack_soon()
    assert sorted(seqs(store, "router")) == list(range(600))
    assert not tail(path)
    for some_store in (store, one, other):
        some_store.close()


def test_what_another_packer_left_half_done_is_packed(tmp_path: Path) -> None:
    """It made one run of many commits, was killed, and this one knows later ones already."""
    path, hour = tmp_path / "history.sqlite", Time(Time.now() // HOUR_MS * HOUR_MS - 3 * HOUR_MS)
    store, other = SqliteStore(path), SqliteStore(path)
    with closing(Database(path, LADDER)) as file:
        packer = Housekeeping(file, 90, 1825)
        assert packer.work(Time(0), FOREVER)
        for n in range(10):
            store.write(Batch(results=[replace(cycle(0, seq=n), at=Time(hour + 1000 * n))]))
        store.write(Batch(results=[replace(cycle(0, seq=n), at=Time(hour + 1000 * n)) for n in range(10, 3000)]))
        assert packer.work(Time(0), FOREVER)
        runs = set(tail(path))
        while not set(tail(path)) - runs:
            other.maintain(Time(0), 0.0)
        packer.pack_soon()
        assert packer.work(Time(0), FOREVER)
    assert not tail(path)
    assert seqs(store, "router") == list(range(3000))
    for some_store in (store, other):
        some_store.close()


def test_what_comes_late_waits_for_more_unless_somebody_asks_for_it_now(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    store = SqliteStore(path)

    def write_late(seq: int) -> None:
        at = Time(Time.now() - 5 * HOUR_MS + seq)
        store.write(Batch(results=[replace(cycle(0, seq=seq), at=at)]))

    write_late(0)
    while store.maintain(Time(0), 0.0).backlog_rows:
        pass
    assert places(path)["block"] == 1
    write_late(1)
    for _ in range(5):
        assert store.maintain(Time(0), 1.0).backlog_rows == 1
    store.pack_soon()
    assert store.maintain(Time(0), 60.0).backlog_rows == 0
    assert seqs(store, "router") == [0, 1]
    assert not tail(path)
    store.close()


def tail(path: Path) -> dict[int, bytes]:
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT id, data FROM tail"))


def seqs(store: Store, target: str) -> list[int]:
    return [one.seq for one in store.raw_cycles(target, Time(0), FOREVER)]


@pytest.mark.thorough
def test_the_rows_of_an_older_version_are_packed_step_by_step_and_show_the_same(tmp_path: Path) -> None:
    path, rng = tmp_path / "history.sqlite", random.Random(5)
    cycles = some_cycles(rng, 30, every_s=600)
    write_rows(path, cycles)
    store, packer = SqliteStore(path), SqliteStore(path)
    expected, last = drawn(store), store.last_cycles()
    left: list[int] = []
    assert_same(expected, plain(cycles))
    # What came again while it is under way.
    store.write(Batch(results=cycles[::50]))
    while (done := packer.maintain(Time(0), 0.0)).backlog_rows or not left:
        left.append(done.old_rows)
        if len(left) % 5 == 0:
            assert drawn(store) == expected
            assert store.last_cycles() == last
    assert (max(left), len(set(left))) == (len(cycles), 3)
    assert places(path)["row_cycle"] == 0
    assert drawn(store) == expected
    store.close()
    packer.close()


def write_rows(path: Path, cycles: Sequence[ProbeResult]) -> None:
    """As version 2 stored them."""
    store = SqliteStore(path)
    store.marks()
    with closing(sqlite3.connect(path)) as db, db:
        for one in cycles:
            db.execute("INSERT OR IGNORE INTO series (target, site) VALUES (?, ?)", (one.target, one.site))
            found = db.execute("SELECT id FROM series WHERE target = ? AND site = ?", (one.target, one.site))
            rtts_us = [round(rtt * 1000) for rtt in one.rtts_ms]
            summed = (min(rtts_us), sum(rtts_us), max(rtts_us)) if rtts_us else (None, None, None)
            row = (
                *found.fetchone(), one.at, one.seq, one.sent, one.received, one.invalid is None, *summed,
                struct.pack(f"<{len(rtts_us)}I", *rtts_us), one.invalid_code, " ".join(one.error_codes) or None,
            )  # fmt: skip
            db.execute("INSERT INTO cycle VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    store.close()


@pytest.mark.thorough
def test_each_tier_is_kept_as_long_as_it_is_set_to_be(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    cycles, start = days_ago(some_cycles(random.Random(13), 9 * 24, every_s=3000), 9)
    end = Time(start + 9 * DAY_MS)
    store = SqliteStore(path, keep_5min_days=4, keep_hourly_days=7)
    write(store, [one for one in cycles if one.at < Time.now()])
    while store.maintain(Time(Time.now() - 2 * DAY_MS), 5.0).backlog_rows:
        pass
    store.maintain(Time(Time.now() - 2 * DAY_MS), 5.0)
    first_raw = min(one.at for points in drawn(store).values() for one in points)
    kept_from = (Time.now() - 2 * DAY_MS) // HOUR_MS * HOUR_MS
    assert kept_from - HOUR_MS <= first_raw < kept_from + HOUR_MS
    # By whole days; a midnight may have passed since the test began.
    assert oldest(path, MINUTES) - start in (5 * DAY_MS, 6 * DAY_MS)
    assert oldest(path, HOURS) - start in (2 * DAY_MS, 3 * DAY_MS)
    (hourly,) = charts(store, start, end, HOUR_MS)
    assert hourly["router"].merged[0].at == oldest(path, HOURS)
    store.close()


def oldest(path: Path, tier: Tier) -> int:
    """From the fresh sums or the packed ones."""
    with closing(sqlite3.connect(path)) as db:
        found = [
            number * unit_ms
            for table, unit_ms in ((tier.fresh, tier.fresh_ms), (tier.packed, tier.packed_ms))
            for (number,) in db.execute(f"SELECT MIN(id) >> 32 FROM {table}")
            if number is not None
        ]
    return int(min(found))


def test_without_a_setting_a_new_file_keeps_14_days_and_one_from_before_its_30(tmp_path: Path) -> None:
    new, before = tmp_path / "new.sqlite", tmp_path / "before.sqlite"
    old = Time(Time.now() - 20 * DAY_MS)
    shutil.copy(Path(__file__).parents[1] / "fixtures" / "data-0.1" / "history.sqlite", before)
    for path, is_kept in ((new, False), (before, True)):
        store = SqliteStore(path)
        store.write(Batch(results=[replace(cycle(0, target="kept", seq=1), at=old)]))
        while store.maintain(None, 5.0).backlog_rows:
            pass
        assert bool(store.series("kept", Time(0), FOREVER, 9)) is is_kept
        store.close()


def test_a_large_batch_of_many_hours_is_kept_by_its_hours(tmp_path: Path) -> None:
    """As an import brings it: packing looks at each hour once, not at all of them for each."""
    path = tmp_path / "history.sqlite"
    cycles = [cycle(n * 60, seq=n) for n in range(50 * 60)]
    store = SqliteStore(path)
    store.write(Batch(results=cycles))
    with closing(sqlite3.connect(path)) as db:
        spans = db.execute("SELECT low_at, high_at FROM tail ORDER BY id").fetchall()
    assert len(spans) == len({one.at // HOUR_MS for one in cycles})
    assert all(low // HOUR_MS == high // HOUR_MS for low, high in spans)
    assert [one.seq for one in store.raw_cycles("router", Time(0), FOREVER)] == list(range(len(cycles)))
    assert pack(path) == 0
    assert [one.seq for one in store.raw_cycles("router", Time(0), FOREVER)] == list(range(len(cycles)))
    store.close()
