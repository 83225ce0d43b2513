"""A running `noc up`, as somebody starts it: on a data folder and ports of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.parts.ports import free_port
from tests.parts.waiting import wait_until

READY_S: Final = 60.0


def clean_environment(home: Path) -> dict[str, str]:
    """This process's, without any setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOC_", "XDG_"))}
    return kept | {"HOME": str(home)}


class Up:
    """A running `noc up` on a folder of its own."""

    def __init__(self, folder: Path, *words: str, before: Sequence[str] = (), **settings: str) -> None:
        self.folder, self.port, self.mqtt_port = folder / "data", free_port(), free_port()
        self.log = folder / "log"
        ports = ["--port", str(self.port), "--mqtt-port", str(self.mqtt_port)]
        command = ["up", "--data", str(self.folder), "--site", "here", *ports, *words]
        self.out = folder / f"out-{self.port}"
        with self.log.open("ab") as log, self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-P", "-m", "noc_launcher", *command],
                env=clean_environment(folder) | settings,
                stdout=out,
                stderr=log,
            )

    def wait_ready(self) -> str:
        """The one line of its standard output."""
        wait_until(
            self._is_ready,
            READY_S,
            "the line that says it is ready",
            seen=self.log.read_text,
        )
        return self.out.read_text()

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return self.out.read_text().endswith("\n")

    def pids(self) -> dict[str, int]:
        """The processes it has started, by name."""
        found = {}
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            except OSError:
                # It has ended since we read its number.
                continue
            name = command[command.index("noc_launcher.child") + 2] if "noc_launcher.child" in command else "broker"
            found["broker" if name == "program" else name] = int(child)
        return found

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(65536))
