"""The alerter on the bus: which mails people get, and which they do not."""

from __future__ import annotations

import random
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_alerter.notify.smtp import NotDelivered
from noc_bus.channels import ACKNOWLEDGEMENTS, INCIDENTS, PROBERS, SERVICES, STATES, TRACES, VERDICTS
from noc_bus.messages import (
    Acknowledgement,
    Contact,
    GoodPath,
    Hop,
    Incident,
    NotificationRoute,
    ServicePresence,
    SiteState,
    State,
    Summary,
    Target,
    Trace,
)
from noc_bus.presence import presence
from noc_bus.time import Time
from noc_rules.cases import unsaid
from tests.alerter.conftest import OPS, T0, Rig, part
from tests.alerter.test_settings import put

ALL = ("north", "south", "west")


def go_down(rig: Rig, *sites: str) -> None:
    rig.sees(State.DOWN, *(sites or ALL))
    rig.passes(2)


def seen(site: str, target: str, state: State) -> SiteState:
    return SiteState(site=site, target=target, epoch=1, seq=1, state=state, since=T0, reason="x", at=T0)


def come_up(rig: Rig) -> None:
    rig.sees(State.UP, *ALL)
    rig.passes(2)


def test_down_by_majority_opens_one_incident_and_sends_one_mail(rig: Rig) -> None:
    go_down(rig, "north", "south")
    rig.sees(State.DOWN, "west")
    rig.stays(30)
    assert rig.state() == "DOWN"
    (incident,) = rig.open
    assert (incident.kind, incident.targets) == ("target-down", ["router"])
    assert incident.evidence[0].startswith("north DOWN: 5 checks unanswered")
    assert incident.first_unanswered == {"north": incident.opened_at, "south": incident.opened_at}
    assert rig.subjects == ["[DOWN] Router (north, south) since 12:00"]
    assert [event.target for event in rig.told("target-went-down")] == ["router"]
    assert len(rig.told("incident-opened")) == 1


def test_a_mail_says_where_the_path_broke_off_and_what_came_after_that_before(rig: Rig) -> None:
    hops = [Hop(ttl=1, address="10.0.0.1", name="edge.test"), Hop(ttl=2, address="10.0.0.2")]
    broken = Trace(
        site="north", target="router", address="192.0.2.1", at=Time(rig.now + 3000), reached=False, hops=hops[:1],
        last_good=GoodPath(at=T0, address="192.0.2.1", hops=hops),
    )  # fmt: skip
    rig.others.publish(TRACES, replace(broken, site="south", at=Time(T0 - 60_000)))
    rig.others.publish(TRACES, broken)
    go_down(rig, "north", "south")
    rig.stays(30)
    come_up(rig)
    opened, resolved = rig.mails
    line = "north: the path breaks off after hop 1, edge.test (10.0.0.1); hop 2 was 10.0.0.2"
    assert line in part(opened, "plain")
    assert "south: the path" not in part(opened, "plain"), "that was another outage"
    assert "the path" not in part(resolved, "plain")


def test_a_path_that_is_traced_after_the_first_mail_is_in_the_next(rig: Rig) -> None:
    rig.target(critical=True)
    rig.target("switch")
    rig.sees(State.UP, "north", "south", "west", target="switch")
    rig.stays(10)
    for name in ("router", "switch"):
        rig.sees(State.DOWN, "north", "south", "west", target=name)
    rig.stays(10)
    hops = [Hop(ttl=1, address="10.0.0.1")]
    traced = Trace(site="north", target="router", address="192.0.2.1", at=rig.now, reached=False, hops=hops)
    rig.others.publish(TRACES, traced)
    rig.sees(State.UP, "north", "south", "west", target="switch")
    rig.stays(60)
    opened, changed = rig.mails
    assert "[1 STILL DOWN]" in str(changed["Subject"])
    assert "the path" not in part(opened, "plain")
    assert "north: the path breaks off after hop 1, 10.0.0.1" in part(changed, "plain")


def test_the_mail_of_the_recovery_is_in_the_same_thread_and_closes_the_incident(rig: Rig) -> None:
    go_down(rig)
    rig.stays(60)
    come_up(rig)
    opened, resolved = rig.mails
    assert str(resolved["Subject"]).startswith("Re: [UP after 1 min")
    assert resolved["In-Reply-To"] == resolved["References"] == opened["Message-ID"]
    assert rig.open == []
    (ended,) = rig.ended
    assert ended.resolved_at is not None
    assert ended.resolved_at > ended.opened_at
    assert len(rig.told("target-came-up")) == len(rig.told("incident-resolved")) == 1


def test_each_outage_has_an_incident_and_a_thread_of_its_own(rig: Rig) -> None:
    rig.target(flap_after=None)
    for _ in range(3):
        go_down(rig)
        come_up(rig)
    assert len({mail["Message-ID"] for mail in rig.mails}) == 6
    assert len({mail["References"] for mail in rig.mails if mail["References"]}) == 3


def test_down_from_fewer_sites_than_the_policy_asks_for_is_partial_and_mails_nobody(rig: Rig) -> None:
    go_down(rig, "north")
    assert rig.state() == "PARTIAL"
    verdict = rig.verdict()
    assert verdict is not None
    assert verdict.reason == "DOWN from north, not from south, west"
    assert (rig.mails, rig.open) == ([], [])


@pytest.mark.parametrize("why", [{"online": False}, {"isolated": True}], ids=["offline", "isolated"])
def test_a_blind_site_casts_no_vote(rig: Rig, why: dict[str, bool]) -> None:
    go_down(rig, "north")
    assert rig.state() == "PARTIAL"
    rig.prober("south", **why)
    rig.prober("west", **why)
    rig.passes(2)
    verdict = rig.verdict()
    assert verdict is not None
    assert (verdict.state, verdict.sites["south"], verdict.sites["west"]) == ("DOWN", "UNKNOWN", "UNKNOWN")
    assert "only north could see it" in verdict.reason


def test_what_nobody_can_see_is_unknown_and_mailed_as_no_outage(rig: Rig) -> None:
    rig.prober(*ALL, online=False)
    rig.passes(30)
    assert rig.state() == "UNKNOWN"
    rig.sees(State.UNKNOWN, *ALL)
    rig.prober(*ALL)
    rig.passes(2)
    assert rig.state() == "UNKNOWN"
    assert (rig.mails, rig.open) == ([], [])


def test_an_outage_that_nobody_can_see_any_more_stays_open_and_is_not_mailed_twice(rig: Rig) -> None:
    go_down(rig)
    rig.prober(*ALL, isolated=True)
    rig.passes(20)
    assert rig.state() == "UNKNOWN"
    assert len(rig.open) == 1
    rig.prober(*ALL)
    rig.passes(5)
    assert rig.state() == "DOWN"
    assert len(rig.mails) == 1


def test_a_prober_that_has_gone_silent_casts_no_vote_even_where_the_broker_told_no_last_will(rig: Rig) -> None:
    """Broker and prober lost power together; the broker came back with what was retained."""
    rig.passes(100)
    verdict = rig.verdict()
    assert verdict is not None
    assert (verdict.state, set(verdict.sites.values())) == ("UNKNOWN", {"UNKNOWN"})
    rig.prober(*ALL)
    rig.passes(2)
    assert rig.state() == "UP"


def test_probers_that_give_their_sign_of_life_are_believed_for_ever(rig: Rig) -> None:
    rig.stays(300)
    assert rig.state() == "UP"
    assert rig.told("target-changed") == []


def test_a_site_that_stays_blind_is_an_incident_of_its_own(rig: Rig) -> None:
    rig.prober("north", online=False)
    rig.stays(50)
    assert rig.open == []
    rig.stays(30)
    (incident,) = rig.open
    assert (incident.kind, incident.site) == ("site-blind", "north")
    rig.prober("north")
    rig.passes(2)
    assert rig.open == []
    assert rig.words == ["BLIND", "RECOVERED"]
    assert rig.mails[1]["References"] == rig.mails[0]["Message-ID"]


def test_a_site_gets_its_time_to_come_back_anew_after_the_broker_was_away(rig: Rig) -> None:
    rig.prober("north", online=False)
    rig.stays(40)
    rig.bus.stop()
    rig.passes(300)
    rig.bus.start()
    rig.stays(40)
    assert rig.open == []
    rig.stays(40)
    assert [one.site for one in rig.open] == ["north"]


def test_a_site_that_is_not_expected_may_be_silent(rig: Rig) -> None:
    rig.site("north", expected=False)
    rig.prober("north", online=False)
    rig.stays(120)
    assert (rig.open, rig.mails) == ([], [])


def test_a_disabled_site_casts_no_vote_whatever_it_said_last_and_that_is_no_incident(rig: Rig) -> None:
    rig.site("north", disabled=True)
    rig.passes(1)
    verdict = rig.verdict()
    assert verdict
    assert verdict.sites["north"] is State.UNKNOWN
    rig.stays(120)
    assert (rig.open, rig.mails) == ([], [])
    rig.site("north")
    rig.prober("north")
    rig.passes(2)
    verdict = rig.verdict()
    assert verdict
    assert verdict.sites["north"] is State.UP


def test_a_site_blind_again_after_it_was_not_expected_is_mailed_again(rig: Rig) -> None:
    rig.prober("north", online=False)
    rig.stays(80)
    rig.site("north", expected=False)
    rig.passes(2)
    rig.site("north")
    rig.passes(2)
    assert len(rig.open) == 1
    assert rig.words == ["BLIND", "CLOSED", "BLIND"]


def test_a_broker_that_was_wiped_is_told_everything_again_and_nothing_is_closed(rig: Rig) -> None:
    go_down(rig)
    (before,) = rig.open
    rig.wipe()
    rig.bus.start()
    rig.stays(30)
    assert rig.open == [before]
    assert rig.state() == "DOWN"
    assert len(rig.mails) == 1


def test_a_broker_wiped_while_the_alerter_was_away_has_not_removed_any_target(rig: Rig) -> None:
    rig.target("switch")
    rig.sees(State.UP, *ALL, target="switch")
    go_down(rig)
    (before,) = rig.open
    rig.die()
    rig.hub.retained.clear()
    rig.start()
    rig.passes(20)
    # Everybody comes back, in the worst order: the router's views before its definition.
    rig.prober(*ALL)
    rig.target("switch")
    rig.sees(State.UP, *ALL, target="switch")
    rig.sees(State.DOWN, *ALL)
    rig.clock_s += 0.2
    rig.alerter.tick(rig.now)
    rig.target()
    rig.stays(20)
    assert rig.open == [before]
    assert (rig.state(), len(rig.mails)) == ("DOWN", 1)
    come_up(rig)
    assert len(rig.mails) == 2


def test_a_blind_sites_incident_outlives_a_wiped_broker_and_a_restart(rig: Rig) -> None:
    rig.prober("north", online=False)
    rig.stays(80)
    (before,) = rig.open
    rig.die()
    rig.hub.retained.clear()
    rig.start()
    rig.prober("south", "west")
    rig.passes(20)
    rig.site("south")
    rig.clock_s += 0.2
    rig.alerter.tick(rig.now)
    rig.site("north")
    rig.passes(10)
    assert (rig.open, len(rig.mails)) == ([before], 1)


def test_a_removed_target_closes_its_incident_and_its_verdict_goes(rig: Rig) -> None:
    go_down(rig)
    rig.remove()
    rig.passes(2)
    assert (rig.open, rig.state()) == ([], None)
    assert rig.subjects[1].startswith("Re: [CLOSED after 3 s] Router (north, south, west) since 12:00")
    assert "the target was removed" in rig.mails[1].get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_target_removed_while_the_alerter_was_away_closes_its_incident(rig: Rig) -> None:
    rig.target("switch")
    go_down(rig)
    rig.die()
    rig.remove()
    rig.start()
    rig.passes(5)
    assert (rig.open, rig.state()) == ([], None)
    assert len(rig.mails) == 2


def test_a_target_put_back_while_still_down_is_mailed_again_as_a_new_incident(rig: Rig) -> None:
    go_down(rig)
    rig.remove()
    rig.passes(2)
    rig.target()
    rig.sees(State.DOWN, *ALL)
    rig.passes(2)
    assert len(rig.open) == 1
    assert rig.words == ["DOWN", "CLOSED", "DOWN"]


def test_a_paused_target_is_not_judged_and_its_incident_is_closed(rig: Rig) -> None:
    go_down(rig)
    rig.target(paused=True)
    rig.passes(2)
    assert (rig.state(), rig.open) == ("PAUSED", [])
    assert rig.words == ["DOWN", "CLOSED"]
    rig.sees(State.DOWN, *ALL)
    rig.passes(5)
    assert len(rig.mails) == 2


def test_an_acknowledgement_is_kept_with_the_incident_over_a_restart(rig: Rig) -> None:
    go_down(rig)
    (incident,) = rig.open
    taken_on = Acknowledgement(incident=incident.id, by="ada", at=T0, comment="on my way")
    rig.others.publish(ACKNOWLEDGEMENTS, taken_on)
    rig.passes(2)
    assert [one.acknowledged for one in rig.open] == [taken_on]
    assert [event.text for event in rig.told("incident-acknowledged")] == [f"ada acknowledged {incident.id}"]
    rig.restart()
    rig.passes(5)
    assert [one.acknowledged for one in rig.open] == [taken_on]
    assert len(rig.told("incident-acknowledged")) == 1
    come_up(rig)
    assert [one.acknowledged for one in rig.ended] == [taken_on]


@pytest.mark.thorough
def test_an_acknowledgement_expires_while_it_is_open_and_the_next_step_is_told(rig: Rig) -> None:
    boss = Contact(id="boss", name="Boss", mails=["boss@noc.test"])
    put(rig, contacts=[boss], routes=[NotificationRoute(id="up", name="Up", contacts=["boss"], after_min=5)])
    go_down(rig)
    (incident,) = rig.open
    taken_on = Acknowledgement(incident=incident.id, by="ada", at=rig.now, until=Time(rig.now + 1_200_000))
    rig.others.publish(ACKNOWLEDGEMENTS, taken_on)
    rig.stays(1100)
    assert [one.acknowledged for one in rig.open] == [taken_on]
    rig.restart()
    rig.stays(200)
    assert [one.acknowledged for one in rig.open] == [None]
    assert "boss@noc.test" not in [mail["To"] for mail in rig.mails], "nobody had it only from then on"
    assert [(mail["To"], word) for mail, word in zip(rig.mails, rig.words, strict=True)] == [
        (OPS, "DOWN"),
        (OPS, "1 STILL DOWN"),
    ], "who knows of it hears that it is still so"
    rig.stays(300)
    assert "boss@noc.test" in [mail["To"] for mail in rig.mails]
    lines = [one for one in rig.asks(incident.id).timeline if one.code == "acknowledgement-expired"]
    assert [one.text for one in lines] == ["ada had it until now"]
    come_up(rig)


def test_a_restart_in_an_open_incident_mails_nobody_twice_and_goes_on_with_it(rig: Rig) -> None:
    go_down(rig)
    (before,) = rig.open
    verdict = rig.verdict()
    for _ in range(3):
        rig.restart()
        rig.passes(5)
    assert rig.open == [before]
    assert verdict is not None
    assert (now := rig.verdict()) is not None
    assert now.since == verdict.since
    come_up(rig)
    assert rig.words == ["DOWN", "UP"]


def test_what_happened_while_the_alerter_was_away_is_judged_when_it_is_back(rig: Rig) -> None:
    rig.die()
    rig.sees(State.DOWN, *ALL)
    rig.start()
    rig.passes(2)
    assert rig.subjects == ["[DOWN] Router (north, south, west) since 12:00"]


def test_an_incident_the_broker_remembers_and_the_database_does_not_is_gone_on_with(rig: Rig) -> None:
    go_down(rig)
    (before,) = rig.open
    rig.die()
    for file in rig.folder.glob("alerter.sqlite*"):
        file.unlink()
    rig.start()
    rig.passes(5)
    assert (rig.open, len(rig.mails)) == ([before], 1)
    come_up(rig)
    assert rig.open == []
    opened, resolved = rig.mails
    assert resolved["In-Reply-To"] == opened["Message-ID"]


def test_an_incident_of_a_target_removed_while_the_database_was_lost_is_closed(rig: Rig) -> None:
    rig.target("switch")
    go_down(rig)
    rig.die()
    for file in rig.folder.glob("alerter.sqlite*"):
        file.unlink()
    rig.remove()
    rig.start()
    rig.passes(5)
    assert rig.open == []


def test_an_incident_never_ends_before_it_began(rig: Rig) -> None:
    """The broker forgot, and what a site says since when lies before the outage."""
    go_down(rig)
    (before,) = rig.open
    rig.die()
    rig.hub.retained.clear()
    later, rig.now = rig.now, T0
    rig.prober(*ALL)
    rig.target()
    rig.sees(State.UP, *ALL)
    rig.now = later
    rig.start()
    rig.stays(20)
    assert [one.resolved_at for one in rig.ended] == [before.opened_at]


def test_an_end_that_was_kept_but_not_told_is_told_after_the_restart_and_not_undone(rig: Rig) -> None:
    """Killed between the database and the broker: the broker still has the incident as open."""
    rig.target(flap_after=None)
    go_down(rig)
    (before,) = rig.open
    come_up(rig)
    rig.die()
    rig.others.publish(INCIDENTS, before)
    rig.sees(State.DOWN, *ALL)
    rig.start()
    rig.passes(5)
    (now,) = rig.open
    assert now.id != before.id
    assert rig.ended[-1].id == before.id
    assert rig.words == ["DOWN", "UP", "DOWN"]


def test_a_recorder_that_was_away_is_told_again_what_ended(rig: Rig) -> None:
    go_down(rig)
    come_up(rig)
    assert len(rig.ended) == 1
    rig.others.publish(SERVICES, presence("recorder", rig.now, {}))
    rig.passes(2)
    assert [one.id for one in rig.ended] == [rig.ended[0].id] * 2


def test_a_recorder_that_lost_the_broker_with_us_is_told_again_once_it_is_heard(rig: Rig) -> None:
    def sign_of_life(seconds: int) -> ServicePresence:
        at = T0 + 1000 * seconds
        return ServicePresence(service="recorder", online=True, since=T0, at=type(T0)(at))

    rig.others.publish(SERVICES, sign_of_life(0))
    go_down(rig)
    come_up(rig)
    rig.bus.stop()
    rig.bus.start()
    rig.passes(5)
    told = len(rig.ended)
    rig.others.publish(SERVICES, sign_of_life(10))
    rig.others.publish(SERVICES, sign_of_life(20))
    rig.passes(5)
    assert len(rig.ended) == told + 1


def test_a_target_and_a_site_that_were_deleted_while_the_broker_was_out_of_reach_leave_no_incident(rig: Rig) -> None:
    rig.target("switch")
    rig.sees(State.UP, *ALL, target="switch")
    rig.site("east")
    go_down(rig)
    rig.stays(70)
    assert sorted(one.kind for one in rig.open) == ["site-blind", "target-down"]
    rig.bus.stop()
    rig.remove()
    rig.sites.remove("east")
    rig.bus.start()
    rig.stays(20)
    assert (rig.open, rig.verdict(), rig.state("switch")) == ([], None, "UP")
    assert [one.partition(" after")[0] for one in rig.subjects[2:]] == ["Re: [CLOSED"]


def test_a_broker_that_came_back_with_nothing_has_removed_nothing(rig: Rig) -> None:
    rig.target("switch")
    go_down(rig)
    rig.bus.stop()
    rig.hub.retained.clear()
    rig.bus.start()
    rig.stays(60)
    rig.prober(*ALL)
    rig.target("switch")
    rig.passes(5)
    rig.target()
    for site in ALL:
        rig.site(site)
    rig.stays(60)
    assert (len(rig.open), len(rig.mails)) == (1, 1)


def test_contacts_of_the_target_are_told_instead_of_everybody(rig: Rig) -> None:
    rig.target(contacts=["ada@noc.test", "bob@noc.test", "ada@noc.test"])
    go_down(rig)
    come_up(rig)
    assert [str(mail["To"]) for mail in rig.mails] == ["ada@noc.test", "bob@noc.test"] * 2


def test_a_contact_that_is_no_address_is_left_out_and_the_alerter_lives(rig: Rig) -> None:
    rig.target(contacts=["ada@noc.test\r\nBcc: eve@evil.test", "ümlaut@noc.test", "bob@noc.test"])
    go_down(rig)
    assert [str(mail["To"]) for mail in rig.mails] == ["bob@noc.test"]
    rig.target("switch", contacts=["nobody"])
    rig.sees(State.DOWN, *ALL, target="switch")
    rig.passes(2)
    assert str(rig.mails[1]["To"]) == OPS


def test_without_a_mail_server_incidents_are_kept_and_shown_and_nobody_is_mailed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.target()
    rig.prober("north")
    rig.sees(State.DOWN, "north")
    rig.start(mailing=False)
    assert (len(rig.open), rig.mails) == (1, [])
    assert rig.presence().figures["open_incidents"] == 1
    rig.sees(State.UP, "north")
    rig.passes(2)
    assert rig.open == []
    rig.die()


def test_a_mail_server_that_was_away_gets_each_mail_once(rig: Rig) -> None:
    rig.server_trouble = NotDelivered("connection refused", can_retry=True)
    go_down(rig)
    rig.stays(60)
    assert rig.presence().figures["mails_queued"] == 1
    assert "mail.test:25 did not take a mail to ops@noc.test: connection refused" in (rig.presence().trouble or "")
    assert rig.presence().template_faults == []
    rig.alerter.template_faults = lambda: ["opened.txt: it is not UTF-8"] * 30
    rig.alerter.announce()
    assert rig.presence().template_faults == ["opened.txt: it is not UTF-8"] * 20
    rig.server_trouble = None
    rig.stays(120)
    assert rig.subjects == ["[DOWN] Router (north, south, west) since 12:00"]
    assert (rig.presence().trouble, rig.presence().figures["mails_sent"]) == (None, 1)


def test_an_outage_that_was_over_before_the_mail_server_came_back_is_one_mail_that_tells_both(rig: Rig) -> None:
    rig.server_trouble = NotDelivered("connection refused", can_retry=True)
    go_down(rig)
    rig.stays(60)
    come_up(rig)
    rig.server_trouble = None
    rig.stays(120)
    (subject,) = rig.subjects
    assert subject.startswith("Re: [UP after")


def test_a_database_that_cannot_be_written_stops_nothing_for_good(rig: Rig) -> None:
    """A lock held by somebody else stands for every way the file can refuse."""
    with sqlite3.connect(rig.folder / "alerter.sqlite") as other:
        rig.ledger.database.connection().execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        rig.sees(State.DOWN, *ALL)
        rig.clock_s += 1
        rig.alerter.tick(rig.now)
        assert (rig.open, rig.mails) == ([], [])
        assert "incidents cannot be kept: cannot write" in (rig.presence().trouble or "")
        other.execute("ROLLBACK")
    other.close()
    rig.passes(3)
    assert len(rig.open) == len(rig.mails) == 1
    assert rig.presence().trouble is None


def test_its_closing_message_says_that_it_is_gone(rig: Rig) -> None:
    assert rig.presence().online
    rig.alerter.say_goodbye()
    assert [one.online for one in rig.hub.now(SERVICES) if one.service == "alerter"] == [False]


# -- the kinds of faults seen in the field


def test_old_words_are_not_counted_as_new_when_two_of_three_sites_come_back(rig: Rig) -> None:
    """Twelve targets went down while two sites were cut off, which saw it and could not say it."""
    names = [f"t{number}" for number in range(12)]
    for name in names:
        rig.target(name, group=name)
        rig.sees(State.UP, *ALL, target=name)
    rig.prober(*ALL)
    rig.passes(2)
    rig.cut("south", "west")
    for name in names:
        rig.sees(State.DOWN, *ALL, target=name)
    rig.passes(5)
    assert {rig.state(name) for name in names} == {"DOWN"}
    assert len(rig.mails) == 12
    rig.back("south", "west")
    rig.stays(30)
    verdict = rig.verdict("t0")
    assert verdict is not None
    assert verdict.sites == dict.fromkeys(ALL, State.DOWN)
    assert (len(rig.mails), rig.told("target-came-up"), rig.told("target-changed")) == (12, [], [])


def test_an_outage_that_two_sites_slept_through_is_closed_once_they_have_caught_up(rig: Rig) -> None:
    go_down(rig)
    rig.cut("south", "west")
    rig.sees(State.UP, "south", "west")
    rig.passes(5)
    rig.back("south", "west")
    rig.stays(20)
    assert rig.words == ["DOWN", "PARTIAL"]


def test_a_site_that_never_catches_up_is_an_incident_and_casts_no_vote(rig: Rig) -> None:
    """What is retained of its states is not what it says it has, for good."""
    rig.cut("north")
    rig.passes(2)
    rig.others.publish(STATES, replace(rig.of("north").now["north", "router"], rev=2**50))
    rig.passes(20)
    rig.prober("north")
    rig.stays(280)
    assert (list(rig.open), rig.mails) == ([], []), "perhaps only we have not heard it"
    rig.stays(40)
    (incident,) = rig.open
    assert (incident.kind, incident.site, incident.code) == ("site-blind", "north", "catching-up")
    verdict = rig.verdict()
    assert verdict is not None
    assert verdict.sites["north"] is State.UNKNOWN


def test_that_we_lack_some_of_what_a_site_says_is_no_time_in_which_it_was_away(rig: Rig) -> None:
    rig.cut("north")
    rig.passes(2)
    rig.others.publish(STATES, replace(rig.of("north").now["north", "router"], rev=2**50))
    rig.prober("north")
    rig.stays(100)
    rig.prober("north", online=False)
    rig.stays(40)
    assert (list(rig.open), rig.mails) == ([], []), "2 s and 40 s away"
    rig.prober("north")
    rig.stays(20)
    rig.prober("north", online=False)
    rig.stays(30)
    (incident,) = rig.open
    assert (incident.kind, incident.site, incident.code) == ("site-blind", "north", "offline")


def test_a_site_that_runs_but_cannot_measure_casts_no_vote_and_is_an_incident_at_once(rig: Rig) -> None:
    rig.prober("north", overloaded=True, coverage_pct=30)
    rig.sees(State.DOWN, "north")
    rig.passes(3)
    assert rig.state() == "UP"
    (incident,) = rig.open
    assert (incident.kind, incident.site, incident.code) == ("site-blind", "north", "overloaded")
    rig.prober("north")
    rig.passes(3)
    assert rig.open == []
    assert rig.words == ["BLIND", "RECOVERED"]
    assert "overloaded" in part(rig.mails[0], "plain")


def test_the_middle_loses_its_broker_is_one_incident_and_one_mail_that_need_no_broker(rig: Rig) -> None:
    rig.bus.stop()
    rig.passes(50)
    assert rig.mails == []
    rig.passes(300)
    assert rig.words == ["NO BROKER"]
    assert "mqtt://broker.test" in part(rig.mails[0], "plain")
    rig.bus.start()
    rig.stays(20)
    assert rig.words == ["NO BROKER", "RECOVERED"]
    assert rig.open == []
    assert [one.kind for one in rig.ended] == ["broker-lost"]
    assert rig.state() == "UP"


def test_a_broker_that_comes_back_before_the_probers_do_changes_no_verdict(rig: Rig) -> None:
    """They come back one after the other, some seconds later than we do."""
    rig.bus.stop()
    rig.cut(*ALL)
    rig.hub.retained.clear()
    rig.passes(50)
    rig.bus.start()
    rig.web()
    rig.passes(8)
    for site in ALL:
        rig.back(site)
        rig.passes(2)
    rig.stays(20)
    assert (rig.state(), rig.told("target-changed"), rig.told("target-came-up")) == ("UP", [], [])


def test_the_middle_loses_its_broker_while_it_was_paused_itself_is_no_incident(rig: Rig) -> None:
    rig.bus.stop()
    rig.passes(30)
    rig.clock_s += 500
    rig.now = Time(rig.now + 500_000)
    rig.passes(50)
    assert rig.mails == []


def test_an_incident_about_the_broker_outlives_a_restart_and_is_mailed_once(rig: Rig) -> None:
    rig.bus.stop()
    rig.passes(100)
    rig.ledger.close()
    rig.start()
    rig.stays(20)
    assert rig.words == ["NO BROKER", "RECOVERED"]


def test_a_name_that_no_site_can_resolve_is_an_incident_of_its_own_after_ten_minutes(rig: Rig) -> None:
    rig.target("shop", address="shop.example")
    rig.sees(State.UNKNOWN, *ALL, target="shop", code="no-address")
    rig.prober(*ALL)
    rig.stays(570)
    assert (rig.open, rig.state("shop")) == ([], "UNKNOWN")
    rig.stays(40)
    (incident,) = rig.open
    assert (incident.kind, incident.code, incident.targets) == ("target-unresolvable", "no-address", ["shop"])
    assert incident.cause == "shop.example cannot be resolved from any site"
    rig.sees(State.UP, *ALL, target="shop")
    rig.passes(3)
    assert rig.open == []
    assert rig.words == ["UNRESOLVABLE", "UP"]


def test_a_name_that_no_site_can_resolve_is_waited_for_over_a_restart(rig: Rig) -> None:
    rig.target("shop", address="shop.example")
    rig.sees(State.UNKNOWN, *ALL, target="shop", code="no-address")
    rig.prober(*ALL)
    rig.stays(500)
    rig.restart()
    rig.stays(150)
    assert [one.kind for one in rig.open] == ["target-unresolvable"]


def test_a_name_that_one_site_can_resolve_is_no_incident(rig: Rig) -> None:
    rig.target("shop", address="shop.example")
    rig.sees(State.UNKNOWN, "north", "south", target="shop", code="no-address")
    rig.sees(State.UP, "west", target="shop")
    rig.prober(*ALL)
    rig.stays(700)
    assert (rig.open, rig.state("shop")) == ([], "UP")


def test_two_probers_with_one_site_name_are_one_incident_that_names_both_hosts(rig: Rig) -> None:
    rig.prober("north", host="one.example", rival="two.example")
    rig.stays(30)
    (incident,) = rig.open
    assert (incident.kind, incident.code, incident.site) == ("duplicate", "duplicate-site", "north")
    assert incident.evidence == ["one.example", "two.example"]
    rig.prober("north", host="one.example")
    rig.stays(20)
    assert (rig.open, rig.words) == ([], ["DUPLICATE", "RECOVERED"])
    assert rig.state() == "UP"


def test_of_two_alerters_the_later_one_keeps_silent_and_the_other_tells_of_both(rig: Rig, tmp_path: Path) -> None:
    rig.stays(20)
    other = Rig(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.hub, other.now, other.clock_s = rig.hub, rig.now, rig.clock_s
    other.start()
    for _ in range(50):
        rig.web()
        rig.prober(*ALL)
        rig.passes(1)
        other.now, other.clock_s = rig.now, rig.clock_s
        other.alerter.tick(other.now)
    (incident,) = rig.open
    assert (incident.kind, incident.code) == ("duplicate", "duplicate-service")
    go_down(rig)
    other.passes(2)
    assert (rig.words, other.mails) == (["DUPLICATE", "DOWN"], [])
    other.die()


def test_a_start_after_a_power_cut_is_no_second_alerter(rig: Rig) -> None:
    """Broker and alerter died together: the last presence is retained, and no will was published."""
    rig.stays(20)
    rig.bus.stop()
    rig.ledger.close()
    rig.start()
    rig.stays(60)
    go_down(rig)
    assert rig.words == ["DOWN"]


def test_a_deleted_site_is_no_incident_and_no_mail(rig: Rig) -> None:
    rig.prober("north", online=False)
    rig.stays(80)
    assert rig.words == ["BLIND"]
    rig.sites.remove("north")
    rig.web()
    rig.others.clear(PROBERS, site="north")
    del rig.presences["north"]
    rig.stays(100)
    assert (rig.open, rig.words) == ([], ["BLIND"])
    verdict = rig.verdict()
    assert verdict is not None
    assert set(verdict.sites) == {"south", "west"}
    rig.restart()
    rig.stays(100)
    assert (rig.open, rig.words) == ([], ["BLIND"])
    rig.prober("north")
    rig.stays(20)
    assert rig.open == []


def test_an_incident_says_what_it_was_about_when_it_opened_whatever_is_edited_or_deleted(rig: Rig) -> None:
    rig.target("shop", name="Web shop Berlin", address="10.64.7.1", group="shops")
    rig.sees(State.DOWN, *ALL, target="shop")
    rig.prober(*ALL)
    rig.passes(3)
    rig.target("shop", name="Outlet", address="10.64.7.9", group="elsewhere")
    rig.passes(3)
    rig.remove("shop")
    rig.passes(3)
    opened, closed = rig.mails
    assert opened["Subject"] == "[DOWN] Web shop Berlin (north, south, west) since 12:00"
    assert str(closed["Subject"]).startswith("Re: [CLOSED after ")
    assert str(closed["Subject"]).endswith("] Web shop Berlin (north, south, west) since 12:00")
    assert [one.members[0].group for one in rig.ended] == ["shops"]


def test_a_contact_added_during_an_outage_is_told_of_its_end(rig: Rig) -> None:
    rig.target(contacts=["ada@noc.test"])
    go_down(rig)
    rig.target(contacts=["ada@noc.test", "bob@noc.test"])
    come_up(rig)
    assert [str(mail["To"]) for mail in rig.mails] == ["ada@noc.test", "ada@noc.test", "bob@noc.test"]


def test_children_before_parents_open_no_incident_of_their_own(rig: Rig) -> None:
    for name, parents in (("core", []), ("switch", ["core"]), ("host", ["switch"])):
        rig.target(name, parents=parents)
        rig.sees(State.UP, *ALL, target=name)
    rig.prober(*ALL)
    rig.passes(2)
    for name in ("host", "switch", "core"):
        rig.sees(State.DOWN, *ALL, target=name)
    rig.passes(2)
    assert [one.targets for one in rig.open] == [["core", "host", "switch"]]
    assert (rig.state("switch"), rig.state("host")) == ("UNREACHABLE", "UNREACHABLE")


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Rig]:
    """One that gathers for fifteen seconds: a router with 200 children behind it, and other targets."""
    rig = Rig(tmp_path)
    rig.wait_s = 15
    rig.site("north")
    rig.target()
    for name in CHILDREN:
        rig.targets.put(Target(id=name, name=name.title(), address="192.0.2.1", parents=["router"], group=name))
    for name in OTHERS:
        rig.targets.put(Target(id=name, name=name, address="192.0.2.1", group="others"))
    sees_all(rig, State.UP, "router", *CHILDREN, *OTHERS)
    rig.web()
    rig.start()
    yield rig
    rig.die()


CHILDREN = tuple(f"child-{number}" for number in range(200))
OTHERS = tuple(f"other-{number}" for number in range(5))


def sees_all(rig: Rig, state: State, *names: str) -> None:
    for name in names:
        rig.of("north").put(replace(seen("north", name, state), since=rig.now, at=rig.now))
    rig.prober("north")


@pytest.mark.thorough
def test_a_router_cut_with_its_children_is_one_mail_that_lists_them_and_one_that_names_who_stays_dead(
    waiting: Rig,
) -> None:
    rig = waiting
    for start in range(0, 200, 50):
        sees_all(rig, State.DOWN, *CHILDREN[start : start + 50])
        rig.passes(1)
    sees_all(rig, State.DOWN, "router")
    rig.stays(60)
    assert rig.subjects == ["[DOWN] Router and 200 more (north) since 12:00"]
    text = part(rig.mails[0], "plain")
    assert "201 targets:" in text
    assert "- and 181 more" in text
    incident = next(one for one in rig.open)
    assert (incident.total_members, incident.open_members, len(incident.members)) == (201, 201, 200)
    assert rig.state("child-7") == "UNREACHABLE"
    sees_all(rig, State.UP, "router", *CHILDREN[3:])
    rig.stays(40)
    assert rig.subjects[1:] == ["Re: [3 STILL DOWN] Router and 200 more (north) since 12:00"]
    assert "198 of its targets are back" in part(rig.mails[1], "plain")
    for name in CHILDREN[:3]:
        assert f"- {name.title()} " in part(rig.mails[1], "plain")
    sees_all(rig, State.UP, *CHILDREN[:3])
    rig.stays(60)
    assert rig.words[2:] == ["UP"]
    assert {mail["References"] for mail in rig.mails[1:]} == {rig.mails[0]["Message-ID"]}
    assert rig.open == []


def flip(rig: Rig, times: int) -> None:
    for _ in range(times):
        rig.sees(State.UP if rig.state() == "DOWN" else State.DOWN, *ALL)
        rig.stays(10)


@pytest.mark.parametrize("dies_after", [None, 0, 3, 5])
@pytest.mark.thorough
def test_one_that_flaps_is_mailed_as_that_and_once_more_when_it_is_calm(rig: Rig, dies_after: int | None) -> None:
    """Also where the alerter dies meanwhile: it goes on counting."""
    for change in range(6):
        flip(rig, 1)
        if change == dies_after:
            rig.restart()
    assert rig.words == ["DOWN", "UP"], "that is enough for half an hour, but for what lasts"
    (incident,) = rig.open
    assert incident.members[0].flapping
    for _ in range(36):
        flip(rig, 1)
        rig.stays(40)
    assert rig.words in (["DOWN", "UP", "DOWN, FLAPPING"], ["DOWN", "UP", "UP, FLAPPING"])
    rig.restart()
    rig.stays(1900)
    assert (rig.words[3:], rig.open) == (["UP"], [])
    codes = [one.code for one in rig.asks(incident.id).timeline]
    assert [one for one in codes if "flapping" in one] == ["started-flapping", "stopped-flapping"]


def test_one_switch_has_only_critical_targets_mailed_and_the_incident_says_why_not(rig: Rig) -> None:
    for is_critical in (False, True):
        rig.target(mail_only_critical=True, critical=is_critical, flap_after=None)
        go_down(rig)
        (incident,) = rig.open
        come_up(rig)
        not_mailed = [one.text for one in rig.asks(incident.id).timeline if one.code == "nobody-told"]
        assert bool(not_mailed) == (not is_critical)
    assert rig.words == ["DOWN", "UP"]


@pytest.mark.thorough
@pytest.mark.parametrize("how", [{"online": False}, {"isolated": True}, {"overloaded": True}], ids=str)
def test_a_prober_that_is_unplugged_isolated_or_overloaded_is_one_mail_about_its_site_and_none_about_its_targets(
    waiting: Rig, how: dict[str, bool]
) -> None:
    """Also where it called many of them DOWN a moment before."""
    rig = waiting
    sees_all(rig, State.DOWN, *CHILDREN[:50])
    rig.passes(3)
    if how == {"online": False}:
        rig.cut("north")
    else:
        rig.prober("north", **how)
    rig.stays(120)
    assert rig.words == ["BLIND"]
    assert {rig.state(name) for name in CHILDREN} == {"UNKNOWN"}
    sees_all(rig, State.UP, *CHILDREN[:50])
    if how == {"online": False}:
        rig.back("north")
    else:
        rig.prober("north")
    rig.stays(30)
    assert rig.words == ["BLIND", "RECOVERED"]
    assert rig.open == []


def story(folder: Path, again: Callable[[Rig], None]) -> list[object]:
    """Outages of three targets, and what came of them; `again` after each step."""
    folder.mkdir()
    rig = Rig(folder)
    for name in ("router", "shop", "mail"):
        rig.target(name, group=name, flap_after=None, parents=["router"] if name == "shop" else [])
    for site in ALL:
        rig.site(site)
    for name in ("router", "shop", "mail"):
        rig.sees(State.UP, *ALL, target=name)
    rig.prober(*ALL)
    rig.start()
    draw = random.Random(11)
    for _ in range(60):
        rig.sees(draw.choice([State.UP, State.DOWN]), draw.choice(ALL), target=draw.choice(["router", "shop", "mail"]))
        again(rig)
        rig.passes(draw.randint(1, 3))
        again(rig)
        for one in list(rig.presences.values()):
            rig.speaks(one)
        rig.web()
    for name in ("router", "shop", "mail"):
        rig.sees(State.UP, *ALL, target=name)
    rig.stays(20)
    assert rig.open == []
    assert len(rig.mails) > 5
    told: list[object] = [rig.subjects, [str(one["Message-ID"]) for one in rig.mails]]
    told += [[(one.id, one.code, one.opened_at, one.resolved_at, one.evidence) for one in rig.ended]]
    rig.die()
    return told


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_messages_that_come_twice_and_out_of_order_change_neither_an_incident_nor_a_mail(
    tmp_path: Path, seed: int
) -> None:
    """Three of ten come once more, up to twenty messages late."""
    draw = random.Random(seed)

    def again(rig: Rig) -> None:
        late = [
            (topic, content) for topic, content in rig.hub.sent[-20:] if "/states/" in topic or "/targets/" in topic
        ]
        for topic, content in draw.sample(late, round(0.3 * len(late))):
            rig.bus.receive(topic, content, retained=False)

    clean = story(tmp_path / "clean", lambda rig: None)
    assert story(tmp_path / "noisy", again) == clean


def test_all_that_is_kept_of_an_incident_can_be_asked_for_open_or_over(waiting: Rig) -> None:
    rig = waiting
    rig.target("child-7", parents=["router"], critical=True)
    rig.passes(2)
    sees_all(rig, State.DOWN, *CHILDREN[:100], "router", *CHILDREN[100:])
    rig.stays(30)
    (incident,) = rig.open
    first, second = rig.asks(incident.id, limit=150), rig.asks(incident.id, offset=150)
    assert [one.target for one in first.members[:2]] == ["child-7", "router"]
    assert {one.target for one in (*first.members, *second.members)} == {"router", *CHILDREN}
    assert (len(first.members), len(second.members)) == (150, 51)
    assert [one.code for one in first.timeline][:2] == ["target-went-down", "behind-parent"]
    assert first.timeline[1].text.startswith("200 targets: ")
    assert [(one.to, one.about, one.state) for one in first.mails] == [(OPS, "opened", "sent")]
    sees_all(rig, State.UP, "router", *CHILDREN)
    rig.stays(30)
    over = rig.asks(incident.id)
    assert over.incident is not None
    assert (over.incident.resolved_at is None, len(over.members)) == (False, 200)
    assert [one.about for one in over.mails] == ["opened", "resolved"]
    assert rig.asks("unheard-of").incident is None


def test_ten_targets_of_one_group_are_one_mail_and_one_when_the_last_is_back(waiting: Rig) -> None:
    rig = waiting
    for name in OTHERS:
        sees_all(rig, State.DOWN, name)
        rig.passes(1)
    rig.stays(20)
    assert rig.subjects == ["[DOWN] other-0 and 4 more (north) since 12:00"]
    for name in OTHERS:
        sees_all(rig, State.UP, name)
        rig.passes(3)
    rig.stays(60)
    assert rig.words == ["DOWN", "UP"]


def test_an_alerter_that_dies_while_others_may_join_mails_once_when_it_is_back(waiting: Rig) -> None:
    rig = waiting
    sees_all(rig, State.DOWN, *OTHERS)
    rig.passes(3)
    assert rig.mails == []
    rig.restart()
    rig.stays(30)
    assert rig.words == ["DOWN"]
    assert "5 targets:" in part(rig.mails[0], "plain")
    rig.restart()
    rig.stays(30)
    sees_all(rig, State.UP, *OTHERS[:2])
    rig.stays(40)
    assert rig.words == ["DOWN", "3 STILL DOWN"]
    sees_all(rig, State.UP, *OTHERS)
    rig.stays(10)
    assert (rig.words, rig.open) == (["DOWN", "3 STILL DOWN", "UP"], [])


def test_everybody_who_is_told_of_a_member_is_told_of_the_incident_and_of_its_end(waiting: Rig) -> None:
    rig = waiting
    for place, name in enumerate(OTHERS[:3]):
        rig.target(name, group="others", contacts=[f"owner-{place}@noc.test"])
    rig.passes(2)
    sees_all(rig, State.DOWN, *OTHERS[:3])
    rig.stays(20)
    owners = {f"owner-{place}@noc.test" for place in range(3)}
    assert ({mail["To"] for mail in rig.mails}, len(rig.mails)) == (owners, 3)
    sees_all(rig, State.UP, *OTHERS[:3])
    rig.stays(10)
    assert ({mail["To"] for mail in rig.mails[3:]}, len(rig.mails)) == (owners, 6)


@pytest.mark.thorough
def test_a_mass_of_changes_is_worked_through_in_slices_between_which_others_are_looked_after(rig: Rig) -> None:
    names = [f"t{number}" for number in range(1500)]
    for name in names:
        rig.targets.put(Target(id=name, name=name, address="192.0.2.1"))
        for site in ALL:
            rig.of(site).put(seen(site, name, State.DOWN))
    rig.web()
    rig.prober(*ALL)
    opened = []
    for _ in range(6):
        rig.clock_s += 1
        rig.alerter.tick(rig.now)
        opened.append(rig.open[0].total_members)
        if len(opened) == 1:
            acknowledged = Acknowledgement(incident=rig.open[0].id, by="ada", at=T0)
            rig.others.publish(ACKNOWLEDGEMENTS, acknowledged)
        if len(opened) == 2:
            assert acknowledged in [one.acknowledged for one in rig.open]
            assert rig.alerter.is_busy
    assert opened == sorted(opened)
    assert 0 < opened[0] <= 500
    assert (opened[-1], rig.alerter.is_busy) == (1500, False)


@pytest.mark.parametrize("word", ["x", "UP again", "the target was removed"])
def test_no_decision_looks_into_a_sentence(tmp_path: Path, word: str) -> None:
    rig = Rig(tmp_path)
    rig.reason = word
    rig.target()
    for site in ALL:
        rig.site(site)
    rig.sees(State.UP, *ALL)
    rig.prober(*ALL)
    rig.start()
    go_down(rig)
    rig.target(paused=True)
    rig.passes(2)
    rig.target()
    rig.passes(2)
    come_up(rig)
    assert rig.words == ["DOWN", "CLOSED", "DOWN", "UP"]
    assert [one.code for one in rig.ended] == ["down", "down"]
    rig.die()


def test_an_incident_from_a_newer_version_is_survived_and_closed_as_its_target_recovers(rig: Rig) -> None:
    strange = Incident(id="new", kind="meteor-strike", targets=["router"], opened_at=T0, cause="x", code="unheard-of")
    nothing = Incident(id="odd", kind="sunspots", targets=[], opened_at=T0, cause="x")
    rig.sees(State.DOWN, *ALL)
    rig.die()
    rig.others.publish(INCIDENTS, strange)
    rig.others.publish(INCIDENTS, nothing)
    rig.start()
    rig.stays(20)
    assert [one.id for one in rig.open] == ["new"]
    come_up(rig)
    assert (rig.open, rig.words) == ([], ["UP"])


def test_where_no_mail_is_set_up_its_presence_says_so_by_a_code(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.start(mailing=False)
    assert (rig.presence().code, rig.presence().trouble) == ("no-mail", None)
    rig.die()


def test_its_presence_says_who_it_is_and_what_it_has_retained(rig: Rig) -> None:
    go_down(rig)
    presence = rig.presence()
    assert (presence.instance, presence.host) == (rig.bus.instance, socket.gethostname())
    assert presence.retained is not None
    retained = {
        "verdicts": [one.rev or 0 for one in rig.hub.now(VERDICTS)],
        "incidents": [one.rev or 0 for one in rig.hub.now(INCIDENTS)],
    }
    assert presence.retained == {
        name: Summary(count=len(revs), rev_sum=sum(revs) % 2**53) for name, revs in retained.items()
    }


def test_what_was_given_up_is_seen_when_somebody_acknowledges_its_incident(rig: Rig) -> None:
    rig.server_trouble = NotDelivered("550 5.1.1 no such user", can_retry=False)
    go_down(rig)
    assert rig.presence().code == "mail-given-up"
    assert rig.presence().figures["mails_given_up_unseen"] == 1
    (incident,) = rig.open
    rig.others.publish(ACKNOWLEDGEMENTS, Acknowledgement(incident=incident.id, by="ada", at=T0))
    rig.passes(2)
    assert (rig.presence().code, rig.presence().trouble) == (None, None)


def test_an_alerter_that_dies_while_a_change_waits_tells_it_when_it_is_back(waiting: Rig) -> None:
    rig = waiting
    sees_all(rig, State.DOWN, *OTHERS)
    rig.stays(30)
    sees_all(rig, State.UP, *OTHERS[:2])
    rig.passes(3)
    assert rig.words == ["DOWN"]
    rig.restart()
    rig.stays(60)
    assert rig.words == ["DOWN", "3 STILL DOWN"]


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_whatever_goes_and_returns_people_know_in_the_end_how_it_is_over_restarts_and_acknowledgements(
    tmp_path: Path, is_long: bool
) -> None:
    for seed in range(25) if is_long else (0, 14):
        draw = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        rig = Rig(folder)
        rig.wait_s = 15
        rig.site("north")
        for name in OTHERS:
            parents = [OTHERS[0]] if name == OTHERS[1] else []
            rig.target(name, group=draw.choice("gh"), critical=name == OTHERS[2], parents=parents)
        sees_all(rig, State.UP, *OTHERS)
        rig.start()
        for _ in range(14):
            match draw.choice(("sees", "sees", "sees", "restart", "acknowledge")):
                case "sees":
                    chosen = draw.sample(OTHERS, draw.randint(1, 4))
                    sees_all(rig, draw.choice((State.UP, State.DOWN, State.DOWN)), *chosen)
                case "restart":
                    rig.restart()
                case "acknowledge":
                    _acknowledge_all(rig, withdrawn=draw.random() < 0.4)
            _lets_pass(rig, draw.choice((1, 3, 10, 20, 40, 100)))
        _acknowledge_all(rig, withdrawn=True)
        # Longer than what changes often is waited for.
        _lets_pass(rig, 3700)
        known = [(one.is_told, one.told - one.open, unsaid(one)) for one in rig.ledger.open_cases()]
        assert known == [(True, set(), [])] * len(known), seed
        rig.die()


def _acknowledge_all(rig: Rig, *, withdrawn: bool) -> None:
    for one in rig.open:
        said = Acknowledgement(incident=one.id, by="ada", at=rig.now, withdrawn=withdrawn)
        rig.others.publish(ACKNOWLEDGEMENTS, said)


def _lets_pass(rig: Rig, seconds: float) -> None:
    """The site is there all the time."""
    end_s = rig.clock_s + seconds
    while rig.clock_s < end_s:
        rig.passes(min(20.0, end_s - rig.clock_s))
        rig.prober("north")
        rig.web()
