"""Sums of cycles in a SQLite file: however they are packed, and whenever that stops, a chart shows the same."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tracemalloc
from contextlib import closing
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.chart import whole_buckets
from noc_history.inspection import check
from noc_history.rollups import pack_rollups, unpack_rollups
from noc_history.sqlite import SqliteStore
from noc_history.sums import TIERS, rollups_of
from tests.history.files import charts, days_ago, pack, some_cycles, write
from tests.history.records import cycle

DAYS: Final = 20
WIDTHS: Final = (300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS)


def sums_in(path: Path) -> dict[str, int]:
    """Portions in each table."""
    with closing(sqlite3.connect(path)) as db:
        return {
            table: db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for tier in TIERS
            for table in (tier.fresh, tier.packed)
        }


@pytest.mark.thorough
def test_a_power_cut_while_sums_are_packed_changes_no_chart(tmp_path: Path) -> None:
    """Nine days, and what comes late for three of them after they were packed."""
    path, rng = tmp_path / "history.sqlite", random.Random(21)
    cycles, start = days_ago(some_cycles(rng, 24 * 9, every_s=25_000), 10)
    end, widths = Time(start + 9 * DAY_MS), (HOUR_MS, 6 * HOUR_MS, DAY_MS)
    late = [one for one in cycles if one.target == "switch" and 4 <= (one.at - start) // DAY_MS < 7]
    truth, store = SqliteStore(tmp_path / "truth.sqlite"), SqliteStore(path)
    write(truth, cycles)
    expected = charts(truth, start, end, *widths)
    write(store, [one for one in cycles if one not in late])
    pack(path)
    assert sums_in(path)["minutes"] == 0
    write(store, [*late, *cycles[::9]])
    packer, copies = SqliteStore(path), 0
    before: dict[str, int] = {}
    while packer.maintain(Time(0), 0.0).backlog_rows or not copies:
        # Each step that moved sums, and no other.
        if sums_in(path) == before:
            continue
        before = sums_in(path)
        copies += 1
        if copies % 5 == 1:
            copy = tmp_path / f"copy-{copies}" / path.name
            copy.parent.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
            survivor = SqliteStore(copy)
            assert charts(survivor, start, end, *widths) == expected
            if copies % 3 == 0:
                pack(copy)
                assert charts(survivor, start, end, *widths) == expected
            survivor.close()
    assert copies > 10
    assert charts(store, start, end, *widths) == expected
    assert store.inspected(lambda file: check(file, lambda share: None)) == []
    found = sums_in(path)
    assert found["minutes"] == 0
    assert min(found["packed_minutes"], found["packed_hours"], found["packed_days"]) > 0
    for one in (packer, store, truth):
        one.close()


@pytest.mark.thorough
def test_a_file_of_version_4_shows_the_same_at_once_and_after_it_was_packed(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    cycles, start = days_ago(some_cycles(random.Random(22), 24 * DAYS, every_s=30_000), DAYS + 1)
    end = Time(start + DAYS * DAY_MS)
    store = SqliteStore(path)
    write(store, cycles)
    pack(path)
    expected = charts(store, start, end, *WIDTHS)
    store.close()
    bring_back_to_version_4(path)
    store = SqliteStore(path)
    assert charts(store, start, end, *WIDTHS) == expected
    assert sums_in(path)["packed_minutes"] == 0
    pack(path)
    assert charts(store, start, end, *WIDTHS) == expected
    found = sums_in(path)
    assert (found["minutes"], found["hours"] < 8 * 6) == (0, True)
    assert found["packed_minutes"] > 0
    store.close()


def bring_back_to_version_4(path: Path) -> None:
    """All sums in portions of an hour or a day, as that version kept them."""
    with closing(sqlite3.connect(path)) as db, db:
        for tier in TIERS:
            sums = [one for (data,) in db.execute(f"SELECT data FROM {tier.packed}") for one in unpack_rollups(data)]
            sums.sort(key=lambda one: (one.start // tier.fresh_ms, one.series, one.start))
            for (number, series), some in groupby(sums, key=lambda one: (one.start // tier.fresh_ms, one.series)):
                row = (number << 32 | series, pack_rollups(list(some)))
                db.execute(f"INSERT OR REPLACE INTO {tier.fresh} VALUES (?, ?)", row)
            db.execute(f"DROP TABLE {tier.packed}")
        for table in ("packed_quarters", "recent_hours", "trace", "gone"):
            db.execute(f"DROP TABLE {table}")
        db.execute("ALTER TABLE stale_day DROP COLUMN summed")
        db.execute("ALTER TABLE keep DROP COLUMN cut")
        db.execute("PRAGMA user_version = 4")


def test_what_comes_for_a_day_of_which_only_hours_are_left_adds_only_hours_that_nobody_knew(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    cycles, start = days_ago(some_cycles(random.Random(23), 9 * 24, every_s=12_000), 10)
    day = Time(start + DAY_MS)
    late = [one for one in cycles if one.site == "there" and DAY_MS < one.at - start < 2 * DAY_MS][::2]
    store = SqliteStore(path, keep_5min_days=4)
    write(store, [one for one in cycles if one not in late])
    keep_until_nothing_is_left(store)
    (before,) = charts(store, start, Time(start + 9 * DAY_MS), HOUR_MS)
    known = replace(cycles[40], seq=99_999)
    write(store, [*late, known])
    keep_until_nothing_is_left(store)
    (after,) = charts(store, start, Time(start + 9 * DAY_MS), HOUR_MS)
    for target, chart in before.items():
        assert after[target].sites["here"] == chart.sites["here"]
        now = {one.at: one for one in after[target].sites["there"]}
        assert {one.at: now[one.at] for one in chart.sites["there"]} == {one.at: one for one in chart.sites["there"]}
        new = now.keys() - {one.at for one in chart.sites["there"]}
        assert new
        assert all(day <= one < day + DAY_MS for one in new)
    days = charts(store, start, Time(start + 9 * DAY_MS), DAY_MS)[0]
    assert [one.cycles for one in days["router"].merged] == [
        sum(hour.cycles for hour in after["router"].merged if hour.at // DAY_MS == one.at // DAY_MS)
        for one in days["router"].merged
    ]
    store.close()


def keep_until_nothing_is_left(store: SqliteStore) -> None:
    before = Time(Time.now() - 2 * DAY_MS)
    while store.maintain(before, 5.0).backlog_rows:
        pass
    store.maintain(before, 5.0)


def test_the_day_so_far_is_one_sum_for_whoever_asks_about_many(tmp_path: Path) -> None:
    """And its hours are there for whoever asks about a part of it."""
    path, now = tmp_path / "history.sqlite", Time.now()
    midnight = now // DAY_MS * DAY_MS
    cycles = [replace(cycle(0, [1.0], seq=n), at=Time(at)) for n, at in enumerate(range(midnight, now, 1_200_000))]
    over = [one for one in cycles if one.at // HOUR_MS < (now - 180_000) // HOUR_MS]
    store = SqliteStore(path)
    write(store, over)
    pack(path)
    wanted = {"router": len(over)} if over else {}
    assert {name: one.cycles for name, one in store.totals(None, Time(midnight), now).items()} == wanted
    if len(over) > 3:
        assert store.totals(None, Time(midnight + HOUR_MS), now)["router"].cycles == len(over) - 3
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM recent_hours")
    assert {name: one.cycles for name, one in store.totals(None, Time(midnight), Time.now()).items()} == wanted
    assert {name: one[0].cycles for name, one in store.daily(None, Time(midnight), Time.now()).items()} == wanted
    store.close()


@pytest.mark.thorough
def test_many_cycles_that_are_in_no_block_yet_are_summed_up_a_few_days_at_a_time(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "history.sqlite")
    cycles, start = days_ago(
        [cycle(60 * one, [1 + one % 89 / 7, 40.0][: one % 3], site=f"site-{one % 2}") for one in range(24_000)], 20
    )
    write(store, cycles, 2000)
    days = [Time(start + number * DAY_MS) for number in range(18)]
    tracemalloc.start()
    found = store.chart(["router"], None, days[0], days[-1], 17 * 24)["router"]
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 4_000_000
    by_day = [store.chart(["router"], None, first, last, 24)["router"] for first, last in pairwise(days)]
    assert found.width_ms == HOUR_MS
    assert found.merged == [bucket for day in by_day for bucket in day.merged]
    assert found.sites == {site: [bucket for day in by_day for bucket in day.sites[site]] for site in found.sites}
    assert sum(bucket.cycles for bucket in found.merged) == len(cycles)
    store.close()


@pytest.mark.thorough
def test_of_a_long_time_only_the_days_with_many_such_cycles_are_summed_up_by_themselves(tmp_path: Path) -> None:
    """The hour that is not over has them all the time, of all targets together: a chart of a year is none of each day."""
    store = SqliteStore(tmp_path / "history.sqlite")
    cycles, _ = days_ago([cycle(7200 * one) for one in range(300)], 30)
    write(store, cycles, 300)
    pack(store.path)
    end = Time.now()
    start = Time(end - 30 * DAY_MS)
    asked = [questions(store, start, end)]
    busy, _ = days_ago([cycle(one / 10, target=f"host-{one % 50}") for one in range(30_000)], 1)
    write(store, busy, 500)
    asked.append(questions(store, start, end))
    assert asked[1] < 3 * asked[0], asked
    store.close()


def questions(store: SqliteStore, start: Time, end: Time) -> int:
    """How many a chart asks of the file."""
    found: list[str] = []
    with store._file.reading("count") as connection:
        connection.set_trace_callback(found.append)
        rollups_of(connection, [1], *whole_buckets(start, end, HOUR_MS), HOUR_MS)
        connection.set_trace_callback(None)
    return len(found)
