"""`noc site bundle`: one folder from which a site without an index installs its prober."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from noc_launcher import bundle
from tests.packaging.images import OFFLINE, Outside
from tests.packaging.repository import ROOT
from tests.parts.up import clean_environment

# It fetches packages.
pytestmark = pytest.mark.timeout(600)


def test_a_prober_is_installed_from_the_folder_alone(outside_namespace: Outside, tmp_path: Path) -> None:
    folder, site = tmp_path / "wheels", tmp_path / "site"
    command = [sys.executable, "-P", "-m", "noc_launcher", "site", "bundle", str(folder)]
    done = outside_namespace(command, cwd=ROOT)
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("needs the package index, which cannot be reached")
    assert done.returncode == 0, done.stderr
    made = {file.name.partition("-")[0] for file in folder.glob("*.whl")}
    assert made == {"noc_prober", "noc_bus", "noc_frame", "noc_rules", "paho_mqtt", "icmplib", "msgspec"}
    again = outside_namespace(command, cwd=ROOT)
    assert (again.returncode != 0, f"{folder} is not empty; name a new folder." in again.stderr) == (True, True)

    # At the site: no index, and here no network at all.
    subprocess.run([sys.executable, "-m", "venv", str(site)], check=True)
    pip = [f"{site}/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(folder)]
    installed = subprocess.run([*pip, "noc-prober"], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    asked = [f"{site}/bin/noc-prober", "--version"]
    told = subprocess.run(asked, env=clean_environment(tmp_path), capture_output=True, text=True, check=True)
    assert told.stdout.startswith("noc-prober ")
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert "pip install --no-index --find-links . noc-prober" in readme


def test_what_no_site_can_have_is_refused_before_anything_is_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, sentence in (
        (("--python", "2.7"), "'2.7' is not accepted; use 3.11 to 3.14"),
        (("--machine", "vax"), "invalid choice: 'vax'"),
    ):
        with pytest.raises(SystemExit):
            bundle.main([str(tmp_path / "new"), *words])
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
