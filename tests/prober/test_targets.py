"""A target goes only by an explicit word, or when all that are retained are known and it is not among them."""

from __future__ import annotations

from noc_bus.channels import ASSIGNMENT_SUMMARIES, ASSIGNMENTS, SERVICES, TARGETS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Assignment, AssignmentSummary, Target
from noc_bus.presence import Announcer, presence
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_prober.targets import UNASSIGNED_S, Targets
from noc_rules.assignment import assigned, assignment

FALLS_BACK_S = UNASSIGNED_S + 2


def target(name: str, **options: object) -> Target:
    return Target(id=name, name=name, address="192.0.2.1", **options)  # type: ignore[arg-type]


class Story:
    """A web service that retains targets and what is assigned to a site, and that site, which knew some from before."""

    def __init__(self, *known: str) -> None:
        self.told: list[str] = []
        self.now_s = 1000.0
        self.hub = Hub()
        self.web = FakeBus(self.hub)
        self.web.start()
        revs = RevCounter()
        self.every: Published[str, Target] = Published(self.web, TARGETS, revs, clock=self.clock)
        self.published: Published[tuple[str, str], Assignment] = Published(
            self.web, ASSIGNMENTS, revs, clock=self.clock, site="local"
        )
        self.announcer = Announcer(
            self.web, SERVICES, lambda: presence("web", Time.now(), {}), [self.every], clock=self.clock, service="web"
        )
        self.bus = FakeBus(self.hub)
        known_before = {name: assignment(target(name), ()) for name in known}
        self.targets = Targets("local", self.bus, known_before, self._changed, clock=self.clock)

    def clock(self) -> float:
        return self.now_s

    def put(self, *targets: Target) -> None:
        for one in targets:
            told = assigned(one, "local", {one.id: one for one in targets})
            if told:
                self.published.put(told)
            else:
                self.published.remove(("local", one.id))
        self.summarize()

    def summarize(self) -> None:
        said = AssignmentSummary(site="local", assigned=self.published.summary(), at=Time.now())
        self.web.publish(ASSIGNMENT_SUMMARIES, said)

    def put_before(self, *targets: Target) -> None:
        """As the version before does, which assigns nothing."""
        for one in targets:
            self.every.put(one)
        self.announcer.announce()

    def tick(self, seconds: float = 0.0) -> None:
        for _ in range(int(seconds) + 1):
            self.now_s += min(1.0, seconds)
            self.targets.tick()

    def _changed(self, name: str, target: Assignment | None) -> None:
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
    held_back = story.hub.retained.pop("noc/v1/assignments/local/b")
    story.bus.start()
    story.tick(20)
    assert story.told == ["c came"]
    story.hub.put("noc/v1/assignments/local/b", held_back, retain=True)
    story.tick()
    assert sorted(story.targets.now) == ["a", "b", "c"]


def test_what_is_removed_while_the_connection_is_lost_goes_after_the_next() -> None:
    story = Story()
    story.put(target("a"), target("b"))
    story.bus.start()
    story.tick()
    story.bus.stop()
    story.published.remove(("local", "b"))
    story.summarize()
    story.bus.start()
    story.tick()
    assert story.told == ["a came", "b came", "b went"]


def test_a_cleared_topic_removes_the_target_at_once() -> None:
    story = Story()
    story.put(target("a"))
    story.bus.start()
    story.tick()
    story.web.clear(ASSIGNMENTS, site="local", target="a")
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
    story.put(target("a", note="nothing to a site"))
    story.tick()
    assert story.told == []
    story.put(target("a", interval_s=20))
    story.tick()
    assert story.told == ["a came"]


def test_only_what_is_assigned_to_it_is_read_where_anything_is() -> None:
    story = Story()
    story.put(target("a"))
    story.put_before(target("a"), target("b"))
    story.bus.start()
    story.tick(FALLS_BACK_S)
    assert story.told == ["a came"]
    assert not [one for one in story.bus.filters if "/targets/" in one or "/services/" in one]


def test_a_noc_of_the_version_before_is_asked_for_all_targets_and_those_of_this_site_are_taken() -> None:
    story = Story("old", "a")
    story.put_before(
        target("a"), target("b", sites=["local"]), target("c", sites=["elsewhere"], contacts=["x@y.example"])
    )
    story.bus.start()
    story.tick()
    assert story.told == []
    story.tick(FALLS_BACK_S)
    assert sorted(story.told) == ["b came", "old went"]
    story.put_before(target("b", sites=["elsewhere"]))
    story.tick()
    assert story.told[2:] == ["b went"]


def test_when_its_noc_is_brought_up_to_date_a_site_goes_on_and_reads_all_targets_no_more() -> None:
    story = Story()
    every = [target("a", parents=["p"]), target("b"), target("c", sites=["elsewhere"])]
    story.put_before(*every)
    story.bus.start()
    story.tick(FALLS_BACK_S)
    assert sorted(story.told) == ["a came", "b came"]
    story.told.clear()
    # One was deleted while the middle was away.
    story.every.remove("b")
    story.put(every[0], every[2])
    story.tick()
    assert sorted(story.told) == ["a came", "b went"], "its parent is not pinged from here"
    assert not [one for one in story.bus.filters if "/targets/" in one or "/services/" in one]
    # And back again, as after the restore of a backup of the version before.
    story.bus.stop()
    for topic in [one for one in story.hub.retained if "assignment" in one]:
        del story.hub.retained[topic]
    story.put_before(target("d"))
    story.bus.start()
    story.tick(FALLS_BACK_S)
    assert sorted(story.targets.now) == ["a", "d"]


def test_a_site_that_is_told_nothing_and_may_read_nothing_keeps_what_it_knew() -> None:
    story = Story("a")
    story.bus.start()
    story.tick(300)
    assert sorted(story.targets.now) == ["a"]
    assert story.told == []
