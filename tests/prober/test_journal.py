"""The journal: numbers without gaps, whatever kills the process; deleted up to the mark; bounded."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from noc_bus.messages import Mark, ProbeResult, SiteState, State
from noc_bus.time import Time
from noc_prober.__main__ import note_machine
from noc_prober.database import open_database
from noc_prober.journal import Journal, SignOfLife, machine_number
from tests.prober.conftest import journal_in

NOW = Time.parse("2026-11-24T12:00:00Z")


def result(number: int = 0) -> ProbeResult:
    return ProbeResult(
        site="local", target="a", epoch=0, seq=0, at=Time(NOW + number), address="192.0.2.1", sent=5, received=5,
        rtts_ms=[1.0, 2.0, 3.0, 4.0, 5.0],
    )  # fmt: skip


def state() -> SiteState:
    return SiteState(site="local", target="a", epoch=0, seq=0, state=State.UP, since=NOW, reason="answers", at=NOW)


def append(journal: Journal, count: int, now: Time = NOW) -> None:
    with journal.transaction():
        for number in range(count):
            journal.append(result(number), now)
        journal.sign(SignOfLife(now, 0, 0), now)


def test_records_are_numbered_without_gaps_across_restarts(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        epoch = journal.epoch
        append(journal, 3)
    with journal_in(tmp_path) as (journal, _):
        with journal.transaction():
            told = journal.append(state(), NOW)
            journal.sign(SignOfLife(NOW, 5, 7), NOW)
        assert (told.epoch, told.seq) == (epoch, 3)
        run = journal.read(0, 1_000_000)
    assert run is not None
    assert (run.first_seq, run.last_seq) == (0, 3)
    assert [one.seq for one in run.results] == [0, 1, 2]
    assert [one.seq for one in run.states] == [3]


def test_a_journal_that_was_moved_or_copied_to_another_machine_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, copied = tmp_path / "first", tmp_path / "copied"
    first.mkdir()
    with journal_in(first) as (journal, _):
        append(journal, 3)
        epoch = journal.epoch
        for machine in (0, 7, 7):
            note_machine(journal, "paris", machine)
    shutil.copytree(first, copied)
    assert not caplog.messages
    with journal_in(copied) as (journal, _):
        note_machine(journal, "paris", 8)
        assert (journal.epoch, journal.next_seq) == (epoch, 3), "it goes on"
        (sentence,) = caplog.messages
        assert "the journal of the site paris was on another machine before: it was moved here, or copied" in sentence
        for machine in (8, 0, 8):
            note_machine(journal, "paris", machine)
    with journal_in(first) as (journal, _):
        note_machine(journal, "paris", 7)
    assert len(caplog.messages) == 1


def test_a_machine_is_known_by_a_number_that_does_not_tell_its_name(tmp_path: Path) -> None:
    name = tmp_path / "machine-id"
    assert machine_number(name) == 0
    name.write_text("\n")
    assert machine_number(name) == 0
    name.write_text("1bf0e0a6b9f84d2b9d1a2c3d4e5f6071\n")
    number = machine_number(name)
    assert 0 < number < 2**63
    name.write_text("1bf0e0a6b9f84d2b9d1a2c3d4e5f6072\n")
    assert machine_number(name) not in (0, number)


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 1)
        modes = {file.name.partition("sqlite")[2]: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600}


def test_a_write_that_fails_uses_no_number(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 2)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            append_on_a_full_disk(journal)
        assert (journal.next_seq, journal.depth) == (2, 2)
        append(journal, 1)
        run = journal.read(0, 1_000_000)
        assert run is not None
        assert run.last_seq == 2


def append_on_a_full_disk(journal: Journal) -> None:
    with journal.transaction():
        journal.append(result(), NOW)
        raise sqlite3.OperationalError("database or disk is full")


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from noc_bus.time import Time
from noc_prober.database import open_database
from noc_prober.journal import Journal, SignOfLife
from tests.prober.test_journal import result
journal = Journal(open_database(Path(sys.argv[1])), Time.now())
while True:
    with journal.transaction():
        told = [journal.append(result(), Time.now()).seq for _ in range(7)]
        journal.sign(SignOfLife(Time.now(), 0, 0), Time.now())
    print(told[-1], flush=True)
"""


@pytest.mark.thorough
def test_what_was_told_survives_kill_9_and_nothing_is_numbered_twice(tmp_path: Path) -> None:
    path = tmp_path / "prober.sqlite"
    root = str(Path(__file__).parents[2])
    told = -1
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), root], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(5):
                told = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().split()
            told = int(rest[-1]) if rest and rest[-1].isdigit() else told
        with journal_in(tmp_path) as (journal, _):
            assert journal.next_seq > told
            run = journal.read(0, 100_000_000)
            assert run is not None
            assert run.last_seq == journal.next_seq - 1, "no hole up to the newest"
            assert len(run.results) == journal.next_seq


def test_the_mark_deletes_what_it_covers_and_only_of_its_epoch(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 10)
        assert journal.acknowledge(Mark(site="local", epoch=journal.epoch - 1, seq=900, at=NOW))
        assert (journal.oldest_seq, journal.depth) == (0, 10), "an old epoch says nothing about this one"
        assert journal.acknowledge(Mark(site="local", epoch=journal.epoch, seq=3, at=NOW))
        assert (journal.oldest_seq, journal.depth) == (4, 6)
        assert journal.acknowledge(Mark(site="local", epoch=journal.epoch, seq=9, at=NOW))
        assert (journal.oldest_seq, journal.depth) == (10, 0)
        assert journal.read(0, 1000) is None
    with journal_in(tmp_path) as (journal, _):
        assert journal.next_seq == 10, "an empty journal goes on counting"


def test_a_mark_that_covers_very_many_deletes_them_in_small_bites(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 12_000)
        mark = Mark(site="local", epoch=journal.epoch, seq=11_899, at=NOW)
        depths = []
        while journal.is_covered(mark):
            with journal.transaction():
                assert journal.acknowledge(mark)
            depths.append(journal.depth)
        assert depths == [7000, 2000, 100]


@pytest.mark.parametrize(("epoch_ahead", "seq"), [(5, -1), (0, 4), (0, 100)])
def test_a_mark_that_knows_more_than_the_journal_makes_it_begin_a_new_epoch(
    tmp_path: Path, epoch_ahead: int, seq: int
) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 4)
        mark = Mark(site="local", epoch=journal.epoch + epoch_ahead, seq=seq, at=NOW)
        assert not journal.acknowledge(mark)
        with journal.transaction():
            journal.start_epoch(NOW, mark.epoch)
        assert journal.epoch > mark.epoch
        run = journal.read(0, 1_000_000)
        assert run is not None
        assert {one.epoch for one in run.results} == {journal.epoch}, "the records are kept, under the new name"
    with journal_in(tmp_path) as (journal, _):
        assert journal.epoch > mark.epoch


def test_what_was_deleted_in_a_transaction_that_fails_is_still_there(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, memory):
        append(journal, 10)

        def fail() -> None:
            with journal.transaction():
                assert journal.acknowledge(Mark(site="local", epoch=journal.epoch, seq=4, at=NOW))
                memory.keep("state", "a", None)  # type: ignore[arg-type]  # the table takes no state without a body

        with pytest.raises(sqlite3.IntegrityError):
            fail()
        assert (journal.oldest_seq, journal.next_seq, journal.depth) == (0, 10, 10)


def test_a_batch_is_as_large_as_asked_and_never_empty(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 100)
        run = journal.read(10, 2000)
        assert run is not None
        assert run.first_seq == 10
        assert 1 < len(run.results) < 20
        tiny = journal.read(10, 1)
        assert tiny is not None
        assert (tiny.first_seq, tiny.last_seq) == (10, 10)


def test_records_too_old_are_dropped_oldest_first_and_their_number_told(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 5, Time(NOW - 73 * 3_600_000))
        append(journal, 5, NOW)
        with journal.transaction():
            assert journal.drop_old(NOW) == 5
        assert journal.oldest_seq == 5


def test_a_journal_too_large_drops_its_oldest_and_is_smaller_then(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        append(journal, 20_000)
        lost = 0
        for _ in range(10):
            with journal.transaction():
                lost += journal.drop_old(NOW, kept_bytes=3_000_000)
        assert journal.oldest_seq == lost
        assert 0 < journal.depth < 20_000
        with journal.transaction():
            assert journal.drop_old(NOW, kept_bytes=3_000_000) == 0


@pytest.mark.thorough
def test_the_bound_holds_however_fast_records_come(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        lost = 0
        for _ in range(20):
            append(journal, 4000)
            while True:
                with journal.transaction():
                    dropped = journal.drop_old(NOW, kept_bytes=1_000_000)
                lost += dropped
                if not dropped:
                    break
            assert 0 < journal.depth < 5000
        assert journal.oldest_seq == lost, "all that was let go of is declared"


def test_a_wall_clock_gone_wrong_makes_no_record_old(tmp_path: Path) -> None:
    """Age is counted in time in which the prober ran."""
    with journal_in(tmp_path) as (journal, _):
        ran_ms = journal.ran_ms
        with journal.transaction():
            journal.append(result(), ran_ms)
            journal.sign(SignOfLife(Time(NOW + 365 * 86_400_000), 0, 0), ran_ms + 1000)
    with journal_in(tmp_path) as (journal, _):
        assert journal.ran_ms == ran_ms + 1000
        with journal.transaction():
            assert journal.drop_old(journal.ran_ms) == 0


def test_a_damaged_file_is_set_aside_and_a_new_journal_begins(tmp_path: Path) -> None:
    path = tmp_path / "prober.sqlite"
    path.write_bytes(b"this is no database at all, whatever its name says" * 100)
    connection = open_database(path)
    journal = Journal(connection, NOW)
    append(journal, 1)
    connection.close()
    (kept,) = tmp_path.glob("prober.sqlite.damaged-*")
    assert kept.read_bytes().startswith(b"this is no database")


def test_it_remembers_when_it_was_last_alive(tmp_path: Path) -> None:
    with journal_in(tmp_path) as (journal, _):
        assert journal.sign_of_life is None
        with journal.transaction():
            journal.sign(SignOfLife(NOW, 5, 7), NOW)
    with journal_in(tmp_path) as (journal, _):
        assert journal.sign_of_life == SignOfLife(NOW, 5, 7)
