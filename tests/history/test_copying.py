"""`noc history copy`: a whole history from SQLite into another store, cut off and begun again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.messages import State, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition, Silence, Store, StoreError, Sum
from noc_recorder.cli import main
from noc_recorder.copying import Progress, copy
from tests.history.conftest import open_store
from tests.history.files import TARGETS, charts, days_ago, drawn, pack, some_cycles, write
from tests.history.records import cycle, incident, state, trace


@pytest.fixture
def source(tmp_path: Path) -> SqliteStore:
    """Two days, of the first of which only sums are left, and all else that a history has."""
    cycles, start = days_ago(some_cycles(random.Random(31), 36, every_s=900), 5)
    store = SqliteStore(tmp_path / "from" / "history.sqlite")
    store.path.parent.mkdir()
    write(store, cycles)
    target = Target(id="router", name="Router", address="192.0.2.1")
    store.write(
        Batch(
            states=[state(n, State.DOWN if n % 2 else State.UP, code="no-answer", seq=n) for n in range(9)],
            incidents=[incident("over", 10, 20), incident("open", 30)],
            definitions=[Definition("router", start, target), Definition("router", Time(start + DAY_MS), None)],
            silences=[Silence("router", "here", start, Time(start + HOUR_MS))],
            traces=[trace(0, "10.0.0.1"), trace(60, "10.0.0.2")],
        )
    )
    pack(store.path, Time(start + DAY_MS))
    return store


def assert_same_history(one: Store, other: Store) -> None:
    end = Time(Time.now() + DAY_MS)
    start = Time((end // DAY_MS - 7) * DAY_MS)
    assert drawn(other) == drawn(one)
    widths = (300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS)
    assert charts(other, start, end, *widths) == charts(one, start, end, *widths)
    assert other.totals(None, start, end) == one.totals(None, start, end)
    states, copied = (store.states(["router"], Time(0), end)["router"] for store in (one, other))
    for site, records in states.items():
        assert list(copied[site].states) == list(records.states)
        assert list(copied[site].silences) == list(records.silences)
    assert other.definitions(None) == one.definitions(None)
    assert other.traces(None, Time(0), end) == one.traces(None, Time(0), end)
    assert list(other.incidents(Time(0), end)) == list(one.incidents(Time(0), end))
    for target in TARGETS:
        assert list(other.raw_cycles(target, start, end)) == list(one.raw_cycles(target, start, end))


@pytest.mark.thorough
@pytest.mark.parametrize("url", ["sqlite", "influxd", "influxdb2"], indirect=True)
def test_all_of_a_history_is_copied_and_back_and_again_without_harm(
    source: SqliteStore, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["copy", "--data", str(source.path.parent), "--to", url], environment={}) == 0
        assert "cycles, their sums, states and incidents are in " in capsys.readouterr().err
    other = open_store(url)
    assert_same_history(source, other)
    assert not source.path.with_suffix(".copy").exists()
    other.close()
    (tmp_path / "back").mkdir()
    back = SqliteStore(tmp_path / "back" / "history.sqlite")
    # Both are named, and nothing else was ever done on this machine.
    words = ["--data", str(tmp_path / "new" / "data"), "--from", url, "--to", f"sqlite://{back.path}"]
    assert main(["copy", *words], environment={}) == 0
    assert_same_history(source, back)
    back.close()
    source.close()


@pytest.mark.thorough
@pytest.mark.parametrize("url", ["sqlite", "influxdb2"], indirect=True)
def test_what_came_late_for_hours_of_which_only_sums_are_left_is_counted_as_the_source_will(
    source: SqliteStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is beside the sums of its hour, and not all of that: in five minutes without a sum it is new, in others not."""
    (oldest, *_) = charts(source, Time(0), Time.now(), DAY_MS)[0]["router"].sites["here"]
    first = replace(cycle(0), at=Time(oldest.at + 12 * HOUR_MS + 1000))
    late = [replace(first, at=Time(first.at + minutes * 60_000), seq=minutes) for minutes in (0, 5, 6, 10, 15)]
    source.write(Batch(results=late))
    assert main(["copy", "--data", str(source.path.parent), "--to", url], environment={}) == 0
    said = capsys.readouterr().err
    assert f"from {oldest.at} on there are only sums; cycles are kept from " in said
    assert "3 cycles came late for hours of which only sums are left, and are summed up with these\n" in said
    assert "2 cycles came late for hours of which only sums are left, and are left out" in said
    pack(source.path, Time(oldest.at + DAY_MS))
    other = open_store(url)
    assert_same_history(source, other)
    other.close()
    source.close()


def test_of_a_day_whose_cycles_are_all_kept_no_word_is_said_of_sums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cycles, start = days_ago(some_cycles(random.Random(3), 30, every_s=1800), 3)
    store = SqliteStore(tmp_path / "history.sqlite")
    write(store, [one for one in cycles if one.at > start + 5 * HOUR_MS])
    pack(store.path)
    store.close()
    to = f"sqlite://{tmp_path}/copy.sqlite"
    assert main(["copy", "--data", str(tmp_path), "--to", to], environment={}) == 0
    said = capsys.readouterr().err
    assert "states and incidents are in " in said
    assert "there are only sums" not in said


class Failing(SqliteStore):
    """Gone after some sums were written."""

    def __init__(self, path: Path, writes: int) -> None:
        super().__init__(path)
        self.writes = writes

    def write_sums(self, sums: Sequence[Sum]) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise StoreError("the disk is full", can_retry=True)
        super().write_sums(sums)


@pytest.mark.thorough
def test_a_copy_that_was_cut_off_goes_on_where_it_was(source: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    place, noted = tmp_path / "to" / "history.sqlite", tmp_path / "noted"
    failing = Failing(place, writes=2)
    progress = Progress(noted)
    progress.open("there")
    with pytest.raises(StoreError, match="the disk is full"):
        copy(source, failing, progress, lambda share: None)
    failing.close()
    assert len(noted.read_text().splitlines()) >= 2
    with noted.open("a") as file:
        file.write('["torn", 12')
    destination, again = SqliteStore(place), Progress(noted)
    again.open("there")
    shares: list[float] = []
    left = copy(source, destination, again, shares.append).cycles
    everything = sum(len(points) for points in drawn(source).values())
    assert 0 < left < everything
    assert shares == sorted(shares)
    assert_same_history(source, destination)
    assert not noted.exists()
    # A copy to somewhere else begins anew.
    progress.open("elsewhere")
    assert progress.copied_until("router") is None
    destination.close()
    source.close()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "sqlite:///dev/null/x"], "cannot"),
        ([], "Where to is not said; use --to influxdb://token@host:8086/org/bucket, or set NOC_HISTORY_URL"),
        (["--from", "influxdb://t@h/o/b", "--to", "influxdb://t@h/o/b"], "is the history to copy; name another store"),
        (["--to", "SAME"], "is the history to copy; name another store with --to"),
    ],
)
def test_what_cannot_be_copied_is_said(
    source: SqliteStore, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    words = [word.replace("SAME", f"sqlite://{source.path}") for word in words]
    assert main(["copy", "--data", str(source.path.parent), *words], environment={}) == 1
    assert sentence in capsys.readouterr().err
    if "--from" not in words:
        assert main(["copy", "--data", str(source.path.parent.parent), *words], environment={}) == 1
        assert "There is no history in" in capsys.readouterr().err
    source.close()
