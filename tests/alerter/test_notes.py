"""What people write of incidents: comments and a post-mortem, of open ones and of those that are over."""

from __future__ import annotations

from pathlib import Path

import pytest

from noc_alerter.ledger import Ledger
from noc_alerter.notes import Notes
from noc_alerter.schema import LADDER
from noc_bus.channels import ACKNOWLEDGEMENTS, INCIDENT_ANSWERS, INCIDENT_NOTES, INCIDENTS
from noc_bus.messages import Acknowledgement, IncidentNote, PostMortem, State, TimelineEntry
from noc_bus.time import Time
from noc_frame.sqlite import Database, DatabaseFault, Ladder
from tests.alerter.conftest import T0, Rig, entry, part
from tests.alerter.test_alerter import go_down
from tests.web.facts import incident as made


def comments(rig: Rig, incident: str) -> list[tuple[str | None, str]]:
    return [(one.by, one.text) for one in rig.asks(incident).timeline if one.code == "commented"]


def test_a_comment_is_a_line_of_the_timeline_while_it_is_open_and_after_over_a_restart(rig: Rig) -> None:
    go_down(rig)
    (incident,) = rig.open
    assert rig.writes(incident.id, "the power is gone").incident is not None
    assert rig.open[0].noted_at == rig.now, "whoever shows it sees that there is more to ask for"
    assert [(one.incident, one.text) for one in rig.told("incident-noted")] == [
        (incident.id, f"ada commented on {incident.id}")
    ]
    rig.restart()
    rig.sees(State.UP, "north", "south", "west")
    rig.stays(60)
    assert rig.open == []
    assert rig.ended[-1].noted_at is not None
    assert rig.writes(incident.id, "it was the cleaner", by="bob").incident is not None
    assert comments(rig, incident.id) == [("ada", "the power is gone"), ("bob", "it was the cleaner")]
    assert [one.by for one in rig.asks(incident.id).timeline if one.code != "commented"].count(None) > 1
    assert rig.hub.now(INCIDENTS) == [], "one that is over is not retained again"
    again = rig.ended[-1]
    assert (again.id, again.noted_at) == (incident.id, rig.now), "whoever shows it, and the history, hear of it"
    assert [(one.by, one.text) for one in again.comments] == [
        ("ada", "the power is gone"),
        ("bob", "it was the cleaner"),
    ]


def test_its_message_has_the_latest_comments_and_so_have_the_mail_and_the_post_of_its_end(rig: Rig) -> None:
    go_down(rig)
    (incident,) = rig.open
    for number in range(12):
        rig.writes(incident.id, f"step {number}\n<b>done</b>")
    taken = Acknowledgement(incident=incident.id, by="carla", at=rig.now, comment="I have it")
    rig.others.publish(ACKNOWLEDGEMENTS, taken)
    rig.passes(5)
    assert len(rig.mails) == 1, "nobody is mailed of a comment alone"
    rig.sees(State.UP, "north", "south", "west")
    rig.passes(60)
    assert [one.text for one in rig.ended[-1].comments] == [f"step {number}\n<b>done</b>" for number in range(2, 12)]
    lines = part(rig.mails[-1], "plain").splitlines()
    said = [line.partition("UTC: ")[2] for line in lines[lines.index("What people said:") + 1 :] if line[:4] == "  - "]
    assert said[:4] == [f"step {number} <b>done</b>" for number in range(8, 12)]
    assert said[4] == "I have it", "as it happened"
    assert "step 11 &lt;b&gt;done&lt;/b&gt;" in part(rig.mails[-1], "html")


def test_the_same_comment_that_comes_twice_is_kept_once(rig: Rig) -> None:
    go_down(rig)
    (incident,) = rig.open
    for _ in range(2):
        kept = rig.writes(incident.id, "on my way", request="n-x").incident
        assert kept is not None, "whoever wrote it hears both times that it is kept"
    assert comments(rig, incident.id) == [("ada", "on my way")]
    assert len(rig.told("incident-noted")) == 1


def test_comments_stay_however_much_else_happens(rig: Rig) -> None:
    go_down(rig)
    (incident,) = rig.open
    rig.writes(incident.id, "look here first")
    with rig.ledger.database.transaction("write") as connection:
        connection.executemany(
            "INSERT INTO timeline (incident, at, code, text) VALUES (?, ?, 'member-joined', '')",
            [(incident.id, rig.now)] * 300,
        )
    timeline = rig.asks(incident.id).timeline
    assert (len(timeline), [one.text for one in timeline if one.by]) == (200, ["look here first"])
    assert timeline[0].by == "ada", "told in the order in which it happened"


def test_a_post_mortem_is_replaced_by_who_has_read_it_and_by_nobody_else(rig: Rig) -> None:
    go_down(rig)
    (incident,) = rig.open
    first = rig.writes(incident.id, "one power supply", kind="post-mortem")
    assert first.post_mortem is not None
    assert first.post_mortem == PostMortem(by="ada", at=rig.now, text="one power supply")
    rig.passes(5)
    read = first.post_mortem.at
    second = rig.writes(incident.id, "two, one plug", kind="post-mortem", by="bob", replaces=read)
    assert second.post_mortem is not None
    assert second.post_mortem.text == "two, one plug"
    for stale in (read, None):
        late = rig.writes(incident.id, "mine", kind="post-mortem", replaces=stale)
        assert late.post_mortem == second.post_mortem, "and is told what there is"
    assert rig.asks(incident.id).post_mortem == second.post_mortem
    gone = rig.writes(incident.id, "", kind="post-mortem", replaces=second.post_mortem.at)
    assert gone.post_mortem is None
    assert [(one.by, one.code, one.text) for one in rig.asks(incident.id).timeline if one.by] == [
        ("ada", "post-mortem-written", ""),
        ("bob", "post-mortem-written", ""),
        ("ada", "post-mortem-removed", ""),
    ]


def test_a_note_of_an_incident_that_there_is_not_is_answered_and_kept_nowhere(rig: Rig) -> None:
    assert rig.writes("unheard-of", "hello").incident is None
    assert rig.ledger.database.read("read", "SELECT COUNT(*) FROM timeline") == [(0,)]


@pytest.mark.parametrize(("is_full", "is_silenced"), [(True, False), (False, True)])
def test_what_cannot_be_kept_and_what_another_alerter_keeps_is_not_answered(
    rig: Rig, is_full: bool, is_silenced: bool
) -> None:
    asked = []

    def keep(note: IncidentNote, now: Time) -> None:
        asked.append(note)
        raise DatabaseFault("the disk is full", can_retry=True)

    notes = Notes(rig.others, rig.ledger, keep, lambda: is_silenced)
    note = IncidentNote(request="n-1", incident="i-1", at=rig.now, by="ada", kind="comment", text="x")
    rig.bus.publish(INCIDENT_NOTES, note)
    notes.tick(rig.now)
    assert (len(asked), rig.hub.messages(INCIDENT_ANSWERS)) == (1 if is_full else 0, [])


def test_a_ledger_of_the_version_before_keeps_its_timeline_and_takes_notes(tmp_path: Path) -> None:
    path = tmp_path / "alerter.sqlite"
    older = Database(path, Ladder(steps=LADDER.steps[:9], unversioned_tables=LADDER.unversioned_tables))
    with older.transaction("write") as connection:
        connection.execute(
            "INSERT INTO timeline (incident, at, code, target, text) VALUES ('i-1', ?, 'target-went-down', 'a', 'silent')",
            (int(T0),),
        )
    older.close()
    ledger = Ledger(path)
    incident = made("i-1", "a")
    ledger.keep([entry(incident)], T0)
    note = IncidentNote(request="n-1", incident="i-1", at=T0, by="ada", kind="comment", text="found it")
    assert ledger.note(note, incident, Time(T0 + 1))
    assert ledger.timeline("i-1", 10) == [
        TimelineEntry(at=T0, code="target-went-down", target="a", text="silent"),
        TimelineEntry(at=Time(T0 + 1), code="commented", by="ada", text="found it"),
    ]
    ledger.close()
