"""A target goes only by an explicit word, or when a broker that has others does not have it."""

from __future__ import annotations

from noc_bus.messages import Target
from noc_prober.targets import QUIET_S, Targets


def target(name: str, **options: object) -> Target:
    return Target(id=name, name=name, address="192.0.2.1", **options)  # type: ignore[arg-type]


class Story:
    def __init__(self, *known: str) -> None:
        self.told: list[str] = []
        self.targets = Targets("local", {name: target(name) for name in known}, self._changed)

    def _changed(self, name: str, target: Target | None) -> None:
        self.told.append(f"{name} {'went' if target is None else 'came'}")


def test_the_disk_copy_is_used_before_anything_is_heard() -> None:
    assert sorted(Story("a", "b").targets.now) == ["a", "b"]


def test_a_broker_that_came_back_empty_removes_nothing() -> None:
    story = Story("a", "b")
    story.targets.connected(100.0)
    assert story.targets.tick(100.0 + QUIET_S) == []
    assert sorted(story.targets.now) == ["a", "b"]
    assert story.told == []


def test_a_broker_that_has_others_says_which_are_gone() -> None:
    story = Story("a", "b")
    story.targets.hear("a", target("a"), 99.9)
    story.targets.connected(100.0)
    story.targets.hear("c", target("c"), 100.1)
    assert story.targets.tick(101.0) is None, "more may come"
    story.targets.tick(100.1 + QUIET_S)
    assert story.told == ["c came", "b went"]


def test_a_retained_burst_is_waited_out() -> None:
    story = Story("a")
    story.targets.connected(100.0)
    for number in range(50):
        now_s = 100.0 + number * 0.5
        story.targets.hear(f"t{number}", target(f"t{number}"), now_s)
        assert story.targets.tick(now_s) is None
    story.targets.hear("a", target("a"), 125.0)
    story.targets.tick(125.0 + QUIET_S)
    assert "a went" not in story.told


def test_what_was_heard_on_an_old_connection_proves_nothing_on_a_new_one() -> None:
    story = Story("a", "b")
    story.targets.connected(100.0)
    story.targets.tick(104.0)
    story.targets.hear("a", target("a", interval_s=5), 150.0)
    story.targets.disconnected()
    story.targets.connected(200.0)
    story.targets.tick(204.0)
    assert sorted(story.targets.now) == ["a", "b"]


def test_what_comes_before_the_connection_is_confirmed_is_heard() -> None:
    story = Story("a", "b")
    story.targets.disconnected()
    story.targets.hear("a", target("a"), 100.0)
    story.targets.disconnected()
    story.targets.connected(100.2)
    story.targets.hear("b", target("b"), 100.3)
    story.targets.tick(100.3 + QUIET_S)
    assert story.told == []


def test_a_cleared_topic_removes_the_target_at_once() -> None:
    story = Story("a")
    story.targets.hear("a", None, 1.0)
    story.targets.hear("never", None, 1.0)
    assert story.told == ["a went"]


def test_a_target_for_other_sites_is_not_ours() -> None:
    story = Story()
    story.targets.hear("a", target("a", sites=["elsewhere"]), 1.0)
    story.targets.hear("b", target("b", sites=["local"]), 1.0)
    story.targets.hear("b", target("b", sites=["elsewhere"]), 2.0)
    assert story.told == ["b came", "b went"]


def test_the_same_definition_again_changes_nothing() -> None:
    story = Story()
    for _ in range(3):
        story.targets.hear("a", target("a"), 1.0)
    story.targets.hear("a", target("a", interval_s=20), 1.0)
    assert story.told == ["a came", "a came"]


def test_states_of_targets_nobody_has_are_to_be_cleared_once_all_is_known() -> None:
    story = Story("a")
    story.targets.hear_state("ghost", 100.0)
    story.targets.hear_state("a", 100.0)
    story.targets.connected(100.0)
    assert story.targets.tick(100.0 + QUIET_S) == ["ghost"]
    assert story.targets.tick(110.0) is None
