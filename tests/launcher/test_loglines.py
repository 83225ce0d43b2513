"""How `noc up` shows what its programs print."""

from __future__ import annotations

import json

import pytest

from noc_launcher.loglines import readable, show

ENTRY = {"event": "connected", "level": "info", "timestamp": "2026-11-24T12:34:56.789Z", "topic": "a/b"}


def test_a_json_line_becomes_a_sentence_with_its_time_and_values() -> None:
    assert readable(json.dumps(ENTRY)) == "12:34:56 info    connected  topic=a/b"


def test_a_trace_follows_its_sentence() -> None:
    assert (
        readable(json.dumps(ENTRY | {"exception": "Trace\n  line"}))
        == "12:34:56 info    connected  topic=a/b\nTrace\n  line"
    )


@pytest.mark.parametrize(
    "line", ["", "plain words", "17", "[1]", '{"event": 1}', '{"timestamp": null, "level": 1}', "{"]
)
def test_any_other_line_stays_as_it_is(line: str) -> None:
    assert readable(line) == line


def test_every_line_has_the_name_before_it_and_small_talk_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show("web", "one")
    show("broker", "[7] [INF] Starting nats-server")
    show("broker", '[7] [WRN]     Missing consumer metafile "/data/obs/x/meta.inf"')
    show("broker", "[7] [ERR] out of files")
    show("alerter", "")
    assert capsys.readouterr().err == "web      | one\nbroker   | [7] [ERR] out of files\nalerter  | \n"
