"""What every bus promises: the fake keeps the same promises as the brokers, so that tests on it are worth something."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec.structs import replace

from noc_bus.channels import ACKNOWLEDGEMENTS, INCIDENTS, PROBERS, RESULTS, STATES, TARGETS
from noc_bus.codec import encode
from noc_bus.dispatcher import Dispatcher
from noc_bus.messages import Incident, ProbeResult, ProberPresence, SiteState, State, Target
from noc_bus.time import Time
from noc_web.publisher import Publisher
from tests.bus.conftest import World

TARGET = Target(id="a", name="A", address="192.0.2.1")
NOW = Time.parse("2026-11-26T12:00:00Z")


def state(site: str, target: str) -> SiteState:
    return SiteState(site=site, target=target, epoch=1, seq=1, state=State.UP, since=NOW, reason="answers", at=NOW)


def test_all_subscribers_of_a_topic_are_called_with_message_and_variables(world: World) -> None:
    first: list[Any] = []
    second: list[Any] = []
    bus = world.client()
    bus.subscribe(TARGETS, lambda message, variables: first.append((message, variables)))
    bus.subscribe(TARGETS, lambda message, variables: second.append((message, variables)))
    world.start(bus)
    assert bus.publish(TARGETS, TARGET)
    world.until(lambda: first == second == [(TARGET, {"target": "a"})], "both called")
    assert bus.clear(TARGETS, target="a")
    world.until(lambda: first[1:] == second[1:] == [(None, {"target": "a"})], "both told of the clearing")


def test_one_failing_handler_keeps_nothing_from_the_others(world: World) -> None:
    heard: list[Any] = []
    bus = world.client()
    bus.subscribe(TARGETS, lambda message, variables: 1 / 0)
    bus.subscribe(TARGETS, lambda message, variables: heard.append(message))
    world.start(bus)
    bus.publish(TARGETS, TARGET)
    world.until(lambda: heard == [TARGET], "the other handler called")
    assert bus.counters["messages_failed_total"] == 1


def test_a_narrowed_subscription_hears_its_own_topics_only(world: World) -> None:
    own: list[Any] = []
    everything: list[Any] = []
    bus = world.client()
    bus.subscribe(STATES, lambda message, variables: own.append(variables["site"]), site="paris")
    bus.subscribe(STATES, lambda message, variables: everything.append(variables["site"]))
    world.start(bus)
    bus.publish(STATES, state("lyon", "a"))
    bus.publish(STATES, state("paris", "a"))
    world.until(lambda: "paris" in everything and "lyon" in everything, "both states")
    world.until(lambda: set(own) == {"paris"}, "its own only")


def test_who_subscribes_late_is_told_what_is_retained(world: World) -> None:
    heard: list[Any] = []
    bus = world.start(world.client())
    world.put(TARGETS, TARGET, target="a")
    bus.subscribe(TARGETS, lambda message, variables: heard.append(message))
    world.until(lambda: heard == [TARGET], "the retained target")


def test_what_is_only_tried_is_heard_where_the_broker_lets_us(world: World) -> None:
    heard: list[Any] = []
    bus = world.client()
    bus.try_subscribe(TARGETS, lambda message, variables: heard.append(message))
    world.start(bus)
    bus.publish(TARGETS, TARGET)
    world.until(lambda: heard == [TARGET], "the target")


def test_after_unsubscribing_nothing_is_heard_any_more(world: World) -> None:
    heard: list[Any] = []
    others: list[Any] = []

    def handler(message: ProbeResult | None, variables: dict[str, str]) -> None:
        heard.append(message)

    bus = world.client()
    bus.subscribe(RESULTS, handler)
    bus.subscribe(TARGETS, lambda message, variables: others.append(message))
    world.start(bus)
    result = ProbeResult(
        site="paris", target="a", epoch=1, seq=1, at=NOW, address="192.0.2.1", sent=1, received=1, rtts_ms=[1.0]
    )
    bus.publish(RESULTS, result)
    world.until(lambda: heard == [result], "a result")
    bus.unsubscribe(RESULTS, handler)
    bus.publish(RESULTS, result)
    bus.publish(TARGETS, TARGET)
    world.until(lambda: others == [TARGET], "what was sent after it")
    assert heard == [result]


def test_what_is_asked_for_again_comes_again(world: World) -> None:
    heard: list[Any] = []
    bus = world.client()
    bus.subscribe(TARGETS, lambda message, variables: heard.append(message))
    world.put(TARGETS, TARGET, target="a")
    world.start(bus)
    world.until(lambda: heard == [TARGET], "the retained target")
    bus.resubscribe(TARGETS)
    world.until(lambda: heard == [TARGET, TARGET], "the retained target again")


def test_a_closing_message_is_heard_and_not_retained(world: World) -> None:
    heard: list[Any] = []
    bus = world.client()
    bus.subscribe(INCIDENTS, lambda message, variables: heard.append(message and message.resolved_at))
    world.start(bus)
    incident = Incident(id="i", kind="target-down", targets=["a"], opened_at=NOW, cause="down")
    bus.publish(INCIDENTS, incident)
    bus.publish_once(INCIDENTS, replace(incident, resolved_at=NOW))
    bus.clear(INCIDENTS, incident="i")
    world.until(lambda: heard == [None, NOW, None], "opened, closed, cleared")
    late: list[Any] = []
    other = world.client("late")
    other.subscribe(INCIDENTS, lambda message, variables: late.append(message))
    world.start(other)
    other.publish(PROBERS, ProberPresence(site="paris", online=True))
    other.resubscribe(INCIDENTS)
    assert not late


def test_an_incident_that_was_acknowledged_leaves_nothing_retained_five_seconds_after_it_was_resolved(
    world: World,
) -> None:
    alerter, web = world.client("alerter"), world.client("web")
    passed_s = 0.0
    publisher = Publisher(web, clock=lambda: time.monotonic() + passed_s)
    told: list[Any] = []
    alerter.subscribe(ACKNOWLEDGEMENTS, lambda message, variables: told.append(message and message.by))
    known: list[Any] = []
    web.subscribe(INCIDENTS, lambda message, variables: known.append(message))
    world.start(alerter)
    world.start(web)

    def has_last_told(what: str | None) -> bool:
        publisher.tick()
        for published in publisher.published:
            published.tick()
        return bool(told) and told[-1] == what

    incident = Incident(id="i", kind="target-down", targets=["a"], opened_at=NOW, cause="down")
    alerter.publish(INCIDENTS, incident)
    world.until(lambda: known == [incident], "the incident")
    publisher.acknowledge("i", "ada")
    world.until(lambda: has_last_told("ada"), "the acknowledgement")
    alerter.publish_once(INCIDENTS, replace(incident, resolved_at=NOW))
    alerter.clear(INCIDENTS, incident="i")
    world.until(lambda: has_last_told(None), "its topic cleared", 5)
    # When it would have been said once more.
    passed_s += 10
    assert has_last_told(None)
    late: list[Any] = []
    newcomer = world.client("newcomer")
    newcomer.subscribe(ACKNOWLEDGEMENTS, lambda message, variables: late.append(message))
    newcomer.subscribe(TARGETS, lambda message, variables: late.append(message))
    world.put(TARGETS, TARGET, target="a")
    world.start(newcomer)
    world.until(lambda: late == [TARGET], "what is retained besides")


def test_a_muted_bus_speaks_on_one_channel_only(world: World) -> None:
    heard: list[Any] = []
    listener = world.client("listener")
    listener.subscribe(TARGETS, lambda message, variables: heard.append("target"))
    listener.subscribe(PROBERS, lambda message, variables: heard.append("presence"))
    world.start(listener)
    bus = world.start(world.client())
    bus.mute(PROBERS)
    assert not bus.publish(TARGETS, TARGET)
    assert not bus.clear(TARGETS, target="a")
    assert bus.publish(PROBERS, ProberPresence(site="paris", online=True))
    world.until(lambda: heard == ["presence"], "the presence")
    bus.mute(None)
    assert bus.publish(TARGETS, TARGET)
    world.until(lambda: heard == ["presence", "target"], "the target")


def test_hooks_run_after_each_connection_and_each_loss(world: World) -> None:
    seen: list[str] = []
    bus = world.client()
    bus.when_connected(lambda: seen.append("connected"))
    bus.when_disconnected(lambda: seen.append("lost"))
    world.start(bus)
    world.until(lambda: seen == ["connected"], "the first connection")
    world.wipe()
    world.until(lambda: seen == ["connected", "lost", "connected"], "the second connection")


# -- the dispatcher's own rule, on bytes in an order that only one broker shows


@pytest.mark.parametrize(
    ("arrivals", "heard"),
    [
        pytest.param(
            [("old", 1, True), ("new", 2, False), ("old", 1, True)], ["old", "new"], id="an old copy comes late"
        ),
        pytest.param(
            [("new", None, False), ("old", None, True)], ["new"], id="an old copy of a writer without numbers"
        ),
        pytest.param([("", None, False), ("gone", 1, True)], [""], id="a copy of what was cleared"),
        pytest.param(
            [("gone", 1, False), ("", None, False), ("gone", 1, True)],
            ["gone", ""],
            id="a copy of what came and was cleared",
        ),
        pytest.param([("new", 2, False), ("newer", 3, True)], ["new", "newer"], id="a copy of what was missed"),
    ],
)
def test_what_was_retained_does_not_displace_what_replaced_it(
    arrivals: list[tuple[str, int | None, bool]], heard: list[str]
) -> None:
    """nats-server sends a new subscriber what it retained after what has been published in its place."""
    dispatcher = Dispatcher("noc/v1")
    names: list[str] = []
    dispatcher.subscribe(TARGETS, lambda target, _: names.append(target.name if target else ""))
    dispatcher.connected()
    for name, rev, is_copy in arrivals:
        payload = encode(Target(id="a", name=name, address="192.0.2.1", rev=rev)) if name else b""
        dispatcher.deliver("noc/v1/targets/a", payload, retained=is_copy)
    assert names == heard


def test_copies_without_numbers_count_again_once_they_were_asked_for() -> None:
    dispatcher = Dispatcher("noc/v1")
    names: list[str] = []
    dispatcher.subscribe(TARGETS, lambda target, _: names.append(target.name if target else ""))
    dispatcher.connected()
    payload = encode(TARGET)
    dispatcher.deliver("noc/v1/targets/a", payload, retained=False)
    dispatcher.resubscribed(TARGETS)
    dispatcher.deliver("noc/v1/targets/a", payload, retained=True)
    assert names == ["A", "A"]
