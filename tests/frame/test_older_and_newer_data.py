"""A data folder of version 0.1 opens with nothing lost; one from the future is refused by each service in a sentence.

`tests/fixtures/data-0.1` was written by the code of 0.1, before its databases had one way to be opened.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from noc_alerter.ledger import Ledger
from noc_alerter.notify.outbox import Outbox
from noc_bus.messages import Mark, State
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, StateRecord
from noc_prober.database import open_database
from noc_prober.journal import Journal
from noc_prober.memory import Memory
from noc_rules.incident import About
from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database as Web
from noc_web.database.schema import LADDER as WEB_LADDER
from tests.history.records import cycle
from tests.parts.ports import free_port

OLD: Final = Path(__file__).parents[1] / "fixtures" / "data-0.1"
T0: Final = Time.parse("2026-11-24T12:00:00.007Z")
TOKEN: Final = "noc_ifqu9BYOGx5cOTHBcNDJn6KV-UReGhhZROBQhL1AEr4"  # of a fixture, and of no NOC anywhere


def at(seconds: float) -> Time:
    return Time(T0 + round(seconds * 1000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_history_of_0_1_opens_with_nothing_lost(folder: Path) -> None:
    store = SqliteStore(folder / "history.sqlite")
    points = store.series("router", at(0), at(300), 100)["local"]
    assert [(one.at, one.cycles, one.invalid) for one in points] == [(at(10 * n), 1, int(n == 12)) for n in range(13)]
    assert (points[0].rtt_min_ms, points[0].rtt_mean_ms, points[0].rtt_max_ms) == (1.0, 2.0, 3.0)
    (whole,) = store.series("router", at(0), at(300), 1)["local"]
    assert (whole.cycles, whole.sent, whole.received) == (13, 60, 36)
    found = store.states(None, at(0), at(300))
    assert [(one.since, one.state, one.seq) for one in found["router"]["local"].states] == [
        (at(0), "UP", 20),
        (at(60), "DOWN", 21),
        (at(120), "UP", 22),
    ]
    # It knew a pause by its sentence.
    assert found["switch"]["local"].states[1] == StateRecord(at(200), "UNKNOWN", "paused", "paused", 1, 24)
    assert [one.id for one in store.incidents(at(0), at(400))] == ["20261124-120500-switch", "20261124-120100-router"]
    assert store.marks() == {"local": Mark(site="local", epoch=1, seq=25, at=at(300))}
    store.close()


def test_what_is_sent_once_more_to_the_history_of_0_1_is_stored_once_and_goes_when_it_is_old(folder: Path) -> None:
    store = SqliteStore(folder / "history.sqlite")
    again = [cycle(10 * n, site="local", seq=n) for n in range(14)]
    store.write(Batch(results=again))
    before = store.series("router", at(0), at(300), 100)
    assert [one.cycles for one in before["local"]] == [1] * 14
    repeated = 0
    while (done := store.maintain(at(0), 1.0)).backlog_rows or done.old_rows:
        repeated += done.repeated_rows
    assert repeated + done.repeated_rows == 13
    assert store.series("router", at(0), at(300), 100) == before
    while store.maintain(at(3600), 1.0).backlog_rows:
        pass
    assert store.series("router", at(0), at(300), 100) == {}
    store.close()


def test_the_alerter_s_file_of_0_1_opens_with_nothing_lost(folder: Path) -> None:
    ledger = Ledger(folder / "alerter.sqlite")
    (still_open,) = ledger.open_cases()
    assert (still_open.id, still_open.abouts) == ("20261124-120500-switch", (About("target", "switch"),))
    over = ledger.resolved("20261124-120100-router")
    assert over is not None
    assert (over.opened_at, over.resolved_at) == (at(60), at(120))
    assert tuple(ledger.told("20261124-120100-router")) == ("ops@noc.test",)
    outbox = Outbox(ledger.database)
    assert outbox.counts() == {"sent": 2, "queued": 1}
    row = outbox.claim(at(301))
    assert row is not None
    assert (row.letter.incident, row.letter.transition, row.letter.recipient) == (
        "20261124-120500-switch",
        "opened",
        "ops@noc.test",
    )
    assert row.mail == b"Subject: DOWN Switch\r\n\r\ntext\r\n"
    ledger.close()


def test_the_journal_of_0_1_opens_with_nothing_lost(folder: Path) -> None:
    with closing(open_database(folder / "prober-local.sqlite")) as connection:
        journal, memory = Journal(connection, Time.now()), Memory(connection)
        assert (journal.epoch, journal.oldest_seq, journal.next_seq) == (T0, 2, 7)
        assert journal.sign_of_life is not None
        assert journal.sign_of_life.at == at(60)
        run = journal.read(2, 1_000_000)
        assert run is not None
        assert [one.at for one in run.results] == [at(10 * n) for n in range(2, 6)]
        assert [one.state for one in run.states] == [State.UP]
        assert memory.targets()["router"].address == "192.0.2.1"
        assert memory.states()["router"].since == at(0)
        site = memory.site("local")
        assert site is not None
        assert site.anchors == ["192.0.2.254"]


def test_the_catalogue_of_0_1_opens_with_nothing_lost(folder: Path) -> None:
    database = Web(folder)
    contents = Catalog(database).contents()
    targets = contents.resolved
    assert (targets["router"].interval_s, targets["router"].tags) == (30, ["backbone"])
    assert (targets["switch"].parents, targets["switch"].policy, targets["switch"].note) == (
        ["router"],
        "any",
        "rack 4",
    )
    assert contents.sites["local"].anchors == ["192.0.2.254"]
    accounts = Accounts(database)
    assert accounts.log_in("olga", "correct horse battery") is not None
    token = accounts.whose_token(TOKEN)
    assert token is not None
    assert token.role == "viewer"
    database.close()
    with closing(sqlite3.connect(folder / "web.sqlite")) as connection:
        # Each of its migrations is a version.
        assert connection.execute("PRAGMA user_version").fetchone()[0] >= 3


def test_a_catalogue_of_the_time_before_versions_were_numbered_opens_with_nothing_lost(folder: Path) -> None:
    database = Web(folder)
    Catalog(database).patch_target("router", {"note": "later"}, "test")
    database.close()
    with closing(sqlite3.connect(folder / "web.sqlite")) as connection:
        # Without what came after there were versions.
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables - WEB_LADDER.unversioned_tables - {"catalog_change", "place"}:
            connection.execute(f"DROP TABLE {table}")
        later = {"audit": ("origin", "before", "after"), "token": ("expires_at", "areas")}
        for table, columns in later.items():
            for column in columns:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 0")
    database = Web(folder)
    contents = Catalog(database).contents()
    assert (contents.resolved["router"].note, contents.revision) == ("later", 2)
    database.close()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("noc_recorder", "history.sqlite"),
        ("noc_alerter", "alerter.sqlite"),
        ("noc_prober", "prober-local.sqlite"),
        ("noc_web", "web.sqlite"),
    ],
)
def test_a_file_from_the_future_is_refused_in_a_sentence_and_left_as_it_is(
    folder: Path, service: str, name: str
) -> None:
    newer(folder / name)
    before = (folder / name).read_bytes()
    settings = {"NOC_DATA": str(folder), "NOC_SITE": "local", "NOC_HTTP_PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-m", service], env=settings, capture_output=True, text=True, timeout=30, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode in (1, 2)
    assert str(folder / name) in last
    assert "was written by a newer version of NOC (the file has version 99, this program knows versions up to" in last
    assert "Traceback" not in done.stderr
    assert (folder / name).read_bytes() == before
