"""The services' log lines as `noc up` shows them: with a name before, and on a terminal readable."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Final

from noc_frame.log import sentence

_NAME_WIDTH: Final = 8
# nats-server greets with twenty lines about itself; its passwords live in a private file and as long as we do.
# One killed in the middle of a subscription finds an empty folder of it at every later start, and does without.
_BROKER_SMALL_TALK: Final = ("[INF]", "[WRN] Plaintext passwords detected", "Missing consumer metafile")


def show(name: str, line: str) -> None:
    """Print one line of a program to standard error."""
    if name == "broker" and any(word in line for word in _BROKER_SMALL_TALK):
        return
    text = readable(line) if sys.stderr.isatty() else line
    lines = [f"{name:<{_NAME_WIDTH}} | {part}" for part in text.splitlines() or [""]]
    # A full disk or a terminal that is gone takes our log, and must not take the NOC.
    with contextlib.suppress(OSError):
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def readable(line: str) -> str:
    """A JSON log line as a sentence with its time and its values; any other line as it is."""
    try:
        return sentence(json.loads(line))
    except (ValueError, TypeError, KeyError):
        return line
