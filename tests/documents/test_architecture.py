"""ARCHITECTURE.md is true: its table is the import graph, its topics are the channels, its paths exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from noc_bus.channels import CHANNELS

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
# A row of the folder table: | `bus/noc_bus` | what | `noc_bus`, … |
FOLDERS = {
    folder: set(re.findall(r"`(noc_\w+)`", allowed))
    for folder, allowed in re.findall(r"^\| `([\w/]+/noc_\w+)` \|.*\| ([^|]*) \|$", TEXT, re.MULTILINE)
}
PURE = {"noc_bus.messages", "noc_bus.time"}
IMPURE = {"socket", "threading", "asyncio", "subprocess", "os", "pathlib", "time", "random", "logging", "sqlite3"}


def imports_of(file: Path) -> set[str]:
    """Every module a file imports, at any level."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).rglob("*.py"))


def test_the_table_has_every_distribution_of_the_workspace() -> None:
    workspace = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["noc"]["workspace"]
    assert {str(Path(folder).parent) for folder in FOLDERS} == set(workspace["members"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_import_graph_is_what_the_page_says(folder: str) -> None:
    own = Path(folder).name
    used = {name.partition(".")[0] for file in modules(folder) for name in imports_of(file)}
    assert {name for name in used if name.startswith("noc_")} - {own} == FOLDERS[folder]


def test_what_starts_the_services_and_the_commands_load_no_web_server() -> None:
    """`noc up` would keep it in memory for as long as it runs, and each command would wait for it."""
    loads = "import sys, noc_launcher.up, noc_web.cli; print(*{'flask', 'jinja2', 'gevent'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-P", "-c", loads], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_distribution_depends_on_what_it_imports_and_nothing_more(folder: str) -> None:
    project = tomllib.loads((REPOSITORY / folder).parent.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    declared = {one.partition("==")[0] for one in project["project"]["dependencies"] if one.startswith("noc-")}
    direct = {name.replace("_", "-") for name in FOLDERS[folder]}
    # The launcher reaches bus and frame through every service.
    assert declared == direct or (Path(folder).name == "noc_launcher" and declared == direct - {"noc-bus", "noc-frame"})


@pytest.mark.parametrize("file", modules("rules/noc_rules"), ids=lambda file: file.name)
def test_the_rules_touch_nothing_but_values(file: Path) -> None:
    used = imports_of(file)
    assert not {name.partition(".")[0] for name in used} & IMPURE
    bus = {".".join(name.split(".")[:2]) for name in used if name.startswith("noc_bus.")}
    assert bus <= PURE


def test_the_topics_of_the_page_are_the_channels_of_the_code() -> None:
    rows = re.findall(r"^\| (web|prober|recorder|alerter|each central service) \|(.*?)\|(.*?)\|$", TEXT, re.MULTILINE)
    written = {
        (writer, topic, retained)
        for writer, kept, passing in rows
        for retained, cell in ((True, kept), (False, passing))
        for topic in re.findall(r"`([^`]+)`", cell)
    }
    declared = {
        (channel.writers[0] if len(channel.writers) == 1 else "each central service", channel.topic, channel.retained)
        for channel in CHANNELS
    }
    assert written == declared


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "CHANGELOG.md"])
def test_every_path_a_document_names_exists(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:frame|bus|rules|history|services|launcher|netlab|demo|tests|benchmarks|docs)/[\w./-]+)`", text
    )
    named += [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not link.startswith("http")]
    missing = [path for path in named if not (REPOSITORY / path).exists()]
    assert not missing


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "CHANGELOG.md"])
def test_prose_has_one_sentence_a_line(document: str) -> None:
    text = re.sub(r"```.*?```", "", (REPOSITORY / document).read_text(encoding="utf-8"), flags=re.DOTALL)
    crowded = [
        line
        for line in text.splitlines()
        if not line.startswith("|") and re.search(r"[a-z)`][.!?] +[A-Z`]", re.sub(r"\d\. ", "", line))
    ]
    assert not crowded
