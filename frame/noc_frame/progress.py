"""Shows how far a long piece of work is."""

from __future__ import annotations

import math
import sys
from typing import Final

_WIDTH: Final = 30


def show(what: str, share: float) -> None:
    """A bar on a terminal, nothing elsewhere; with a share of 1 it is gone."""
    if sys.stderr.isatty():
        bar = "█" * round(_WIDTH * share)
        text = f"noc: {what} {bar:·<{_WIDTH}} {math.floor(100 * share):3}%" if share < 1 else ""
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
