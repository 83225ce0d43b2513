"""README.md is true: its settings are the services', its commands and files exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import noc_alerter.config
import noc_launcher.__main__
import noc_prober.config
import noc_recorder.config
import noc_web.config
from noc_bus.fake import FakeBus, Hub
from noc_frame.settings import ALL_NAMES
from noc_launcher import listening
from noc_web.catalog import options

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SETTINGS = {
    "prober": noc_prober.config.SETTINGS,
    "recorder": noc_recorder.config.SETTINGS,
    "alerter": noc_alerter.config.SETTINGS,
    "web": noc_web.config.SETTINGS,
    "up": listening.SETTINGS,
}
SERVICES = ("prober", "recorder", "alerter", "web")


def test_the_settings_table_is_what_the_services_read() -> None:
    rows = re.findall(r"^\| `(NOC_\w+)` \| ([a-z, ]+) \| .* \| (.*) \|$", TEXT, re.MULTILINE)
    written = {
        (name, service)
        for name, services, _ in rows
        for service in (SERVICES if services == "all" else services.split(", "))
    }
    assert written == {(setting.name, service) for service, settings in SETTINGS.items() for setting in settings}
    assert {name for name, *_ in rows} == set(ALL_NAMES)


def test_the_defaults_of_the_table_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(NOC_\w+)` \| .* \| (.*) \|$", TEXT, re.MULTILINE))
    for settings in SETTINGS.values():
        for setting in settings:
            if setting.default:
                assert rows[setting.name].startswith(f"`{setting.default}`"), setting.name


@pytest.mark.parametrize("service", ["recorder", "alerter", "web"])
def test_the_table_of_figures_has_all_that_a_service_tells(service: str) -> None:
    """Written as dictionaries named `figures` in its code."""
    told = {
        key.value
        for file in (REPOSITORY / "services" / service).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.AnnAssign)
        and ast.unparse(node.target) == "figures"
        and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    }
    assert told == _figures(service)


def test_the_table_of_figures_has_what_every_service_tells_of_the_bus() -> None:
    assert set(FakeBus(Hub()).counters) == _figures("each")


def _figures(service: str) -> set[str]:
    rows = dict(re.findall(r"^\| (recorder|alerter|web|each) \| (.*`.*) \|$", TEXT, re.MULTILINE))
    return set(re.findall(r"`(\w+)`", rows[service]))


def test_the_files_to_keep_are_those_that_the_code_makes() -> None:
    kept = TEXT.partition("**Backup and restore.**")[2].partition("**Upgrading.**")[0]
    code = "".join(file.read_text(encoding="utf-8") for file in REPOSITORY.glob("[hs]*/**/noc_*/**/*.py"))
    names = set(re.findall(r"`([\w-]+\.(?:sqlite|key))`", kept)) - {"prober-SITE.sqlite"}
    assert len(names) == 5
    assert [name for name in sorted(names) if f'"{name}"' not in code] == []


def test_every_command_exists_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    commands = set(re.findall(r"\./noc ([a-z]+(?: (?:add|create|import|export))?)", TEXT))
    assert len(commands) >= 12
    for command in commands:
        code, printed = _help_of(command.split(), capsys)
        assert code == 0, (command, printed)
        assert "usage" in printed


def _help_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The exit code, and what was printed: in this process, but for the commands that become another program."""
    words = [*words, "--help"]
    if words[0] in {"demo", "test"}:
        command = [sys.executable, "-m", "noc_launcher", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr
    try:
        code: object = noc_launcher.__main__.main(words)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out + err


def test_the_readme_begins_with_what_it_is_a_screenshot_and_the_three_commands() -> None:
    picture = TEXT.index("![")
    assert (
        picture
        < TEXT.index("./noc demo")
        < TEXT.index("./noc up")
        < TEXT.index("./noc test")
        < TEXT.index("## What you get")
    )
    assert (REPOSITORY / TEXT[picture:].partition("](")[2].partition(")")[0]).stat().st_size > 20_000


@pytest.mark.parametrize("name", ["up", "demo"])
def test_the_arguments_of_the_table_are_those_of_the_command(name: str) -> None:
    shown = set(
        re.findall(r"--[a-z]+", next(line for line in TEXT.splitlines() if line.startswith(f"| `./noc {name}")))
    )
    command = [sys.executable, "-m", "noc_launcher", name, "--help"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert shown <= set(re.findall(r"--[a-z]+", told))


def test_the_table_of_options_is_what_the_code_declares() -> None:
    assert options.described() in TEXT, "`.venv/bin/python -m noc_web.catalog.options` prints what belongs there"
