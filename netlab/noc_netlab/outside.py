"""A process that stays behind in the machine's own network and runs commands there for one that has left."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
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

    def forward(self, host: str, port: int) -> int:
        """A loopback port here that leads to `host` and `port` there, until this process ends."""
        # A path is the same place in every network.
        path = Path(tempfile.mkdtemp()) / "door"
        assert self._process.stdin
        assert self._process.stdout
        with self._turn:
            print(json.dumps({"forward": [host, port], "path": str(path)}), file=self._process.stdin, flush=True)
            self._process.stdout.readline()
        listener = socket.create_server(("127.0.0.1", 0))
        _let_through(listener, lambda: _unix(path))
        return int(listener.getsockname()[1])

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(timeout=10)


def _let_through(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Join every connection to a listening socket with one to somewhere else, in threads of its own."""

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            threading.Thread(target=_join, args=(near, connect()), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _join(near: socket.socket, far: socket.socket) -> None:
    with near, far:
        back = threading.Thread(target=_pour, args=(far, near), daemon=True)
        back.start()
        _pour(near, far)
        back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while portion := source.recv(65536):
            sink.sendall(portion)
        sink.shutdown(socket.SHUT_WR)


def _unix(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def serve() -> None:
    """Run one command for every line that comes in, or open a way for connections, until there are no more."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_forward(**asked) if "forward" in asked else _run(**asked)), flush=True)


def _forward(forward: tuple[str, int], path: str) -> dict[str, Any]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    host, port = forward
    _let_through(listener, lambda: socket.create_connection((host, port)))
    return {}


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
