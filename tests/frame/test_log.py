"""Log lines: JSON for programs, sentences for people."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from noc_frame import log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail(logger: logging.Logger) -> None:
    try:
        Path("no such place").read_text()
    except OSError:
        logger.exception("a request failed", extra=log.values(path="/a b"))


def test_a_line_is_one_json_object_with_its_values_beside_the_sentence() -> None:
    lines = io.StringIO()
    log.configure("info", lines)
    log.get("noc.web").info("100 % of it, {as it is} %s", extra=log.values(path="/ä", seen={1}))
    entry = json.loads(lines.getvalue())
    assert entry.pop("timestamp")[-1] == "Z"
    assert entry == {"event": "100 % of it, {as it is} %s", "level": "info", "path": "/ä", "seen": "{1}"}


def test_a_stack_is_in_the_line_of_its_error() -> None:
    lines = io.StringIO()
    log.configure("info", lines)
    fail(log.get("noc.web"))
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["exception"].endswith("No such file or directory: 'no such place'")


def test_what_libraries_log_looks_the_same() -> None:
    lines = io.StringIO()
    log.configure("warning", lines)
    logging.getLogger("paho").warning("lost %d of %s", 2, "them")
    entry = json.loads(lines.getvalue())
    assert (entry["event"], entry["level"]) == ("lost 2 of them", "warning")


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_less_serious_than_the_setting_is_left_out(level: str, shown: int) -> None:
    lines = io.StringIO()
    log.configure(level, lines)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.get("noc.web").log(number, "something")
    assert len(lines.getvalue().splitlines()) == shown


def test_on_a_terminal_a_line_is_a_sentence_with_its_time() -> None:
    terminal = Terminal()
    log.configure("info", terminal)
    fail(log.get("noc.web"))
    first, *stack = terminal.getvalue().splitlines()
    assert first[8:] == " error   a request failed  path=/a b"
    assert stack[-1] == "FileNotFoundError: [Errno 2] No such file or directory: 'no such place'"
