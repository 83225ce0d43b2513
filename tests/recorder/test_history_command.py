"""`noc history`: what it says of a whole file and of a damaged one, and what it leaves of one that was long unpacked."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.messages import Target
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition
from noc_recorder.cli import main
from tests.recorder.records import cycle

DAY_MS = 86_400_000
Run = Callable[..., int]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with two targets over more than a day, packed but for the last cycle."""
    start = (Time.now() // DAY_MS - 2) * DAY_MS
    cycles = [
        replace(cycle(n), target=target, at=Time(start + n * 300_000)) for n in range(300) for target in ("a", "b")
    ]
    store = SqliteStore(tmp_path_factory.mktemp("packed") / "history.sqlite")
    store.write(Batch(results=cycles))
    while store.maintain(None, 5.0).backlog_rows:
        pass
    store.write(Batch(results=[replace(cycle(9), target="a", at=Time.now())]))
    store.close()
    return store.path


@pytest.fixture
def folder(packed: Path, tmp_path: Path) -> Path:
    shutil.copy(packed, tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    return lambda *words: main([*words, "--data", str(folder)], environment={})


def change(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "history.sqlite")) as db, db:
        db.execute(statement, values)


def test_what_was_kept_of_a_deleted_target_is_forgotten(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    defined = Target(id="b", name="B", address="192.0.2.1")
    store = SqliteStore(folder / "history.sqlite")
    store.write(Batch(definitions=[Definition("b", Time.now(), defined)]))
    assert run("forget", "--target", "b") == 1
    assert "b is in the catalogue; delete the target first" in capsys.readouterr().err
    store.write(Batch(definitions=[Definition("b", Time(Time.now() + 1), None)]))
    assert run("forget", "--target", "b") == 0
    assert "nothing is kept of b any more" in capsys.readouterr().err
    assert store.targets() == ["a"]
    assert run("forget", "--target", "b") == 1
    assert "Nothing is kept of b" in capsys.readouterr().err
    size = (folder / "history.sqlite").stat().st_size
    assert run("compact") == run("check") == 0
    assert (folder / "history.sqlite").stat().st_size <= size
    assert run("forget", "--site", "here") == 0
    assert store.targets() == []
    store.close()


def test_of_a_whole_file_nothing_is_wrong(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 0
    assert capsys.readouterr() == ("", "nothing is wrong\n")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE block SET data = x'0102' WHERE id = (SELECT MIN(id) FROM block)", "cycles that cannot be read"),
        ("UPDATE block SET id = id + (1 << 32) WHERE id = (SELECT MAX(id) FROM block)", "cycles of another hour"),
        (
            "DELETE FROM packed_minutes WHERE id = (SELECT MIN(id) FROM packed_minutes)",
            "summed up over five minutes differs",
        ),
        ("UPDATE hours SET data = zeroblob(9)", "rollups packed in the way 0; this program knows"),
    ],
)
def test_of_a_damaged_one_each_part_that_is_wrong_is_named(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str], statement: str, sentence: str
) -> None:
    change(folder, statement)
    assert run("check") == 1
    assert sentence in capsys.readouterr().out


def test_it_says_what_there_is_and_what_it_takes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("stats") == 0
    out = capsys.readouterr().out
    assert "raw cycles in blocks of hours" in out
    assert "cycles, " in out
    assert "sums over five minutes" in out
    assert re.search(r"^added in a day +\d+\.\d MB$", out, re.MULTILINE)
    assert re.search(r"^the disk will be full +(in [\d,]+ days|not within ten years)$", out, re.MULTILINE)


def test_what_was_left_unpacked_is_packed_and_the_room_given_back(run: Run, folder: Path) -> None:
    store = SqliteStore(folder / "history.sqlite")
    store.write(Batch(results=[replace(cycle(n), target="c", at=Time(Time.now() - DAY_MS + n)) for n in range(3000)]))
    before = store.series("c", Time(0), Time.now(), 9999)
    assert run("compact") == 0
    assert store.series("c", Time(0), Time.now(), 9999) == before
    store.close()
    with closing(sqlite3.connect(folder / "history.sqlite")) as db:
        assert db.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert db.execute("SELECT COUNT(*) FROM tail WHERE low_at < ?", (Time.now() - DAY_MS // 2,)).fetchone() == (0,)


def test_its_raw_cycles_are_exported_as_lines_of_json_and_as_csv(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert Counter(line["target"] for line in lines) == {"a": 301, "b": 300}
    assert lines[0]["rtts_ms"] == [1.5]
    output = folder / "some.csv"
    start = lines[10]["at"]
    assert run("export", "--format", "csv", "--target", "b", "--from", start, "--output", str(output)) == 0
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["at"] for row in rows] == [
        line["at"] for line in lines if line["target"] == "b" and line["at"] >= start
    ]
    assert (rows[0]["site"], rows[0]["rtts_ms"], rows[0]["invalid"]) == ("here", "1.5", "")


FORMS = ["jsonl", "csv", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_exported_is_imported_elsewhere_and_again_without_harm(
    run: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory, form: str
) -> None:
    elsewhere, file = tmp_path_factory.mktemp("elsewhere"), folder / "cycles"
    store = SqliteStore(folder / "history.sqlite")
    late = replace(cycle(1), target="c", invalid="late", invalid_code="late-schedule", rtts_ms=[], received=0)
    store.write(Batch(results=[late, replace(cycle(2), target="c", invalid="of an older version")]))
    store.write(Batch(results=[replace(cycle(3), target="c", errors=["no route"], error_codes=["no-route"])]))
    assert run("export", "--format", form, "--output", str(file)) == 0
    SqliteStore(elsewhere / "history.sqlite").marks()
    for _ in range(2):
        assert main(["import", str(file), "--format", form, "--data", str(elsewhere)], environment={}) == 0
    other = SqliteStore(elsewhere / "history.sqlite")
    for target in ("a", "b", "c"):
        assert list(other.raw_cycles(target, Time(0), Time.now())) == list(
            store.raw_cycles(target, Time(0), Time.now())
        )
        assert other.codes(target, None, Time(0), Time.now()) == store.codes(target, None, Time(0), Time.now())
    store.close()
    other.close()


@pytest.mark.parametrize("form", FORMS)
def test_sums_are_exported_and_imported_where_their_cycles_are_not(
    run: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory, form: str
) -> None:
    elsewhere, file = tmp_path_factory.mktemp("elsewhere"), folder / "sums"
    assert run("export", "--sums", "--format", form, "--output", str(file)) == 0
    SqliteStore(elsewhere / "history.sqlite").marks()
    for _ in range(2):
        assert main(["import", str(file), "--format", form, "--data", str(elsewhere)], environment={}) == 0
    here, there = SqliteStore(folder / "history.sqlite"), SqliteStore(elsewhere / "history.sqlite")
    end = Time.now()
    for target in ("a", "b"):
        found = list(there.sums(target, Time(0), end))
        assert found == list(here.sums(target, Time(0), end))
        assert sum(one.rollup.cycles for one in found if one.width_ms == DAY_MS) == 300
    here.close()
    there.close()


def test_parquet_goes_into_a_file_only(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "--format", "parquet") == 1
    assert "name a file with --output" in capsys.readouterr().err
    (folder / "bad").write_text("no Parquet")
    assert run("import", str(folder / "bad"), "--format", "parquet") == 1
    assert "it is no Parquet that can be read" in capsys.readouterr().err


LINE = '{"target": "a", "site": "s", "at": "2026-11-24T12:00:00Z", "seq": 1, "sent": 1, "received": 0, "rtts_ms": []}'
SUM = (
    '{"target": "a", "site": "s", "at": "2026-11-24T12:05:00Z", "width_s": 300, "cycles": 1, "invalid": 0, "sent": 1, '
    '"received": 1, "sum_us": 1, "min_ms": 0.001, "max_ms": 0.001, "sketch": "AQEAAQ=="}'
)


@pytest.mark.parametrize(
    ("form", "text", "sentence"),
    [
        ("jsonl", f"{LINE}\n{{", "line 2 is not JSON"),
        ("jsonl", "[1]", "line 1 is no JSON object"),
        ("jsonl", LINE.replace('"a"', '"A b"'), "line 1: Expected `str` matching regex"),
        ("jsonl", LINE.replace("2026", "yesterday"), "line 1: "),
        ("jsonl", LINE.replace('"sent": 1', '"sent": 900'), "line 1: Expected `int` <= 200"),
        ("jsonl", SUM.replace("300", "299"), "line 1: width_s 299 is none of 300, 3600, 86400"),
        ("jsonl", SUM.replace("12:05", "12:07"), "line 1: at 2026-11-24T12:07:00Z is no multiple of width_s 300"),
        ("jsonl", SUM.replace("AQEAAQ==", "AQEAAg=="), "line 1: sketch has 2 RTTs, and 1 were received"),
        ("jsonl", SUM.replace('"sent": 1', '"sent": "x"'), "line 1: Expected `int`, got `str`"),
        ("csv", "target,site,width_s\na,s,300\n", "line 1 has no column at; the columns are target, site, at, width_s"),
        ("csv", "target,site\na,s\n", "line 1 has no column at; the columns are target, site, at, seq"),
        ("csv", "target,site,at,seq,sent,received,rtts_ms,invalid,error_codes\na,s,x,one,1,1,,,\n", "line 2: invalid"),
    ],
)
def test_a_line_that_is_no_cycle_is_named(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str], form: str, text: str, sentence: str
) -> None:
    (folder / "bad").write_text(text)
    assert run("import", str(folder / "bad"), "--format", form) == 1
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_missing_or_no_text_is_named(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "/nowhere/x") == 1
    (folder / "bad").write_bytes(b"\xff\xfe")
    assert run("import", str(folder / "bad")) == 1
    said = capsys.readouterr().err
    assert "/nowhere/x cannot be read: No such file or directory" in said
    assert "is no UTF-8" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--target", "nothing"], "There are no cycles of nothing"),
        (["--output", "/nowhere/x.csv"], "/nowhere/x.csv cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_said(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert run("export", *words) == 1
    assert sentence in capsys.readouterr().err


def test_without_a_file_or_with_another_store_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--data", str(tmp_path)], environment={}) == 1
    assert f"There is no history in {tmp_path}/history.sqlite" in capsys.readouterr().err
    assert main(["stats"], environment={"NOC_HISTORY_URL": "influxdb://t@127.0.0.1:1/o/b"}) == 1
    assert "is looked after by its own server" in capsys.readouterr().err
