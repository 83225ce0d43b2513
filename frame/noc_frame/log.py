"""Log lines: readable on a terminal, JSON otherwise, to standard error either way."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_VALUES: Final = "noc_values"
_SHOWN_ELSEWHERE: Final = ("event", "level", "timestamp", "exception")


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send all log lines of this process, the libraries' included, to `stream` (standard error)."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Lines(for_people=out.isatty()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def get(name: str) -> logging.Logger:
    return logging.getLogger(name)


def values(**named: object) -> dict[str, Any]:
    """Values beside the sentence: `logger.error("a request failed", extra=values(path=path))`."""
    return {_VALUES: named}


def sentence(entry: Mapping[str, Any]) -> str:
    """A line's fields for people: its time, level, sentence and values, then the stack if there is one.

    Raises KeyError or TypeError for what is no log line of ours.
    """
    head = f"{entry['timestamp'][11:19]} {entry['level']:<7} {entry['event']}"
    named = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _SHOWN_ELSEWHERE)
    return "\n".join(filter(None, [f"{head}  {named}".rstrip(), entry.get("exception")]))


class _Lines(logging.Formatter):
    def __init__(self, *, for_people: bool) -> None:
        super().__init__()
        self._for_people = for_people

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            **record.__dict__.get(_VALUES, {}),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info and record.exc_info[0]:
            entry["exception"] = self.formatException(record.exc_info)
        return sentence(entry) if self._for_people else json.dumps(entry, default=repr)
