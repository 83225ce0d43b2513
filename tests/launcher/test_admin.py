"""The commands on users, tokens and targets, without a running system."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from noc_launcher.first_targets import propose
from noc_launcher.surroundings import look_around
from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database
from tests.launcher.conftest import Noc

PASSWORD = "seventeen green bottles"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def test_a_user_whose_password_is_piped_in_can_log_in(noc: Noc, folder: Path) -> None:
    done = noc("user", "add", "ada", "--role", "operator", "--data", str(folder), piped=f"{PASSWORD}\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "ada can log in now, as operator.\n"
    with closing(Database(folder)) as database:
        assert Accounts(database).log_in("ada", PASSWORD)
        assert [entry["act"] for entry in Catalog(database).audit()] == ["add user"]
    again = noc("user", "add", "ada", "--role", "viewer", "--data", str(folder), piped=f"{PASSWORD}\n")
    assert (again.returncode, again.stderr) == (1, "noc: A user 'ada' exists already; choose another name.\n")


def test_a_password_that_is_too_short_is_refused_and_not_shown(noc: Noc, folder: Path) -> None:
    done = noc("user", "add", "ada", "--role", "admin", "--data", str(folder), piped="hunter2\n")
    assert done.returncode == 1
    assert "it has 7 characters; use 12 to 128" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_token_alone_goes_to_standard_output(noc: Noc, folder: Path) -> None:
    done = noc("token", "create", "--role", "viewer", "--name", "grafana", "--data", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    with closing(Database(folder)) as database:
        actor = Accounts(database).whose_token(done.stdout.removesuffix("\n"))
    assert actor
    assert actor.role == "viewer"


def test_targets_go_in_and_come_out_again(noc: Noc, folder: Path, tmp_path: Path) -> None:
    rows = [
        {"id": "router", "name": "Router", "address": "192.0.2.1"},
        {"id": "dns", "name": "DNS", "address": "dns.test"},
    ]
    file = tmp_path / "targets.json"
    file.write_text(json.dumps(rows))
    data = ["--data", str(folder)]
    assert noc("targets", "import", str(file), *data).stderr == "2 targets added, 0 changed.\n"
    with closing(Database(folder)) as database:
        (entry,) = Catalog(database).audit()
    assert entry["act"] == "import targets"
    assert entry["who"].endswith(" (terminal)"), "the person, as with every other command"
    out = tmp_path / "out.json"
    assert noc("targets", "export", str(out), *data).stdout == ""
    exported = json.loads(out.read_text())["targets"]
    assert {one["id"]: one["address"] for one in exported} == {"router": "192.0.2.1", "dns": "dns.test"}
    assert noc("targets", "export", "-", *data).stdout.startswith("id,name,address,")


def test_one_bad_row_keeps_all_out_and_is_named(noc: Noc, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "targets.csv"
    file.write_text("name,address\nRouter,192.0.2.1\nBroken,300.1.1.1\n")
    done = noc("targets", "import", str(file), "--data", str(folder))
    assert done.returncode == 1
    assert f"noc: {file}: nothing was imported.\nRow 2: " in done.stderr
    assert "300.1.1.1" in done.stderr
    with closing(Database(folder)) as database:
        assert Catalog(database).contents().targets == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["targets", "import", "missing.csv", "--data", "."], "noc: missing.csv cannot be read"),
        (["targets", "export", "-", "--data", "nowhere"], "noc: There is no data folder"),
        (["token", "create", "--role", "viewer", "--data", "nowhere"], "noc: There is no data folder"),
        (["targets", "export", "no/such/file", "--data", "."], "noc: no/such/file cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(noc: Noc, words: list[str], sentence: str) -> None:
    done = noc(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_first_targets_are_proposed_once_and_never_again(folder: Path) -> None:
    propose(folder, look_around)
    with closing(Database(folder)) as database:
        catalog = Catalog(database)
        proposed = catalog.contents().targets
        assert proposed["this-host"]["address"] == "127.0.0.1"
        for name in proposed:
            catalog.delete_target(name, "ada")
    propose(folder, look_around)
    with closing(Database(folder)) as database:
        assert Catalog(database).contents().targets == {}


def test_first_targets_do_not_join_those_somebody_has_put_in(folder: Path) -> None:
    with closing(Database(folder)) as database:
        Catalog(database).add_target({"id": "router", "name": "Router", "address": "192.0.2.1"}, "ada")
    propose(folder, look_around)
    with closing(Database(folder)) as database:
        assert list(Catalog(database).contents().targets) == ["router"]
