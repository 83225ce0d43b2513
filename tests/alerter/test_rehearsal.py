"""The same past through the alerter itself, and through the rehearsal: the same incidents, notices and seconds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from noc_bus.channels import INCIDENTS, VERDICTS
from noc_bus.messages import (
    Contact,
    Covered,
    Incident,
    Maintenance,
    NotificationRoute,
    SiteState,
    State,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.time import Time
from noc_rules.rehearsal import CONFIRMED_S, Played, Said, Settings, play
from noc_rules.telling import Book
from noc_rules.timeline import Interval
from tests.alerter.conftest import OPS, T0, Rig
from tests.alerter.test_settings import put

SITES: Final = ("north", "south", "west")
NIGHTS: Final = Contact(id="nights", name="Nights", mails=["nights@noc.test"], quiet_hours="Mon-Sun 12:08-12:14")
BOSS: Final = Contact(id="boss", name="Boss", mails=["boss@noc.test"])
ROUTES: Final = (
    NotificationRoute(id="core", name="Core", contacts=["nights"], groups=["core"]),
    NotificationRoute(
        id="up", name="Up", contacts=["boss"], after_min=7, remind_min=5, severities=["major", "critical"]
    ),
)
LIVE: Final = Time(T0 + 2000)


@dataclass
class Past:
    """Who is there, and what the sites said of it: by target and site, moments in seconds and states."""

    targets: dict[str, Target] = field(default_factory=dict)
    said: dict[str, dict[str, list[Said]]] = field(default_factory=dict)
    maintenances: dict[str, list[tuple[Time, Maintenance | None]]] = field(default_factory=dict)
    lasts_s: int = 3600
    wait_s: float = 15.0

    def have(self, *names: str, **options: Any) -> None:
        for name in names:
            self.targets[name] = Target(id=name, name=name.title(), address="192.0.2.1", **options)
            self.said[name] = {site: [Said(T0, _view(State.UP, T0, ""))] for site in SITES}

    def sees(self, at_s: int, name: str, state: State, *sites: str, code: str = "", since_s: int | None = None) -> None:
        """What these sites say at some second after the start, in the order in which it is called."""
        for site in sites or SITES:
            at, known = Time(T0 + at_s * 1000), self.said[name][site]
            if at > known[-1].at and state != known[-1].view.state.value:
                since = max(T0 + (at_s if since_s is None else since_s) * 1000, known[-1].view.start)
                known.append(Said(at, _view(state, since, code)))

    def outage(self, at_s: int, lasts_s: int, *names: str, sites: tuple[str, ...] = SITES) -> None:
        for name in names:
            self.sees(at_s, name, State.DOWN, *sites, since_s=at_s - 4)
            self.sees(at_s + lasts_s, name, State.UP, *sites)

    def window(self, name: str, at_s: int, lasts_s: int, *covers: Covered, known_s: int = 0) -> None:
        starts_at = Time(T0 + at_s * 1000)
        one = Maintenance(
            id=name, title="Works", covers=list(covers), starts_at=starts_at, ends_at=Time(starts_at + lasts_s * 1000), at=T0
        )  # fmt: skip
        self.maintenances.setdefault(name, []).append((Time(T0 + known_s * 1000), one))


def _view(state: State, since: int, code: str) -> Interval:
    return Interval(Time(since), Time(since), VerdictState(state), f"it is {state}", code or None)


@dataclass(frozen=True)
class Came:
    """What came of a past."""

    incidents: dict[str, Incident]
    notices: list[tuple[str, str, str, str, Time]]
    ms: dict[str, dict[str, int]]


def live(past: Past, folder: Path) -> Came:
    """Through the alerter: mirrors, ledger, outbox, with ticks of a second."""
    rig = Rig(folder)
    rig.wait_s = past.wait_s
    for site in SITES:
        rig.site(site)
    for one in past.targets.values():
        rig._retain(rig.targets, one)
    for name, by_site in past.said.items():
        for site in by_site:
            _say(rig, name, site, by_site[site][0].view)
    rig.prober(*SITES)
    rig.start()
    rig.passes(0.5)
    assert rig.now == LIVE
    put(rig, contacts=[NIGHTS, BOSS], routes=list(ROUTES))
    _let_pass(rig, past)
    found = _came_live(rig)
    rig.die()
    return found


def _let_pass(rig: Rig, past: Past) -> None:
    spoken = sorted(
        (one.at, name, site, one.view) for name, by_site in past.said.items() for site, each in by_site.items() for one in each
    )  # fmt: skip
    known: dict[tuple[str, str], tuple[int, Interval]] = {}
    edits = sorted(
        ((at, name, one) for name, each in past.maintenances.items() for at, one in each), key=lambda one: one[:2]
    )
    while rig.now < T0 + past.lasts_s * 1000:
        following = Time(rig.now + 1000)
        for at, name, site, view in [one for one in spoken if one[0] <= following]:
            spoken.pop(0)
            known[name, site] = (at, view)
            if at > LIVE:
                _say(rig, name, site, view, following)
        for (name, site), (at, view) in known.items():
            if at < following and (following - at) % round(CONFIRMED_S * 1000) == 0:
                _say(rig, name, site, view, following)
        while edits and edits[0][0] <= following:
            _, name, one = edits.pop(0)
            if one is None:
                rig.no_maintenance(name)
            else:
                rig.maintenance(one)
        if (following // 1000) % 10 == 0:
            for presence in list(rig.presences.values()):
                rig.speaks(presence)
            rig.web()
        rig.passes(1)


def _say(rig: Rig, name: str, site: str, view: Interval, at: Time = T0) -> None:
    state = SiteState(
        site=site, target=name, epoch=1, seq=1, state=State(view.state), since=view.start, reason=view.reason,
        code=view.code, at=at,
    )  # fmt: skip
    rig.of(site).put(state)


def _came_live(rig: Rig) -> Came:
    incidents = {one.id: one for one in rig.hub.messages(INCIDENTS)}
    mails = rig.ledger.database.read(
        "read", "SELECT incident, transition, recipient, because, created_at, state FROM outbox"
    )
    assert {mail[5] for mail in mails} <= {"sent", "queued", "withdrawn"}
    ms: dict[str, Counter[str]] = {}
    verdicts: dict[str, Verdict] = {}
    for one in rig.hub.messages(VERDICTS):
        before = verdicts.get(one.target)
        if before is not None:
            ms.setdefault(one.target, Counter())[before.state] += one.since - before.since
        verdicts[one.target] = one
    for name, one in verdicts.items():
        ms.setdefault(name, Counter())[one.state] += rig.now - one.since
    notices = [(*mail[:4], Time(mail[4])) for mail in mails if mail[5] != "withdrawn"]
    return Came(_comparable(incidents), sorted(notices), _some(ms))


def rehearsed(past: Past) -> Came:
    settings = Settings(past.targets, Book({"nights": NIGHTS, "boss": BOSS}, ROUTES, (OPS,)), past.wait_s)
    end = Time(T0 + past.lasts_s * 1000)
    return _came(play(settings, past.said, LIVE, Time(end + 1), maintenances=past.maintenances), end)


def _came(played: Played, end: Time) -> Came:
    incidents = {one.id: one.incident for one in played.outcomes}
    notices = [(one.incident, one.transition, one.to, one.because, one.at) for one in played.notices if one.is_sent]
    ms = {name: Counter({str(state): ms for state, ms in each.items()}) for name, each in played.ms.items()}
    # The end that it is told of is one millisecond later, so that the last second is played.
    for each in ms.values():
        ms_left = sum(each.values()) - (end - T0)
        assert ms_left in (0, 1)
    return Came(_comparable(incidents), sorted(notices), _some(ms))


def _comparable(incidents: dict[str, Incident]) -> dict[str, Incident]:
    return {name: replace(one, rev=None) for name, one in incidents.items() if one.merged_into is None}


def _some(ms: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """In whole seconds, those that there are."""
    return {name: {state: value // 1000 for state, value in each.items() if value >= 1000} for name, each in ms.items()}


# -- pasts


def a_parent_and_what_is_behind_it() -> Past:
    past = Past(lasts_s=1000)
    past.have("router", group="core")
    past.have("a", "b", "c", parents=["router"], group="core")
    past.have("d", parents=["router"], critical=True)
    past.outage(100, 400, "a", "b")
    past.outage(103, 300, "router")
    past.outage(108, 600, "c", "d")
    past.outage(850, 40, "router", sites=("north", "south"))
    return past


def ways_by_site() -> Past:
    """Two routers of which one is enough, a firewall, and a ring whose ends lie behind each other."""
    past = Past(lasts_s=500)
    past.have("router", "spare", "firewall", group="core")
    past.have("web", parents=["router", "spare"], parent_groups=["firewall"])
    past.have("here", group="ring", site_parents=["south:there"], policy="any")
    past.have("there", group="ring", site_parents=["north:here", "west:here"], policy="any")
    past.have("shop", group="shops", site_parents=["north:here|spare", "south:there"], policy="any", critical=True)
    past.outage(60, 100, "router", "web")
    past.outage(200, 60, "firewall", "web")
    past.outage(300, 60, "here", "shop", sites=("south",))
    past.outage(303, 60, "there", sites=("north", "west"))
    return past


def one_that_flaps() -> Past:
    past = Past(lasts_s=2800)
    past.have("f", "g")
    past.have("h", flap_after=None)
    past.have("i", mail_flapping=False)
    for number in range(7):
        past.outage(60 + number * 70, 35, "f", "h", "i")
    past.outage(600, 200, "f")
    for number in range(3):
        past.outage(100 + number * 300, 20, "g")
    return past


def lesser_states() -> Past:
    past = Past(lasts_s=1100)
    past.have("p", mail_partial=True, group="edge")
    past.have("q", "r", mail_degraded=True, group="edge")
    past.have("s", mail_only_critical=True)
    past.outage(100, 300, "p", sites=("north",))
    past.outage(600, 300, "p", "s")
    past.sees(200, "q", State.DEGRADED, code="loss")
    past.sees(205, "r", State.DEGRADED, code="rtt")
    past.sees(500, "q", State.DOWN)
    past.sees(900, "q", State.UP)
    past.sees(1000, "r", State.UP)
    return past


def names_that_nobody_resolves() -> Past:
    past = Past(lasts_s=1400)
    past.have("x", "y", group="edge")
    past.sees(10, "x", State.UNKNOWN, code="no-address")
    past.sees(60, "y", State.UNKNOWN, code="no-address")
    past.sees(800, "x", State.UP)
    past.sees(850, "y", State.DOWN)
    past.sees(1000, "x", State.DOWN)
    past.sees(1010, "x", State.UNKNOWN, code="not-checked")
    past.sees(1200, "x", State.DOWN)
    past.sees(1300, "x", State.UP)
    return past


def windows() -> Past:
    past = Past(lasts_s=1200)
    past.have("a", "b", group="core")
    past.have("c", tags=["switch"])
    past.window("one", 80, 300, Covered(kind="group", name="core"))
    past.window("two", 200, 700, Covered(kind="tag", name="switch"), known_s=150)
    past.window("two", 200, 400, Covered(kind="tag", name="switch"), known_s=500)
    past.outage(100, 600, "a")
    past.outage(110, 100, "b")
    past.outage(120, 900, "c")
    # Told in somebody's quiet hours, and muted when these end: one goes on, one is over by then.
    past.have("d", group="core/lan")
    past.have("e", group="core/wan")
    past.window("three", 600, 400, Covered(kind="target", name="d"), Covered(kind="target", name="e"))
    past.outage(500, 660, "d")
    past.outage(520, 380, "e")
    return past


def sites_that_see_an_end_one_after_the_other() -> Past:
    past = Past(lasts_s=500)
    past.have("soon", policy="all")
    past.have("late", mail_partial=True, group="edge")
    past.have("again", policy="all", critical=True)
    for name in ("soon", "late", "again"):
        past.outage(60, 1000, name)
    for number, site in enumerate(SITES):
        past.sees(200 + 5 * number, "soon", State.UP, site)
        past.sees(210 + 40 * number, "late", State.UP, site)
    past.sees(220, "again", State.UP, "north")
    past.sees(228, "again", State.DOWN, "north")
    past.sees(400, "again", State.UP)
    return past


def many_at_once() -> Past:
    past = Past(lasts_s=500)
    names = [f"t{number}" for number in range(40)]
    for number, name in enumerate(names):
        past.have(name, group=f"g{number % 7}")
        past.outage(60 + number // 3, 200 + number, name, sites=("north", "south"))
    return past


def anything(seed: int) -> Past:
    """Whatever there may be, at random."""
    drawn = random.Random(seed)
    past = Past(lasts_s=1800, wait_s=drawn.choice([0.0, 15.0, 60.0]))
    past.have("router", critical=drawn.random() < 0.3)
    groups = ["", "core", "core/lan"]
    for number in range(9):
        past.have(
            f"t{number}",
            group=drawn.choice(groups),
            parents=drawn.choice([[], ["router"], ["router", "t0"][: number + 1]]),
            policy=drawn.choice(["majority", "any", "all", "2"]),
            critical=drawn.random() < 0.2,
            mail_partial=drawn.random() < 0.4,
            mail_degraded=drawn.random() < 0.4,
            mail_flapping=drawn.random() < 0.7,
            mail_only_critical=drawn.random() < 0.1,
            flap_after=drawn.choice([None, 4, 4, 6]),
            interval_s=drawn.choice([5, 10, 60]),
        )
    for number in range(3):
        kind, name = drawn.choice([("target", "t1"), ("group", "core"), ("site", "north"), ("everything", "")])
        past.window(f"w{number}", drawn.randrange(1000), drawn.randrange(30, 900), Covered(kind=kind, name=name))  # type: ignore[arg-type]  # as drawn
    for name in past.targets:
        at_s = drawn.randrange(5, 900)
        while at_s < past.lasts_s:
            state = drawn.choice([State.DOWN, State.DOWN, State.DEGRADED, State.UNKNOWN])
            code = "no-address" if state is State.UNKNOWN and drawn.random() < 0.7 else ""
            lasts_s = drawn.choice([3, 15, 40, 200, 900])
            for site in SITES:
                if drawn.random() < 0.85:
                    past.sees(
                        at_s + drawn.randrange(4), name, state, site, code=code, since_s=at_s - drawn.randrange(4)
                    )
                    past.sees(at_s + lasts_s + drawn.randrange(4), name, State.UP, site)
            at_s += lasts_s + drawn.choice([20, 60, 400, 1500])
    return past


PASTS: Final[tuple[Callable[[], Past], ...]] = (
    a_parent_and_what_is_behind_it,
    ways_by_site,
    one_that_flaps,
    lesser_states,
    names_that_nobody_resolves,
    windows,
    sites_that_see_an_end_one_after_the_other,
    many_at_once,
)


@pytest.mark.parametrize("past", PASTS, ids=lambda one: one.__name__)
@pytest.mark.thorough
def test_a_past_has_the_incidents_notices_and_seconds_that_the_alerter_gave_it(
    past: Callable[[], Past], tmp_path: Path
) -> None:
    expected, found = live(past(), tmp_path), rehearsed(past())
    assert found.notices == expected.notices
    assert found.incidents == expected.incidents
    assert found.ms == expected.ms
    assert expected.incidents
    assert expected.notices


@pytest.mark.timeout(3600)
@pytest.mark.thorough
def test_so_has_any_past(tmp_path: Path, is_long: bool) -> None:
    # In the last one what is noted of a target's changes is past at once.
    for seed in (*range(60 if is_long else 1), 388):
        past = anything(seed)
        expected, found = live(past, _folder(tmp_path, seed)), rehearsed(past)
        assert found.notices == expected.notices, seed
        assert found.incidents == expected.incidents, seed
        assert found.ms == expected.ms, seed


def _folder(root: Path, seed: int) -> Path:
    folder = root / str(seed)
    folder.mkdir()
    return folder
