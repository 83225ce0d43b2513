"""A mirror ends at what the broker has retained, whatever was missed on the way, and removes nothing that exists."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus.bus import Bus
from noc_bus.channels import ASSIGNMENT_SUMMARIES, ASSIGNMENTS, PROBERS, SERVICES, STATES, TARGETS
from noc_bus.codec import encode
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import (
    Assignment,
    AssignmentSummary,
    ProberPresence,
    ServicePresence,
    SiteState,
    State,
    Summary,
    Target,
)
from noc_bus.mirror import DIFFERS_S, QUIET_S, Change, Mirror
from noc_bus.presence import PRESENCE_EVERY_S, SILENT_AFTER_S, SOON_S, Announcer
from noc_bus.presences import Presences
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_rules.assignment import assignment
from tests.bus.conftest import World

NOW = Time.parse("2026-11-26T12:00:00Z")


def target(name: str, note: str = "", rev: int | None = None) -> Target:
    return Target(id=name, name=name.upper(), address="192.0.2.1", note=note, rev=rev)


def state(site: str, name: str, rev: int | None = None) -> SiteState:
    return SiteState(
        site=site, target=name, epoch=1, seq=1, state=State.UP, since=NOW, reason="answers", at=NOW, rev=rev
    )


def is_online(probers: Presences[ProberPresence]) -> bool | None:
    presence = probers.get("paris")
    return presence.online if presence else None


def is_complete(mirror: Mirror[Any, Any]) -> bool:
    """Asked anew each time, which a type checker does not expect of a property."""
    return mirror.is_complete


class Clock:
    """Seconds that go forward when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Writer:
    """A web service as far as its targets go: what it retains, and its presence."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic, soon_s: float = SOON_S) -> None:
        self.bus = bus
        self.targets: Published[str, Target] = Published(bus, TARGETS, RevCounter(), clock=clock)
        self.announcer: Announcer[ServicePresence] = Announcer(
            bus, SERVICES, self.presence, [self.targets], soon_s=soon_s, clock=clock, service="web"
        )

    def presence(self) -> ServicePresence:
        return ServicePresence(service="web", online=True, since=NOW, at=Time.now())


# -- on every bus


def work(*parts: Any) -> Callable[[], None]:
    """Do what a service does a few times a second, until told to end."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.1):
            for part in parts:
                part.tick()

    threading.Thread(target=run, daemon=True).start()
    return over.set


@pytest.mark.thorough
def test_ten_thousand_targets_with_a_stall_in_the_middle_all_arrive_and_none_is_reported_gone(world: World) -> None:
    writer = Writer(world.client("web"))
    reader = world.client("reader")
    mirror: Mirror[str, Target] = Mirror(reader, TARGETS)
    gone: list[str] = []
    stalled = threading.Event()

    def stall(message: Target | None, variables: dict[str, str]) -> None:
        if variables["target"] == "t-5000" and not stalled.is_set():
            stalled.set()
            time.sleep(3)

    reader.subscribe(TARGETS, stall)
    world.start(writer.bus)
    world.start(reader)
    end = work(writer.announcer, mirror)
    for number in range(10_000):
        writer.targets.put(target(f"t-{number}"))
        if number % 1000 == 0:
            gone += [key for key, change in mirror.take_changes().items() if change.after is None]
    world.until(lambda: len(mirror) == 10_000 and mirror.is_complete, "all targets, and the fact that it is all", 60)
    end()
    gone += [key for key, change in mirror.take_changes().items() if change.after is None]
    assert not gone
    assert stalled.is_set()
    assert mirror.items() == dict(writer.targets.now)


def test_a_wiped_broker_takes_nothing_from_anybody_and_gets_it_all_back(world: World) -> None:
    writer = Writer(world.client("web"))
    reader = world.client("reader")
    mirror: Mirror[str, Target] = Mirror(reader, TARGETS)
    world.start(writer.bus)
    world.start(reader)
    end = work(writer.announcer, mirror)
    for number in range(100):
        writer.targets.put(target(f"t-{number}"))
    world.until(lambda: len(mirror) == 100 and mirror.is_complete, "all targets")
    mirror.take_changes()
    world.wipe()
    late = world.start(world.client("late"))
    anew: Mirror[str, Target] = Mirror(late, TARGETS)
    world.until(lambda: len(anew) == 100, "all targets on the new broker", 30)
    world.until(lambda: mirror.is_complete, "the mirror complete again", 30)
    end()
    assert not [key for key, change in mirror.take_changes().items() if change.after is None]


def test_what_was_removed_while_we_were_away_is_removed_when_we_come_back(world: World) -> None:
    writer = Writer(world.client("web"))
    world.start(writer.bus)
    for name in ("a", "b", "c"):
        writer.targets.put(target(name))
    reader = world.client("reader")
    mirror: Mirror[str, Target] = Mirror(reader, TARGETS)
    world.start(reader)
    end = work(writer.announcer, mirror)
    world.until(lambda: len(mirror) == 3 and mirror.is_complete, "all targets")
    mirror.take_changes()
    if isinstance(reader, FakeBus):
        reader.stop()
    else:
        reader._client.disconnect()
        world.until(lambda: not reader.connected, "disconnected")
    writer.targets.remove("b")
    writer.targets.put(target("c", note="changed"))
    if isinstance(reader, FakeBus):
        reader.start()
    world.until(lambda: "b" not in mirror and mirror.is_complete, "the removal", 30)
    end()
    changes = mirror.take_changes()
    assert set(changes) == {"b", "c"}
    assert changes["b"].after is None
    after = changes["c"].after
    assert after is not None
    assert after.note == "changed"


def test_what_an_earlier_start_left_is_adopted_where_it_is_right_and_mended_where_it_is_not(world: World) -> None:
    world.put(TARGETS, target("same", rev=7), target="same")
    world.put(TARGETS, target("wrong", note="old", rev=8), target="wrong")
    world.put(TARGETS, target("orphan", rev=9), target="orphan")
    heard: list[tuple[str, int | None]] = []
    writer = Writer(world.client("web"))
    for one in (target("same"), target("wrong", note="new"), target("missing")):
        writer.targets.put(one)
    listener = world.client("listener")
    listener.subscribe(TARGETS, lambda message, variables: heard.append((variables["target"], message and message.rev)))
    world.start(listener)
    world.until(lambda: len(heard) == 3, "what is retained")
    world.start(writer.bus)
    end = work(writer.announcer)
    mirror: Mirror[str, Target] = Mirror(listener, TARGETS)
    world.until(lambda: set(mirror.items()) == {"same", "wrong", "missing"} and mirror.is_complete, "all right", 30)
    end()
    assert mirror.items() == dict(writer.targets.now)
    same = mirror.get("same")
    assert same is not None
    assert same.rev == 7, "what is right already is not said again"


def test_what_somebody_else_clears_is_put_back(world: World) -> None:
    writer = Writer(world.client("web"))
    writer.targets.put(target("a"))
    world.start(writer.bus)
    reader = world.client("reader")
    mirror: Mirror[str, Target] = Mirror(reader, TARGETS)
    world.start(reader)
    end = work(writer.announcer, mirror)
    world.until(lambda: mirror.is_complete and "a" in mirror, "the target")
    world.put(TARGETS, None, target="a")
    world.until(lambda: mirror.take_changes() and "a" in mirror, "the target back")
    end()


@pytest.mark.parametrize("reader", ["who comes later", "who was there"])
def test_what_a_broker_lost_after_its_writer_came_back_is_said_again_within_seconds(world: World, reader: str) -> None:
    """As with a node that took it from us, told us so, and died."""
    writer = Writer(world.client("web"))
    for name in ("a", "lost"):
        # Not a second time after five seconds, as what changes is.
        writer.targets.put(target(name), more_follow=True)
    listener = world.client("reader")
    mirror: Mirror[str, Target] = Mirror(listener, TARGETS)
    world.start(writer.bus)
    end = work(writer.announcer, mirror)
    world.until(lambda: writer.targets.is_settled, "a first look at the broker")
    if reader == "who was there":
        world.start(listener)
        world.until(lambda: mirror.is_complete, "both targets")
    world.cut(writer.bus)
    world.until(lambda: writer.targets.is_settled, "a look at the broker after the new connection")
    world.lose(TARGETS, target="lost")
    if reader == "who was there":
        world.cut(listener)
    else:
        world.start(listener)
    world.until(lambda: set(mirror.items()) == {"a", "lost"} and mirror.is_complete, "both targets", 10)
    late = world.client("late")
    anew: Mirror[str, Target] = Mirror(late, TARGETS)
    world.start(late)
    world.until(lambda: set(anew.items()) == {"a", "lost"}, "both targets on the broker", 10)
    end()


def test_what_is_taken_over_of_an_earlier_start_is_summed_up_with_the_rest() -> None:
    hub, clock = Hub(), Clock()
    web, bus = FakeBus(hub, "web"), FakeBus(hub)
    writer = Writer(web, clock)
    writer.targets.adopt(target("a", rev=7))
    web.start()
    web.publish(TARGETS, target("a", rev=7))
    mirror: Mirror[str, Target] = Mirror(bus, TARGETS, clock=clock)
    bus.start()
    writer.announcer.announce()
    assert is_complete(mirror)
    writer.targets.put(target("a", note="changed"))
    writer.announcer.announce()
    clock.now_s += DIFFERS_S + 1
    assert is_complete(mirror)


def test_what_an_earlier_start_left_as_it_should_be_is_not_said_again_later_either() -> None:
    hub, clock = Hub(), Clock()
    other = FakeBus(hub)
    other.start()
    other.publish(TARGETS, target("same", rev=7))
    web = FakeBus(hub, "web")
    writer = Writer(web, clock)
    writer.targets.put(target("same"))
    web.start()
    sent = len(hub.messages(TARGETS))
    for _ in range(30):
        clock.now_s += 1
        writer.announcer.tick()
    assert hub.messages(TARGETS)[sent:] == []
    assert writer.targets.now["same"].rev == 7


# -- the rules, with a clock of the test's own


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = Hub()
        self.bus = FakeBus(self.hub)
        self.other = FakeBus(self.hub, instance="other")

    def mirror(self, **options: Any) -> Mirror[str, Target]:
        return Mirror(self.bus, TARGETS, clock=self.clock, **options)

    def start(self) -> None:
        self.bus.start()
        self.other.start()

    def announce(self, *, count: int, rev_sum: int, **fields: Any) -> None:
        """The web service says what it has retained."""
        self.other.publish(
            SERVICES,
            ServicePresence(
                service="web",
                online=True,
                retained={"targets": Summary(count=count, rev_sum=rev_sum)},
                **fields,
            ),
        )

    def miss(self, topic: str, payload: bytes | None) -> None:
        """The broker retains, or forgets, something of which we hear nothing."""
        if payload is None:
            del self.hub.retained[topic]
        else:
            self.hub.retained[topic] = payload

    def wait(self, seconds: float, *parts: Any) -> None:
        for _ in range(round(seconds * 2)):
            self.clock.now_s += 0.5
            for part in parts:
                part.tick()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_change_is_published_again_five_seconds_later_unless_more_follow(rig: Rig) -> None:
    published: Published[str, Target] = Published(rig.other, TARGETS, RevCounter(), clock=rig.clock)
    heard: list[tuple[str, str]] = []
    rig.bus.subscribe(
        TARGETS, lambda message, variables: heard.append((variables["target"], message.note if message else "gone"))
    )
    rig.start()
    rig.wait(2, published)
    for name in ("changed", "changed-twice", "removed"):
        published.put(target(name, note="old"))
    published.put(target("refreshed"), more_follow=True)
    rig.wait(4, published)
    published.put(target("changed-twice", note="new"))
    published.remove("removed")
    heard.clear()
    rig.wait(2, published)
    assert heard == [("changed", "old")]
    rig.wait(60, published)
    assert heard == [("changed", "old"), ("changed-twice", "new")]


def settled(rig: Rig, *targets: str) -> Published[str, Target]:
    """What somebody retains, who connects now and has looked at the broker."""
    published: Published[str, Target] = Published(rig.bus, TARGETS, RevCounter(), clock=rig.clock)
    for name in targets:
        published.put(target(name))
    rig.start()
    rig.wait(2.5, published)
    assert published.is_settled
    return published


def asked_at(rig: Rig) -> list[float]:
    """When somebody asked from now on, filled in as it happens."""
    moments: list[float] = []
    ask, began_s = rig.bus.resubscribe, rig.clock.now_s

    def asking(*arguments: Any, **variables: Any) -> None:
        moments.append(rig.clock.now_s - began_s)
        ask(*arguments, **variables)

    rig.bus.resubscribe = asking  # type: ignore[method-assign]
    return moments


def test_what_was_echoed_and_not_kept_is_said_again_until_it_is_kept(rig: Rig) -> None:
    """The broker is asked less and less often, and no more once it has it."""
    rig.hub.is_forgetful = True
    published = settled(rig, "a", "b")
    moments = asked_at(rig)
    rig.wait(99, published)
    assert rig.hub.now(TARGETS) == []
    assert [round(after - before, -1) for before, after in itertools.pairwise(moments)] == [10, 20, 40]
    rig.hub.is_forgetful = False
    rig.wait(61, published)
    assert {one.id for one in rig.hub.now(TARGETS)} == {"a", "b"}
    moments.clear()
    rig.wait(300, published)
    assert len(moments) == 1, "whether it was kept this time"


def test_what_does_not_come_back_makes_the_writer_ask_without_another_connection(rig: Rig) -> None:
    published = settled(rig, "a", "b")
    rig.wait(130, published)
    moments = asked_at(rig)
    rig.hub.clients.remove(rig.bus)
    rig.hub.is_forgetful = True
    published.put(target("a", note="new"), more_follow=True)
    rig.hub.is_forgetful = False
    rig.hub.clients.append(rig.bus)
    rig.wait(60, published)
    assert {(one.id, one.note) for one in rig.hub.now(TARGETS)} == {("a", "new"), ("b", "")}
    assert moments[0] < 10
    assert len(moments) <= 2


def test_where_all_is_as_it_should_be_the_broker_is_asked_once_after_a_connection(rig: Rig) -> None:
    published = settled(rig, "a", "b")
    sent, moments = len(rig.hub.sent), asked_at(rig)
    rig.wait(300, published)
    assert len(moments) == 1
    assert len(rig.hub.sent) == sent + 2, "both a second time, as every change"


def test_what_is_said_all_the_time_does_not_put_off_the_first_look_at_the_broker(rig: Rig) -> None:
    rig.other.start()
    rig.other.publish(TARGETS, target("orphan", rev=1))
    published: Published[str, Target] = Published(rig.bus, TARGETS, RevCounter(), clock=rig.clock)
    rig.bus.start()
    for number in range(8):
        published.put(target("busy", note=str(number)), more_follow=True)
        rig.wait(0.5, published)
    assert {one.id for one in rig.hub.now(TARGETS)} == {"busy"}


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_an_answer_in_part_takes_nothing_from_a_mirror_that_had_it_all(rig: Rig, is_asked_for: bool) -> None:
    """nats-server leaves out what it could not load in five seconds, and its other nodes are then at their busiest."""
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", rev=1))
    rig.other.publish(TARGETS, target("b", rev=2))
    rig.announce(count=2, rev_sum=3)
    rig.hub.withheld = {"noc/v1/targets/a", "noc/v1/targets/b"}
    if is_asked_for:
        rig.announce(count=2, rev_sum=4)
        rig.wait(DIFFERS_S + 1, mirror)
        rig.miss("noc/v1/targets/b", encode(target("b", rev=3)))
        rig.other.publish(TARGETS, target("b", rev=3))
    else:
        rig.bus.stop()
        rig.bus.start()
    assert is_complete(mirror)
    assert set(mirror.items()) == {"a", "b"}
    rig.wait(60, mirror)
    assert set(mirror.items()) == {"a", "b"}


def test_what_was_removed_while_we_were_away_goes_once_an_answer_is_whole(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    for rev, name in enumerate("abc", 1):
        rig.other.publish(TARGETS, target(name, rev=rev))
    rig.announce(count=3, rev_sum=6)
    rig.bus.stop()
    rig.other.clear(TARGETS, target="b")
    rig.announce(count=2, rev_sum=4)
    rig.hub.withheld = {"noc/v1/targets/c"}
    rig.bus.start()
    assert (set(mirror.items()), is_complete(mirror)) == ({"a", "b", "c"}, False)
    rig.hub.withheld = set()
    rig.wait(DIFFERS_S + 1, mirror)
    assert (set(mirror.items()), is_complete(mirror)) == ({"a", "c"}, True)


def test_a_missed_message_is_asked_for_after_the_mirror_has_differed_for_five_seconds(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", rev=1))
    rig.announce(count=1, rev_sum=1)
    assert is_complete(mirror)
    rig.miss("noc/v1/targets/b", encode(target("b", rev=2)))
    rig.wait(PRESENCE_EVERY_S, mirror)
    rig.announce(count=2, rev_sum=3)
    rig.wait(DIFFERS_S - 1, mirror)
    assert set(mirror.items()) == {"a"}
    rig.wait(2, mirror)
    assert set(mirror.items()) == {"a", "b"}
    assert is_complete(mirror)


def test_what_was_replaced_long_ago_and_comes_once_more_changes_nothing(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", note="new", rev=2))
    rig.announce(count=1, rev_sum=2)
    rig.wait(120, mirror)
    rig.other.publish(TARGETS, target("a", note="old", rev=1))
    assert mirror.items() == {"a": target("a", note="new", rev=2)}
    assert is_complete(mirror)


def test_a_writer_whose_numbers_fell_with_its_clock_is_believed_when_asking_once_did_not_help(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", note="before", rev=1_000_000))
    rig.announce(count=1, rev_sum=1_000_000)
    rig.other.publish(TARGETS, target("a", note="after", rev=7))
    rig.announce(count=1, rev_sum=7)
    rig.wait(30, mirror)
    assert mirror.items() == {"a": target("a", note="after", rev=7)}
    assert is_complete(mirror)


def test_a_missed_removal_is_noticed_and_the_thing_is_removed(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    for number, name in enumerate(("a", "b"), start=1):
        rig.other.publish(TARGETS, target(name, rev=number))
    rig.announce(count=2, rev_sum=3)
    mirror.take_changes()
    rig.miss("noc/v1/targets/b", None)
    rig.wait(PRESENCE_EVERY_S, mirror)
    rig.announce(count=1, rev_sum=1)
    rig.wait(DIFFERS_S + 1, mirror)
    assert mirror.take_changes() == {"b": Change(target("b", rev=2), None)}
    assert is_complete(mirror)


def test_a_summary_that_is_overtaken_by_what_it_sums_up_is_no_difference(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", rev=1))
    rig.other.publish(TARGETS, target("a", note="changed", rev=2))
    rig.announce(count=1, rev_sum=1)
    assert is_complete(mirror)
    rig.hub.retained.clear()
    rig.wait(20, mirror)
    assert "a" in mirror, "nothing was asked for, so nothing went"


def test_a_summary_that_overtakes_what_it_sums_up_is_met_when_that_comes(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.announce(count=1, rev_sum=1)
    assert not is_complete(mirror)
    rig.other.publish(TARGETS, target("a", rev=1))
    assert is_complete(mirror)


def test_a_writer_whose_summary_never_fits_is_asked_less_and_less_often(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", rev=1))
    asked = 0
    original = rig.bus.resubscribe

    def counting(*arguments: Any, **variables: Any) -> None:
        nonlocal asked
        asked += 1
        original(*arguments, **variables)

    rig.bus.resubscribe = counting  # type: ignore[method-assign]
    for _ in range(60):
        rig.announce(count=5, rev_sum=99)
        rig.wait(10, mirror)
    assert 3 <= asked <= 8
    assert "a" in mirror


def test_an_older_writer_that_says_no_sums_is_complete_after_a_quiet_time(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(SERVICES, ServicePresence(service="web", online=True))
    rig.other.publish(TARGETS, target("a"))
    assert not is_complete(mirror)
    rig.wait(QUIET_S + 1, mirror)
    assert is_complete(mirror)
    rig.bus.stop()
    rig.miss("noc/v1/targets/a", None)
    rig.miss("noc/v1/targets/b", encode(target("b")))
    rig.bus.start()
    rig.wait(QUIET_S + 1, mirror)
    assert set(mirror.items()) == {"b"}


def test_without_its_writers_presence_nothing_is_complete_and_nothing_goes(rig: Rig) -> None:
    mirror = rig.mirror()
    rig.start()
    rig.other.publish(TARGETS, target("a", rev=1))
    rig.announce(count=1, rev_sum=1)
    assert is_complete(mirror)
    rig.bus.stop()
    rig.hub.retained.clear()
    rig.bus.start()
    rig.wait(300, mirror)
    assert not is_complete(mirror)
    assert "a" in mirror


def test_what_nobody_wants_is_kept_nowhere_and_comes_once_it_is_wanted(rig: Rig) -> None:
    known = {"a"}
    states: Mirror[tuple[str, str], SiteState] = Mirror(
        rig.bus, STATES, wanted=lambda key: key[1] in known, clock=rig.clock
    )
    rig.start()
    for number in range(5000):
        rig.other.publish(STATES, state("paris", f"x{number}", rev=number))
    rig.other.publish(STATES, state("paris", "a", rev=6000))
    assert set(states.items()) == {("paris", "a")}
    known.add("x7")
    states.reconsider()
    rig.wait(4, states)
    assert set(states.items()) == {("paris", "a"), ("paris", "x7")}
    known.remove("a")
    states.take_changes()
    states.reconsider()
    assert {key: change.after for key, change in states.take_changes().items()} == {("paris", "a"): None}


def test_each_site_is_complete_by_itself(rig: Rig) -> None:
    states: Mirror[tuple[str, str], SiteState] = Mirror(rig.bus, STATES, clock=rig.clock)
    rig.start()
    for site, count in (("paris", 1), ("lyon", 2)):
        summary = {"states": Summary(count=count, rev_sum=count)}
        rig.other.publish(PROBERS, ProberPresence(site=site, online=True, retained=summary))
        rig.other.publish(STATES, state(site, "a", rev=1))
    assert states.is_complete_from("paris")
    assert not states.is_complete_from("lyon")
    assert not is_complete(states)
    rig.other.publish(STATES, state("lyon", "b", rev=1))
    assert is_complete(states)


def test_changes_that_were_taken_back_are_none(rig: Rig) -> None:
    notes: list[str] = []
    mirror = rig.mirror(notify=lambda: notes.append("something changed"))
    rig.start()
    rig.other.publish(TARGETS, target("a", rev=1))
    rig.other.clear(TARGETS, target="a")
    assert mirror.take_changes() == {}
    rig.other.publish(TARGETS, target("a", rev=2))
    rig.other.publish(TARGETS, target("a", note="more", rev=3))
    assert mirror.take_changes() == {"a": Change(None, target("a", note="more", rev=3))}
    assert len(notes) == 2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from("abcd"), st.booleans()),
            st.tuples(st.just("clear"), st.sampled_from("abcd"), st.booleans()),
            st.tuples(st.just("announce"), st.just(""), st.booleans()),
            st.tuples(st.just("away"), st.just(""), st.booleans()),
            st.tuples(st.just("withhold"), st.sampled_from("abcd"), st.booleans()),
        ),
        max_size=40,
    )
)
def test_whatever_is_missed_the_mirror_ends_at_what_is_retained(steps: list[tuple[str, str, bool]]) -> None:
    """Each step may be missed (its last value true): the broker has it, we were not told."""
    rig = Rig()
    mirror = rig.mirror()
    rig.start()
    now: dict[str, Target] = {}
    rev = 0

    def announce() -> None:
        rig.announce(count=len(now), rev_sum=sum(one.rev or 0 for one in now.values()))

    announce()
    for what, name, is_missed in steps:
        if is_missed and rig.bus in rig.hub.clients:
            rig.hub.clients.remove(rig.bus)
        if what == "put":
            rev += 1
            now[name] = target(name, rev=rev)
            rig.other.publish(TARGETS, now[name])
        elif what == "clear":
            now.pop(name, None)
            rig.other.clear(TARGETS, target=name)
        elif what == "announce":
            announce()
        elif what == "withhold":
            rig.hub.withheld.add(f"noc/v1/targets/{name}")
        else:
            rig.bus.stop()
            rig.bus.start()
        if rig.bus.connected and rig.bus not in rig.hub.clients:
            rig.hub.clients.append(rig.bus)
        rig.wait(0.5, mirror)
    rig.hub.withheld.clear()
    for _ in range(40):
        announce()
        rig.wait(PRESENCE_EVERY_S, mirror)
    assert mirror.items() == now
    assert is_complete(mirror)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                (
                    "put",
                    "remove",
                    "other puts",
                    "other clears",
                    "away",
                    "wiped",
                    "a minute",
                    "keeps nothing",
                    "keeps all",
                )
            ),
            st.sampled_from("abc"),
            st.sampled_from(("", "note")),
        ),
        max_size=30,
    )
)
def test_whatever_others_do_on_the_broker_it_ends_at_what_its_owner_has(steps: list[tuple[str, str, str]]) -> None:
    rig = Rig()
    rig.start()
    published: Published[str, Target] = Published(rig.bus, TARGETS, RevCounter(), clock=rig.clock)
    for number, (what, name, note) in enumerate(steps):
        if what == "put":
            published.put(target(name, note))
        elif what == "remove":
            published.remove(name)
        elif what == "other puts":
            rig.other.publish(TARGETS, target(name, note, rev=number or None))
        elif what == "other clears":
            rig.other.clear(TARGETS, target=name)
        elif what == "a minute":
            rig.wait(60, published)
        elif what in ("keeps nothing", "keeps all"):
            rig.hub.is_forgetful = what == "keeps nothing"
        elif rig.bus.connected:
            rig.bus.stop()
            if what == "wiped":
                rig.hub.retained.clear()
        else:
            rig.bus.start()
        rig.wait(0.5, published)
    rig.hub.is_forgetful = False
    rig.bus.stop()
    rig.bus.start()
    rig.wait(130, published)
    assert {one.id: one for one in rig.hub.now(TARGETS)} == dict(published.now)
    rev_sum = sum(one.rev or 0 for one in published.now.values())
    assert published.summary() == Summary(count=len(published.now), rev_sum=rev_sum)
    assert published.is_settled


# -- presences


def test_who_says_nothing_for_long_is_offline_whatever_is_retained(rig: Rig) -> None:
    probers: Presences[ProberPresence] = Presences(rig.bus, PROBERS, clock=rig.clock)
    rig.start()
    rig.other.publish(PROBERS, ProberPresence(site="paris", online=True))
    rig.wait(SILENT_AFTER_S - 1, probers)
    assert is_online(probers) is True
    rig.wait(2, probers)
    assert is_online(probers) is False


def test_the_late_will_of_an_earlier_start_does_not_speak_for_the_present_one(rig: Rig) -> None:
    probers: Presences[ProberPresence] = Presences(rig.bus, PROBERS, clock=rig.clock)
    rig.start()
    rig.other.publish(PROBERS, ProberPresence(site="paris", online=True, instance="old"))
    rig.other.publish(PROBERS, ProberPresence(site="paris", online=True, instance="new"))
    rig.other.publish(PROBERS, ProberPresence(site="paris", online=False, instance="old"))
    assert is_online(probers) is True
    rig.other.publish(PROBERS, ProberPresence(site="paris", online=False, instance="new"))
    assert is_online(probers) is False


def announcer(bus: FakeBus, clock: Clock, since: Time, host: str) -> Announcer[ProberPresence]:
    sent = iter(range(10**6))

    def make() -> ProberPresence:
        return ProberPresence(site="paris", online=True, since=since, clock=Time(since + next(sent)))

    one = Announcer(bus, PROBERS, make, clock=clock, site="paris")
    one._host = host
    return one


def test_of_two_with_one_name_the_later_keeps_silent_until_the_other_is_gone() -> None:
    clock, hub = Clock(), Hub()
    first_bus, second_bus = FakeBus(hub, "first"), FakeBus(hub, "second")
    witness = FakeBus(hub, "witness")
    probers: Presences[ProberPresence] = Presences(witness, PROBERS, clock=clock)
    witness.start()
    first = announcer(first_bus, clock, NOW, "host-one")
    second = announcer(second_bus, clock, Time(NOW + 60_000), "host-two")

    def run(seconds: int) -> None:
        for _ in range(seconds):
            clock.now_s += 1
            for one in (first, second):
                one.tick()
            probers.tick()

    first_bus.start()
    run(30)
    second_bus.start()
    run(3 * PRESENCE_EVERY_S)
    assert (first.is_silenced, second.is_silenced) == (False, True)
    assert not second_bus.publish(TARGETS, target("a"))
    assert first_bus.publish(TARGETS, target("a"))
    shown = probers.get("paris")
    assert shown is not None
    assert (shown.instance, shown.host, shown.rival) == ("first", "host-one", "host-two")
    first_bus.stop()
    hub.put("noc/v1/probers/paris", b'{"site":"paris","online":false,"instance":"first"}', retain=True)
    run(3)
    assert (first.is_silenced, second.is_silenced) == (False, False)
    shown = probers.get("paris")
    assert shown is not None
    assert (shown.instance, shown.online) == ("second", True)


def test_of_two_that_are_one_copied_while_it_ran_one_keeps_silent(rig: Rig) -> None:
    """A machine copied with its memory: both have the same start, and the same random name of it."""
    hub, clock = rig.hub, rig.clock
    buses = [FakeBus(hub, "the same") for _ in range(2)]
    both = [announcer(bus, clock, NOW, "vm") for bus in buses]
    for number, bus in enumerate(buses):
        bus.own_address = f"192.0.2.{number}"
        bus.start()
    # What the second has sent is other than what the first has: the clock goes on.
    both[1].announce()
    for _ in range(3 * PRESENCE_EVERY_S):
        clock.now_s += 1
        for one in both:
            one.tick()
    assert buses[0].instance != buses[1].instance
    assert sorted(one.is_silenced for one in both) == [False, True]
    speaks = both[1].is_silenced
    (shown,) = hub.now(PROBERS)
    assert (shown.host, shown.rival) == ("vm", f"vm (192.0.2.{int(speaks)})")


def test_what_one_has_sent_itself_is_of_no_copy_however_often_it_connects(rig: Rig) -> None:
    one = announcer(rig.bus, rig.clock, NOW, "host")
    name = rig.bus.instance
    for _ in range(5):
        rig.bus.start()
        for _ in range(30):
            rig.clock.now_s += 1
            one.tick()
        rig.bus.stop()
        one.announce()
    assert rig.bus.instance == name


def test_a_restart_is_no_rival(rig: Rig) -> None:
    first = announcer(rig.bus, rig.clock, NOW, "host")
    rig.bus.start()
    first.announce()
    rig.bus.stop()
    again_bus = FakeBus(rig.hub, "again")
    again = announcer(again_bus, rig.clock, Time(NOW + 1000), "host")
    again_bus.start()
    for _ in range(60):
        rig.clock.now_s += 1
        again.tick()
    assert not again.is_silenced


@pytest.mark.parametrize(("soon_s", "told"), [(SOON_S, 10), (float(PRESENCE_EVERY_S), 2)])
def test_what_changes_all_the_time_need_not_be_told_at_each_change(soon_s: float, told: int) -> None:
    clock, hub = Clock(), Hub()
    bus = FakeBus(hub, "web")
    writer = Writer(bus, clock, soon_s)
    bus.start()
    at_the_start = len(hub.messages(SERVICES))
    for second in range(20):
        clock.now_s += 1
        writer.targets.put(target("a", note=str(second)))
        writer.announcer.tick()
    assert len(hub.messages(SERVICES)) - at_the_start == told


# -- what is assigned to a site has a summary of its own


class Assigner:
    """A web service as far as one site is concerned."""

    def __init__(self, bus: Bus, clock: Callable[[], float]) -> None:
        self.bus = bus
        self.told: Published[tuple[str, str], Assignment] = Published(
            bus, ASSIGNMENTS, RevCounter(), clock=clock, site="paris"
        )

    def put(self, *names: str) -> None:
        for name in names:
            self.told.put(assignment(target(name), ()))
        self.summarize()

    def summarize(self, site: str = "paris") -> None:
        said = AssignmentSummary(site=site, assigned=self.told.summary(), at=NOW)
        self.bus.publish(ASSIGNMENT_SUMMARIES, said)


def test_a_site_knows_when_it_has_all_that_is_assigned_to_it_and_asks_again_for_what_it_missed() -> None:
    clock, hub = Clock(), Hub()
    web, bus = FakeBus(hub), FakeBus(hub)
    web.start()
    assigner = Assigner(web, clock)
    assigner.put("a", "b")
    held_back = hub.retained.pop("noc/v1/assignments/paris/b")
    mirror: Mirror[tuple[str, str], Assignment] = Mirror(bus, ASSIGNMENTS, clock=clock, site="paris")
    assert not mirror.has_word_of("paris")
    bus.start()
    assert mirror.has_word_of("paris")
    assert not is_complete(mirror)
    hub.retained["noc/v1/assignments/paris/b"] = held_back
    clock.now_s += DIFFERS_S + 1
    mirror.tick()
    assert is_complete(mirror)
    assert mirror.items().keys() == {("paris", "a"), ("paris", "b")}


def test_a_site_of_which_nothing_is_said_is_never_taken_for_one_with_nothing_assigned() -> None:
    clock, hub = Clock(), Hub()
    web, bus = FakeBus(hub), FakeBus(hub)
    web.start()
    assigner = Assigner(web, clock)
    assigner.put("a", "b")
    mirror: Mirror[tuple[str, str], Assignment] = Mirror(bus, ASSIGNMENTS, clock=clock, site="paris")
    bus.start()
    # The broker has lost half of it and the summary too, and whoever writes them is away; another site has one.
    bus.stop()
    del hub.retained["noc/v1/assignments/paris/b"], hub.retained["noc/v1/assignment-summaries/paris"]
    assigner.summarize("rome")
    bus.start()
    for _ in range(20):
        clock.now_s += 30
        mirror.tick()
        assert not is_complete(mirror)
    assert len(mirror) == 2
    assigner.told.remove(("paris", "b"))
    assigner.summarize()
    assert mirror.items().keys() == {("paris", "a")}


def test_a_mirror_that_is_suspended_hears_nothing_and_compares_when_it_goes_on() -> None:
    clock, hub = Clock(), Hub()
    web, bus = FakeBus(hub), FakeBus(hub)
    web.start()
    writer = Writer(web, clock)
    for name in ("a", "b"):
        writer.targets.put(target(name))
    writer.announcer.announce()
    mirror: Mirror[str, Target] = Mirror(bus, TARGETS, clock=clock)
    bus.start()
    assert is_complete(mirror)
    mirror.take_changes()
    mirror.suspend()
    assert bus.filters == []
    writer.targets.remove("a")
    writer.targets.put(target("c"))
    writer.announcer.announce()
    assert (mirror.take_changes(), is_complete(mirror)) == ({}, False)
    bus.stop()
    bus.start()
    mirror.resume()
    assert is_complete(mirror)
    assert mirror.items().keys() == {"b", "c"}
