"""How long a disk will do for a history, by what is added and what is kept for how long."""

from __future__ import annotations

import random
from math import inf
from pathlib import Path

import pytest

from noc_bus.messages import State
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.inspection import parts
from noc_history.room import Growth, room
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch
from tests.history.files import days_ago, drawn, pack, some_cycles, write
from tests.history.records import state

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("growths", "free_gb", "days"),
    [
        pytest.param([], 1, None, id="nothing grows"),
        pytest.param([Growth(GB)], 100, 100, id="what is kept for good fills any disk"),
        pytest.param([Growth(GB, 10)], 100, None, id="what is old makes room for what comes"),
        pytest.param([Growth(GB, 10)], 9.5, 9, id="the disk is full before anything is old enough"),
        pytest.param([Growth(GB, -3)], 1, None, id="it is as old as it is kept already"),
        pytest.param([Growth(9 * GB, 10), Growth(GB)], 110, 20, id="the raw cycles first, then their sums alone"),
        pytest.param([Growth(9 * GB, 10), Growth(GB, 15)], 110, None, id="each is kept for a time of its own"),
        pytest.param([Growth(GB, inf)], 0, 0, id="there is no room at all"),
        pytest.param([Growth(GB / 5000)], 1, None, id="in more than ten years"),
    ],
)
def test_days_until_the_disk_is_full(growths: list[Growth], free_gb: float, days: int | None) -> None:
    assert room(0, growths, 1000 * GB, round(free_gb * GB)).days_left == days


@pytest.mark.parametrize(("max_gb", "days"), [(109, None), (110, 100), (None, 100)])
def test_a_file_that_may_take_less_than_its_disk_has_does_not_fill_it(max_gb: int | None, days: int | None) -> None:
    found = room(10 * GB, [Growth(GB)], 1000 * GB, 100 * GB, None if max_gb is None else max_gb * GB)
    assert (found.days_left, found.growth_bytes_a_day) == (days, GB)


@pytest.mark.parametrize(("free", "is_tight"), [(21, False), (20, True), (0, True)])
def test_a_disk_is_tight_from_four_fifths_on(free: int, is_tight: bool) -> None:
    assert room(0, [], 100, free).is_tight is is_tight


@pytest.mark.thorough
def test_what_a_history_adds_in_a_day_is_what_it_added_lately(tmp_path: Path) -> None:
    """Four days of which two are packed: what a second file of the same days takes is what the first says it will."""
    path = tmp_path / "history.sqlite"
    cycles, start = days_ago(some_cycles(random.Random(41), 4 * 24, every_s=600), 4)
    store = SqliteStore(path, keep_days=14)
    write(store, cycles, 2000)
    store.write(Batch(states=[state((start - state(0, State.UP).since) / 1000, State.UP)]))
    pack(path)
    found = store.room()
    assert found is not None
    with_data = sum(part.size for part in store.inspected(parts))
    assert found.growth_bytes_a_day * 4 == pytest.approx(with_data, rel=0.3)
    assert found.size_bytes >= path.stat().st_size > with_data
    assert 0 < found.free_bytes < found.disk_bytes
    # Raw cycles are four days old and kept for fourteen.
    pack(path, Time(start + 2 * DAY_MS))
    again = store.room()
    assert again is not None
    assert again.growth_bytes_a_day == pytest.approx(found.growth_bytes_a_day, rel=0.3)
    store.close()


@pytest.mark.thorough
def test_where_the_file_would_be_too_large_the_oldest_raw_cycles_go_before_their_time_and_sums_say_the_same(
    tmp_path: Path,
) -> None:
    """Three days to be kept for good; what comes late for what is gone changes nothing."""
    path = tmp_path / "history.sqlite"
    cycles, start = days_ago(some_cycles(random.Random(42), 3 * 24, every_s=600), 3)
    end = Time(start + 3 * DAY_MS)
    store = SqliteStore(path)
    write(store, cycles, 2000)
    settle(store)
    shares: list[float] = []
    store.shrink(shares.append)
    assert (shares[-1:], shares) == ([1.0], sorted(shares))
    days = store.daily(None, start, end)
    raw = sum(part.size for part in store.inspected(parts) if "raw" in part.name)
    store.close()
    # Full at nine tenths of it, without half of the raw cycles.
    most = int((path.stat().st_size - raw / 2) / 0.9)
    store = SqliteStore(path, max_bytes=most)
    settle(store)
    kept = [one.at for points in drawn(store).values() for one in points]
    assert start + 6 * HOUR_MS < min(kept) < end - DAY_MS
    assert len(kept) == sum(one.at >= min(kept) // HOUR_MS * HOUR_MS for one in cycles)
    assert store.daily(None, start, end) == days
    store.write(Batch(results=cycles[:200]))
    settle(store)
    assert store.daily(None, start, end) == days
    assert store.trouble() is None
    store.close()
    assert path.stat().st_size <= most
    # Too little even for what always stays: what was younger than a day all the time, and whole hours.
    store, begun = SqliteStore(path, max_bytes=100_000), Time.now()
    settle(store)
    left = {one.at for points in drawn(store).values() for one in points}
    assert all(at >= begun - DAY_MS - HOUR_MS for at in left)
    assert {one.at for one in cycles if one.at >= Time.now() - DAY_MS} <= left
    assert str(store.trouble()).startswith(f"{path} takes 0.000")
    store.close()


def settle(store: SqliteStore) -> None:
    """The next hour goes when all is done that there was to do, and the one before it is gone."""
    idle = 0
    while idle < 2:
        done = store.maintain(Time(0), 5.0)
        idle = 0 if done.backlog_rows or done.deleted_rows else idle + 1
