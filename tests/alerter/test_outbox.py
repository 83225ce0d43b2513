"""Incidents and their mails change together, and each mail is sent until it is taken or hopeless."""

from __future__ import annotations

import contextlib
import io
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_alerter.ledger import Ledger, Letter
from noc_alerter.notify.mail import Mailer
from noc_alerter.notify.outbox import MAX_PER_HOUR, Outbox, Row
from noc_alerter.notify.post import Post
from noc_alerter.notify.sender import Sender, retry_delay_s
from noc_alerter.notify.smtp import NotDelivered
from noc_bus.codec import encode
from noc_bus.messages import Incident, Member, ReportMail, VerdictState
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_rules.correlate import Why
from noc_rules.incident import of_site, of_target
from tests.alerter.conftest import FROM, OPS, T0, entry, letter, parse, part
from tests.parts.waiting import wait_until

LATER = NotDelivered("451 try again later", can_retry=True)
NEVER = NotDelivered("550 no such user", can_retry=False)
HOUR_MS = 3_600_000


class PostOffice:
    """Takes mails, or refuses those to some recipients."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuses: dict[str, NotDelivered] = {}
        self.slow: dict[str, threading.Event] = {}

    def deliver(self, recipient: str, content: bytes) -> str:
        if recipient in self.slow:
            self.slow[recipient].wait(20)
        if recipient in self.refuses:
            raise self.refuses[recipient]
        self.taken.append(content.decode())
        return "250 taken"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "alerter.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def outbox(ledger: Ledger) -> Outbox:
    return Outbox(ledger.database)


@pytest.fixture
def post() -> PostOffice:
    return PostOffice()


@pytest.fixture
def log_lines() -> io.StringIO:
    """What is logged, as the service would log it."""
    lines = io.StringIO()
    log.configure("info", lines)
    return lines


@pytest.fixture
def sender(outbox: Outbox, post: PostOffice) -> Sender:
    return new_sender(outbox, post.deliver)


@pytest.fixture
def running(sender: Sender) -> Iterator[Sender]:
    """With its threads."""
    stop = threading.Event()
    threads = sender.start(stop)
    yield sender
    stop.set()
    sender.wake()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def new_sender(outbox: Outbox, deliver: Callable[[str, bytes], str]) -> Sender:
    return Sender(outbox, write, deliver, lambda to: f"the mail server mail.test:25 did not take a mail to {to}")


def write(one: Letter, queued_at: Time) -> bytes:
    return f"{one.incident} {one.transition} {one.recipient}".encode()


def incident(name: str = "one", *, over: bool = False, critical: bool = False, about: str = "") -> Incident:
    """`about`: its target, where that is not called as it is."""
    ended = Time(T0 + 60_000) if over else None
    target = about or name
    member = Member(target=target, name=target, critical=critical, joined_at=T0)
    return Incident(
        id=name,
        kind="target-down",
        targets=[target],
        members=[member],
        total_members=1,
        opened_at=T0,
        resolved_at=ended,
        cause="silent",
    )


def begin(ledger: Ledger, name: str = "one", *recipients: str, now: Time = T0, critical: bool = False) -> None:
    letters = [Letter(name, "opened", one, b"{}", critical) for one in recipients or (OPS,)]
    one = incident(name, critical=critical)
    ledger.keep([entry(one, *letters)], now)


def end(ledger: Ledger, name: str = "one", *recipients: str, now: Time = T0) -> None:
    letters = [Letter(name, "resolved", one, b"{}") for one in recipients or (OPS,)]
    ledger.keep([entry(incident(name, over=True), *letters)], now)


def send_all(sender: Sender, now: Time = T0) -> None:
    while sender.send_one(now):
        pass


# -- incidents and mails in one transaction


def test_an_incident_and_its_mails_are_kept_together_or_not_at_all(ledger: Ledger, outbox: Outbox) -> None:
    begin(ledger)
    broken = Letter("two", "opened", OPS, None)  # type: ignore[arg-type]  # the database refuses a mail that tells nothing
    fine = Letter("two", "opened", "bob@noc.test", b"{}")
    with pytest.raises(DatabaseFault):
        ledger.keep([entry(incident("two"), fine, broken)], T0)
    assert [case.id for case in ledger.open_cases()] == ["one"]
    assert outbox.counts() == {"queued": 1}
    begin(ledger, "three")


def test_many_incidents_are_kept_together_or_not_at_all(ledger: Ledger, outbox: Outbox) -> None:
    many = [entry(incident(name)) for name in ("one", "two")]
    twice = entry(incident("three", about="two"))
    with pytest.raises(DatabaseFault):
        ledger.keep([*many, twice], T0)
    assert ledger.open_cases() == []
    ledger.keep(many, T0)
    assert [case.id for case in ledger.open_cases()] == ["one", "two"]


def test_an_incident_of_many_targets_is_about_each_of_them_until_it_leaves(ledger: Ledger) -> None:
    one = incident(about="a")
    both = replace(one, targets=["a", "b"], members=[*one.members, replace(one.members[0], target="b")])
    ledger.keep([entry(both)], T0)
    (case,) = ledger.open_cases()
    assert (case.open, case.told) == ({"a", "b"}, {"a", "b"})
    with pytest.raises(DatabaseFault):
        ledger.keep([entry(incident("other", about="b"))], T0)
    left = replace(both, members=[both.members[0], replace(both.members[1], left_at=T0)])
    ledger.keep([entry(left), entry(incident("other", about="b"))], T0)
    assert [case.open for case in ledger.open_cases()] == [{"a"}, {"b"}]


def test_what_is_kept_is_there_after_a_restart(ledger: Ledger, tmp_path: Path) -> None:
    begin(ledger)
    again = Ledger(tmp_path / "alerter.sqlite")
    (case,) = again.open_cases()
    assert (case.incident, case.abouts) == (incident(), (of_target("one"),))
    assert Outbox(again.database).counts() == {"queued": 1}
    again.close()


def test_the_same_message_about_an_incident_is_mailed_to_one_recipient_once(ledger: Ledger, outbox: Outbox) -> None:
    for _ in range(3):
        begin(ledger)
    assert outbox.counts() == {"queued": 1}


def test_those_who_were_to_be_told_of_the_start_are_told_of_the_end(ledger: Ledger) -> None:
    begin(ledger, "one", "ada@noc.test", "bob@noc.test")
    assert tuple(ledger.told("one")) == ("ada@noc.test", "bob@noc.test")


def test_what_ended_is_no_longer_open_and_can_be_told_again(ledger: Ledger) -> None:
    begin(ledger)
    end(ledger)
    assert ledger.open_cases() == []
    assert ledger.resolved("one") == incident(over=True)
    assert ledger.resolved("two") is None
    assert ledger.resolved_since(T0) == [incident(over=True)]
    assert ledger.resolved_since(Time(T0 + 60_001)) == []


def test_a_mail_of_the_start_is_withdrawn_when_it_is_over_before_it_was_sent(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    begin(ledger)
    end(ledger)
    send_all(sender)
    assert post.taken == ["one resolved ops@noc.test"]


def test_a_mail_of_the_start_that_failed_while_the_incident_ended_is_not_sent_after_it(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    begin(ledger)
    row = sender.outbox.claim(T0)
    assert row is not None
    end(ledger)
    sender.outbox.again(row, "timed out", T0)
    send_all(sender)
    assert post.taken == ["one resolved ops@noc.test"]


def test_a_mail_that_was_being_sent_when_we_died_is_sent_again(ledger: Ledger, outbox: Outbox, tmp_path: Path) -> None:
    begin(ledger)
    assert outbox.claim(T0)
    assert outbox.claim(T0) is None
    again = Ledger(tmp_path / "alerter.sqlite")
    row = Outbox(again.database).claim(T0)
    assert row is not None
    assert row.letter == Letter("one", "opened", OPS, b"{}")
    again.close()


def test_old_mails_are_forgotten_but_not_those_that_say_whom_to_tell(ledger: Ledger, sender: Sender) -> None:
    begin(ledger)
    begin(ledger, "two")
    end(ledger, "two")
    send_all(sender)
    sender.outbox.tidy(Time(T0 + 91 * 86_400_000))
    assert tuple(ledger.told("one")) == (OPS,)
    assert tuple(ledger.told("two")) == ()


def test_a_full_disk_refuses_an_incident_as_a_whole_and_takes_it_when_there_is_room_again(
    ledger: Ledger, outbox: Outbox
) -> None:
    connection = ledger.database.connection()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = entry(incident(), Letter("one", "opened", OPS, b"x" * 100_000))
    for _ in range(2):
        with pytest.raises(DatabaseFault, match="free disk space"):
            ledger.keep([large], T0)
    assert (ledger.open_cases(), outbox.counts()) == ([], {})
    connection.execute("PRAGMA max_page_count = 1000000")
    ledger.keep([large], T0)
    assert (len(ledger.open_cases()), outbox.counts()) == (1, {"queued": 1})


def test_the_file_is_its_owners_alone(ledger: Ledger, tmp_path: Path) -> None:
    begin(ledger)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("alerter.sqlite*")} == {0o600}


# -- sending


def test_a_mail_that_was_taken_is_not_sent_again(ledger: Ledger, sender: Sender, post: PostOffice) -> None:
    begin(ledger)
    send_all(sender)
    send_all(sender, Time(T0 + HOUR_MS))
    assert post.taken == ["one opened ops@noc.test"]
    assert (sender.outbox.counts(), sender.trouble) == ({"sent": 1}, None)


def test_a_temporary_refusal_is_tried_again_later_and_not_at_once(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    begin(ledger)
    post.refuses[OPS] = LATER
    send_all(sender)
    refused = "the mail server mail.test:25 did not take a mail to ops@noc.test: 451 try again later"
    assert sender.trouble == ("mail-refused", f"{refused}; it stays queued and is tried again")
    del post.refuses[OPS]
    send_all(sender, Time(T0 + 2_000))
    assert post.taken == []
    send_all(sender, Time(T0 + 5_001))
    assert post.taken == ["one opened ops@noc.test"]
    assert sender.trouble is None


def test_a_recipient_refused_for_good_does_not_keep_the_others_waiting(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    begin(ledger, "one", "gone@noc.test", OPS)
    post.refuses["gone@noc.test"] = NEVER
    send_all(sender)
    assert post.taken == ["one opened ops@noc.test"]
    assert sender.outbox.counts() == {"dead": 1, "sent": 1}
    send_all(sender, Time(T0 + HOUR_MS))
    assert sender.outbox.counts() == {"dead": 1, "sent": 1}


def test_what_was_given_up_stays_visible_until_somebody_has_seen_it(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    """Over a restart, and over the next success to that recipient, which is about something else."""
    begin(ledger)
    post.refuses[OPS] = NEVER
    send_all(sender)
    post.refuses.clear()
    begin(ledger, "two")
    send_all(sender)
    for told in (Post(sender), Post(new_sender(Outbox(ledger.database), post.deliver))):
        sentence = "a mail to ops@noc.test about one was given up: 550 no such user"
        assert told.trouble(T0) == ("mail-given-up", f"{sentence}; acknowledge the incident to say that you know")
        assert told.figures(T0)["mails_given_up_unseen"] == 1
    Post(sender).seen("one", T0)
    assert Post(sender).trouble(T0) is None
    assert Post(sender).figures(T0)["mails_given_up"] == 1


def test_what_was_given_up_is_seen_when_its_recipient_is_told_how_it_ended(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    begin(ledger)
    post.refuses[OPS] = NEVER
    send_all(sender)
    post.refuses.clear()
    end(ledger)
    send_all(sender)
    assert Post(sender).trouble(T0) is None


def test_a_refusal_is_logged_once_and_again_only_after_a_mail_was_taken(
    ledger: Ledger, post: PostOffice, log_lines: io.StringIO
) -> None:
    sender = new_sender(Outbox(ledger.database), post.deliver)
    begin(ledger)
    post.refuses[OPS] = LATER
    for hour in range(3):
        send_all(sender, Time(T0 + hour * HOUR_MS))
    assert log_lines.getvalue().count("did not take a mail") == 1
    del post.refuses[OPS]
    send_all(sender, Time(T0 + 4 * HOUR_MS))
    begin(ledger, "two", now=Time(T0 + 4 * HOUR_MS))
    post.refuses[OPS] = LATER
    send_all(sender, Time(T0 + 5 * HOUR_MS))
    assert log_lines.getvalue().count("did not take a mail") == 2


def test_a_mail_refused_for_three_days_is_given_up(ledger: Ledger, sender: Sender, post: PostOffice) -> None:
    begin(ledger)
    post.refuses[OPS] = LATER
    for hour in range(73):
        send_all(sender, Time(T0 + hour * HOUR_MS))
        assert sender.outbox.counts() == {"queued": 1}
    send_all(sender, Time(T0 + 73 * HOUR_MS))
    assert sender.outbox.counts() == {"dead": 1}


def test_a_clock_that_was_put_forward_gives_up_no_mail(ledger: Ledger, sender: Sender, post: PostOffice) -> None:
    begin(ledger)
    post.refuses[OPS] = LATER
    send_all(sender, Time(T0 + 1000 * HOUR_MS))
    post.refuses.clear()
    send_all(sender, Time(T0 + 1001 * HOUR_MS))
    assert post.taken == ["one opened ops@noc.test"]


def test_a_clock_that_was_put_back_keeps_no_mail_waiting(ledger: Ledger, sender: Sender, post: PostOffice) -> None:
    begin(ledger)
    begin(ledger, "two", "bob@noc.test")
    post.refuses["bob@noc.test"] = LATER
    send_all(sender)
    begin(ledger, "three")
    del post.refuses["bob@noc.test"]
    send_all(sender, Time(T0 - 1000 * HOUR_MS))
    assert sorted(post.taken) == ["one opened ops@noc.test", "three opened ops@noc.test", "two opened bob@noc.test"]


def test_mails_sent_before_the_clock_was_put_back_are_not_counted_for_ever(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MAX_PER_HOUR + 1):
        begin(ledger, f"n{number}", now=now)
    send_all(sender, now)
    assert len(post.taken) == MAX_PER_HOUR
    send_all(sender, Time(now - 1000 * HOUR_MS))
    assert len(post.taken) == MAX_PER_HOUR + 1


def test_a_recipient_who_had_enough_mails_in_an_hour_gets_the_rest_later(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MAX_PER_HOUR + 5):
        begin(ledger, f"n{number}", now=now)
    begin(ledger, "other", "bob@noc.test", now=now)
    send_all(sender, now)
    assert len([one for one in post.taken if OPS in one]) == MAX_PER_HOUR
    assert "other opened bob@noc.test" in post.taken
    send_all(sender, Time(now + HOUR_MS + 60_000))
    assert len([one for one in post.taken if OPS in one]) == MAX_PER_HOUR + 5


def test_the_cap_silences_no_critical_outage(ledger: Ledger, sender: Sender, post: PostOffice) -> None:
    now = Time.now()
    for number in range(MAX_PER_HOUR + 10):
        begin(ledger, f"n{number}", now=now)
    send_all(sender, now)
    begin(ledger, "core", now=Time(now + 1000), critical=True)
    send_all(sender, Time(now + 1000))
    assert post.taken[-1] == "core opened ops@noc.test"


def test_critical_outages_go_before_those_queued_earlier(ledger: Ledger, sender: Sender, post: PostOffice) -> None:
    begin(ledger, "shop")
    begin(ledger, "core", now=Time(T0 + 1000), critical=True)
    send_all(sender, Time(T0 + 1000))
    assert post.taken == ["core opened ops@noc.test", "shop opened ops@noc.test"]


def test_the_cap_says_what_it_holds_back_in_a_mail_in_the_banner_and_in_the_figures(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MAX_PER_HOUR + 10):
        begin(ledger, f"n{number}", now=now)
    send_all(sender, now)
    told = Post(sender)
    assert told.figures(now)["mails_held_back"] == 10
    assert told.trouble(now) == (
        "mails-held-back",
        "10 mails to ops@noc.test held back: 60 mails within an hour are the limit",
    )
    for _ in range(3):
        sender.outbox.tell_held_back(now)
        send_all(sender, now)
    (mail,) = [one for one in post.taken if "held-back" in one]
    assert mail.endswith(OPS)


@pytest.mark.thorough
def test_the_mail_about_what_is_held_back_names_it_and_comes_again_only_with_something_new(
    ledger: Ledger, outbox: Outbox
) -> None:
    mails: list[EmailMessage] = []

    def deliver(recipient: str, content: bytes) -> str:
        mails.append(parse(content))
        return "250 taken"

    mailer = Mailer(FROM, "https://noc.test")
    sender = Sender(
        outbox, mailer.write, deliver, lambda to: f"the mail server mail.test:25 did not take a mail to {to}"
    )

    def down(name: str, at: Time, *, critical: bool = False) -> None:
        one = incident(name, critical=critical)
        ledger.keep([entry(one, letter(one))], at)

    def passes(at: Time) -> list[str]:
        mails.clear()
        outbox.tell_held_back(at)
        send_all(sender, at)
        return [part(mail, "plain") for mail in mails if "held back" in mail["Subject"]]

    now = Time.now()
    for number in range(MAX_PER_HOUR + 60):
        down(f"n{number}", now)
    send_all(sender, now)
    (text,) = passes(now)
    assert "60 more incidents have opened" in text
    assert "DOWN n60 since 2026-11-24 12:00:00 UTC" in text
    assert "and 40 more" in text
    assert passes(Time(now + 1_000_000)) == []
    down("late", Time(now + 1_000_000))
    (text,) = passes(Time(now + 1_000_000))
    assert "61 more incidents" in text
    down("later", Time(now + 1_001_000))
    assert passes(Time(now + 1_001_000)) == []


@pytest.mark.thorough
def test_a_mail_server_that_was_away_for_six_hours_gets_one_mail_for_each_recipient_that_tells_all_in_order(
    ledger: Ledger, outbox: Outbox, is_long: bool
) -> None:
    """Half of the incidents are over by then, and a critical one is not, which has a mail of its own."""
    incidents = 500 if is_long else 100
    every_ms = 21_500_000 // incidents
    critical = incidents // 2
    mails: list[EmailMessage] = []
    trouble: NotDelivered | None = NotDelivered("connection refused", can_retry=True, is_for_all=True)

    def deliver(recipient: str, content: bytes) -> str:
        if trouble:
            raise trouble
        mails.append(parse(content))
        return "250 taken"

    sender = Sender(outbox, Mailer(FROM, "https://noc.test").write, deliver, "the mail server".format)
    readers = ("ada@noc.test", "bob@noc.test")
    for number in range(incidents):
        now = Time(T0 + number * every_ms)
        opened = replace(incident(f"n{number}", critical=number == critical), opened_at=now)
        ledger.keep([entry(opened, *[letter(opened, one) for one in readers])], now)
        if number % 2:
            over = replace(opened, resolved_at=Time(now + 30_000))
            end = [letter(over, one, why=Why.TARGET_RECOVERED, state=VerdictState.UP) for one in readers]
            ledger.keep([entry(over, *end)], Time(now + 30_000))
        send_all(sender, Time(now + 40_000))
    assert mails == []
    trouble = None
    back = Time(T0 + 6 * HOUR_MS + 700_000)
    send_all(sender, back)
    for reader in readers:
        mine = [one for one in mails if one["To"] == reader]
        digests = [one for one in mine if "mails in one" in one["Subject"]]
        assert len(digests) == 1
        assert len(mine) <= 3, [one["Subject"] for one in mine]
        assert [one["Subject"] for one in mine if f"n{critical} " in one["Subject"]] == [
            f"[DOWN] n{critical} since 14:59"
        ]
        (total,) = [int(one["Subject"].split()[1]) for one in digests]
        assert total + len(mine) - 1 == incidents
        text = part(digests[0], "plain")
        times = re.findall(r"- (2026-11-24 \S+) UTC: ", text)
        assert len(times) == 50
        assert times == sorted(times)
        assert "UTC: UP after 30 s: n1" in text
        assert "UTC: DOWN: n2" in text
        assert f"- and {total - 50} more" in text
    assert outbox.counts() == {"sent": len(mails), "withdrawn": incidents, "digested": 2 * incidents - len(mails) + 2}
    send_all(sender, Time(back + HOUR_MS))
    later = incident("later")
    for number in range(4):
        late = replace(later, id=f"later{number}")
        ledger.keep([entry(replace(late, targets=[], members=[]), letter(late))], back)
    before = len(mails)
    send_all(sender, Time(back + 1000))
    assert len(mails) == before + 4, "what waits for nothing has a mail of its own"


def test_a_digest_that_could_not_be_kept_is_made_at_the_next_chance(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    post.refuses[OPS] = NotDelivered("connection refused", can_retry=True, is_for_all=True)
    for number in range(5):
        opened = incident(f"n{number}")
        ledger.keep([entry(opened, letter(opened))], T0)
    send_all(sender)
    post.refuses.clear()
    back = Time(T0 + HOUR_MS)
    make, failures = sender.outbox.digest, iter([True])

    def digest(now: Time) -> None:
        if next(failures, False):
            raise DatabaseFault("database or disk is full", can_retry=True)
        make(now)

    sender.outbox.digest = digest  # type: ignore[method-assign]  # a disk that is full at just that moment
    with pytest.raises(DatabaseFault):
        send_all(sender, back)
    send_all(sender, Time(back + 60_000))
    assert sender.outbox.counts()["digested"] >= 3


def test_who_has_had_enough_mails_is_told_of_a_new_outage_before_what_is_over(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MAX_PER_HOUR + 5):
        begin(ledger, f"n{number}", now=now)
    send_all(sender, now)
    for number in range(MAX_PER_HOUR + 5):
        end(ledger, f"n{number}", now=now)
    begin(ledger, "new", now=Time(now + 1000))
    send_all(sender, Time(now + HOUR_MS + 60_000))
    assert post.taken[MAX_PER_HOUR : MAX_PER_HOUR + 2] == ["new opened ops@noc.test", "n0 resolved ops@noc.test"]


@pytest.mark.parametrize(
    ("attempts", "least_s", "most_s"), [(0, 2.5, 5), (1, 5, 10), (4, 40, 80), (10, 450, 900), (1000, 450, 900)]
)
def test_the_pause_between_tries_doubles_up_to_a_quarter_of_an_hour(
    attempts: int, least_s: float, most_s: float
) -> None:
    assert (retry_delay_s(attempts, 0.0), retry_delay_s(attempts, 1.0)) == (least_s, most_s)


def test_a_running_outbox_forgets_old_mails(ledger: Ledger, outbox: Outbox, post: PostOffice) -> None:
    long_ago = Time(Time.now() - 91 * 24 * HOUR_MS)
    begin(ledger, now=long_ago)
    end(ledger, now=long_ago)
    sender = new_sender(outbox, post.deliver)
    send_all(sender, long_ago)
    sender.keep_house(Time.now())
    assert outbox.counts() == {}


def test_one_slow_mail_holds_up_no_other(ledger: Ledger, running: Sender, post: PostOffice) -> None:
    """Neither another recipient's nor the same one's."""
    post.slow["slow@noc.test"] = threading.Event()
    now = Time.now()
    begin(ledger, "one", "slow@noc.test", now=now)
    running.wake()
    wait_until(lambda: running.outbox.sending, 10, "the slow one under way")
    for number in range(5):
        begin(ledger, f"n{number}", OPS, "slow@noc.test", now=now)
    running.wake()
    wait_until(lambda: len(post.taken) == 5, 10, "the mails of the others", seen=lambda: post.taken)
    wait_until(lambda: running.outbox.sending == 4, 10, "a few of the slow ones, and no more")
    post.slow["slow@noc.test"].set()
    wait_until(lambda: running.outbox.counts() == {"sent": 11}, 10, "all of them", seen=running.outbox.counts)
    assert len(set(post.taken)) == 11


def test_slow_mails_to_many_leave_room_for_a_critical_target_that_goes_down(
    ledger: Ledger, running: Sender, post: PostOffice
) -> None:
    gate = threading.Event()
    slow = [f"slow{number}@noc.test" for number in range(4)]
    post.slow |= dict.fromkeys(slow, gate)
    now = Time.now()
    for number in range(4):
        begin(ledger, f"n{number}", *slow, now=now)
    running.wake()
    wait_until(lambda: running.outbox.sending == 6, 10, "six slow ones under way")
    begin(ledger, "urgent", OPS, now=now, critical=True)
    running.wake()
    wait_until(lambda: post.taken == [f"urgent opened {OPS}"], 10, "the critical one", seen=lambda: post.taken)
    gate.set()
    wait_until(lambda: running.outbox.counts() == {"sent": 17}, 20, "all of them", seen=running.outbox.counts)


def test_the_end_of_an_incident_is_not_sent_while_its_opening_is(
    ledger: Ledger, running: Sender, post: PostOffice
) -> None:
    post.slow[OPS] = threading.Event()
    now = Time.now()
    begin(ledger, now=now)
    running.wake()
    wait_until(lambda: running.outbox.sending == 1, 10, "the opening under way")
    end(ledger, now=now)
    running.wake()
    time.sleep(0.3)
    assert (running.outbox.sending, post.taken) == (1, [])
    post.slow[OPS].set()
    wait_until(lambda: len(post.taken) == 2, 10, "both", seen=lambda: post.taken)
    assert post.taken == ["one opened ops@noc.test", "one resolved ops@noc.test"]


class FullDisk(Outbox):
    """Cannot note anything while `is_full`."""

    is_full = False

    def sent(self, row: Row, now: Time) -> None:
        if self.is_full:
            raise DatabaseFault("database or disk is full", can_retry=True)
        super().sent(row, now)


def test_a_mail_taken_while_the_disk_was_full_is_noted_later_and_sent_once(ledger: Ledger, post: PostOffice) -> None:
    outbox = FullDisk(ledger.database)
    sender = new_sender(outbox, post.deliver)
    begin(ledger)
    outbox.is_full = True
    stop = threading.Event()
    threads = sender.start(stop)
    try:
        wait_until(lambda: "outbox cannot be used" in str(sender.trouble), 10, "the trouble to be told")
        begin(ledger, "two")
        outbox.is_full = False
        sender.wake()
        wait_until(lambda: outbox.counts() == {"sent": 2}, 10, "both noted", seen=outbox.counts)
        wait_until(lambda: sender.trouble is None, 10, "no trouble any more")
    finally:
        stop.set()
        sender.wake()
        for thread in threads:
            thread.join(10)
    assert sorted(post.taken) == ["one opened ops@noc.test", "two opened ops@noc.test"]


_VERSION_1 = """
CREATE TABLE incident (id TEXT PRIMARY KEY, subject TEXT NOT NULL, is_open INTEGER NOT NULL, resolved_at INTEGER,
    message BLOB NOT NULL);
CREATE UNIQUE INDEX one_open ON incident (subject) WHERE is_open;
CREATE TABLE outbox (id INTEGER PRIMARY KEY, incident TEXT NOT NULL, transition TEXT NOT NULL, recipient TEXT NOT NULL,
    mail BLOB NOT NULL, state TEXT NOT NULL DEFAULT 'queued', created_at INTEGER NOT NULL, next_at INTEGER NOT NULL,
    sent_at INTEGER, attempts INTEGER NOT NULL DEFAULT 0, error TEXT, UNIQUE (incident, transition, recipient));
"""


def test_a_database_of_the_version_before_is_taken_over_with_nothing_lost(tmp_path: Path, post: PostOffice) -> None:
    """Its file has no version, its incidents one subject each, and its mails were written when they were queued."""
    path = tmp_path / "old.sqlite"
    blind = Incident(id="two", kind="site-blind", targets=[], site="north", opened_at=T0, cause="offline")
    over = incident("three", over=True)
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(_VERSION_1)
        for one, subject in ((incident(), "one"), (blind, "site:north"), (over, "three")):
            row = (one.id, subject, one.resolved_at is None, one.resolved_at, encode(one))
            old.execute("INSERT INTO incident VALUES (?, ?, ?, ?, ?)", row)
        old.execute(
            "INSERT INTO outbox (incident, transition, recipient, mail, created_at, next_at) "
            "VALUES ('one', 'opened', 'ops@noc.test', x'6f6c64', 0, 0)"
        )
        old.commit()
    ledger = Ledger(path)
    assert {about: case.incident for case in ledger.open_cases() for about in case.abouts} == {
        of_target("one"): incident(),
        of_site("north"): blind,
    }
    assert ledger.resolved("three") == over
    assert tuple(ledger.told("one")) == (OPS,)
    send_all(new_sender(Outbox(ledger.database), post.deliver))
    assert post.taken == ["old"]
    ledger.close()


def test_a_database_from_the_future_is_refused_in_a_sentence_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "alerter.sqlite"
    Ledger(path).close()
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseFault, match="was written by a newer version of NOC"):
        Ledger(path)


def test_a_damaged_database_is_set_aside_and_a_new_one_made(tmp_path: Path) -> None:
    path = tmp_path / "alerter.sqlite"
    path.write_text("no database at all. " * 500)
    ledger = Ledger(path)
    assert ledger.open_cases() == []
    assert len(list(tmp_path.glob("alerter.sqlite.damaged-*"))) == 1
    ledger.close()


def test_a_report_is_queued_once_for_each_recipient_and_mailed_as_it_was_written(
    ledger: Ledger, outbox: Outbox
) -> None:
    report = ReportMail(
        report="board-20261101-0",
        at=T0,
        to=[OPS, "board@noc.test", OPS],
        subject="October",
        text="99.999 %\n",
        html="<p>99.999 %</p>\n",
    )
    for _ in range(2):
        outbox.queue_report(report, T0)
    begin(ledger, now=Time(T0 + 1))
    rows = []
    while row := outbox.claim(Time(T0 + 2)):
        outbox.sent(row, Time(T0 + 2))
        rows.append(row)
    # An outage goes first, however late it came.
    assert [row.letter.transition for row in rows] == ["opened", "report", "report"]
    assert {row.letter.recipient for row in rows[1:]} == {OPS, "board@noc.test"}
    mail = parse(Mailer(FROM, "https://noc.test").write(rows[1].letter, T0))
    assert (mail["Subject"], mail["X-NOC-Report"]) == ("October", "board-20261101-0")
    assert part(mail, "plain").strip() == "99.999 %"
    assert "<p>99.999 %</p>" in part(mail, "html")
    outbox.queue_report(report, Time(T0 + HOUR_MS))
    assert outbox.claim(Time(T0 + HOUR_MS)) is None


def test_a_report_that_was_given_up_is_shown_until_its_recipient_gets_another(
    ledger: Ledger, sender: Sender, post: PostOffice
) -> None:
    def report(name: str) -> ReportMail:
        return ReportMail(report=name, at=T0, to=[OPS], subject="October", text="100 %\n", html="<p>100 %</p>\n")

    sender.outbox.queue_report(report("board-1"), T0)
    post.refuses[OPS] = NEVER
    send_all(sender)
    sentence = "a mail to ops@noc.test about report-board-1 was given up: 550 no such user; send it again in Settings"
    assert Post(sender).trouble(T0) == ("mail-given-up", sentence)
    post.refuses.clear()
    begin(ledger)
    send_all(sender)
    assert Post(sender).trouble(T0), "a mail about an outage is no report"
    sender.outbox.queue_report(report("board-2"), T0)
    send_all(sender)
    assert Post(sender).trouble(T0) is None
