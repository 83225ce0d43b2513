"""Outages found in data that came late: incidents that are over, and one notice of them all to each recipient."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from noc_alerter.ledger import Ledger
from noc_alerter.schema import LADDER
from noc_bus.channels import EVENTS, INCIDENTS, LATE_OUTAGE_ANSWERS, LATE_OUTAGES, REPLAYS, SERVICES
from noc_bus.codec import encode
from noc_bus.fake import FakeBus
from noc_bus.messages import (
    Contact,
    Incident,
    LateOutages,
    Member,
    NotificationRoute,
    Replay,
    ServicePresence,
    SiteState,
    State,
    Target,
    VerdictState,
)
from noc_bus.time import Time
from noc_frame.sqlite import Ladder, open_file
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Store
from noc_recorder.late import Late
from noc_rules.incident import IncidentKind, incident_id
from noc_rules.late import in_parts, with_members
from tests.alerter.conftest import OPS, T0, Rig, part
from tests.alerter.test_settings import put
from tests.alerter.test_webhook import SECRET, is_signed
from tests.alerter.world import World
from tests.history.conftest import engine, open_store, url  # noqa: F401  # fixtures, and what opens their store
from tests.parts.brokers import Mosquitto
from tests.parts.processes import Processes
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.parts.webhook import WebhookSink

ALL: Final = ("north", "south", "west")


def over(rig: Rig, *targets: str, begins_s: int = -3600, lasts_s: int = 600, **fields: Any) -> Incident:
    """An incident as the recorder found it; seconds from now."""
    start = Time(rig.now + begins_s * 1000)
    end = Time(start + lasts_s * 1000)
    members = [
        Member(target=one, name=one.title(), address="192.0.2.1", joined_at=start, left_at=end, state=VerdictState.DOWN)
        for one in targets
    ]
    return Incident(**{
        "id": incident_id(targets[0], start), "kind": IncidentKind.TARGET_DOWN, "targets": list(targets),
        "members": members, "total_members": len(members), "open_members": 0, "opened_at": start, "resolved_at": end,
        "cause": "DOWN from 1 site (west): 5 checks unanswered", "severity": "major", "sites": ["west"],
        "evidence": ["west DOWN: 5 checks unanswered"], "found_at": rig.now, **fields,
    })  # fmt: skip


def finds(rig: Rig, *incidents: Incident, part: int = 1, parts: int = 1, quiet: tuple[str, ...] = ()) -> None:
    """What the recorder says, and what comes of it."""
    message = LateOutages(
        finding="late-1", part=part, parts=parts, at=rig.now, sites=["west"], incidents=list(incidents), quiet=list(quiet)
    )  # fmt: skip
    rig.others.publish(LATE_OUTAGES, message)
    rig.passes(3)
    assert [(one.finding, one.part) for one in rig.hub.messages(LATE_OUTAGE_ANSWERS)][-1] == ("late-1", part)


def test_what_was_found_is_an_incident_that_is_over_and_one_mail_names_it(rig: Rig) -> None:
    switches = over(rig, "router", "switch")
    finds(rig, switches, over(rig, "printer", begins_s=-1800))
    assert rig.subjects == ["[NOC] 2 outages found in data that came late (west)"]
    text = part(rig.mails[0], "plain")
    assert "DOWN Router and 1 more (west), for 10 min" in text
    assert "DOWN Printer (west), for 10 min" in text
    assert rig.open == []
    assert rig.hub.now(INCIDENTS) == [], "nothing of it stays on the broker"
    assert switches in rig.ended
    (event, _) = [one for one in rig.hub.messages(EVENTS) if one.kind == "incident-found"]
    assert (event.incident, event.target) == (switches.id, None)
    answer = rig.asks(switches.id)
    assert [one.target for one in answer.members] == ["router", "switch"]
    codes = [one.code for one in answer.timeline]
    assert codes == ["target-went-down", "member-joined", "target-recovered", "target-recovered", "found-late"]
    assert answer.timeline[0].at == switches.opened_at
    assert OPS in answer.timeline[-1].text


def test_found_again_in_whatever_shape_it_is_nothing_new(rig: Rig) -> None:
    finds(rig, one := over(rig, "router"))
    finds(rig, one)
    # The data of another site came an hour later, and it is found once more, with another start.
    finds(rig, over(rig, "router", begins_s=-3650, lasts_s=700))
    rig.restart()
    finds(rig, one, over(rig, "router", begins_s=-3500, lasts_s=20))
    assert len(rig.mails) == 1
    assert {incident.id for incident in rig.ended} == {one.id}


def test_what_was_an_incident_live_is_none_again_and_its_timeline_says_that_it_began_earlier(rig: Rig) -> None:
    rig.sees(State.DOWN, *ALL)
    rig.stays(300)
    rig.sees(State.UP, *ALL)
    rig.stays(60)
    assert rig.words == ["DOWN", "UP"]
    (live,) = rig.ended
    began_s = round((live.opened_at - rig.now) / 1000) - 900
    for _ in range(2):
        finds(rig, over(rig, "router", begins_s=began_s, lasts_s=1000))
    assert rig.words == ["DOWN", "UP"]
    lines = [one for one in rig.asks(live.id).timeline if one.code == "began-earlier"]
    assert [(one.target, live.opened_at - one.at) for one in lines] == [("router", 900_000)]


def test_only_the_members_that_were_in_no_incident_are_one(rig: Rig) -> None:
    rig.sees(State.DOWN, *ALL)
    rig.passes(60)
    finds(rig, over(rig, "switch", "router", begins_s=-90, lasts_s=60))
    assert rig.words == ["DOWN", "NOC"]
    assert "DOWN Switch (west)" in part(rig.mails[-1], "plain")
    assert [one.targets for one in rig.ended] == [["switch"]]
    assert [one.targets for one in rig.open] == [["router"]]


def test_a_lesser_incident_of_that_time_does_not_cover_an_outage(rig: Rig) -> None:
    rig.target(mail_degraded=True)
    rig.sees(State.DEGRADED, *ALL)
    rig.passes(60)
    finds(rig, over(rig, "router", begins_s=-50, lasts_s=20))
    assert rig.words == ["DEGRADED", "NOC"]


def test_each_recipient_gets_one_notice_of_what_is_theirs(rig: Rig) -> None:
    with WebhookSink() as sink:
        night = Contact(id="n", name="N", mails=["n@noc.test"], webhook_url=sink.url, webhook_secret=SECRET)
        boss = Contact(id="b", name="B", mails=["b@noc.test"])
        routes = [
            NotificationRoute(id="all", name="All", contacts=["n"]),
            NotificationRoute(id="switches", name="Switches", contacts=["b"], groups=["switches"]),
            NotificationRoute(id="up", name="Up", contacts=["late@noc.test"], after_min=30),
        ]
        rig.target("switch", group="switches")
        put(rig, contacts=[night, boss], routes=routes)
        finds(rig, over(rig, "switch"), over(rig, "router"), over(rig, "gone"))
    assert sorted((str(one["To"]), str(one["Subject"])) for one in rig.mails) == [
        ("b@noc.test", "[NOC] 1 outage found in data that came late (west)"),
        ("n@noc.test", "[NOC] 3 outages found in data that came late (west)"),
    ]
    (posted,) = sink.posted
    assert is_signed(posted)
    body = json.loads(posted.body)
    assert (body["type"], body["data"]["total"]) == ("incidents.found", 3)
    assert {one["targets"][0] for one in body["data"]["incidents"]} == {"switch", "router", "gone"}


def test_a_finding_of_many_parts_is_one_mail_once_the_last_has_come(rig: Rig) -> None:
    finds(rig, over(rig, "a"), part=1, parts=3)
    rig.passes(60)
    assert rig.mails == []
    rig.restart()
    finds(rig, *[over(rig, f"b{number}") for number in range(60)], part=2, parts=3)
    finds(rig, over(rig, "c", severity="critical"), part=3, parts=3)
    finds(rig, over(rig, "c", severity="critical"), part=3, parts=3)
    assert rig.subjects == ["[NOC] 62 outages found in data that came late (west)"]
    text = part(rig.mails[0], "plain")
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("- ")]
    assert "DOWN C (west)" in lines[0], "what is most severe comes first"
    assert (len(lines), lines[-1]) == (51, "- and 12 more")


def test_of_what_nobody_would_have_been_told_nobody_is_told(rig: Rig) -> None:
    finds(rig, one := over(rig, "router"), quiet=(one.id,))
    assert rig.mails == []
    assert [entry.code for entry in rig.asks(one.id).timeline][-2:] == ["not-mailed", "found-late"]
    assert one in rig.ended


def test_what_is_about_nothing_or_goes_on_is_taken_and_kept_by_nobody(rig: Rig) -> None:
    finds(rig, over(rig, "router", members=[], targets=[]), over(rig, "switch", resolved_at=None), over(rig, "printer"))
    assert rig.subjects == ["[NOC] 1 outage found in data that came late (west)"]
    assert rig.open == []


def test_a_summary_waits_for_the_end_of_quiet_hours(rig: Rig) -> None:
    night = Contact(id="n", name="N", mails=["n@noc.test"], quiet_hours="Mon-Sun 11:00-12:05")
    put(rig, contacts=[night], routes=[NotificationRoute(id="all", name="All", contacts=["n"])])
    finds(rig, over(rig, "router", severity="critical"))
    rig.stays(60)
    assert rig.mails == [], "it is over, so even what was critical can wait"
    rig.stays(300)
    assert rig.subjects == ["[NOC] 1 outage found in data that came late (west)"]


@pytest.mark.parametrize("when", ["before it was kept", "after"])
def test_an_alerter_that_was_away_takes_it_when_it_is_back(rig: Rig, when: str) -> None:
    one = over(rig, "router")
    if when == "after":
        finds(rig, one)
    rig.die()
    rig.start()
    finds(rig, one)
    assert rig.subjects == ["[NOC] 1 outage found in data that came late (west)"]
    # A recorder that was killed before it stored it hears of it again.
    assert len([incident for incident in rig.ended if incident.id == one.id]) == (2 if when == "after" else 1)


def test_of_two_alerters_only_the_one_that_speaks_takes_it(rig: Rig) -> None:
    """Once the other is gone, what that one has taken is told by nobody again."""
    for second in (1, 2):
        at = Time(rig.now + second)
        rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True, instance="first", since=T0, at=at))
    assert rig.alerter.is_silenced
    taken = over(rig, "router")
    rig.others.publish(
        LATE_OUTAGES, LateOutages(finding="late-0", part=1, parts=1, at=rig.now, sites=["west"], incidents=[taken])
    )
    rig.passes(60)
    assert (rig.hub.messages(LATE_OUTAGE_ANSWERS), rig.mails) == ([], [])
    finds(rig, over(rig, "switch"))
    assert rig.subjects == ["[NOC] 1 outage found in data that came late (west)"]


def in_chunks(one: Incident) -> list[LateOutages]:
    """An incident of very many, as the recorder hands it over."""
    parts = list(in_parts(one))
    return [
        LateOutages(finding="late-1", part=number, parts=len(parts), at=one.found_at or T0, sites=["west"], incidents=[each])
        for number, each in enumerate(parts, start=1)
    ]  # fmt: skip


def known_of(rig: Rig, incident: str) -> tuple[Incident, list[str]]:
    """As it was published last, and all its members, page by page."""
    last = next(one for one in reversed(rig.ended) if one.id == incident)
    pages = [rig.asks(incident, offset=first, limit=200).members for first in range(0, 1000, 200)]
    return last, [one.target for page in pages for one in page]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 0, 1, 0, 1, 2, 1, 2), (1, 0, 2, 0)], ids=str)
def test_one_outage_of_very_many_comes_in_parts_and_is_one_in_whatever_order(rig: Rig, order: tuple[int, ...]) -> None:
    """Who belongs to a target of the last part is told as well, and nobody twice."""
    names = [f"t{number:03}" for number in range(500)]
    rig.target("t499", contacts=["boss@noc.test"])
    rig.target("t000")
    one = over(rig, *names)
    one = replace(one, members=[replace(each, critical=each.target == "t450") for each in one.members])
    messages = in_chunks(with_members(one, one.members))
    assert [len(message.incidents[0].members) for message in messages] == [200, 200, 100]
    for place in order:
        rig.others.publish(LATE_OUTAGES, messages[place])
        rig.passes(1)
        if place == 1:
            rig.restart()
    rig.passes(3)
    last, members = known_of(rig, one.id)
    assert (last.total_members, len(last.members), last.severity) == (500, 200, "critical")
    assert (last.opened_at, last.resolved_at) == (one.opened_at, one.resolved_at)
    assert (members[0], sorted(members)) == ("t450", names)
    assert sorted(str(mail["To"]) for mail in rig.mails) == ["boss@noc.test", OPS]
    assert set(rig.subjects) == {"[NOC] 1 outage found in data that came late (west)"}
    assert all("DOWN T450 and 499 more (west), for 10 min" in part(mail, "plain") for mail in rig.mails)
    codes = [entry.code for entry in rig.asks(one.id).timeline]
    assert codes == ["target-went-down", "member-joined", "target-recovered", "found-late", "found-late"]
    assert len(rig.told("incident-found")) == 1


def test_of_very_many_those_that_were_in_an_incident_are_not_counted_whatever_part_they_come_in(rig: Rig) -> None:
    names = [f"t{number:03}" for number in range(450)]
    for name in ("t001", "t300"):
        finds(rig, over(rig, name, id=f"before-{name}"))
    messages = in_chunks(over(rig, *names))
    for message in [*messages, *messages]:
        rig.others.publish(LATE_OUTAGES, message)
        rig.passes(3)
    last, members = known_of(rig, messages[0].incidents[0].id)
    assert sorted(members) == [one for one in names if one not in ("t001", "t300")]
    assert last.total_members == 448


class Recorder:
    """What looks for outages in late data, on one bus with an alerter; it may be killed and started again."""

    def __init__(self, rig: Rig, folder: Path, store: Store, targets: Mapping[str, Target]) -> None:
        self._rig, self._folder, self._store, self._targets = rig, folder, store, targets
        self.begin()

    def begin(self) -> None:
        self._bus = FakeBus(self._rig.hub, "recorder")
        self.late = Late(self._bus, self._folder, self._store, self._targets.get, clock=self._rig.clock)
        self._bus.start()

    def die(self) -> None:
        self._bus.stop()
        self.late.close()

    def takes(self, states: list[SiteState]) -> None:
        self.late.note([one for one in states if one.state is State.DOWN])
        self._store.write(Batch(states=states))
        self.late.stored()

    def goes_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self._rig.passes(1)
            self.late.tick(self._rig.now)


@pytest.mark.thorough
@pytest.mark.parametrize("url", ["sqlite", "influxd"], indirect=True)
def test_all_of_a_thousand_targets_that_failed_together_are_kept_over_a_restart_of_both(
    rig: Rig,
    url: str,  # noqa: F811  # the fixture
    tmp_path: Path,
) -> None:
    names = [f"t{number:03}" for number in range(1000)]
    targets = {name: Target(id=name, name=name.title(), address="192.0.2.1", group="core") for name in names}
    targets["t950"] = replace(targets["t950"], critical=True)
    store = open_store(url)
    recorder = Recorder(rig, tmp_path, store, targets)
    seen = ((State.UP, 90), (State.DOWN, 60), (State.UP, 30))
    recorder.takes([
        SiteState(
            site="west", target=name, epoch=1, seq=place, state=state, since=Time(rig.now - minutes * 60_000),
            reason=f"it is {state}", at=Time(rig.now - minutes * 60_000),
        )
        for name in names
        for place, (state, minutes) in enumerate(seen)
    ])  # fmt: skip
    recorder.goes_on(65)
    taken = len(rig.hub.messages(LATE_OUTAGE_ANSWERS))
    assert 0 < taken < 5, "in the middle"
    recorder.die()
    rig.restart()
    recorder.begin()
    recorder.goes_on(30)
    said = rig.hub.messages(LATE_OUTAGES)
    assert {one.part for one in said} == {1, 2, 3, 4, 5}
    assert {len(incident.members) for one in said for incident in one.incidents} == {200}
    last, members = known_of(rig, said[0].incidents[0].id)
    assert (last.kind, last.total_members, len(last.members)) == (IncidentKind.MASS_OUTAGE, 1000, 200)
    assert (members[0], sorted(members)) == ("t950", names)
    assert rig.subjects == ["[NOC] 1 outage found in data that came late (west)"]
    assert "and 999 more (west), for 30 min" in part(rig.mails[0], "plain")
    recorder.die()
    store.close()


@pytest.mark.long_only
@pytest.mark.timeout(300)
def test_what_a_journal_says_of_an_hour_ago_is_one_mail_by_recorder_and_alerter_themselves(
    mosquitto: Mosquitto, smtp_sink: SmtpSink, noc_processes: Processes, tmp_path: Path
) -> None:
    for service in ("recorder", "alerter"):
        environment = {
            "NOC_MQTT_URL": mosquitto.url(),
            "NOC_DATA": str(tmp_path),
            "NOC_SMTP_URL": smtp_sink.url,
            "NOC_MAIL_FROM": "noc@noc.test",
            "NOC_MAIL_TO": OPS,
        }
        noc_processes.service(service, environment)
    now = Time.now()
    hour = [
        SiteState(
            site="north", target=name, epoch=0, seq=seq, state=state, since=Time(now - minutes * 60_000),
            reason=f"it is {state}", at=Time(now - minutes * 60_000),
        )
        for seq, (name, state, minutes) in enumerate(
            [("shop", State.UP, 90), ("depot", State.UP, 90), ("shop", State.DOWN, 60), ("depot", State.DOWN, 50),
             ("shop", State.UP, 40), ("depot", State.UP, 30)]
        )
    ]  # fmt: skip
    with World(mosquitto.url(), ["north"]) as world:
        world.have(
            *[
                Target(id=name, name=name.title(), address="192.0.2.1", group=name, sites=["north"])
                for name in ("shop", "depot")
            ]
        )
        world.wait_for("UP")
        wait_until(lambda: "connected" in noc_processes.log("recorder"), 30, "a recorder")
        journal = Replay(site="north", epoch=0, oldest_seq=0, first_seq=0, last_seq=len(hour) - 1, states=hour)
        world.session.publish(REPLAYS, journal)
        smtp_sink.wait(1, 150, "found in data that came late")
        assert [mail.subject for mail in smtp_sink.mails] == ["[NOC] 2 outages found in data that came late (north)"]
        wait_until(lambda: len(world.ended) == 2, 10, "both, for those who listen")
        assert world.incidents == {}
    store = SqliteStore(tmp_path / "history.sqlite")
    wait_until(lambda: len(store.incidents(Time(0), now)) == 2, 10, "both among past incidents")
    store.close()


def test_a_ledger_of_before_finds_the_incidents_of_some_targets_without_reading_all(tmp_path: Path) -> None:
    older = Ladder(steps=LADDER.steps[:8], unversioned_tables=LADDER.unversioned_tables)
    member = Member(target="router", name="Router", joined_at=T0, left_at=T0, state=VerdictState.DOWN)
    over = Incident(id="i", kind="target-down", targets=["router"], members=[member], opened_at=T0, cause="x")
    with closing(open_file(tmp_path / "alerter.sqlite", older)) as connection:
        connection.execute("INSERT INTO incident (id, is_open, message) VALUES ('i', 0, ?)", (encode(over),))
        connection.execute("INSERT INTO member VALUES ('i', 'router', 0, 1, ?)", (encode(member).decode(),))
    ledger = Ledger(tmp_path / "alerter.sqlite")
    assert ledger.members_of_targets(["router", "switch"]) == [("i", "target-down", member)]
    asked = "EXPLAIN QUERY PLAN SELECT message FROM member WHERE target IN (SELECT value FROM json_each('[]'))"
    assert "member_target" in str(ledger.database.read("read", asked))
    ledger.close()
