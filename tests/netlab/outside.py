"""A process that stays behind in the machine's own network and runs commands there for one that has left."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Door:
    """Starts the process that stays behind; open it before leaving."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, command: Sequence[str], *, cwd: Path | None, timeout_s: float) -> subprocess.CompletedProcess[str]:
        asked = {"command": list(command), "cwd": str(cwd) if cwd else None, "timeout_s": timeout_s}
        assert self._process.stdin
        assert self._process.stdout
        with self._turn:
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())
        if answer["timed_out"]:
            raise subprocess.TimeoutExpired(list(command), timeout_s, answer["stdout"], answer["stderr"])
        return subprocess.CompletedProcess(list(command), answer["code"], answer["stdout"], answer["stderr"])

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(timeout=10)


def serve() -> None:
    """Run one command for every line that comes in, until there are no more."""
    for line in sys.stdin:
        print(json.dumps(_run(**json.loads(line))), flush=True)


def _run(command: list[str], cwd: str | None, timeout_s: float) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command, cwd=cwd, timeout=timeout_s, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        return {"timed_out": True, "code": -1, "stdout": "", "stderr": ""}
    except OSError as error:
        return {"timed_out": False, "code": 127, "stdout": "", "stderr": str(error)}
    return {"timed_out": False, "code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


if __name__ == "__main__":
    serve()
