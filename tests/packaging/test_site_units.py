"""How a site's prober is shipped: compose.site.yml and the unit of systemd. It has no right but to ping."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from noc_bus.join import JOIN, Join
from noc_prober import unit
from noc_prober.config import SETTINGS
from noc_web.cli import start_lines
from tests.packaging import compose
from tests.packaging.repository import ROOT
from tests.parts import yamlfile

TOKEN = Join(urls=("wss://noc.example:8883",), site="paris", secret="s").token()
MOST_EXPOSED = 2.0
"""Of systemd's own measure of what a service may, from 0 to 10."""


def site_file() -> dict[str, Any]:
    found: dict[str, Any] = yamlfile.read(ROOT / "compose.site.yml")
    return found


# -- with Docker


def test_the_prober_of_a_site_is_contained_as_the_one_beside_the_broker() -> None:
    (alone,), beside = site_file()["services"].values(), compose.services()["prober"]
    differ = {"depends_on", "networks", "secrets", "environment"}
    assert {name: value for name, value in alone.items() if name not in differ} == {
        name: value for name, value in beside.items() if name not in differ
    }
    assert not {"ports", "cap_add", "privileged", "network_mode"} & set(alone)


def test_its_token_is_a_secret_without_which_it_does_not_start() -> None:
    whole = site_file()
    (alone,) = whole["services"].values()
    assert whole["secrets"] == {"join": {"environment": JOIN.name}}
    assert alone["environment"][f"{JOIN.name}_FILE"] == "/run/secrets/join"
    assert {name.removesuffix("_FILE") for name in alone["environment"]} <= {one.name for one in SETTINGS}


# -- with systemd


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A prober that every user may run."""
    found = shutil.which("true")
    assert found
    return Path(found)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / unit.UNIT.parent).mkdir(parents=True)
    return tmp_path


def test_the_token_is_for_root_alone_and_not_in_the_unit(root: Path, program: Path) -> None:
    assert unit.install(TOKEN, program, root) == "paris"
    token, text = root / unit.TOKEN, (root / unit.UNIT).read_text()
    assert token.read_text() == f"{TOKEN}\n"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert TOKEN not in text
    assert f"LoadCredential=join:/{unit.TOKEN}" in text
    assert f"ExecStart={program}\n" in text
    given = re.findall(r"^Environment=(\w+?)(?:_FILE)?=", text, re.MULTILINE)
    assert set(given) <= {one.name for one in SETTINGS}


def test_another_token_takes_the_place_of_the_first(root: Path, program: Path) -> None:
    unit.install(TOKEN, program, root)
    other = Join(urls=("wss://noc.example:8883",), site="rome", secret="s").token()
    assert unit.install(other, program, root) == "rome"
    assert (root / unit.TOKEN).read_text() == f"{other}\n"


def test_what_keeps_it_from_being_installed_is_a_sentence_with_the_cure(root: Path, program: Path) -> None:
    with pytest.raises(unit.NotInstalled, match="use the whole word that `noc site add` printed"):
        unit.install("noc1-nothing", program, root)
    closed = root / "closed"
    closed.mkdir(mode=0o700)
    (closed / "noc-prober").touch(mode=0o755)
    with pytest.raises(unit.NotInstalled, match=r"closed to other users.*such as in /opt/noc"):
        unit.install(TOKEN, closed / "noc-prober", root)
    with pytest.raises(unit.NotInstalled, match=r"cannot be written .* run this as root \(sudo\)"):
        unit.install(TOKEN, program, root / "nowhere")


def test_systemd_finds_no_fault_with_the_unit_and_little_that_it_may(root: Path, program: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    unit.install(TOKEN, program, root)
    # Without what it wants from other units, of which this machine may have none.
    own = root / unit.NAME
    own.write_text(re.sub(r"^(Wants|After|WantedBy)=.*$", "", (root / unit.UNIT).read_text(), flags=re.MULTILINE))
    verified = subprocess.run([analyze, "verify", "--man=no", own], capture_output=True, text=True, check=False)
    said = [line for line in verified.stderr.splitlines() if unit.NAME in line]
    assert not said
    judged = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", own],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


# -- what is printed


def test_there_is_one_line_for_each_way_and_each_names_what_exists() -> None:
    lines = start_lines(TOKEN)
    assert all(line.count(TOKEN) == 1 and "\n" not in line for line in lines)
    for path in re.findall(r"(?:\./|--file )([\w./-]+)", " ".join(lines)):
        assert (ROOT / path).exists(), path
    assert any(unit.FLAG in line for line in lines)
    page = (ROOT / "services/web/noc_web/static/js/views/sitekeys.js").read_text(encoding="utf-8")
    for line in lines:
        assert line.replace(TOKEN, "${made.join}") in page, "the page prints the same"
