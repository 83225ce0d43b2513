"""Who measures the machine runs alone; what was measured is told at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # no types

from tests.parts import figures
from tests.parts.figures import Figures
from tests.parts.workers import Scheduling, room

REPOSITORY = Path(__file__).resolve().parents[2]


class Guest:
    """A worker of its own that wants into the room, and leaves when told."""

    def __init__(self, folder: Path, *, is_alone: bool = False) -> None:
        self.is_in, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._stay, args=(folder, is_alone))
        self._thread.start()

    def _stay(self, folder: Path, is_alone: bool) -> None:
        with room(folder, is_alone=is_alone):
            self.is_in.set()
            self._leave.wait(30)

    def leave(self) -> None:
        self._leave.set()
        self._thread.join()


def test_others_share_the_room_and_who_is_alone_waits_for_them_and_keeps_newcomers_out(tmp_path: Path) -> None:
    first, second = Guest(tmp_path), Guest(tmp_path)
    assert first.is_in.wait(10)
    assert second.is_in.wait(10)
    alone = Guest(tmp_path, is_alone=True)
    assert not alone.is_in.wait(0.3)
    newcomer = Guest(tmp_path)
    first.leave()
    assert not alone.is_in.wait(0.3)
    assert not newcomer.is_in.is_set(), "it would keep the one who waits outside for ever"
    second.leave()
    assert alone.is_in.wait(10)
    assert not newcomer.is_in.wait(0.3)
    alone.leave()
    assert newcomer.is_in.wait(10)
    newcomer.leave()


@pytest.mark.parametrize(
    ("units", "pending"),
    [
        pytest.param([], 0, id="nothing given"),
        pytest.param([[True], [True, True]], 0, id="all done"),
        pytest.param([[True], [True, False, False], [False]], 3, id="in the midst of one, and one to come"),
        pytest.param([[False], [False, False]], 3, id="not begun"),
    ],
)
def test_what_a_process_has_to_do_still_is_counted_from_the_end(units: list[list[bool]], pending: int) -> None:
    work = {f"unit {name}": {f"test {test}": done for test, done in enumerate(unit)} for name, unit in enumerate(units)}
    scheduling = Scheduling.__new__(Scheduling)
    assert scheduling._pending_of(work) == LoadGroupScheduling._pending_of(scheduling, work) == pending


CONFTEST = """
import pytest
from tests.parts import workers

def pytest_addoption(parser):
    parser.addoption("--long", action="store_true")

def pytest_collection_modifyitems(items):
    items[:] = workers.in_order(items)

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    workers.give_way(item)
"""

TESTS = """
import os
import pytest

def test_one():
    print("one", os.nice(0))

@pytest.mark.alone(only="long")
@pytest.mark.before_others
def test_measuring():
    print("measuring", os.nice(0))
"""


@pytest.mark.parametrize("is_long", [False, True])
def test_who_goes_before_others_is_first_and_all_others_give_way_but_where_it_is_alone(
    tmp_path: Path, *, is_long: bool
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "test_it.py").write_text(TESTS)
    words = ["-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "folder"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(["--long"] if is_long else [])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = os.nice(0)
    expected = f"one {ours}\n.measuring {ours}\n" if is_long else f"measuring {ours}\n.one {max(ours, 10)}\n"
    assert done.stdout.startswith(expected), done.stdout + done.stderr


def test_a_figure_is_told_whether_it_was_held_or_not() -> None:
    told: list[tuple[str, object]] = []
    figure = Figures(lambda name, value: told.append((name, value)))
    figure.at_most("heal_s", 3.5, 15)
    figure.at_least("coverage_pct", 99, 99)
    with pytest.raises(AssertionError, match=r"lost +2 +at most 0 +NOT HELD"):
        figure.at_most("lost", 2, 0)
    report = pytest.TestReport(
        "tests/x/test_y.py::test_z@group", ("", 1, ""), {}, "failed", "", "call", user_properties=told
    )
    assert [line.split() for line in figures.table(figures.measured([report, "not a report"]))] == [
        ["test_y.py::test_z"],
        ["heal_s", "3.5", "at", "most", "15"],
        ["coverage_pct", "99", "at", "least", "99"],
        ["lost", "2", "at", "most", "0", "NOT", "HELD"],
    ]


def test_what_shares_something_costly_is_known_to_xdist_as_one_group(request: pytest.FixtureRequest) -> None:
    grouped = [item for item in request.session.items if item.get_closest_marker("xdist_group")]
    assert all("@" in item.nodeid for item in grouped), "else each process makes what they share"
