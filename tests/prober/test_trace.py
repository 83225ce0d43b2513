"""The path to a host, and the figures of `noc ping` and `noc trace`, on loopback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from noc_netlab.lab import Netlab
from noc_prober import cli
from noc_prober.addresses import literal
from noc_prober.check import Findings
from noc_prober.trace import Path, trace


def follow(address: str, names: dict[str, str] | None = None) -> Path:
    to = literal(address)
    assert to is not None
    return trace(to, name_of=(names or {}).get)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_the_host_itself_is_one_hop_away_and_reached(address: str) -> None:
    path = follow(address, {address: "itself.example"})
    assert path.is_reached
    (hop,) = path.hops
    assert (hop.ttl, hop.address, hop.name) == (1, address, "itself.example")
    assert len(hop.rtts_ms) == 3
    assert all(0 <= rtt_ms < 100 for rtt_ms in hop.rtts_ms)


def test_a_slow_name_server_does_not_hold_up_the_path() -> None:
    is_over = threading.Event()

    def name_of(address: str) -> str:
        is_over.wait(60)
        return "too-late.example"

    to = literal("127.0.0.1")
    assert to is not None
    started_s = time.monotonic()
    path = trace(to, name_of=name_of)
    is_over.set()
    assert time.monotonic() - started_s < 30
    assert path.hops[0].name is None


def test_noc_trace_prints_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.trace(["-n", "127.0.0.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "127.0.0.1 (127.0.0.1)"
    assert re.fullmatch(r"  1  127\.0\.0\.1(  \d+\.\d{3} ms){3}", lines[1])
    assert lines[-1] == "reached"
    assert cli.trace(["-n", "--json", "::1"]) == 0
    assert json.loads(capsys.readouterr().out)["hops"][0]["address"] == "::1"


def test_noc_ping_prints_a_line_for_each_host(icmp: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.ping(["-c", "2", "-i", "0.01", "127.0.0.1", "224.0.0.1"]) == 0
    out = capsys.readouterr().out
    figures = r"2 sent, 2 received, 0 % lost; min/avg/max (\d+\.\d{3}/?){3} ms"
    assert re.search(rf"^127\.0\.0\.1 \(127\.0\.0\.1\): {figures}$", out, re.MULTILINE)
    assert "224.0.0.1: 224.0.0.1 is a multicast address, which names no single host" in out


def test_noc_ping_as_json(icmp: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.ping(["--json", "-c", "3", "-i", "0.01", "127.0.0.1"]) == 0
    (host,) = json.loads(capsys.readouterr().out)
    assert (host["sent"], host["received"], host["loss_pct"]) == (3, 3, 0)
    assert len(host["rtts_ms"]) == 3


def test_noc_ping_ends_with_1_when_nobody_answered(icmp: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.ping(["0.0.0.0"]) == 1
    assert "0.0.0.0 is the unspecified address" in capsys.readouterr().out


def test_noc_ping_claims_no_loss_where_nothing_could_be_sent(icmp: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.ping(["-c", "1", "-t", "10", "127.255.255.255"]) == 1  # a broadcast, which the system forbids
    out = capsys.readouterr().out
    assert out.startswith("127.255.255.255 (127.255.255.255): nothing sent; ")


@pytest.mark.parametrize("command", ["ping", "trace"])
def test_ctrl_c_does_not_wait_for_a_name_server_that_says_nothing(icmp: None, command: str) -> None:
    program = f"""
import os, sys, time
from noc_prober import cli
def look_up(name):
    # Not by Python's stream, whose lock a thread that is ended here might still hold.
    os.write(1, b"asked\\n")
    time.sleep(60)
sys.exit(cli.{command}(["host.example"], look_up))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as noc:
        assert noc.stdout
        assert noc.stdout.readline() == "asked\n"
        noc.send_signal(signal.SIGINT)
        try:
            _, err = noc.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            # Python may miss a signal that comes in the instant before it goes to sleep; a person presses again.
            noc.send_signal(signal.SIGINT)
            _, err = noc.communicate(timeout=10)
    assert (noc.returncode, err) == (130, "\n")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["-c", "0", "127.0.0.1"], "'0' is not a whole number from 1 to 1000"),
        (["-i", "nan", "127.0.0.1"], "'nan' is not a number of seconds from 0.01 to 60"),
        (["-s", "9000", "127.0.0.1"], "'9000' is not a whole number from 24 to 1472"),
    ],
)
def test_a_wrong_option_is_answered_with_what_is_accepted(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.ping(argv)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


HOST = "10.99.0.8"


def test_a_target_is_given_its_own_timeout_to_answer(netlab: Netlab) -> None:
    netlab.behave(HOST, delay_ms=4000, path=["10.99.200.1"])
    to = literal(HOST)
    assert to is not None
    path = trace(to, 6.0, lambda address: None)
    assert path.is_reached
    assert path.hops[-1].address == HOST
    assert all(rtt_ms >= 4000 for rtt_ms in path.hops[-1].rtts_ms)


def test_every_router_that_answers_at_a_hop_is_shown_with_its_own_times(netlab: Netlab) -> None:
    routers = ["10.99.201.1", "10.99.201.2", "10.99.201.3"]
    netlab.behave(HOST, path=["10.99.200.1"], turns=routers)
    first, last = follow(HOST, {"10.99.201.2": "second.example"}).hops
    assert first.routers is not None
    assert [(one.address, len(one.rtts_ms)) for one in first.routers] == [(address, 1) for address in routers]
    assert [one.name for one in first.routers] == [None, "second.example", None]
    assert (first.address, first.rtts_ms) == (routers[0], first.routers[0].rtts_ms)
    assert last.address == HOST


def test_why_a_path_ends_is_shown(netlab: Netlab) -> None:
    netlab.behave(HOST, path=["10.99.200.1", "10.99.200.2"], prohibited=True)
    path = follow(HOST)
    assert not path.is_reached
    last = path.hops[-1]
    assert last.routers is not None
    (router,) = last.routers
    assert (router.address, router.code, router.reason) == ("10.99.200.2", "prohibited", "Packet filtered")


def test_a_target_that_forbids_the_probe_itself_has_not_answered(netlab: Netlab) -> None:
    netlab.behave(HOST, prohibited=True)
    path = follow(HOST)
    assert not path.is_reached
    assert [hop.address for hop in path.hops] == [HOST]


def test_noc_trace_prints_every_router_and_the_reason(netlab: Netlab, capsys: pytest.CaptureFixture[str]) -> None:
    netlab.behave(HOST, path=["10.99.200.1", "10.99.200.2"], turns=["10.99.201.1", "10.99.201.2"], prohibited=True)
    assert cli.trace(["-n", HOST]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"  1  10\.99\.201\.1(  \d+\.\d{3} ms){2}", lines[1])
    assert re.fullmatch(r"     10\.99\.201\.2  \d+\.\d{3} ms", lines[2])
    assert re.search(r"10\.99\.200\.2  .* ms  Packet filtered", "\n".join(lines))
    assert lines[-1] == "not reached"


@pytest.mark.parametrize(
    ("sent", "received", "lost"),
    [(5, 5, "0"), (5, 0, "100"), (250, 1, "99.6"), (2500, 1, "99.9"), (2500, 2499, "0.1")],
)
def test_a_loss_of_nearly_all_is_not_all_and_a_little_is_not_nothing(sent: int, received: int, lost: str) -> None:
    to = literal("127.0.0.1")
    host = cli.Host("here", to, Findings(0.0, sent=sent, rtts_ms=[1.0] * received))
    assert f"{sent} sent, {received} received, {lost} % lost" in host.line()
    assert (0 < host.as_json()["loss_pct"] < 100) is (0 < received < sent)
