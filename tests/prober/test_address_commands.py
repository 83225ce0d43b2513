"""Any address, pinged or traced on command, target or not."""

from __future__ import annotations

from typing import Any

import pytest

from noc_bus.channels import COMMANDS, REPLIES
from noc_bus.messages import Command, Reply
from noc_bus.time import Time
from noc_netlab.lab import Netlab
from noc_prober.address_tests import ECHOES
from tests.prober.conftest import Rig, until

HOST = "10.99.0.31"


def answers(rig: Rig, *commands: tuple[str, dict[str, Any]], look_up: Any = None) -> list[list[Reply]]:
    """All that is replied to each command, sent together."""

    def of(number: int) -> list[Reply]:
        return [one for one in rig.hub.messages(REPLIES) if one.request == f"r{number}"]

    async def scenario() -> None:
        for number, (verb, given) in enumerate(commands):
            command = Command(**{"request": f"r{number}", "at": Time.now(), **given})
            rig.web.publish(COMMANDS, command, site="local", verb=verb)
        await until(lambda: all(any(one.done for one in of(number)) for number in range(len(commands))), 20)

    rig.run(scenario, look_up=look_up)
    return [of(number) for number in range(len(commands))]


def test_an_address_that_is_no_target_is_pinged_and_what_is_known_is_said_after_each_echo(rig: Rig) -> None:
    (replies,) = answers(rig, ("ping", {"address": "here.example"}), look_up=lambda name: ["127.0.0.1"])
    assert [one.done for one in replies] == [False] * (ECHOES - 1) + [True]
    assert {(one.site, one.target, one.asked, one.error) for one in replies} == {("local", None, "here.example", None)}
    pings = [one.ping for one in replies if one.ping]
    assert [(one.sent, len(one.rtts_ms), one.planned) for one in pings] == [
        (number, number, ECHOES) for number in range(1, ECHOES + 1)
    ]
    assert {one.address for one in pings} == {"127.0.0.1"}


def test_of_a_name_the_first_address_that_may_be_pinged_is_taken(rig: Rig) -> None:
    (replies,) = answers(rig, ("ping", {"address": "both.example"}), look_up=lambda name: ["224.0.0.1", "127.0.0.1"])
    assert {one.ping.address for one in replies if one.ping} == {"127.0.0.1"}


def test_the_path_to_an_address_is_followed_and_retained_nowhere(rig: Rig, netlab: Netlab) -> None:
    netlab.behave(HOST, path=["10.99.200.1", "10.99.200.2"])
    ((reply,),) = answers(rig, ("trace", {"address": HOST}))
    assert reply.address_trace
    assert reply.address_trace.reached
    assert [hop.address for hop in reply.address_trace.hops] == ["10.99.200.1", "10.99.200.2", HOST]
    assert not [topic for topic in rig.hub.retained if "/traces/" in topic]


def fails(name: str) -> list[str]:
    raise OSError(-2, "Name or service not known")


@pytest.mark.parametrize(
    ("verb", "given", "code", "sentence"),
    [
        ("ping", {"address": "224.0.0.1"}, "bad-address", "is a multicast address"),
        ("ping", {"address": "0.0.0.0"}, "bad-address", "is the unspecified address"),
        ("trace", {"address": "127.1"}, "bad-address", "neither an IP address nor a host name"),
        ("ping", {"address": "-rf.example"}, "bad-address", "neither an IP address nor a host name"),
        ("ping", {"address": "gone.example"}, "bad-address", "gone.example cannot be resolved: Name or service"),
        ("check", {"address": "127.0.0.1"}, "unknown-command", "check and trace for a target, ping and trace for"),
        ("ping", {"target": "a"}, "unknown-command", "check and trace for a target, ping and trace for an address"),
        ("ping", {"target": "a", "address": "127.0.0.1"}, "unknown-command", "not a command"),
        ("ping", {}, "unknown-command", "not a command"),
        ("trace", {"target": "a"}, "unknown-target", "does not ping a target a"),
        ("ping", {"address": "127.0.0.1", "at": Time(1_780_000_000_000)}, "too-old", "only carried out within 60 s"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence_with_a_code(
    rig: Rig, verb: str, given: dict[str, Any], code: str, sentence: str
) -> None:
    ((reply,),) = answers(rig, (verb, given), look_up=fails)
    assert (reply.code, reply.done) == (code, True)
    assert sentence in (reply.error or "")


def test_a_name_server_s_word_for_a_special_address_is_checked_like_a_person_s(rig: Rig) -> None:
    ((reply,),) = answers(rig, ("ping", {"address": "rebound.example"}), look_up=lambda name: ["255.255.255.255"])
    assert (reply.code, "broadcast" in (reply.error or "")) == ("bad-address", True)


def test_a_few_addresses_at_a_time_are_tried_whatever_is_asked(rig: Rig) -> None:
    replies = answers(rig, *[("ping", {"address": "127.0.0.1"})] * 9)
    last = [one[-1] for one in replies]
    assert [one.code for one in last] == [None] * 4 + ["busy"] * 5


def test_who_asked_is_told_when_the_prober_stops(rig: Rig, netlab: Netlab) -> None:
    netlab.behave(HOST, silent=True)

    async def scenario() -> None:
        command = Command(request="r", address=HOST, at=Time.now())
        rig.web.publish(COMMANDS, command, site="local", verb="ping")
        await until(lambda: rig.hub.messages(REPLIES))

    rig.run(scenario)
    last = rig.hub.messages(REPLIES)[-1]
    assert (last.code, last.done) == ("cancelled", True)
