"""The administration commands as a process of the web service's own, as a container without the launcher has them."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import FILE_NAME, Database
from tests.web.conftest import Service

PASSWORD = "seventeen green bottles"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """`cli(*words, piped="")` in a folder where NOC_DATA is `data`."""
    (tmp_path / "data").mkdir()

    def run(*words: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NOC_")}
        return subprocess.run(
            [sys.executable, "-P", "-m", "noc_web.cli", *words],
            env=kept | {"NOC_DATA": "data"},
            cwd=tmp_path,
            input=piped,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_user_whose_password_is_piped_in_can_log_in(cli: Run, tmp_path: Path) -> None:
    done = cli("user", "add", "ada", "--role", "operator", piped=f"{PASSWORD}\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "ada can log in now, as operator.\n")
    with closing(Database(tmp_path / "data")) as database:
        assert Accounts(database).log_in("ada", PASSWORD)
        assert [entry["act"] for entry in Catalog(database).audit()] == ["add user"]


def test_an_admin_who_is_locked_out_gets_in_again(cli: Run, tmp_path: Path) -> None:
    done = cli("user", "reset-admin", piped=f"{PASSWORD}\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "admin can log in now, as admin, with this password; all sessions of before are over.\n"
    with closing(Database(tmp_path / "data")) as database:
        found = Accounts(database).log_in("admin", PASSWORD)
        assert found
        assert (found[1].role, found[1].must_change_password) == ("admin", False)
        (entry,) = Catalog(database).audit()
    assert (entry["act"], entry["origin"]) == ("reset admin", socket.gethostname())
    assert PASSWORD not in str(entry)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--days", "0"), "'0' is not accepted; use a whole number of days from 1 to 3650"),
        (("--days", "x"), "'x' is not accepted; use a whole number of days from 1 to 3650"),
        (("--area", "everything"), "areas: 'everything' is not accepted; use "),
    ],
)
def test_a_token_that_cannot_be_is_told_what_can(cli: Run, words: tuple[str, ...], sentence: str) -> None:
    done = cli("token", "create", "--role", "viewer", *words)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert sentence in done.stderr


def test_a_token_alone_goes_to_standard_output(cli: Run, tmp_path: Path) -> None:
    done = cli("token", "create", "--role", "viewer", "--name", "grafana", "--days", "30", "--area", "reports")
    assert (done.returncode, done.stderr) == (0, "")
    with closing(Database(tmp_path / "data")) as database:
        actor = Accounts(database).whose_token(done.stdout.removesuffix("\n"))
    assert actor
    assert (actor.name, actor.role, actor.areas) == ("grafana", "viewer", ("reports",))


def test_targets_go_in_and_come_out_again(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,name,address\nrouter,Router,192.0.2.1\n")
    assert cli("targets", "import", "in.csv").stderr == "1 target added, 0 changed.\n"
    assert cli("targets", "export", "out.json").returncode == 0
    assert '"192.0.2.1"' in (tmp_path / "out.json").read_text()
    assert cli("targets", "export", "-", "--data", str(tmp_path / "data")).stdout.count("\n") == 2


def test_a_running_service_shows_what_a_command_changed(service: Service) -> None:
    from noc_web import cli

    file = service.config.data / "in.csv"
    file.write_text("id,address\nrouter,192.0.2.1\n")
    assert cli.main(["targets", "import", str(file)], lambda: service.config.data) == 0
    service.follow()
    assert [row["id"] for row in service.by("viewer").get("status")["targets"]] == ["router"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["targets", "import", "missing.csv"], "noc: missing.csv cannot be read"),
        (["targets", "export", "-", "--data", "nowhere"], "noc: There is no data folder"),
        (["targets", "export", "no/such/file"], "noc: no/such/file cannot be written"),
        (["token", "create", "--role", "viewer", "--name", "a b"], "noc: name: 'a b' is not accepted"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cli: Run, words: list[str], sentence: str) -> None:
    done = cli(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_a_damaged_database_is_one_sentence_with_the_cure_and_is_left_as_it_is(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "data" / FILE_NAME
    Database(path.parent).close()
    with closing(sqlite3.connect(path)) as connection:
        ((page_bytes,),) = connection.execute("PRAGMA page_size").fetchall()
        roots = [root for (root,) in connection.execute("SELECT rootpage FROM sqlite_master WHERE rootpage > 0")]
    # The names of the tables are as they were, on however many pages; what is in the tables is not.
    with path.open("r+b") as file:
        for root in roots:
            file.seek((root - 1) * page_bytes)
            file.write((b"damage" * page_bytes)[:page_bytes])
    damaged = path.read_bytes()
    done = cli("token", "create", "--role", "viewer")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"noc: cannot change {path}: database disk image is malformed; move the file away to begin a new one.\n"
    )
    assert path.read_bytes() == damaged
