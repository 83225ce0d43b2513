"""What maintenance windows and snoozing do to mails, decided by the rules alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from noc_bus.messages import Incident, Maintenance, State, VerdictState
from noc_bus.time import Time
from noc_rules import grouping, incident, muting
from noc_rules.cases import Board, Case, Draft
from noc_rules.correlate import IncidentChange, Why
from noc_rules.incident import CauseCode, IncidentKind, of_site
from noc_rules.maintenance import Schedule
from noc_rules.muting import MuteCode, Quiet
from tests.parts.maintenance_mails import SETTLED_S, TABLE, Stage, window
from tests.rules.test_grouping import Plant


class Works(Plant):
    """A plant with maintenance windows, whose sites confirm what they see every ten seconds."""

    def __init__(self, sites: Iterable[str] = ("north",)) -> None:
        self.schedule = Schedule()
        self.confirmed: dict[str, Time] = {}
        super().__init__(sites=sites)

    def down(self, *names: str) -> None:
        self.see(State.DOWN, *names)
        self.tick()

    def up(self, *names: str) -> None:
        self.see(State.UP, *names)
        self.tick()

    def put(self, one: Maintenance) -> None:
        self.schedule.change(one.id, one)

    def delete(self, name: str) -> None:
        self.schedule.change(name, None)

    def restart(self) -> None:
        """All that is kept of the cases comes back; nothing else does."""
        before, self.board = self.board, Board()
        for case in before.cases.values():
            self.board.put(
                Case(
                    case.incident, about=case.about, members=dict(case.members), open=set(case.open),
                    told=set(case.told), is_told=case.is_told, due_s=None if case.is_told else 0.0,
                )
            )  # fmt: skip

    def incident_of(self, name: str) -> str:
        return next(one.id for one in self.open if name in one.targets)

    @property
    def quiet(self) -> Quiet:
        return Quiet(self.schedule.running(self.now), self.targets.get, self._down_from, self._is_fresh)

    def tick(self) -> None:
        if round(self.now_s) % 10 == 0:
            self.confirmed = dict.fromkeys(self.targets, self.now)
        draft = Draft(self.board)
        grouping.of_verdicts(draft, self._judged(), self.world, self.now, self.now_s)
        grouping.of_returning(draft, self.world, self.now, self.now_s)
        grouping.of_flapping(draft, self.now, self.now_s)
        muting.of_cases(draft, self.quiet, self.now, self.now_s)
        grouping.tell_what_is_due(draft, self.now_s, self.quiet, self.now)
        self._take(draft)
        self._check()

    def _down_from(self, name: str) -> list[str]:
        return [site for site, state in self.verdicts[name].sites.items() if state is State.DOWN]

    def _is_fresh(self, name: str, since: Time) -> bool:
        return self.confirmed.get(name, 0) > since and self.verdicts[name].state is VerdictState.DOWN


@pytest.mark.parametrize(("script", "mails"), TABLE.items(), ids=[script.__name__ for script in TABLE])
def test_what_is_mailed_of_an_outage_and_a_window(script: Callable[[Stage], None], mails: list[str]) -> None:
    works = Works()
    script(works)
    assert [str(mail.notice) for mail in works.mails] == mails


def test_what_is_muted_is_shown_with_its_reason_and_the_end_of_its_window() -> None:
    works = Works()
    works.have("a", "b", group="core")
    made = window(works, 600, "target a")
    works.down("a")
    works.passes(30)
    (shown,) = works.open
    assert shown.muted is not None
    assert (shown.muted.code, shown.muted.maintenance, shown.muted.title) == ("maintenance", "works", "Works")
    assert (shown.muted.since, shown.muted.until) == (made.starts_at, made.ends_at)
    assert works.whys == [Why.TARGET_WENT_DOWN, Why.MUTED]
    works.passes(571)
    (shown,) = works.open
    assert shown.muted is not None
    assert (shown.muted.code, shown.muted.until) == (MuteCode.CONFIRMING, None)
    works.passes(SETTLED_S)
    assert [one.muted for one in works.open] == [None]
    assert works.whys[2:] == [Why.MUTE_ENDED, Why.UNMUTED, Why.MAILED_OPENING]


def test_of_one_that_is_over_while_muted_it_is_kept_that_nobody_was_mailed() -> None:
    works = Works()
    works.have("a")
    window(works, 600, "target a")
    works.down("a")
    works.passes(30)
    works.up("a")
    assert works.whys == [Why.TARGET_WENT_DOWN, Why.MUTED, Why.TARGET_RECOVERED, Why.NOT_MAILED]
    (ended,) = works.ended
    assert ended.incident.muted is not None


def test_the_mail_names_those_that_are_not_muted_first_and_is_about_them() -> None:
    works = Works()
    works.have("a", "b", group="core")
    window(works, 600, "target a")
    works.down("a", "b")
    works.passes(60)
    (mail,) = works.told()
    assert [(one.target, one.muted is not None) for one in mail.incident.members] == [("b", False), ("a", True)]
    assert mail.incident.muted is None


def test_a_group_of_which_sites_confirm_at_different_moments_is_one_mail() -> None:
    works = Works()
    names = [f"t{number}" for number in range(5)]
    works.have(*names, group="core")
    window(works, 100, "group core")
    works.down(*names)
    works.passes(60)
    fresh: set[str] = set()
    works._is_fresh = lambda name, since: name in fresh  # type: ignore[method-assign]  # each at a moment of its own
    works.passes(45)
    for name in names:
        fresh.add(name)
        works.passes(9)
    (mail,) = works.told()
    assert mail.named == set(names)


def test_one_that_nobody_confirms_does_not_hold_the_others_back() -> None:
    works = Works()
    works.have("a", "b", group="core")
    window(works, 100, "group core")
    works.down("a", "b")
    works.passes(60)
    works._is_fresh = lambda name, since: name == "a"  # type: ignore[method-assign]  # the only site of b is gone
    works.passes(40 + muting.TOGETHER_S + 5)
    (mail,) = works.told()
    assert [(one.target, one.muted is not None) for one in mail.incident.members] == [("a", False), ("b", True)]


@pytest.mark.parametrize(
    ("sees_down", "mails"),
    [(["north"], 0), (["south"], 1), (["north", "south"], 1)],
    ids=["itself", "another", "both"],
)
def test_a_site_in_maintenance_mutes_what_only_it_sees_down(sees_down: list[str], mails: int) -> None:
    works = Works(sites=("north", "south"))
    works.have("a", policy="any")
    window(works, 600, "site north")
    works.see(State.DOWN, "a", sites=sees_down)
    works.passes(60)
    assert len(works.told()) == mails


def site_goes_blind(board: Board, now: Time) -> Draft:
    draft = Draft(board)
    made = incident.about_site(IncidentKind.SITE_BLIND, CauseCode.OFFLINE, "north", "its prober is offline", now, now)
    draft.take(IncidentChange(Why.SITE_WENT_BLIND, made, (of_site("north"),)), 0.0)
    return draft


@pytest.mark.parametrize(
    ("covers", "is_mailed"),
    [("site north", False), ("everything", False), ("site south", True), ("group core", True)],
)
def test_a_site_that_goes_silent_in_maintenance_is_muted_until_its_end(covers: str, is_mailed: bool) -> None:
    works = Works()
    made = window(works, 600, covers)
    draft = site_goes_blind(works.board, works.now)
    grouping.tell_what_is_due(draft, 0.0, works.quiet, works.now)
    draft.settle()
    (case,) = works.board.cases.values()
    assert case.is_told is is_mailed
    if is_mailed:
        return
    assert case.incident.muted is not None
    works.now_s += 601
    assert made.ends_at is not None
    assert works.now > made.ends_at
    draft = Draft(works.board)
    muting.of_cases(draft, works.quiet, works.now, 601.0)
    grouping.tell_what_is_due(draft, 601.0, works.quiet, works.now)
    assert [case.notices for case in draft.touched] == [["opened"]]


def test_a_site_back_within_its_maintenance_is_mailed_to_nobody() -> None:
    works = Works()
    window(works, 600, "site north")
    draft = site_goes_blind(works.board, works.now)
    grouping.tell_what_is_due(draft, 0.0, works.quiet, works.now)
    (case,) = draft.touched
    over = replace(case.incident, resolved_at=works.now)
    draft.take(IncidentChange(Why.SITE_RECOVERED, over, (of_site("north"),), "the site can see again"), 1.0)
    assert case.notices == []
    assert [entry.why for entry in case.entries][-1] is Why.NOT_MAILED


def test_everything_mutes_what_is_wrong_with_the_noc_too() -> None:
    works = Works()
    window(works, 600)
    draft = Draft(works.board)
    one = Incident(id="i", kind=IncidentKind.BROKER_LOST, targets=[], opened_at=works.now, cause="no broker")
    draft.take(IncidentChange(Why.BROKER_WENT_AWAY, one, (incident.BROKER,)), 0.0)
    grouping.tell_what_is_due(draft, 0.0, works.quiet, works.now)
    assert draft.touched[0].notices == []


def test_windows_in_force_cost_little_where_much_is_down() -> None:
    """Each member is looked at once a second: nothing is written down again where nothing has changed."""
    works = Works()
    names = [f"t{number}" for number in range(300)]
    works.have(*names, group="core")
    window(works, 600, "group core")
    works.down(*names)
    works.passes(30)
    draft = Draft(works.board)
    muting.of_cases(draft, works.quiet, works.now, works.now_s)
    assert draft.touched == []
