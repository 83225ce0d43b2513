"""A target goes only by an explicit word, or when all that are retained are known and it is not among them."""

from __future__ import annotations

from noc_bus.channels import SERVICES, TARGETS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Target
from noc_bus.presence import Announcer, presence
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_prober.targets import Targets


def target(name: str, **options: object) -> Target:
    return Target(id=name, name=name, address="192.0.2.1", **options)  # type: ignore[arg-type]


class Story:
    """A web service that retains targets, and a site that knew some from before."""

    def __init__(self, *known: str) -> None:
        self.told: list[str] = []
        self.now_s = 1000.0
        self.hub = Hub()
        self.web = FakeBus(self.hub)
        self.web.start()
        self.published: Published[str, Target] = Published(self.web, TARGETS, RevCounter(), clock=self.clock)
        self.announcer = Announcer(
            self.web,
            SERVICES,
            lambda: presence("web", Time.now(), {}),
            [self.published],
            clock=self.clock,
            service="web",
        )
        self.bus = FakeBus(self.hub)
        self.targets = Targets(
            "local", self.bus, {name: target(name) for name in known}, self._changed, clock=self.clock
        )

    def clock(self) -> float:
        return self.now_s

    def put(self, *targets: Target) -> None:
        for one in targets:
            self.published.put(one)
        self.announcer.announce()

    def tick(self, seconds: float = 0.0) -> None:
        for _ in range(int(seconds) + 1):
            self.now_s += min(1.0, seconds)
            self.targets.tick()

    def _changed(self, name: str, target: Target | None) -> None:
        self.told.append(f"{name} {'went' if target is None else 'came'}")


def test_the_disk_copy_is_used_before_anything_is_heard() -> None:
    assert sorted(Story("a", "b").targets.now) == ["a", "b"]


def test_a_broker_that_came_back_empty_removes_nothing() -> None:
    story = Story("a", "b")
    story.bus.start()
    story.tick(100)
    assert sorted(story.targets.now) == ["a", "b"]
    assert story.told == []


def test_what_was_removed_while_we_were_away_goes_when_all_others_are_known() -> None:
    story = Story("a", "b")
    story.put(target("a"), target("c"))
    story.bus.start()
    story.tick()
    assert story.told == ["c came", "b went"]


def test_nothing_goes_while_some_of_what_is_retained_has_not_come() -> None:
    story = Story("a", "b")
    story.put(target("a"), target("b"), target("c"))
    held_back = story.hub.retained.pop("noc/v1/targets/b")
    story.bus.start()
    story.tick(20)
    assert story.told == ["c came"]
    story.hub.put("noc/v1/targets/b", held_back, retain=True)
    story.tick()
    assert sorted(story.targets.now) == ["a", "b", "c"]


def test_what_is_removed_while_the_connection_is_lost_goes_after_the_next() -> None:
    story = Story()
    story.put(target("a"), target("b"))
    story.bus.start()
    story.tick()
    story.bus.stop()
    story.published.remove("b")
    story.announcer.announce()
    story.bus.start()
    story.tick()
    assert story.told == ["a came", "b came", "b went"]


def test_a_cleared_topic_removes_the_target_at_once() -> None:
    story = Story()
    story.put(target("a"))
    story.bus.start()
    story.tick()
    story.web.clear(TARGETS, target="a")
    story.tick()
    assert story.told == ["a came", "a went"]


def test_a_target_for_other_sites_is_not_ours() -> None:
    story = Story()
    story.bus.start()
    for sites in (["elsewhere"], ["local"], ["elsewhere"]):
        story.put(target("a", sites=sites))
        story.tick()
    assert story.told == ["a came", "a went"]


def test_the_same_definition_again_changes_nothing() -> None:
    story = Story("a")
    story.bus.start()
    story.put(target("a"))
    story.tick()
    assert story.told == []
    story.put(target("a", interval_s=20))
    story.tick()
    assert story.told == ["a came"]
