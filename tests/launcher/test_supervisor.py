"""The supervisor with small programs: restart, order, names before lines, and death together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from noc_frame.files import write_private
from noc_launcher.errors import CommandError
from noc_launcher.supervisor import GIVE_UP_AFTER, RESTART_S, Program, Supervisor, as_child, ending, pause_s
from tests.parts.waiting import wait_until

SLEEP = "import time; print('here', flush=True); time.sleep(600)"
SILENT = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"


def program(name: str, code: str, is_ready: Callable[[], bool] = lambda: True) -> Program:
    return Program(name, as_child(["program", sys.executable, "-c", code]), os.environ, is_ready)


class Lines(list[tuple[str, str]]):
    def show(self, name: str, line: str) -> None:
        self.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self if who == name]


async def until(condition: Callable[[], Any], deadline_s: float = 10) -> None:
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        await asyncio.sleep(0.02)


def supervise(programs: list[Program], script: Callable[[Supervisor], Coroutine[Any, Any, None]], lines: Lines) -> None:
    """Run `programs`; as soon as they are ready run `script`, then stop."""

    async def both() -> None:
        supervisor, ready = Supervisor(programs, lines.show), asyncio.Event()
        running = asyncio.create_task(supervisor.run(ready.set))
        beginning = asyncio.create_task(ready.wait())
        await asyncio.wait({running, beginning}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await script(supervisor)
            supervisor.stop()
        beginning.cancel()
        await running

    asyncio.run(both())


def test_what_is_killed_runs_again_and_is_told() -> None:
    lines = Lines()
    code = f"import os; print(os.getpid(), flush=True); {SLEEP}"

    async def script(supervisor: Supervisor) -> None:
        await until(lambda: "here" in lines.of("part"))
        os.kill(int(lines.of("part")[0]), signal.SIGKILL)
        await until(lambda: lines.of("part").count("here") == 2)

    supervise([program("part", code)], script, lines)
    assert lines.of("noc") == ["the part was killed by SIGKILL and is started again in 0.2 s"]


def test_a_program_hears_of_a_file_that_is_replaced_once_it_is_ready(tmp_path: Path) -> None:
    lines = Lines()
    file, ready = tmp_path / "accounts", tmp_path / "ready"
    write_private(file, "first")
    # A signal before its handler would end it: the file is replaced while it starts, too.
    code = (
        f"import pathlib, signal, sys, time; say = lambda *_: print(pathlib.Path({str(file)!r}).read_text(), flush=True)\n"
        f"say(); pathlib.Path({str(ready)!r} + '-soon').touch(); time.sleep(0.5)\n"
        f"signal.signal(1, say); pathlib.Path({str(ready)!r}).touch(); [time.sleep(1) for _ in range(600)]"
    )
    reader = replace(program("part", code, ready.exists), reads=[file])

    async def both() -> None:
        supervisor, started = Supervisor([reader], lines.show), asyncio.Event()
        running = asyncio.create_task(supervisor.run(started.set))
        await until(Path(f"{ready}-soon").exists)
        write_private(file, "second")
        await until(lambda: lines.of("part") == ["first", "second"])
        write_private(file, "third")
        await until(lambda: lines.of("part") == ["first", "second", "third"])
        supervisor.stop()
        await running

    asyncio.run(both())
    assert lines.of("noc") == []


def test_what_runs_and_no_longer_serves_is_restarted_and_is_told_why() -> None:
    lines = Lines()
    life = {"deaf": ""}

    def why_deaf() -> str | None:
        """As a broker whose disk is full: a new process serves again."""
        return "it is deaf" if lines.of("part")[-1:] == [life["deaf"]] else None

    async def both() -> None:
        one = Program("part", program("", f"import os; print(os.getpid(), flush=True); {SILENT}").command, os.environ)
        supervisor = Supervisor([replace(one, why_deaf=why_deaf)], lines.show, serving_look_s=0.05, deaf_s=0.3)
        running = asyncio.create_task(supervisor.run(lambda: None))
        await until(lambda: lines.of("part"))
        await asyncio.sleep(0.5)
        assert not lines.of("noc"), "it serves"
        life["deaf"] = lines.of("part")[0]
        await until(lambda: len(lines.of("part")) == 2)
        await asyncio.sleep(0.5)
        supervisor.stop()
        await running

    asyncio.run(both())
    told, ended = lines.of("noc")
    assert re.fullmatch(r"the part runs but has not served for \d+ s: it is deaf; it is restarted", told)
    assert ended == "the part was killed by SIGTERM and is started again in 0.2 s"


def test_every_line_has_the_name_of_its_program_also_a_last_one_without_an_end() -> None:
    lines = Lines()

    async def script(supervisor: Supervisor) -> None:
        await until(lambda: len(lines) >= 4)

    talk = "import sys, time; print('one'); sys.stderr.write('two'); sys.stdout.flush(); sys.stderr.flush()"
    supervise([program("b", SLEEP), program("c", f"{talk}; sys.exit(3)")], script, lines)
    assert "here" in lines.of("b")
    assert {"one", "two"} <= set(lines.of("c")) or "onetwo" in lines.of("c")


def test_a_line_too_long_to_keep_is_left_out_and_the_next_ones_still_come() -> None:
    lines = Lines()

    async def script(supervisor: Supervisor) -> None:
        await until(lambda: "after" in lines.of("part"))

    supervise([program("part", f"print('x' * 3_000_000); print('after', flush=True); {SLEEP}")], script, lines)
    assert any("is left out" in line for line in lines.of("part"))


def test_the_next_starts_when_the_one_before_is_ready_and_stops_before_it(tmp_path: Path) -> None:
    lines = Lines()
    ready = tmp_path / "ready"
    leave = "import signal, sys, time; signal.signal(15, lambda *_: (print('bye', flush=True), sys.exit(0)))"
    first = f"{leave}; print('here', flush=True); open({str(ready)!r}, 'w').close(); time.sleep(600)"

    async def script(supervisor: Supervisor) -> None:
        await until(lambda: "here" in lines.of("second"))

    supervise(
        [
            program("first", first, ready.exists),
            program("second", f"{leave}; print('here', flush=True); time.sleep(600)"),
        ],
        script,
        lines,
    )
    assert lines == [("first", "here"), ("second", "here"), ("second", "bye"), ("first", "bye")]


def test_what_does_not_end_is_killed_at_once_when_asked_a_second_time() -> None:
    lines = Lines()

    async def script(supervisor: Supervisor) -> None:
        await until(lambda: "here" in lines.of("part"))
        supervisor.stop()
        supervisor.stop()

    started_s = time.monotonic()
    supervise([program("part", STUBBORN)], script, lines)
    assert time.monotonic() - started_s < 5


def test_what_is_not_ready_for_long_is_told_once() -> None:
    lines = Lines()

    async def both() -> None:
        supervisor = Supervisor([program("part", SLEEP, lambda: False)], lines.show, patience_s=0.1)
        running = asyncio.create_task(supervisor.run(lambda: None))
        await until(lambda: lines.of("noc"))
        supervisor.stop()
        await running

    asyncio.run(both())
    assert lines.of("noc") == ["the part is not ready yet; the lines above say why"]


def test_a_program_that_cannot_be_started_does_not_end_the_others() -> None:
    lines = Lines()

    async def script(supervisor: Supervisor) -> None:
        await until(lambda: len(lines.of("noc")) >= 4 and "here" in lines.of("steady"))

    missing = Program("missing", ["/no/such/program"], {})
    supervise([missing, program("steady", SLEEP)], script, lines)
    assert lines.of("noc")[0] == "the missing cannot be started: No such file or directory"


@pytest.mark.parametrize(
    ("code", "lives"),
    [(2, 1), (1, GIVE_UP_AFTER)],
    ids=["a wrong setting: at once", "anything else: after some tries"],
)
def test_a_program_that_does_not_start_ends_everything_with_a_sentence(code: int, lives: int) -> None:
    lines = Lines()

    async def never(supervisor: Supervisor) -> None:
        raise AssertionError("it was never ready")

    programs = [
        program("steady", SLEEP),
        program("broken", f"import sys; print('why', flush=True); sys.exit({code})", lambda: False),
    ]
    with pytest.raises(
        CommandError, match=f"^The broken does not start: it ended with exit code {code}; its lines above"
    ):
        supervise(programs, never, lines)
    assert lines.of("broken") == ["why"] * lives


def test_the_pause_before_a_start_doubles_up_to_a_limit() -> None:
    assert [pause_s(deaths) for deaths in (0, 1, 2, 3)] == [0.2, 0.4, 0.8, 1.6]
    assert pause_s(1000) == RESTART_S[1]


def test_an_ending_is_told_in_words() -> None:
    assert ending(-9) == "was killed by SIGKILL"
    assert ending(70) == "ended with exit code 70"


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    children = tmp_path / "children"
    code = f"""
import asyncio, os, sys
from noc_launcher.supervisor import Program, Supervisor, as_child
own = "import os, time; open({str(children)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
programs = [Program(name, as_child(["program", sys.executable, "-c", own]), os.environ) for name in "ab"]
asyncio.run(Supervisor(programs, lambda *_: None).run(lambda: None))
"""
    with subprocess.Popen([sys.executable, "-c", code]) as supervisor:
        wait_until(lambda: children.exists() and len(children.read_text().split()) == 2, 10, "two children")
        pids = [int(word) for word in children.read_text().split()]
        supervisor.kill()
    wait_until(lambda: not any(_runs(pid) for pid in pids), 5, "the end of both children")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # Who adopts it may be slow to bury it.
    return state != "Z"
