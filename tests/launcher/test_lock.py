"""requirements.lock holds what the pyproject.toml files ask for, and nothing of the machine it was made on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from noc_launcher import checkout
from noc_launcher.checkout import REPOSITORY, TEST_LINE, blocks, requirements
from noc_launcher.errors import CommandError

TEXT = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
RUNTIME, _, ONLY_TEST = TEXT.partition(f"{TEST_LINE}\n")


def locked(text: str) -> dict[str, str]:
    """Version by name."""
    lines = [Requirement(block.partition(" \\\n")[0]) for block in blocks(text)]
    return {canonicalize_name(line.name): str(line.specifier).removeprefix("==") for line in lines}


@pytest.mark.parametrize("part", ["runtime", "test"])
def test_every_dependency_is_locked_at_a_version_that_fits(part: str) -> None:
    runtime, test = requirements(REPOSITORY)
    wanted, versions = (runtime, locked(RUNTIME)) if part == "runtime" else (test, locked(RUNTIME) | locked(ONLY_TEST))
    assert wanted
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is not locked; run ./noc lock"
        assert requirement.specifier.contains(versions[name]), f"{requirement} is not {versions[name]}; run ./noc lock"


def test_no_package_is_in_both_parts() -> None:
    assert TEST_LINE in TEXT
    assert not locked(RUNTIME).keys() & locked(ONLY_TEST).keys()
    assert "pytest" not in locked(RUNTIME)


def test_every_package_has_hashes() -> None:
    for block in blocks(TEXT):
        assert re.fullmatch(r"[^\n]+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", block), block[:100]


def test_the_lock_names_no_place_that_packages_come_from() -> None:
    assert not re.search(r"://|--index|--find-links|--extra|\bfile:|/", TEXT.replace("./noc", ""))


def test_without_uv_one_sentence_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("uv") is None
    with pytest.raises(CommandError, match="needs uv on PATH"):
        checkout.write_lock()
    assert (REPOSITORY / "requirements.lock").read_text(encoding="utf-8") == TEXT
