"""The store of the browser's page, `store.js` itself in Node: what it makes of snapshots and deltas."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import threading
from typing import Any

from tests.parts.node import FOLDER, node

_ONE_AT_A_TIME = threading.Lock()


def applied(page: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """What a page is after a delta that follows it. Without Node the test is skipped."""
    assert delta["revision"] == page["revision"] + 1
    process = _process()
    assert process.stdin
    assert process.stdout
    with _ONE_AT_A_TIME:
        process.stdin.write(json.dumps({"page": page, "delta": delta}) + "\n")
        process.stdin.flush()
        after: dict[str, Any] = json.loads(process.stdout.readline())
    return after


@functools.cache
def _process() -> subprocess.Popen[str]:
    command = [node(), str(FOLDER / "applied.js")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate()
