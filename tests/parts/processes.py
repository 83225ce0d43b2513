"""Processes that a test starts, kills and starts again by name; nothing else is ever signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.parts.waiting import wait_until

_LOG_SHOWN_CHARS: Final = 6000
STOP_S: Final = 10.0


@dataclass
class _Started:
    process: subprocess.Popen[bytes]
    command: list[str]
    environment: dict[str, str]
    log: Path


class Processes:
    """A context manager: whatever is left at the end is stopped. The output of each goes to a file of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._started: dict[str, _Started] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._started.values():
            if one.process.poll() is None:
                one.process.terminate()
        for one in self._started.values():
            try:
                one.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start `command`. Of the settings of services it gets only those in `environment`."""
        assert not self.is_running(name), f"{name} is already running"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("NOC_")}
        words = [str(word) for word in command]
        log = self._folder / f"{name}.log"
        own = {**clean, "PYTHONUNBUFFERED": "1", **(environment or {})}
        with log.open("ab") as out:
            process = subprocess.Popen(words, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        self._started[name] = _Started(process, words, dict(environment or {}), log)

    def service(self, name: str, environment: Mapping[str, str], *, called: str | None = None) -> None:
        """Start one of our services: prober, recorder, alerter or web."""
        self.start(called or name, [sys.executable, "-m", f"noc_{name}"], environment)

    def kill(self, name: str) -> None:
        """kill -9, and wait until it is gone."""
        one = self._started[name]
        one.process.send_signal(signal.SIGKILL)
        one.process.wait()

    def restart(self, name: str) -> None:
        """Start it again as it was."""
        one = self._started[name]
        self.start(name, one.command, one.environment)

    def stop(self, name: str, deadline_s: float = STOP_S) -> tuple[int, float]:
        """SIGTERM. The exit code, and how many seconds the end took; fails where there is no end."""
        one = self._started[name]
        started_s = time.monotonic()
        one.process.terminate()
        try:
            code = one.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} still runs {deadline_s:g} s after SIGTERM:\n{self.log(name)}") from None
        return code, time.monotonic() - started_s

    def wait(self, name: str, deadline_s: float) -> int:
        """The exit code of a process that ends by itself."""
        process = self._started[name].process
        wait_until(lambda: process.poll() is not None, deadline_s, f"the end of {name}", seen=lambda: self.log(name))
        return process.returncode

    def is_running(self, name: str) -> bool:
        return name in self._started and self._started[name].process.poll() is None

    def pid(self, name: str) -> int:
        return self._started[name].process.pid

    def log(self, name: str) -> str:
        return self._started[name].log.read_text(encoding="utf-8", errors="replace")

    @property
    def logs(self) -> dict[str, str]:
        """The end of every log, for a failure's report."""
        return {name: self.log(name)[-_LOG_SHOWN_CHARS:] for name in self._started}
