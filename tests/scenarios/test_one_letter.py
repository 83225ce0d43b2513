"""Codes decide, sentences explain: with every sentence on the bus one letter, all is judged and mailed as before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from noc_netlab.lab import Netlab
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

TARGETS = {"router": "10.99.0.1", "server": "10.99.0.2", "printer": "10.99.0.3"}


@pytest.fixture(params=["sentences", "one letter"])
def told_in(request: pytest.FixtureRequest, netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[Noc]:
    noc = Noc(tmp_path, smtp_sink)
    if request.param == "one letter":
        noc.python = (sys.executable, "-m", "tests.parts.one_letter")
    with noc:
        yield noc


@pytest.mark.timeout(300)
def test_states_incidents_mails_and_seconds_are_the_same_whatever_the_sentences_say(
    told_in: Noc, netlab: Netlab
) -> None:
    noc = told_in
    for name, address in TARGETS.items():
        parents = ["router"] if name == "printer" else []
        noc.add(name, address, interval_s=1, packets=2, packet_gap_ms=50, timeout_ms=300, parents=parents)
    noc.wait_states(dict.fromkeys(TARGETS, "UP"), 30)
    netlab.behave(TARGETS["server"], silent=True)
    noc.wait_states({"router": "UP", "server": "DOWN", "printer": "UP"}, 30)
    noc.mails.wait(1, 10)
    status, answer = noc.ask("PATCH", "targets/server", {"paused": True})
    assert status == 200, answer
    noc.wait_states({"router": "UP", "server": "PAUSED", "printer": "UP"}, 20)
    noc.mails.wait(2, 10)
    netlab.behave(TARGETS["router"], silent=True)
    noc.wait_states({"router": "DOWN", "server": "PAUSED", "printer": "UP"}, 30)
    netlab.behave(TARGETS["printer"], silent=True)
    noc.wait_states({"router": "DOWN", "server": "PAUSED", "printer": "UNREACHABLE"}, 30)
    netlab.behave(TARGETS["printer"])
    noc.wait_states({"router": "DOWN", "server": "PAUSED", "printer": "UP"}, 30)
    netlab.behave()
    noc.wait_states({"router": "UP", "server": "PAUSED", "printer": "UP"}, 30)
    noc.mails.wait(4, 10)
    expected = [("target-down", ("router", "printer"), True), ("target-down", ("server",), True)]
    wait_until(lambda: _incidents(noc) == expected, 10, "both incidents, closed", seen=lambda: _incidents(noc))
    first, paused, down, up = noc.mails.mails
    assert (paused.references, up.references) == ([first.message_id], [down.message_id])
    wait_until(lambda: _seconds(noc, "router")["DOWN"] > 5, 20, "the outage in history")
    assert _seconds(noc, "server")["PAUSED"] > 5
    # What lay behind the router was not looked at as an outage of its own.
    assert _seconds(noc, "printer")["DOWN"] < _seconds(noc, "printer")["UNREACHABLE"]


def _incidents(noc: Noc) -> list[tuple[str, tuple[str, ...], bool]]:
    found = noc.get("incidents")["incidents"]
    return sorted((one["kind"], tuple(one["targets"]), one["resolved_at"] is not None) for one in found)


def _seconds(noc: Noc, name: str) -> Any:
    return (
        dict.fromkeys(("DOWN", "PAUSED", "UNREACHABLE"), 0.0) | noc.get(f"targets/{name}/states")["uptime"]["seconds"]
    )
