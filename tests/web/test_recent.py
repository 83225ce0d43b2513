"""What has changed last, as the overview shows it: of what is open and of what is over, live and over a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from noc_bus.channels import INCIDENTS
from noc_bus.messages import Incident, Member, VerdictState
from noc_bus.time import Time
from noc_history.store import Batch, StoreError
from noc_web.live.recent import LOOKED_BACK_MS, MOST, changes_of
from noc_web.live.rows import RecentChange
from tests.web.conftest import Service
from tests.web.facts import incident

T0 = Time(Time.now() - 3_600_000)


def at(seconds: float) -> Time:
    return Time(T0 + int(seconds * 1000))


def member(name: str, joined_s: float = 0, left_s: float | None = None) -> Member:
    left = at(left_s) if left_s is not None else None
    return Member(target=name, name=name.upper(), joined_at=at(joined_s), left_at=left, state=VerdictState.DOWN)


def of(members: Sequence[Member], **more: Any) -> Incident:
    names = [one.target for one in members]
    return incident("i-1", *names, members=list(members), total_members=len(names), opened_at=T0, **more)


def told(changes: Sequence[RecentChange]) -> list[tuple[str, float, str | None, int, float | None]]:
    return sorted(
        ((str(one.what), (one.at - T0) / 1000, one.name, one.total, one.lasted_s) for one in changes),
        key=lambda row: row[1],
    )


CASES: dict[str, tuple[Incident, list[tuple[str, float, str | None, int, float | None]]]] = {
    "one target that is down": (of([member("a")]), [("opened", 0, "A", 1, None)]),
    "one target that was down": (
        of([member("a", 0, 300)], resolved_at=at(300)),
        [("opened", 0, "A", 1, None), ("ended", 300, "A", 1, 300)],
    ),
    "what went and came back together is two lines": (
        of([member("a", 0, 290), member("b", 20, 300)], resolved_at=at(300)),
        [("opened", 0, "A", 2, None), ("ended", 300, "A", 2, 300)],
    ),
    "one that joined later, and one that was back sooner": (
        of([member("a", 0, 600), member("b", 120), member("c", 0, 90)]),
        [
            ("opened", 0, "A", 3, None),
            ("left", 90, "C", 1, 90),
            ("joined", 120, "B", 1, None),
            ("left", 600, "A", 1, 600),
        ],
    ),
    "of a large one the last four members": (
        of([member("a"), *(member(f"b{number}", 100 + number) for number in range(50))]),
        [("opened", 0, "A", 51, None), *(("joined", 100 + number, f"B{number}", 1, None) for number in range(46, 50))],
    ),
    "a site that is blind": (
        Incident(id="i-1", kind="site-blind", site="paris", targets=[], opened_at=T0, cause="silent"),
        [("opened", 0, "paris", 0, None)],
    ),
    "nothing of one that is told by another": (of([member("a")], merged_into="i-0", resolved_at=at(5)), []),
}


@pytest.mark.parametrize("name", CASES)
def test_an_incident_becomes_what_people_want_to_know_of_it(name: str) -> None:
    given, wanted = CASES[name]
    assert told(changes_of(given)) == wanted


def is_due(service: Service) -> bool:
    return service.picture.recent.is_due


def shown(service: Service) -> list[tuple[str, str]] | None:
    changes = service.by("viewer").get("status")["changes"]
    return changes if changes is None else [(one["what"], one["incident"]) for one in changes]


def test_what_ends_stays_among_the_changes_and_is_sent_once_when_it_changes(service: Service) -> None:
    service.picture.recent.look_back(service.store)
    service.advance()
    before = service.revisions.revision
    service.others.publish(INCIDENTS, incident("i-1", opened_at=at(0)))
    service.advance()
    assert shown(service) == [("opened", "i-1")]
    service.others.publish_once(INCIDENTS, incident("i-1", opened_at=at(0), resolved_at=at(60)))
    service.others.clear(INCIDENTS, incident="i-1")
    service.advance()
    assert shown(service) == [("ended", "i-1"), ("opened", "i-1")]
    # The alerter says it again to a recorder that was away.
    service.others.publish_once(INCIDENTS, incident("i-1", opened_at=at(0), resolved_at=at(60)))
    service.advance()
    assert shown(service) == [("ended", "i-1"), ("opened", "i-1")]
    assert service.revisions.revision == before + 2, "what says nothing new is not sent"


def test_who_looks_at_one_that_is_over_is_told_that_somebody_wrote_of_it(service: Service) -> None:
    def noted() -> dict[str, Time] | None:
        delta = service.revisions.advance(Time.now())
        assert delta is None or service.revisions.snapshot(Time.now()).noted == service.picture.recent.noted
        return delta.noted if delta else None

    over = incident("i-1", opened_at=at(0), resolved_at=at(60))
    service.others.publish_once(INCIDENTS, over)
    assert noted() is None
    service.others.publish_once(INCIDENTS, replace(over, noted_at=at(90)))
    assert noted() == {"i-1": at(90)}
    service.others.publish_once(INCIDENTS, replace(over, noted_at=at(90)))
    assert noted() is None, "it is told once"
    # What the history has may be older than what was heard.
    service.store.write(Batch(incidents=[replace(over, noted_at=at(70))]))
    service.picture.recent.look_back(service.store)
    assert noted() is None
    long_ago = Time(at(0) - LOOKED_BACK_MS)
    service.others.publish_once(INCIDENTS, incident("i-0", opened_at=long_ago, resolved_at=long_ago, noted_at=at(80)))
    assert noted() == {"i-1": at(90), "i-0": at(80)}
    assert shown(service) == [("ended", "i-1"), ("opened", "i-1")], "it is no recent change"
    for number in range(MOST):
        service.others.publish_once(INCIDENTS, replace(over, id=f"o-{number}", noted_at=at(100 + number)))
    assert noted() == {f"o-{number}": at(100 + number) for number in range(MOST)}


def test_what_has_ended_is_known_again_after_a_restart(new_service: Callable[..., Service]) -> None:
    service = new_service()
    assert shown(service) is None, "before the history was asked nothing is claimed"
    ended = [
        incident(f"i-{number}", opened_at=at(number), resolved_at=at(number + 1), cause="x" * 100)
        for number in range(2 * MOST)
    ]
    old = Time(Time.now() - LOOKED_BACK_MS - 60_000)
    service.store.write(Batch(incidents=[*ended, incident("old", opened_at=old, resolved_at=Time(old + 1000))]))
    assert is_due(service)
    service.picture.recent.look_back(service.store)
    assert not is_due(service)
    service.advance()
    newest = [("ended", "i-39")]
    for number in range(38, 0, -1):
        newest += [("ended", f"i-{number}"), ("opened", f"i-{number + 1}")]
    assert shown(service) == newest[:MOST]


def test_with_no_incident_that_is_said_and_a_store_that_is_away_is_asked_again(service: Service) -> None:
    class Away:
        def incidents(self, start: Time, end: Time) -> list[Incident]:
            raise StoreError("it is away", can_retry=True)

    recent = service.picture.recent
    with pytest.raises(StoreError):
        recent.look_back(Away())  # type: ignore[arg-type]  # a store of which nothing else is asked
    assert recent.is_due
    service.advance()
    assert shown(service) is None
    recent.look_back(service.store)
    service.advance()
    assert shown(service) == []


def test_after_a_connection_the_history_is_asked_at_once_and_when_the_recorder_has_had_time(service: Service) -> None:
    recent = service.picture.recent
    service.let_pass(60)
    recent.look_back(service.store)
    service.bus.stop()
    service.bus.start()
    assert is_due(service)
    recent.look_back(service.store)
    assert not is_due(service)
    service.let_pass(31)
    assert is_due(service)
