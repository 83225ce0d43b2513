"""What a mail looks like to mail programs and to people, and what it never lets through."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_alerter.ledger import Letter
from noc_alerter.notify import letter as queued_letter
from noc_alerter.notify.mail import Mailer
from noc_bus.messages import Acknowledgement, Comment, Incident, Member, Target, VerdictState
from noc_bus.time import Time
from noc_rules.cases import Case, Notice
from noc_rules.correlate import Why
from noc_rules.notices import Telling
from noc_rules.uptime import duration
from tests.alerter.conftest import FROM, OPS, T0, letter, parse, part

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}\u202e'
MAILER = Mailer(FROM, "https://noc.test/sub")


def incident(**fields: object) -> Incident:
    values = {"id": "20261124-120000-000-router", "kind": "target-down", "targets": ["router"], "opened_at": T0}
    return Incident(**{**values, "cause": "no answer", "members": [member()], "total_members": 1, **fields})  # type: ignore[arg-type]


def member(**fields: object) -> Member:
    """What the target was called when the incident opened."""
    return Member(**{"target": "router", "name": "Router", "address": "192.0.2.1", "joined_at": T0, **fields})  # type: ignore[arg-type]


def target(**fields: object) -> Target:
    return Target(**{"id": "router", "name": "Router", "address": "192.0.2.1", **fields})  # type: ignore[arg-type]


def opened(one: Incident, definition: Target | None = None, recipient: str = OPS, mailer: Mailer = MAILER) -> bytes:
    return mailer.write(letter(one, recipient, target=definition), T0)


def resolved(
    one: Incident,
    text: str = "UP: answers",
    state: VerdictState | None = VerdictState.UP,
    why: Why = Why.TARGET_RECOVERED,
    mailer: Mailer = MAILER,
    recipient: str = OPS,
) -> bytes:
    return mailer.write(letter(one, recipient, why=why, text=text, state=state), T0)


OVER = incident(resolved_at=Time(T0 + 3_725_000))


class Tags(HTMLParser):
    """The names of all elements, and all attributes that run something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.handlers: list[str] = []
        self.links: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.links += [value for name, value in attrs if name in ("href", "src")]


def test_a_mail_is_text_and_html_with_the_headers_a_machines_mail_needs() -> None:
    content = opened(incident(evidence=["north DOWN: no answer"]))
    message = parse(content)
    assert message.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in message.iter_parts()] == ["text/plain", "text/html"]
    assert (message["From"], message["To"]) == (FROM, OPS)
    assert message["Date"] == "Tue, 24 Nov 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-NOC-Incident"] == incident().id
    assert message["References"] is None
    for kind in ("plain", "html"):
        text = part(message, kind)
        for fact in ("Router", "192.0.2.1", "no answer", "2026-11-24 12:00:00 UTC", "north DOWN", incident().id):
            assert fact in text
        assert "https://noc.test/sub/targets/router" in text
    assert all(line.endswith(b"\r\n") for line in content.splitlines(keepends=True))
    assert all(len(line) <= 1000 for line in content.splitlines())


def test_on_a_phone_the_note_and_the_button_that_acknowledges_come_before_the_long_lists() -> None:
    many = [member(target=f"t-{number}", name=f"Target {number}") for number in range(20)]
    one = incident(members=many, total_members=20, open_members=20, evidence=["north DOWN: no answer"])
    html = part(parse(MAILER.write(letter(one, OPS, target=target(note="Rack 3")), T0)), "html")
    places = [html.index(words) for words in ("Rack 3", "?acknowledge", "Target 7", "north DOWN")]
    assert places == sorted(places)


def test_the_mail_of_the_end_tells_how_long_it_was_and_how_it_started() -> None:
    text = part(parse(resolved(OVER)), "plain")
    for fact in ("UP: Router", "1 h 2 min", "12:00:00 UTC to 2026-11-24 13:02:05 UTC", "started with: no answer"):
        assert fact in text


@pytest.mark.parametrize("state", [VerdictState.UP, VerdictState.DEGRADED, VerdictState.PARTIAL])
def test_what_a_closing_mail_is_about_is_the_new_state_as_it_is(state: VerdictState) -> None:
    """PARTIAL is not "UP again"."""
    message = parse(resolved(OVER, f"{state}: so it is", state))
    assert message["Subject"] == f"Re: [{state} after 1 h 2 min] Router since 12:00"
    assert part(message, "plain").startswith(f"{state}: Router (192.0.2.1)")


def test_what_a_closing_mail_is_about_is_named_as_it_was_when_it_opened() -> None:
    """Renamed and moved to another address meanwhile, or deleted."""
    for definition in (None, target(name="Something else", address="198.51.100.9", group="elsewhere")):
        one = letter(OVER, why=Why.TARGET_RECOVERED, state=VerdictState.UP, target=definition)
        message = parse(MAILER.write(one, T0))
        assert message["Subject"] == "Re: [UP after 1 h 2 min] Router since 12:00"
        assert "Something else" not in part(message, "html")


def test_a_thread_is_one_incident_and_one_recipient_and_a_second_try_is_the_same_mail() -> None:
    first = parse(opened(incident()))
    again = parse(opened(incident()))
    other = parse(opened(incident(), recipient="bob@noc.test"))
    end = parse(resolved(OVER))
    assert first["Message-ID"] == again["Message-ID"]
    assert str(first["Message-ID"]).endswith("@noc.test>")
    assert len({first["Message-ID"], other["Message-ID"], end["Message-ID"]}) == 3
    assert end["In-Reply-To"] == end["References"] == first["Message-ID"]


def headers(content: bytes) -> dict[bytes, bytes]:
    """As they are on the wire, unfolded; read without Python's own forgiving parser."""
    head = content.partition(b"\r\n\r\n")[0]
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head)
    return dict(line.split(b": ", 1) for line in unfolded.split(b"\r\n"))


LABEL = st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}[a-z0-9]", fullmatch=True)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    st.from_regex(r"[a-z0-9.+-]{1,64}", fullmatch=True),
    st.lists(LABEL, min_size=1, max_size=5).map(".".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120),
)
@example("a" * 63, "n", ".".join(["d" * 62] * 4), "x")
@example("a" * 20, "noc", "mail.example.org", "Zürich " * 15)
def test_threading_headers_are_the_bytes_of_the_message_id_for_every_length(
    number: str, local: str, domain: str, name: str
) -> None:
    mailer = Mailer(f"{local}@{domain}", "")
    members = [member(name=name)]
    start = headers(opened(incident(id=number, members=members), mailer=mailer))
    end = headers(resolved(incident(id=number, members=members, resolved_at=Time(T0 + 60_000)), mailer=mailer))
    assert start[b"Message-ID"].startswith(f"<{number}.opened.".encode())
    assert end[b"In-Reply-To"] == end[b"References"] == start[b"Message-ID"]


def stem(subject: str) -> str:
    """What mail programs thread by: RFC 5256's base subject, which leaves out Re: and what stands in brackets."""
    while (shorter := re.sub(r"^(re:|\[[^\[\]]*\])\s*", "", subject, flags=re.IGNORECASE)) != subject:
        subject = shorter
    return subject


@pytest.mark.parametrize(
    "kind", ["target-down", "target-unresolvable", "site-blind", "duplicate", "broker-lost", "new"]
)
def test_the_subject_of_a_thread_keeps_its_stem(kind: str) -> None:
    about: dict[str, object] = {"kind": kind}
    if "target" not in kind:
        about |= {"targets": [], "members": [], "total_members": 0, "site": "north"}
    start = parse(opened(incident(**about)))["Subject"]
    end = parse(resolved(incident(**about, resolved_at=Time(T0 + 1000)), state=None, why=Why.SITE_RECOVERED))["Subject"]
    assert stem(start) == stem(end) != ""
    assert start != end


def test_hostile_names_are_text_in_the_html_and_nothing_else() -> None:
    plain = Tags(part(parse(opened(incident())), "html"))
    strange = member(name=HOSTILE, address="<b>x</b>", group=HOSTILE, critical=True)
    hostile = incident(cause=HOSTILE, evidence=[HOSTILE], members=[strange])
    content = opened(hostile, target(note=f"<script>{HOSTILE}</script>"))
    html = part(parse(content), "html")
    tags = Tags(html)
    assert tags.names <= plain.names | {"ul", "li"}
    assert tags.handlers == []
    assert tags.links == [
        "https://noc.test/sub/targets/router",
        "https://noc.test/sub/incidents/20261124-120000-000-router?acknowledge",
    ]
    assert "{{7*7}}" in html
    assert "49" not in part(parse(content), "plain")


@pytest.mark.parametrize("name", ["x\r\nBcc: eve@evil.test", "x\nX-Evil: 1", "x\u2028y", "x\x00y\x1b[31m"])
def test_a_name_becomes_no_second_header(name: str) -> None:
    message = parse(opened(incident(members=[member(name=name)])))
    assert (message["Bcc"], message["X-Evil"]) == (None, None)
    assert str(message["Subject"]).startswith("[DOWN] x")
    assert str(message["Subject"]).isprintable()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_any_name_can_be_mailed_and_the_head_stays_as_long_as_it_is(name: str) -> None:
    message = parse(opened(incident(cause=name, members=[member(name=name)]), target(note=name)))
    assert len(message.keys()) == len(parse(opened(incident())).keys())
    assert message.get_all("To") == [OPS]


def test_an_incident_of_a_site_says_that_it_is_blind_and_then_that_it_recovered() -> None:
    about: dict[str, object] = {"kind": "site-blind", "targets": [], "members": [], "site": "north"}
    assert parse(opened(incident(**about)))["Subject"] == "[BLIND] site north since 12:00"
    over = incident(**about, resolved_at=Time(T0 + 61_000))
    end = parse(resolved(over, "the site can see again", None, Why.SITE_RECOVERED))
    assert end["Subject"] == "Re: [RECOVERED after 1 min 1 s] site north since 12:00"


def test_an_incident_of_an_older_version_that_kept_no_names_is_mailed_by_its_id() -> None:
    assert parse(opened(incident(members=[], total_members=0)))["Subject"] == "[DOWN] router since 12:00"


def test_an_incident_of_many_targets_names_twenty_and_counts_the_others() -> None:
    members = [member(), *[member(target=f"t{n}", name=f"T{n}", behind="router", group="shops") for n in range(199)]]
    many = incident(members=members, total_members=10_000, open_members=10_000, targets=[one.target for one in members])
    mail = parse(opened(many))
    assert mail["Subject"] == "[DOWN] Router and 9,999 more since 12:00"
    text = part(mail, "plain")
    assert "10,000 targets:" in text
    assert "- Router (192.0.2.1)" in text
    assert "- T18 (192.0.2.1), shops, behind router" in text
    assert "T19" not in text
    assert "- and 9,980 more" in text
    assert len(opened(many)) < 100_000


def test_one_target_that_is_listed_is_counted_as_one() -> None:
    text = part(parse(opened(incident(members=[member(flapping=True)], total_members=1))), "plain")
    assert "1 target:" in text


@pytest.mark.parametrize(
    ("about", "subject"),
    [
        ({}, "Re: [1 STILL DOWN] Router since 12:00"),
        ({"kind": "site-blind", "targets": [], "members": [], "total_members": 0, "site": "north"}, "Re: [STILL BLIND] site north since 12:00"),
    ],
    ids=["one target", "a site"],
)  # fmt: skip
def test_one_alone_that_is_still_open_is_counted_and_listed_by_nothing(about: dict[str, object], subject: str) -> None:
    one = incident(**about)
    case = Case(one, is_told=True, stem=queued_letter.stem(one))
    (queued,) = queued_letter.letters(case, Telling(Notice.CHANGED, {OPS: ""}), "", T0)
    mail = parse(MAILER.write(queued, T0))
    assert mail["Subject"] == subject
    assert "It is still open." in part(mail, "plain")
    assert "part of it" not in part(mail, "plain")


def test_a_change_says_how_many_are_back_and_names_who_is_not_in_the_thread_of_the_opening() -> None:
    members = [member(), *[member(target=f"t{n}", name=f"T{n}", left_at=T0) for n in range(3)]]
    one = incident(members=members, total_members=4, open_members=1)
    first = parse(opened(one))
    case = Case(one, is_told=True, stem=queued_letter.stem(one), back=3)
    (queued,) = queued_letter.letters(case, Telling(Notice.CHANGED, {OPS: ""}), "", T0)
    mail = parse(MAILER.write(queued, T0))
    assert mail["Subject"] == "Re: [1 STILL DOWN] Router and 3 more since 12:00"
    assert mail["References"] == first["Message-ID"]
    assert re.fullmatch(r"<[A-Za-z0-9.-]+@noc\.test>", str(mail["Message-ID"])), "more is not allowed everywhere"
    text = part(mail, "plain")
    assert "3 of its targets are back" in text
    assert "1 of 4 targets:\n  - Router" in text.replace("\r", "")
    assert "T0" not in text


@pytest.mark.parametrize(
    ("sites", "names"),
    [
        ([], ""),
        (["paris"], " (paris)"),
        (["lyon", "paris"], " (lyon, paris)"),
        (["a", "b", "c", "d", "e"], " (a, b, c +2)"),
    ],
)
@pytest.mark.parametrize(
    ("zone", "clock", "time"),
    [
        (UTC, "12:00", "2026-11-24 12:00:00 UTC"),
        (ZoneInfo("Europe/Paris"), "13:00", "2026-11-24 13:00:00 CET (12:00:00 UTC)"),
        (ZoneInfo("Pacific/Auckland"), "01:00", "2026-11-25 01:00:00 NZDT (2026-11-24 12:00:00 UTC)"),
    ],
)
def test_a_subject_tells_what_how_many_from_where_and_since_when_by_the_readers_clock(
    sites: list[str], names: str, zone: tzinfo, clock: str, time: str
) -> None:
    one = incident(sites=sites, members=[member(name="core-sw-1")], total_members=13, open_members=13)
    mail = parse(opened(one, mailer=Mailer(FROM, "", zone)))
    assert mail["Subject"] == f"[DOWN] core-sw-1 and 12 more{names} since {clock}"
    for kind in ("plain", "html"):
        assert time in part(mail, kind)


@pytest.mark.parametrize("character", ["x", "\U0001f525", "<", "\u00fc"])
def test_no_mail_is_larger_than_100_kb_whatever_people_call_things(character: str) -> None:
    long = character * 120
    members = [
        member(target=f"t{n}", name=long, address="a" * 253, group=character * 250, behind="r" * 63, critical=True)
        for n in range(200)
    ]
    one = incident(
        members=members, total_members=10_000, open_members=10_000, cause=character * 500,
        evidence=[character * 500] * 100, sites=["s" * 63] * 100,
        comments=[Comment(by="a" * 64, at=T0, text=character * 500)] * 10,
        acknowledged=Acknowledgement(incident="i-1", by="a" * 64, at=T0, comment=character * 500),
    )  # fmt: skip
    assert len(opened(one, target(note=character * 2000))) < 100_000
    over = replace(one, resolved_at=Time(T0 + 1))
    assert len(resolved(over, character * 500)) < 100_000
    held = queued_letter.HeldBack(per_hour=60, total=500, first=[one] * 50, until=T0)
    queued = Letter(queued_letter.HELD_BACK, queued_letter.HELD_BACK, OPS, queued_letter.encode(held))
    assert len(MAILER.write(queued, T0)) < 100_000


def test_a_mail_is_readable_in_the_dark_and_fetches_nothing() -> None:
    html = part(parse(opened(incident(evidence=["north DOWN"]), target(note="one\ntwo"))), "html")
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (prefers-color-scheme: dark)" in html
    # Whatever has a dark text of its own has a light one in the dark.
    for element in re.findall(r"<[^/][^>]*(?<!-)color:#(?:17202c|5a6675|2f3b4a)[^>]*>", html):
        assert re.search(r'class="(page|text|dim|quiet)"', element), element
    assert {"img", "link", "script", "iframe"} & Tags(html).names == set()
    assert re.findall(r"url\(|@import|src=", html) == []
    assert "white-space:pre-wrap" in html


def test_without_a_public_address_there_is_no_link() -> None:
    html = part(parse(opened(incident(), mailer=Mailer(FROM, ""))), "html")
    assert Tags(html).links == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (252, "4 min 12 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_are_told_in_two_units_at_the_most(seconds: float, words: str) -> None:
    assert duration(round(seconds * 1000)) == words
