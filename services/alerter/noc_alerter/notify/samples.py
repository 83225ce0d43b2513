"""Letters that nobody gets, to try templates with: what each of them may be given, little and much of it."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Final

from msgspec.structs import replace

from noc_alerter.notify import words
from noc_alerter.notify.letter import MAX_DIGESTED, Digest, Facts, FoundLate, HeldBack, Late, stem
from noc_alerter.notify.words import Words
from noc_bus.messages import Comment, Incident, Member, VerdictState
from noc_bus.time import Time
from noc_rules.correlate import Why
from noc_rules.incident import MAX_COMMENTS_TOLD, IncidentKind, Severity

_URL: Final = "https://noc.example.org"
_AT: Final = Time.parse("2026-11-24T01:13:05Z")
_MANY: Final = 200
_MINUTE_MS: Final = 60_000


def samples(zone: tzinfo = UTC) -> dict[str, list[Words]]:
    """By letter."""
    one = _down(1, ["paris DOWN: 5 checks unanswered", "lyon DOWN: 5 checks unanswered", "rome UP: 4.1 ms"])
    many = _down(_MANY, [f"site-{number} DOWN: 5 checks unanswered" for number in range(12)])
    back = Time(_AT + 62 * _MINUTE_MS)
    over = [_closed(incident, back) for incident in (one, many)]
    late = [
        Late(at=Time(_AT + number * _MINUTE_MS), transition="opened", facts=_facts(one))
        for number in range(MAX_DIGESTED)
    ]
    return {
        "opened": [
            words.of_incident(_facts(incident), url, zone) for incident in (one, many, _site()) for url in (_URL, "")
        ],
        "changed": [words.of_incident(_facts(many, back=number), _URL, zone) for number in (0, 1, 40)],
        "resolved": [words.of_incident(facts, _URL, zone) for facts in map(_end, over)],
        "digest": [
            words.of_digest(Digest(total=total, first=late[: min(total, MAX_DIGESTED)], until=late[-1].at), url, zone)
            for total, url in ((2, ""), (612, _URL))
        ],
        "found_late": [
            words.of_found(FoundLate(total=total, sites=sites, first=over[:1] * min(total, MAX_DIGESTED)), url, zone)
            for total, sites, url in ((1, ["rome"], ""), (612, ["rome", "oslo", "lyon", "bern"], _URL))
        ],
        "held_back": [
            words.of_held_back(HeldBack(per_hour=60, total=total, first=[one] * min(total, 20), until=back), url, zone)
            for total, url in ((1, ""), (73, _URL))
        ],
    }


def _down(members: int, evidence: list[str]) -> Incident:
    return Incident(
        id="20261124-011305-000-core-sw-1",
        kind=IncidentKind.TARGET_DOWN,
        targets=["core-sw-1"],
        opened_at=_AT,
        cause="DOWN from 2 of 3 sites (paris, lyon): 5 checks unanswered",
        members=[_member(number) for number in range(1, members + 1)],
        total_members=members,
        open_members=members,
        sites=["paris", "lyon"],
        evidence=evidence,
        severity=Severity.CRITICAL,
        comments=[_comment(number) for number in range(MAX_COMMENTS_TOLD if members > 1 else 0)],
    )


def _site() -> Incident:
    return Incident(
        id="20261124-011305-000-site-rome",
        kind=IncidentKind.SITE_BLIND,
        targets=[],
        site="rome",
        opened_at=_AT,
        cause="nothing was heard of the site rome for 90 s",
        severity=Severity.MAJOR,
    )


def _comment(number: int) -> Comment:
    return Comment(by="anna", at=Time(_AT + number * _MINUTE_MS), text="The power is gone; somebody is on the way.")


def _member(number: int) -> Member:
    return Member(
        target=f"core-sw-{number}",
        name=f"core-sw-{number}",
        address=f"192.0.2.{number % 255}",
        group="paris/core",
        critical=number == 1,
        joined_at=_AT,
        state=VerdictState.DOWN,
        behind="core-sw-1" if number > 1 else None,
    )


def _closed(incident: Incident, at: Time) -> Incident:
    members = [replace(one, left_at=at) for one in incident.members]
    return replace(incident, resolved_at=at, members=members, open_members=0)


def _facts(incident: Incident, *, back: int = 0) -> Facts:
    note = "Rack 3, on the left.\nPower: call +33 1 23 45 67 89 first."
    return Facts(incident=incident, why="", note=note, stem=stem(incident), back=back)


def _end(incident: Incident) -> Facts:
    text = "UP from 3 of 3 sites"
    return Facts(incident=incident, why=Why.TARGET_RECOVERED, text=text, state=VerdictState.UP, stem=stem(incident))
