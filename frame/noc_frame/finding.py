"""What `noc doctor` says about one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What was found about one thing; `text` holds the cure where it is not ok."""

    name: str
    level: Level
    text: str
