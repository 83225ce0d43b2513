"""What a mail looks like to mail programs and to people, and what it never lets through."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_alerter.mail import Mailer, duration
from noc_bus.messages import Incident, Target
from noc_bus.time import Time
from tests.alerter.conftest import FROM, OPS, T0, parse, part

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}\u202e'
MAILER = Mailer(FROM, "https://noc.test/sub")


def incident(**fields: object) -> Incident:
    values = {"id": "20261124-120000-000-router", "kind": "target-down", "targets": ["router"], "opened_at": T0}
    return Incident(**{**values, "cause": "no answer", **fields})  # type: ignore[arg-type]


def target(**fields: object) -> Target:
    return Target(**{"id": "router", "name": "Router", "address": "192.0.2.1", **fields})  # type: ignore[arg-type]


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
    mail = MAILER.opened(incident(evidence=["north DOWN: no answer"]), target(), OPS, T0)
    message = parse(mail.content)
    assert (mail.recipient, mail.incident, mail.transition) == (OPS, incident().id, "opened")
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
    assert all(line.endswith(b"\r\n") for line in mail.content.splitlines(keepends=True))
    assert all(len(line) <= 1000 for line in mail.content.splitlines())


def test_the_mail_of_the_end_tells_how_long_it_was_and_how_it_began() -> None:
    text = part(parse(MAILER.resolved(OVER, target(), OPS, T0, "it is UP again: answers").content), "plain")
    for fact in ("UP again: Router", "1 h 2 min", "12:00:00 UTC to 2026-11-24 13:02:05 UTC", "began with: no answer"):
        assert fact in text


def test_a_thread_is_one_incident_and_one_recipient_and_a_second_try_is_the_same_mail() -> None:
    opened = parse(MAILER.opened(incident(), target(), OPS, T0).content)
    again = parse(MAILER.opened(incident(), target(), OPS, Time(T0 + 5)).content)
    other = parse(MAILER.opened(incident(), target(), "bob@noc.test", T0).content)
    resolved = parse(MAILER.resolved(OVER, target(), OPS, T0, "it is UP again").content)
    assert opened["Message-ID"] == again["Message-ID"]
    assert str(opened["Message-ID"]).endswith("@noc.test>")
    assert len({opened["Message-ID"], other["Message-ID"], resolved["Message-ID"]}) == 3
    assert resolved["In-Reply-To"] == resolved["References"] == opened["Message-ID"]


def test_hostile_names_are_text_in_the_html_and_nothing_else() -> None:
    plain = Tags(part(parse(MAILER.opened(incident(), target(), OPS, T0).content), "html"))
    hostile = incident(cause=HOSTILE, evidence=[HOSTILE])
    strange = target(name=HOSTILE, address="<b>x</b>", group=HOSTILE, note=f"<script>{HOSTILE}</script>", critical=True)
    html = part(parse(MAILER.opened(hostile, strange, OPS, T0).content), "html")
    tags = Tags(html)
    assert tags.names <= plain.names | {"ul", "li"}
    assert tags.handlers == []
    assert tags.links == ["https://noc.test/sub/targets/router"]
    assert "{{7*7}}" in html
    assert "49" not in part(parse(MAILER.opened(hostile, strange, OPS, T0).content), "plain")


@pytest.mark.parametrize("name", ["x\r\nBcc: eve@evil.test", "x\nX-Evil: 1", "x\u2028y", "x\x00y\x1b[31m"])
def test_a_name_becomes_no_second_header(name: str) -> None:
    message = parse(MAILER.opened(incident(), target(name=name), OPS, T0).content)
    assert (message["Bcc"], message["X-Evil"]) == (None, None)
    assert str(message["Subject"]).startswith("[NOC] DOWN x")
    assert str(message["Subject"]).isprintable()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_any_name_can_be_mailed_and_the_head_stays_as_long_as_it_is(name: str) -> None:
    mail = MAILER.opened(incident(cause=name), target(name=name, note=name), OPS, T0)
    message = parse(mail.content)
    assert len(message.keys()) == len(parse(MAILER.opened(incident(), target(), OPS, T0).content).keys())
    assert message.get_all("To") == [OPS]


def test_an_incident_of_a_site_says_that_it_is_blind_and_then_that_it_sees() -> None:
    blind = incident(kind="site-blind", targets=[], site="north")
    opened = parse(MAILER.opened(blind, None, OPS, T0).content)
    assert opened["Subject"] == "[NOC] BLIND site north"
    over = incident(kind="site-blind", targets=[], site="north", resolved_at=Time(T0 + 61_000))
    resolved = parse(MAILER.resolved(over, None, OPS, T0, "the site sees again").content)
    assert resolved["Subject"] == "[NOC] SEES AGAIN site north after 1 min 1 s"


def test_without_a_public_address_there_is_no_link() -> None:
    html = part(parse(Mailer(FROM, "").opened(incident(), target(), OPS, T0).content), "html")
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
