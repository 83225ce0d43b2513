"""Outages and maintenance windows, and the mails that people are to get: one table for the rules and for the alerter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from noc_bus.messages import Covered, Maintenance
from noc_bus.time import Time

OPENED, CHANGED, RESOLVED = "opened", "changed", "resolved"
SETTLED_S: Final = 150.0
"""Longer than any mail waits: a fresh check, others in the same case, and who is back."""


class Stage(Protocol):
    """Where a script is played; `passes` has every site confirm what it sees each ten seconds."""

    @property
    def now(self) -> Time: ...
    def have(self, *names: str, **options: Any) -> None: ...
    def down(self, *names: str) -> None: ...
    def up(self, *names: str) -> None: ...
    def passes(self, seconds: float) -> None: ...
    def put(self, one: Maintenance) -> None: ...
    def delete(self, name: str) -> None: ...
    def restart(self) -> None: ...
    def incident_of(self, name: str) -> str: ...


def window(stage: Stage, lasts_s: float, *covers: str, name: str = "works", starts_in_s: float = 0.0) -> Maintenance:
    """Put up, or changed. `covers` like "target a"; none: everything."""
    things = [one.partition(" ") for one in covers or ("everything",)]
    one = Maintenance(
        id=name,
        title="Works",
        covers=[Covered(kind=kind, name=thing) for kind, _, thing in things],  # type: ignore[arg-type]  # as the table says
        starts_at=Time(stage.now + int(starts_in_s * 1000)),
        ends_at=Time(stage.now + int((starts_in_s + lasts_s) * 1000)),
        at=stage.now,
    )
    stage.put(one)
    return one


def down_and_back_within(stage: Stage) -> None:
    stage.have("a")
    window(stage, 600, "target a")
    stage.down("a")
    stage.passes(120)
    stage.up("a")
    stage.passes(600 + SETTLED_S)


def down_within_and_still_so_at_the_end(stage: Stage) -> None:
    stage.have("a")
    window(stage, 100, "target a")
    stage.down("a")
    stage.passes(90)
    stage.passes(10 + SETTLED_S)
    stage.up("a")
    stage.passes(SETTLED_S)


def back_just_after_the_end(stage: Stage) -> None:
    """Before its site has confirmed that it is DOWN."""
    stage.have("a")
    window(stage, 104, "target a")
    stage.down("a")
    stage.passes(106)
    stage.up("a")
    stage.passes(SETTLED_S)


def told_before_and_back_within(stage: Stage) -> None:
    stage.have("a")
    stage.down("a")
    stage.passes(60)
    window(stage, 600, "target a")
    stage.passes(60)
    stage.up("a")
    stage.passes(SETTLED_S)


def told_before_and_still_so_at_the_end(stage: Stage) -> None:
    stage.have("a")
    stage.down("a")
    stage.passes(60)
    window(stage, 100, "target a")
    stage.passes(100 + SETTLED_S)
    stage.up("a")
    stage.passes(SETTLED_S)


def starts_while_the_mail_waits(stage: Stage) -> None:
    stage.have("a")
    stage.down("a")
    stage.passes(5)
    window(stage, 100, "target a")
    stage.passes(95)
    stage.up("a")
    stage.passes(SETTLED_S)


def starts_while_a_change_waits(stage: Stage) -> None:
    stage.have("a", "b", group="core")
    stage.down("a", "b")
    stage.passes(60)
    stage.up("b")
    # For who is back, 30 s are waited.
    stage.passes(10)
    window(stage, 600, "group core")
    stage.passes(200)
    stage.up("a")
    stage.passes(SETTLED_S)


def edited_to_last_longer(stage: Stage) -> None:
    stage.have("a")
    window(stage, 100, "target a")
    stage.down("a")
    stage.passes(90)
    window(stage, 300, "target a")
    stage.passes(200)
    stage.up("a")
    stage.passes(300 + SETTLED_S)


def ended_early(stage: Stage) -> None:
    stage.have("a")
    window(stage, 10_000, "target a")
    stage.down("a")
    stage.passes(60)
    window(stage, 0, "target a")
    stage.passes(SETTLED_S)


def deleted_while_bad(stage: Stage) -> None:
    stage.have("a")
    window(stage, 10_000, "target a")
    stage.down("a")
    stage.passes(60)
    stage.delete("works")
    stage.passes(SETTLED_S)


def restarted_within(stage: Stage) -> None:
    stage.have("a")
    window(stage, 200, "target a")
    stage.down("a")
    stage.passes(60)
    stage.restart()
    stage.passes(60)
    stage.up("a")
    stage.passes(200 + SETTLED_S)


def restarted_within_and_still_so(stage: Stage) -> None:
    stage.have("a")
    window(stage, 200, "target a")
    stage.down("a")
    stage.passes(60)
    stage.restart()
    stage.passes(140)
    stage.restart()
    stage.passes(SETTLED_S)


def two_that_overlap(stage: Stage) -> None:
    stage.have("a", tags=["switch"])
    window(stage, 100, "target a")
    window(stage, 200, "tag switch", name="other", starts_in_s=50)
    stage.down("a")
    stage.passes(240)
    stage.up("a")
    stage.passes(SETTLED_S)


def two_that_overlap_and_still_so(stage: Stage) -> None:
    stage.have("a", tags=["switch"])
    window(stage, 100, "target a")
    window(stage, 200, "tag switch", name="other", starts_in_s=50)
    stage.down("a")
    stage.passes(250 + SETTLED_S)


def parent_in_maintenance(stage: Stage) -> None:
    stage.have("router")
    stage.have("a", "b", parents=["router"])
    window(stage, 300, "target router")
    stage.down("router", "a", "b")
    stage.passes(200)
    stage.up("router", "a", "b")
    stage.passes(100 + SETTLED_S)


def parent_in_maintenance_and_a_critical_child(stage: Stage) -> None:
    stage.have("router")
    stage.have("a", parents=["router"], critical=True)
    window(stage, 300, "target router")
    stage.down("router", "a")
    stage.passes(200)
    stage.up("router", "a")
    stage.passes(100 + SETTLED_S)


def parent_still_down_at_the_end(stage: Stage) -> None:
    stage.have("router")
    stage.have("a", "b", parents=["router"])
    window(stage, 300, "target router")
    stage.down("router", "a", "b")
    stage.passes(300 + SETTLED_S)


def parent_back_and_a_child_is_not(stage: Stage) -> None:
    stage.have("router")
    stage.have("a", "b", parents=["router"])
    window(stage, 1000, "target router")
    stage.down("router", "a", "b")
    stage.passes(200)
    stage.up("router", "b")
    stage.passes(SETTLED_S)


def one_of_a_group(stage: Stage) -> None:
    stage.have("a", "b", group="core")
    window(stage, 1000, "target a")
    stage.down("a", "b")
    stage.passes(100)
    stage.up("b")
    stage.passes(SETTLED_S)
    stage.up("a")
    stage.passes(SETTLED_S)


def a_group_with_its_subgroups(stage: Stage) -> None:
    names = [f"t{number}" for number in range(12)]
    stage.have(*names, group="core/lan")
    window(stage, 100, "group core")
    stage.down(*names)
    stage.passes(100 + SETTLED_S)


def a_group_and_then_something_else_in_it(stage: Stage) -> None:
    """What is held is not joined by what has nothing to do with it."""
    stage.have("a", "b", group="core")
    window(stage, 10_000, "target a")
    stage.down("a")
    stage.passes(600)
    stage.down("b")
    stage.passes(60)
    stage.up("b")
    stage.passes(SETTLED_S)


def moved_out_of_what_is_covered(stage: Stage) -> None:
    stage.have("a", group="core")
    window(stage, 10_000, "group core")
    stage.down("a")
    stage.passes(60)
    stage.have("a", group="edge")
    stage.down("a")
    stage.passes(SETTLED_S)


def critical_in_maintenance(stage: Stage) -> None:
    stage.have("a", critical=True)
    window(stage, 300)
    stage.down("a")
    stage.passes(200)
    stage.up("a")
    stage.passes(100 + SETTLED_S)


def the_only_site_that_sees_it_down(stage: Stage) -> None:
    stage.have("a")
    window(stage, 300, "site north")
    stage.down("a")
    stage.passes(200)
    stage.up("a")
    stage.passes(100 + SETTLED_S)


def snoozed_and_back(stage: Stage) -> None:
    stage.have("a")
    stage.down("a")
    stage.passes(60)
    window(stage, 300, f"incident {stage.incident_of('a')}")
    stage.passes(100)
    stage.up("a")
    stage.passes(SETTLED_S)


def snoozed_and_still_so(stage: Stage) -> None:
    stage.have("a")
    stage.down("a")
    stage.passes(60)
    window(stage, 300, f"incident {stage.incident_of('a')}")
    stage.passes(300 + SETTLED_S)


def gone_while_muted(stage: Stage) -> None:
    stage.have("a", "b", group="core")
    stage.down("a", "b")
    stage.passes(60)
    window(stage, 400, "group core")
    stage.passes(60)
    stage.up("a")
    stage.passes(340 + SETTLED_S)


TABLE: Final[dict[Callable[[Stage], None], list[str]]] = {
    down_and_back_within: [],
    down_within_and_still_so_at_the_end: [OPENED, RESOLVED],
    back_just_after_the_end: [],
    told_before_and_back_within: [OPENED, RESOLVED],
    told_before_and_still_so_at_the_end: [OPENED, CHANGED, RESOLVED],
    starts_while_the_mail_waits: [],
    # Who was told of both is told at the end that both are back.
    starts_while_a_change_waits: [OPENED, RESOLVED],
    edited_to_last_longer: [],
    ended_early: [OPENED],
    deleted_while_bad: [OPENED],
    restarted_within: [],
    restarted_within_and_still_so: [OPENED],
    two_that_overlap: [],
    two_that_overlap_and_still_so: [OPENED],
    parent_in_maintenance: [],
    parent_in_maintenance_and_a_critical_child: [],
    parent_still_down_at_the_end: [OPENED],
    parent_back_and_a_child_is_not: [OPENED],
    # Of the one in maintenance nothing is said; that the incident is over is said once all are back.
    one_of_a_group: [OPENED, RESOLVED],
    a_group_with_its_subgroups: [OPENED],
    a_group_and_then_something_else_in_it: [OPENED, RESOLVED],
    moved_out_of_what_is_covered: [OPENED],
    critical_in_maintenance: [],
    the_only_site_that_sees_it_down: [],
    snoozed_and_back: [OPENED, RESOLVED],
    snoozed_and_still_so: [OPENED, CHANGED],
    gone_while_muted: [OPENED, CHANGED],
}
"""What is mailed of each."""
