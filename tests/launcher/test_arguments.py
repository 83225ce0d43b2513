"""The `noc` command's own words: help, arguments over settings over defaults, and wrong ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noc_frame.settings import SettingError, set_over
from noc_launcher import services
from noc_launcher.arguments import COMMANDS
from noc_launcher.commands import OTHERS
from noc_launcher.errors import CommandError
from noc_launcher.plan import Options, data_folder, read, site_of
from tests.launcher.conftest import Noc
from tests.parts.up import clean_environment


def test_help_names_every_command(noc: Noc) -> None:
    done = noc("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in (*COMMANDS, *OTHERS):
        assert command in done.stdout
    assert noc().stdout == done.stdout


def test_an_unknown_command_is_one_sentence(noc: Noc) -> None:
    done = noc("pong")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "noc: There is no command 'pong'; `noc --help` lists them.\n"


@pytest.mark.parametrize("service", services.SERVICES)
def test_a_service_reads_its_own_arguments(noc: Noc, service: str) -> None:
    done = noc(service, "--help")
    assert done.returncode == 0
    assert f"usage: noc-{service}" in done.stdout


@pytest.mark.parametrize("command", ["ping", "trace"])
def test_ping_and_trace_are_the_probers(noc: Noc, command: str) -> None:
    done = noc(command, "not..a..host")
    assert done.returncode == 1
    assert "is neither an IP address nor a host name" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("/here", {"NOC_DATA": "/there"}, "/here"),
        (None, {"NOC_DATA": "/there", "XDG_DATA_HOME": "/xdg"}, "/there"),
        (None, {"XDG_DATA_HOME": "/xdg"}, "/xdg/noc"),
        (None, {"XDG_DATA_HOME": "relative"}, "~/.local/share/noc"),
        (None, {}, "~/.local/share/noc"),
    ],
    ids=["argument", "setting", "XDG", "a relative XDG is ignored", "default"],
)
def test_the_data_folder_is_the_argument_else_the_setting_else_the_users_own(
    given: str | None, environment: dict[str, str], expected: str
) -> None:
    assert data_folder(given, environment) == Path(expected).expanduser()


def test_the_data_folder_may_be_named_in_a_file_and_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.write_text(f"{tmp_path}/data\n", encoding="utf-8")
    assert data_folder(None, {"NOC_DATA_FILE": str(named)}) == tmp_path / "data"
    with pytest.raises(SettingError, match=r"^NOC_DATA_FILE: '/nowhere' cannot be read .*name a readable file"):
        data_folder(None, {"NOC_DATA_FILE": "/nowhere"})


def test_a_home_that_nobody_knows_is_one_sentence(noc: Noc) -> None:
    done = noc("doctor", "--data", "~nobody-at-all/noc")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "noc: The home folder is not known; name the data folder by its full path with --data.\n"


def test_ctrl_c_before_anything_runs_ends_it_without_a_word(tmp_path: Path) -> None:
    named = tmp_path / "named"
    os.mkfifo(named)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "noc_launcher", "up"],
        env=clean_environment(tmp_path) | {"NOC_DATA_FILE": str(named)},
        stderr=subprocess.PIPE,
        text=True,
    )
    # Opened as soon as the command reads the name of its folder, which then lets it wait.
    with named.open("w", encoding="utf-8"):
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[1]
    assert (process.returncode, told) == (128 + signal.SIGINT, "")


@pytest.mark.parametrize(
    ("hostname", "site"),
    [
        ("Berlin-2.example.org", "berlin-2"),
        ("web", "local"),
        ("localhost", "local"),
        ("", "local"),
        ("ÄÖ", "local"),
        ("a_b", "a-b"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_site_is_named_after_its_machine_where_that_makes_a_name(hostname: str, site: str) -> None:
    assert site_of(hostname) == site


def test_arguments_win_over_settings_and_those_over_defaults(tmp_path: Path) -> None:
    settings = {"NOC_HTTP_PORT": "1111", "NOC_HTTP_HOST": "0.0.0.0", "NOC_SITE": "madrid", "NOC_DATA": str(tmp_path)}
    plan = read(Options(port="2222", site="berlin"), settings)
    assert (plan.http_port, plan.http_host, plan.site, plan.folder) == (2222, "0.0.0.0", "berlin", tmp_path)
    assert plan.environment["NOC_HTTP_PORT"] == "2222"
    assert plan.broker == "nats"
    plan = read(Options(data=str(tmp_path)), {})
    assert (plan.http_port, plan.http_host) == (8080, "127.0.0.1")


def test_a_broker_that_is_named_is_used_and_none_started(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    for environment in ({"NOC_MQTT_URL": "mqtt://else.where"}, {"NOC_MQTT_URL_FILE": str(secret)}):
        assert read(Options(data=str(tmp_path)), environment).broker is None


def test_a_value_set_directly_replaces_the_one_from_a_file() -> None:
    assert set_over({"NOC_SITE_FILE": "/f", "OTHER": "kept"}, {"NOC_SITE": "berlin", "NOC_DATA": None}) == {
        "OTHER": "kept",
        "NOC_SITE": "berlin",
    }


@pytest.mark.parametrize(
    ("options", "environment", "sentence"),
    [
        (Options(port="80x"), {}, "--port: '80x' is not a port; use 1 to 65535."),
        (Options(), {"NOC_HTTP_PORT": "0"}, "NOC_HTTP_PORT: '0' is not accepted; use a port from 1 to 65535."),
        (Options(site="web"), {}, "that name belongs to a service"),
        (Options(site="Ber lin"), {}, "'Ber lin' is not accepted"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(
    tmp_path: Path, options: Options, environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises((CommandError, SettingError)) as raised:
        read(options, environment | {"NOC_DATA": str(tmp_path)})
    assert sentence in str(raised.value)
