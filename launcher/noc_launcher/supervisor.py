"""Keeps programs running: starts them in order, starts again what dies, stops them in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from noc_frame.exit_codes import EXIT_SETTINGS
from noc_launcher.errors import CommandError

RESTART_S: Final = (0.2, 30.0)
STEADY_S: Final = 20.0
"""Who ran this long and died did not die of its start."""
GIVE_UP_AFTER: Final = 5
"""Deaths in a row, while not everything has been ready yet."""
STOP_S: Final = 10.0
SERVING_LOOK_S: Final = 5.0
"""How often a program that says whether it serves is asked."""
DEAF_S: Final = 15.0
"""Who has served and does not for so long is started again …"""
FIRST_SERVES_S: Final = 60.0
"""… and who has not served since it was started, after this long."""
_LOOK_EVERY_S: Final = 0.1
_RELOAD_LOOK_S: Final = 0.2
_LONGEST_LINE_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Program:
    """Something to keep running. What is after it in the list starts once `is_ready` says so."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    is_ready: Callable[[], bool] = lambda: True
    """Called in a thread of its own, again and again; may block for a moment."""
    why_deaf: Callable[[], str | None] | None = None
    """Why it runs and does not serve, None while it does; called like `is_ready`, for as long as it runs."""
    reads: Sequence[Path] = ()
    """Files that it reads at its start and at each SIGHUP, which it gets when one of them has changed."""


def as_child(words: Sequence[str]) -> list[str]:
    """The command of a process that dies with this one: a service's name, or `program` and its command."""
    # -P: nothing in the folder we were started from may stand in for one of our modules.
    return [sys.executable, "-P", "-m", "noc_launcher.child", str(os.getpid()), *words]


def pause_s(quick_deaths: int) -> float:
    """How long to wait before a start, after so many short lives in a row."""
    least, most = RESTART_S
    return min(most, least * 2.0 ** min(quick_deaths, 20))


def ending(code: int) -> str:
    """What an exit code means, in words."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _versions(files: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Of each file another one where it was written or replaced; None where there is none."""
    found: list[tuple[int, int] | None] = []
    for file in files:
        try:
            seen = file.stat()
            found.append((seen.st_ino, seen.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


class Supervisor:
    """Runs `programs` until `stop` is called. Every line they print goes to `show` with their name."""

    def __init__(
        self,
        programs: Sequence[Program],
        show: Callable[[str, str], None],
        *,
        patience_s: float = 20.0,
        serving_look_s: float = SERVING_LOOK_S,
        deaf_s: float = DEAF_S,
    ) -> None:
        """Something that is not ready after `patience_s` is told."""
        self._patience_s = patience_s
        self._serving_look_s = serving_look_s
        self._deaf_s = deaf_s
        self._programs = programs
        self._show = show
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._has_been_ready = False
        # Of those that say whether they serve: who has not, in its present or last life.
        self._never_served: set[str] = set()

    def stop(self) -> None:
        """Stop everything in order; called once more, at once."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Returns when everything has stopped. Raises CommandError where a program does not start at all."""
        keepers: dict[str, asyncio.Task[None]] = {}
        beginning = asyncio.create_task(self._begin(keepers, when_ready))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not stopping.done():
                tasks = {stopping, *keepers.values(), *([] if beginning.done() else [beginning])}
                # Keepers are added until everything has begun.
                look_s = None if beginning.done() else _LOOK_EVERY_S * 2
                done, _ = await asyncio.wait(tasks, timeout=look_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopping}:
                    task.result()
        finally:
            self._stop.set()
            beginning.cancel()
            stopping.cancel()
            await self._end(keepers)

    async def _begin(self, keepers: dict[str, asyncio.Task[None]], when_ready: Callable[[], None]) -> None:
        for program in self._programs:
            keepers[program.name] = asyncio.create_task(self._keep(program))
            told_s = time.monotonic() + self._patience_s
            while not await asyncio.to_thread(program.is_ready):
                if time.monotonic() > told_s:
                    told_s = math.inf
                    self._show("noc", f"the {program.name} is not ready yet; the lines above say why")
                await asyncio.sleep(_LOOK_EVERY_S)
        self._has_been_ready = True
        when_ready()

    async def _keep(self, program: Program) -> None:
        quick_deaths = 0
        while not self._stop.is_set():
            started_s = time.monotonic()
            try:
                code = await self._run_once(program)
            except OSError as error:
                # A machine that is out of processes or memory for a moment is no reason to end the rest.
                self._show("noc", f"the {program.name} cannot be started: {error.strerror}")
                code = os.EX_OSERR
            if self._stop.is_set():
                return
            is_steady = time.monotonic() - started_s >= STEADY_S and program.name not in self._never_served
            quick_deaths = 0 if is_steady else quick_deaths + 1
            if not self._has_been_ready and (code == EXIT_SETTINGS or quick_deaths >= GIVE_UP_AFTER):
                raise CommandError(f"The {program.name} does not start: it {ending(code)}; its lines above say why.")
            wait_s = pause_s(max(0, quick_deaths - 1))
            self._show("noc", f"the {program.name} {ending(code)} and is started again in {wait_s:g} s")
            await asyncio.sleep(wait_s)

    async def _run_once(self, program: Program) -> int:
        """Its exit code. Shows what it prints."""
        read_at_start = _versions(program.reads)
        process = await asyncio.create_subprocess_exec(
            *program.command,
            env=dict(program.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LONGEST_LINE_BYTES,
            # Ctrl-C in the terminal is for us alone: we stop the others in order.
            start_new_session=True,
        )
        self._running[program.name] = process
        beside = [
            asyncio.create_task(self._restart_when_deaf(program, process)),
            asyncio.create_task(self._reload_when_changed(program, process, read_at_start)),
        ]
        try:
            await self._show_lines(program, process)
            return await process.wait()
        finally:
            for task in beside:
                task.cancel()

    async def _show_lines(self, program: Program, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                self._show(program.name, f"(a line of more than {_LONGEST_LINE_BYTES} bytes is left out)")
                continue
            if not line:
                return
            self._show(program.name, line.decode(errors="replace").rstrip())

    async def _restart_when_deaf(self, program: Program, process: asyncio.subprocess.Process) -> None:
        """End a process that runs and does not serve: it is then started again like one that died."""
        if program.why_deaf is None:
            return
        self._never_served.add(program.name)
        served_s = time.monotonic()
        while True:
            await asyncio.sleep(self._serving_look_s)
            why = await asyncio.to_thread(program.why_deaf)
            if why is None:
                served_s = time.monotonic()
                self._never_served.discard(program.name)
                continue
            limit_s = FIRST_SERVES_S if program.name in self._never_served else self._deaf_s
            if (deaf_s := time.monotonic() - served_s) >= limit_s:
                self._show(
                    "noc", f"the {program.name} runs but has not served for {deaf_s:.0f} s: {why}; it is restarted"
                )
                await self._terminate(process)
                return

    async def _reload_when_changed(
        self, program: Program, process: asyncio.subprocess.Process, read: list[tuple[int, int] | None]
    ) -> None:
        if not program.reads:
            return
        # Before it has come so far, the signal would end it.
        while not await asyncio.to_thread(program.is_ready):
            await asyncio.sleep(_LOOK_EVERY_S)
        while True:
            if (now := _versions(program.reads)) != read:
                read = now
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGHUP)
            await asyncio.sleep(_RELOAD_LOOK_S)

    async def _terminate(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _end(self, keepers: Mapping[str, asyncio.Task[None]]) -> None:
        for name, keeper in reversed(list(keepers.items())):
            process = self._running.get(name)
            if process is None or process.returncode is not None:
                # Not running now: between two lives, or never started.
                keeper.cancel()
            else:
                await self._end_one(name, process, keeper)
            with contextlib.suppress(asyncio.CancelledError, CommandError):
                await keeper

    async def _end_one(self, name: str, process: asyncio.subprocess.Process, keeper: asyncio.Task[None]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({keeper, hurry}, timeout=STOP_S, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not keeper.done():
            if not self._hurry.is_set():
                self._show("noc", f"the {name} did not end within {STOP_S:g} s of being asked and is killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
