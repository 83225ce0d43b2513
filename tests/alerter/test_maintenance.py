"""Maintenance windows and outages, through the ledger and the mail's writer: what people really get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from noc_alerter.notify.smtp import NotDelivered
from noc_bus.messages import Maintenance, NotificationRoute, State
from tests.alerter.conftest import OPS, Rig, parse
from tests.alerter.test_settings import put
from tests.parts.maintenance_mails import CHANGED, OPENED, RESOLVED, SETTLED_S, TABLE, Stage, window

CONFIRMED_S = 10.0


class Works(Rig):
    """One site, whose targets are confirmed every ten seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.wait_s = 15.0
        self.site("north")
        self.prober("north")
        self._seen: dict[str, State] = {}
        self.start()

    def have(self, *names: str, **options: Any) -> None:
        for name in names:
            self.target(name, **options)
        self._see(State.UP, names)

    def down(self, *names: str) -> None:
        self._see(State.DOWN, names)

    def up(self, *names: str) -> None:
        self._see(State.UP, names)

    def passes(self, seconds: float) -> None:
        end_s = self.clock_s + seconds
        while self.clock_s < end_s:
            left_s = end_s - self.clock_s
            super().passes(min(CONFIRMED_S, left_s))
            if left_s < CONFIRMED_S:
                return
            for name, state in getattr(self, "_seen", {}).items():
                self.sees(state, "north", target=name)
            if "north" in self.presences:
                self.speaks(self.presences["north"])
            self.web()

    def put(self, one: Maintenance) -> None:
        self.maintenance(one)

    def delete(self, name: str) -> None:
        self.no_maintenance(name)

    def incident_of(self, name: str) -> str:
        return next(one.id for one in self.open if name in one.targets)

    def _see(self, state: State, names: tuple[str, ...]) -> None:
        for name in names:
            self._seen[name] = state
            self.sees(state, "north", target=name)
        self.speaks(self.presences["north"])
        super().passes(1)

    @property
    def told_of(self) -> list[str]:
        """What each mail tells, by the words in its subject."""
        return [RESOLVED if word in ("UP", "CLOSED") else CHANGED if "STILL" in word else OPENED for word in self.words]


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    works = Works(tmp_path)
    yield works
    works.die()


@pytest.mark.parametrize(("script", "mails"), TABLE.items(), ids=[script.__name__ for script in TABLE])
@pytest.mark.thorough
def test_what_people_get_of_an_outage_and_a_window(
    works: Works, script: Callable[[Stage], None], mails: list[str]
) -> None:
    script(works)
    assert works.told_of == mails, works.subjects


def test_why_nobody_was_mailed_is_answered_from_what_is_kept(works: Works) -> None:
    works.have("a")
    made = window(works, 300, "target a")
    works.down("a")
    works.passes(60)
    (shown,) = works.open
    assert shown.muted is not None
    assert (shown.muted.code, shown.muted.title, shown.muted.until) == ("maintenance", "Works", made.ends_at)
    works.restart()
    works.up("a")
    works.passes(SETTLED_S)
    kept = works.asks(shown.id)
    assert [entry.code for entry in kept.timeline] == ["target-went-down", "muted", "target-recovered", "not-mailed"]
    assert "maintenance 'Works'" in kept.timeline[1].text
    assert kept.mails == []


def test_a_site_that_goes_silent_in_its_maintenance_is_mailed_once_it_is_over_and_back_to_whoever_was_told(
    works: Works,
) -> None:
    window(works, 300, "site north")
    works.cut("north")
    works.passes(200)
    assert [one.kind for one in works.open] == ["site-blind"]
    assert works.mails == []
    works.passes(200)
    assert works.words == ["BLIND"]
    works.back("north")
    works.passes(60)
    assert works.words == ["BLIND", "RECOVERED"]


def test_an_alerter_that_starts_waits_for_all_windows_before_it_mails(works: Works) -> None:
    """Its database is new and the target DOWN: what it does not know yet might be that it is in maintenance."""
    works.have("a")
    works.down("a")
    works.die()
    (works.folder / "alerter.sqlite").unlink()
    window(works, 300, "target a")
    works.start()
    works.passes(100)
    assert works.mails == []


def test_a_mail_of_an_incident_says_which_of_its_targets_are_in_maintenance(works: Works) -> None:
    works.have("a", "b", group="core")
    window(works, 300, "target a")
    works.down("a", "b")
    works.passes(60)
    (mail,) = works.mails
    text = mail.get_body(("plain",))
    assert text is not None
    assert "A (192.0.2.1), core, in maintenance" in text.get_content()
    assert mail["Subject"].startswith("[DOWN] B and 1 more")


@pytest.mark.thorough
def test_what_waits_for_the_mail_server_when_a_window_starts_is_mailed_after_it_as_things_are_then(
    works: Works,
) -> None:
    works.have("a", "b", group="core")
    works.server_trouble = NotDelivered("no greeting", can_retry=True, is_for_all=True)
    works.down("a", "b")
    works.passes(60)
    window(works, 900, "target a", "target b")
    works.passes(60)
    works.server_trouble = None
    works.passes(700)
    assert works.mails == [], "nobody is mailed of it now"
    works.up("b")
    works.passes(300)
    assert works.subjects == ["[DOWN] A and 1 more (north) since 12:00"]
    text = works.mails[0].get_body(("plain",))
    assert text is not None
    assert "1 of 2 targets" in text.get_content()
    works.up("a")
    works.passes(SETTLED_S)
    assert works.told_of == [OPENED, RESOLVED]


def test_what_waits_when_a_window_starts_and_is_over_in_it_is_one_mail_of_its_end(works: Works) -> None:
    works.have("a")
    works.server_trouble = NotDelivered("no greeting", can_retry=True, is_for_all=True)
    works.down("a")
    works.passes(60)
    window(works, 900, "target a")
    works.passes(60)
    works.server_trouble = None
    works.up("a")
    works.passes(300)
    assert works.told_of == [RESOLVED]


class Watched(Works):
    """Its mails that went out while all of their incident was muted, but for those of its end."""

    def __init__(self, folder: Path) -> None:
        self.muted: list[str] = []
        self.kept: list[tuple[str, str]] = []
        super().__init__(folder)

    def _deliver(self, recipient: str, content: bytes) -> str:
        mail = parse(content)
        is_of_muted = any(one.id == mail["X-NOC-Incident"] and one.muted for one in self.open)
        transition = str(mail["Message-ID"]).split(".")[1]
        if is_of_muted and transition != RESOLVED:
            self.muted.append(str(mail["Subject"]))
        self.kept.append((recipient, transition.partition("-")[0]))
        return super()._deliver(recipient, content)


@pytest.mark.thorough
def test_routes_escalate_and_remind_of_nothing_that_is_muted_and_change_no_other_mail(
    tmp_path: Path, is_long: bool
) -> None:
    reminded = 0
    for place, (script, mails) in enumerate(TABLE.items()):
        if not is_long and place % 9:
            continue
        works = Watched(tmp_path)
        often = NotificationRoute(id="often", name="Often", contacts=[OPS], remind_min=1)
        later = NotificationRoute(id="later", name="Later", contacts=["boss@noc.test"], after_min=2, remind_min=2)
        put(works, routes=[often, later])
        script(works)
        assert works.muted == [], script.__name__
        assert [kind for to, kind in works.kept if to == OPS and kind != "reminded"] == mails, script.__name__
        reminded += sum(kind == "reminded" for _, kind in works.kept)
        works.die()
        (tmp_path / "alerter.sqlite").unlink()
    assert reminded
