"""The whole prober on loopback, its bus in the same process."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from msgspec.structs import replace

import noc_prober.replay
from noc_bus.channels import ASSIGNMENTS, COMMANDS, MARKS, PROBERS, REPLAYS, REPLIES, RESULTS, STATES, TRACES
from noc_bus.codec import encode
from noc_bus.messages import Command, Mark, ProbeResult, Reply, SiteState, State
from noc_bus.time import Time
from noc_prober.journal import SignOfLife
from tests.prober.conftest import Rig, journal_in, until


def states(rig: Rig, target: str) -> list[State]:
    """What was said of a target so far, repetitions left out."""
    said = [one.state for one in rig.hub.messages(STATES) if one.target == target]
    return [state for index, state in enumerate(said) if index == 0 or said[index - 1] != state]


def retained(rig: Rig, target: str) -> SiteState | None:
    return next((one for one in rig.hub.now(STATES) if one.target == target), None)


def state_of(rig: Rig, target: str) -> State | None:
    found = retained(rig, target)
    return found.state if found else None


def results(rig: Rig, target: str) -> list[ProbeResult]:
    return [one for one in rig.hub.messages(RESULTS) if one.target == target]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.77", "::1"])
def test_a_host_that_answers_is_up_with_its_round_trip_times(rig: Rig, address: str) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)

    rig.target("a", address)
    rig.run(scenario)
    assert states(rig, "a") == [State.UNKNOWN, State.UP]
    (result, *_) = results(rig, "a")
    assert (result.address, result.sent, result.received, result.invalid) == (address, 2, 2, None)
    assert all(0 < rtt_ms < 100 for rtt_ms in result.rtts_ms)


def test_cycles_keep_their_grid_to_the_millisecond(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: len(results(rig, "a")) >= 4)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)
    starts = [one.at for one in results(rig, "a")][1:]
    assert all(abs(after - before - 1000) <= 2 for before, after in pairwise(starts))


def test_numbers_have_no_gaps_and_presence_tells_the_next(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: len(rig.hub.messages(RESULTS)) >= 4)

    for number in range(4):
        rig.target(f"t{number}", f"127.0.0.{number + 1}", interval_s=1)
    rig.run(scenario)
    seqs = sorted({*(one.seq for one in rig.hub.messages(RESULTS)), *(one.seq for one in rig.hub.messages(STATES))})
    assert seqs == list(range(len(seqs)))
    (goodbye,) = rig.hub.now(PROBERS)
    assert not goodbye.online
    hello = rig.hub.messages(PROBERS)[0]
    assert hello.online
    assert hello.epoch is not None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("224.0.0.9", "224.0.0.9 is a multicast address"),
        ("255.255.255.255", "broadcast"),
        ("nowhere.example", "the name nowhere.example has no address: Name or service not known"),
        ("2130706433", "neither an IP address nor a host name"),
    ],
)
def test_what_cannot_be_pinged_is_unknown_with_the_reason_and_never_lost(rig: Rig, address: str, reason: str) -> None:
    def look_up(name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    async def scenario() -> None:
        await until(lambda: results(rig, "a"))
        await until(lambda: (view := retained(rig, "a")) and reason in view.reason)

    rig.target("a", address)
    rig.run(scenario, look_up=look_up)
    (result, *_) = results(rig, "a")
    assert result.sent == 0
    assert reason in (result.invalid or "")
    assert states(rig, "a") == [State.UNKNOWN]


def test_both_addresses_of_a_name_are_pinged_in_one_cycle(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: results(rig, "a"))

    rig.target("a", "host.example", family="both", packets=3)
    rig.run(scenario, look_up=lambda name: ["::1", "127.0.0.5"])
    (result, *_) = results(rig, "a")
    assert (result.address, result.sent, result.received) == ("127.0.0.5,::1", 6, 6)


def test_a_name_server_that_says_nothing_delays_no_other_target(rig: Rig) -> None:
    release = threading.Event()

    def look_up(name: str) -> list[str]:
        release.wait(30)
        return []

    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)

    rig.target("stuck", "stuck.example")
    rig.target("a", "127.0.0.1")
    try:
        rig.run(scenario, look_up=look_up)
    finally:
        release.set()


def test_a_paused_target_is_not_pinged_and_says_why(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)
        rig.target("a", "127.0.0.1", interval_s=1, paused=True)
        await until(lambda: state_of(rig, "a") is State.UNKNOWN)
        sent = len(results(rig, "a"))
        await until(lambda: len(results(rig, "b")) >= 3)
        assert len(results(rig, "a")) <= sent + 1, "at most the cycle that had been sent"
        rig.target("a", "127.0.0.1", interval_s=1)
        await until(lambda: state_of(rig, "a") is State.UP)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.target("b", "127.0.0.2", interval_s=1)
    rig.run(scenario)
    assert "paused" in [one.reason for one in rig.hub.messages(STATES) if one.target == "a"]


def test_a_removed_target_gets_a_last_record_and_leaves_nothing_retained(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)
        rig.web.clear(ASSIGNMENTS, site="local", target="a")
        await until(lambda: retained(rig, "a") is None)

    rig.target("a", "127.0.0.1")
    rig.run(scenario)
    last = [one for one in rig.hub.messages(STATES) if one.target == "a"][-1]
    assert (last.state, last.reason) == (State.UNKNOWN, "removed")
    with journal_in(rig.folder) as (journal, memory):
        run = journal.read(0, 1_000_000)
        assert run is not None
        assert run.states[-1] == replace(last, rev=None)
        assert memory.targets() == {}
        assert memory.states() == {}


def test_states_of_targets_that_exist_nowhere_are_cleared(rig: Rig) -> None:
    ghost = SiteState(
        site="local", target="ghost", epoch=1, seq=1, state=State.UP, since=Time.now(), reason="answers", at=Time.now()
    )

    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)
        await until(lambda: retained(rig, "ghost") is None)

    rig.web.publish(STATES, ghost)
    rig.target("a", "127.0.0.1")
    rig.run(scenario)
    assert state_of(rig, "a") is State.UP


def test_probing_goes_on_from_the_disk_copy_when_the_broker_has_forgotten(rig: Rig) -> None:
    async def first() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(first)
    rig.hub.retained.clear()
    rig.hub.sent.clear()

    async def second() -> None:
        await until(lambda: len(results(rig, "a")) >= 3)

    rig.run(second)
    assert state_of(rig, "a") is State.UP
    assert states(rig, "a") == [State.UP], "a short restart is no change"


def test_after_a_long_absence_history_says_that_nobody_looked(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)
    gone_at = Time(Time.now() - 600_000)
    with journal_in(rig.folder) as (journal, memory), journal.transaction():
        journal.sign(SignOfLife(gone_at, 0, 0), journal.ran_ms)
        last = replace(memory.states()["a"], since=Time(gone_at - 1000), at=gone_at)
        memory.keep("state", "a", encode(last))
    rig.hub.sent.clear()
    rig.run(scenario)
    said = [one for one in rig.hub.messages(STATES) if one.target == "a"]
    unseen = next(one for one in said if one.state is State.UNKNOWN)
    assert (unseen.reason, unseen.since) == ("the prober was not running", gone_at)
    assert said[-1].state is State.UP
    assert said[-1].since > gone_at


def test_a_target_moved_to_another_address_is_judged_anew(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)
        rig.target("a", "127.0.0.2")
        await until(lambda: results(rig, "a")[-1].address == "127.0.0.2")
        await until(lambda: state_of(rig, "a") is State.UP)

    rig.target("a", "127.0.0.1")
    rig.run(scenario)
    assert states(rig, "a") == [State.UNKNOWN, State.UP, State.UNKNOWN, State.UP]


def ask(rig: Rig, verb: str, target: str, at: Time | None = None) -> None:
    command = Command(request=f"r-{verb}", target=target, at=at or Time.now())
    rig.web.publish(COMMANDS, command, site="local", verb=verb)


async def reply(rig: Rig) -> Reply:
    found: list[Reply] = await until(lambda: rig.hub.messages(REPLIES))
    return found[0]


def test_a_check_on_request_is_a_journaled_cycle_and_its_answer(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)
        ask(rig, "check", "a")
        answer = await reply(rig)
        assert answer.error is None
        assert answer.result in results(rig, "a")

    rig.target("a", "127.0.0.1", interval_s=3600)
    rig.run(scenario)
    assert len(results(rig, "a")) == 2


def test_a_trace_on_request_is_retained_and_its_answer(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is not None)
        ask(rig, "trace", "a")
        answer = await reply(rig)
        assert answer.error is None
        assert answer.trace is not None
        assert answer.trace.reached
        assert [hop.address for hop in answer.trace.hops] == ["127.0.0.1"]
        assert rig.hub.now(TRACES) == [answer.trace]

    rig.target("a", "127.0.0.1")
    rig.run(scenario)


@pytest.mark.parametrize(
    ("verb", "target", "age_s", "error"),
    [
        ("check", "nobody", 0, "the site local does not ping a target nobody"),
        (
            "trace",
            "a",
            90,
            "the command is 90 s old by the clock of the site local; it is only carried out within 60 s",
        ),
        (
            "dance",
            "a",
            0,
            "dance is not a command of a prober; it knows check and trace for a target, ping and trace for an address",
        ),
        ("check", "asleep", 0, "asleep is paused: it is not pinged"),
        ("trace", "multicast", 0, "224.0.0.1 is a multicast address, which names no single host"),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_answered_with_the_reason(
    rig: Rig, verb: str, target: str, age_s: int, error: str
) -> None:
    async def scenario() -> None:
        await until(lambda: len(rig.hub.now(STATES)) == 3)
        ask(rig, verb, target, Time(Time.now() - age_s * 1000))
        assert (await reply(rig)).error == error

    rig.target("a", "127.0.0.1")
    rig.target("asleep", "127.0.0.1", paused=True)
    rig.target("multicast", "224.0.0.1")
    rig.run(scenario)


def test_what_the_mark_does_not_reach_is_sent_again_and_what_it_reaches_is_deleted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noc_prober.replay, "LIVE_WAIT_S", 0.5)

    async def scenario() -> None:
        batches = await until(lambda: rig.hub.messages(REPLAYS))
        batch = batches[0]
        assert (batch.oldest_seq, batch.first_seq) == (0, 0)
        seqs = sorted([*(one.seq for one in batch.results), *(one.seq for one in batch.states)])
        assert seqs == list(range(batch.last_seq + 1))
        rig.web.publish(MARKS, Mark(site="local", epoch=batch.epoch, seq=batch.last_seq, at=Time.now()))
        later = await until(lambda: [one for one in rig.hub.messages(REPLAYS) if one.first_seq > batch.last_seq])
        assert later[0].oldest_seq == batch.last_seq + 1

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)


def test_records_the_last_process_could_not_send_are_sent_by_the_next(rig: Rig) -> None:
    async def seen() -> None:
        await until(lambda: len(results(rig, "a")) >= 2)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(seen)
    with journal_in(rig.folder) as (journal, _):
        last_seq = journal.next_seq - 1
    rig.hub.sent.clear()

    async def again() -> None:
        batches = await until(lambda: rig.hub.messages(REPLAYS), deadline_s=3)
        assert batches[0].first_seq == 0
        assert batches[0].last_seq >= last_seq

    rig.run(again)


def test_a_mark_of_a_later_epoch_makes_the_journal_begin_a_new_one(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    later = Time.now() + 10**9

    async def scenario() -> None:
        rig.web.publish(MARKS, Mark(site="local", epoch=later, seq=7, at=Time.now()))
        await until(lambda: (view := retained(rig, "a")) and view.epoch > later and view.state is State.UP)

    rig.target("a", "127.0.0.1")
    rig.run(scenario)
    (line,) = [message for message in caplog.messages if "new epoch" in message]
    assert "another prober has the name local too: give one of them another NOC_SITE" in line, "two take turns so"


def test_a_site_whose_anchors_are_silent_is_isolated_and_blind(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)
        rig.anchors("silent.example")
        await until(lambda: rig.hub.now(PROBERS)[0].isolated)
        view = await until(lambda: (v := retained(rig, "a")) and v.state is State.UNKNOWN and v)
        assert view.reason == "site is isolated: no anchor answers"
        rig.anchors("127.0.0.3")
        await until(lambda: not rig.hub.now(PROBERS)[0].isolated, deadline_s=15)
        await until(lambda: state_of(rig, "a") is State.UP)

    def look_up(name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    rig.target("a", "127.0.0.1", interval_s=3600)
    rig.run(scenario, look_up=look_up)


def test_an_anchor_whose_interface_has_gone_is_silent_and_stops_nothing(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: rig.hub.now(PROBERS) and rig.hub.now(PROBERS)[0].isolated)
        assert retained(rig, "a")

    rig.target("a", "127.0.0.1")
    rig.anchors("fe80::1%gone0")
    rig.run(scenario)


def test_options_at_their_limits_are_pinged_too(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: state_of(rig, "a") is State.UP)

    limits = {"interval_s": 3600, "packets": 1, "timeout_ms": 10, "size_bytes": 1472, "ttl": 1, "packet_gap_ms": 200}
    rig.target("a", "127.0.0.1", **limits)
    rig.run(scenario)
