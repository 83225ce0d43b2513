"""The Dockerfile: what it takes exists, who it runs is nobody special, what it fetches is pinned."""

from __future__ import annotations

import fnmatch
import re
from pathlib import PurePosixPath

import pytest

from noc_launcher.checkout import versioned
from tests.packaging import compose, dockerfiles
from tests.packaging.dockerfiles import stages
from tests.packaging.images import INSTALLED, shared_steps
from tests.packaging.repository import ROOT, SERVICES, members, needed, project


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the build; the last line that matches decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and any(_matches(str(one), pattern) for one in _with_parents(path)):
            ignored = not line.startswith("!")
    return ignored


def _with_parents(path: str) -> list[PurePosixPath]:
    return [PurePosixPath(path), *list(PurePosixPath(path).parents)[:-1]]


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, pattern.removeprefix("**/")) for part in PurePosixPath(path).parts)
    return "/" not in path and fnmatch.fnmatchcase(path, pattern)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_copied_exists_and_reaches_the_build(service: str) -> None:
    for source in dockerfiles.copied_from_here(service):
        assert (ROOT / source).exists()
        assert not is_ignored(source)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_made_of_the_lock_the_service_and_what_that_needs(service: str) -> None:
    taken = dockerfiles.copied_from_here(service)
    assert {"requirements.lock", *needed(f"services/{service}")} <= set(taken)
    assert [folder for folder in taken if folder.startswith("services/")] == [f"services/{service}"]
    build, final = stages(service)
    built = " ".join(one.text for one in build.all("RUN") if "pip wheel" in one.text).split()
    assert all(f"./{folder}" in built for folder in needed(f"services/{service}"))
    assert [one.text for one in final.all("COPY")] == [f"--from={build.name} {INSTALLED} {INSTALLED}"]


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git",
        "secrets/history_url",
        "data/history.sqlite",
        ".venv/bin/python",
        "tests/conftest.py",
        "bus/noc_bus/__pycache__/bus.cpython-313.pyc",
    ],
)
def test_what_no_image_may_hold_does_not_reach_the_build(path: str) -> None:
    assert is_ignored(path)


@pytest.mark.parametrize("service", SERVICES)
def test_all_stages_begin_with_the_same_pinned_python(service: str) -> None:
    (base,) = {stage.base for other in SERVICES for stage in stages(other)}
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+", base)
    assert version
    assert version[1] in ("3.11", "3.12", "3.13")
    assert project(f"services/{service}")["requires-python"] == ">=3.11"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_the_service_as_nobody_special(service: str) -> None:
    final = stages(service)[-1]
    user = final.last("USER").text
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert user == compose.services()[service]["user"]
    owner = user.partition(":")[0]
    assert f"--uid {owner} " in final.all("RUN")[0].text
    assert [one.word for one in final.instructions][-2:] == ["HEALTHCHECK", "ENTRYPOINT"]
    assert final.last("ENTRYPOINT").words == ["noc-service"]
    assert stages(service)[0].last("RUN").text.endswith(f"ln -s noc-{service} {INSTALLED}/bin/noc-service")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_and_compose_ask_for_health_alike(service: str) -> None:
    options, _, command = stages(service)[-1].last("HEALTHCHECK").text.partition(" CMD ")
    asked = compose.services()[service]["healthcheck"]
    assert dockerfiles.Instruction("CMD", command).words == asked["test"][1:]
    given = dict(option.removeprefix("--").split("=") for option in options.split())
    assert given == {
        "interval": asked["interval"],
        "timeout": asked["timeout"],
        "start-period": asked["start_period"],
        "retries": str(asked["retries"]),
    }


@pytest.mark.parametrize("service", SERVICES)
def test_everything_fetched_is_compared_with_its_hash_and_nothing_is_fetched_after(service: str) -> None:
    for one in [one for stage in stages(service) for one in stage.all("RUN")]:
        for command in one.text.split("&&"):
            if " pip " in f" {command}":
                assert "--require-hashes" in command or "--no-index" in command
            assert not re.search(r"\b(curl|wget|apt-get|git)\b", command)
    assert not [one for stage in stages(service) for one in stage.all("ADD")]


def test_the_images_share_the_steps_that_fetch() -> None:
    builds = [stages(service)[0] for service in SERVICES]
    assert len({build.instructions[: shared_steps(build)] for build in builds}) == 1
    assert "download" not in " ".join(one.text for one in builds[0].instructions[shared_steps(builds[0]) :])


def test_the_version_is_written_once_and_members_pin_each_other_at_it() -> None:
    for path, content in versioned(ROOT).items():
        assert path.read_text(encoding="utf-8") == content, "run `./noc lock`"
    for folder in members():
        ours = [one for one in project(folder)["dependencies"] if one.startswith("noc-")]
        assert {one.partition("==")[2] for one in ours} <= {project(folder)["version"]}
