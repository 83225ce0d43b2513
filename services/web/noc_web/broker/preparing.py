"""Has the accounts of a broker prepared, in a process that holds the database and what signing needs, and ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


class NotPrepared(Exception):
    """A sentence that names the cure, and the exit code that goes with it."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


def prepare_apart(data: Path, order: Mapping[str, Any]) -> None:
    """`order`: the fields of `noc_web.broker.__main__.Order`. Raises NotPrepared."""
    done = subprocess.run(  # noqa: S603  # all words are ours
        [sys.executable, "-P", "-m", "noc_web.broker", str(data)],
        input=msgspec.json.encode(order),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise NotPrepared(done.stderr.decode(errors="replace").strip().rpartition("\n")[2], done.returncode)
