"""Incidents and their mails change together, and each mail is sent until it is taken or hopeless."""

from __future__ import annotations

import io
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from noc_alerter.database import Database, Mail
from noc_alerter.outbox import MOST_PER_HOUR, Outbox, retry_delay_s
from noc_alerter.smtp import NotDelivered
from noc_bus.messages import Incident
from noc_bus.time import Time
from noc_frame import log
from tests.alerter.conftest import OPS, T0
from tests.parts.waiting import wait_until

LATER = NotDelivered("451 try again later", can_retry=True)
NEVER = NotDelivered("550 no such user", can_retry=False)
HOUR_MS = 3_600_000


class PostOffice:
    """Takes mails, or refuses those to some recipients."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuses: dict[str, NotDelivered] = {}

    def deliver(self, mail: Mail) -> None:
        if mail.recipient in self.refuses:
            raise self.refuses[mail.recipient]
        self.taken.append(f"{mail.incident} {mail.transition} {mail.recipient}")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "alerter.sqlite")
    yield database
    database.close()


@pytest.fixture
def post() -> PostOffice:
    return PostOffice()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What is logged, as the service would log it."""
    lines = io.StringIO()
    log.configure("info", lines)
    yield lines
    structlog.reset_defaults()


@pytest.fixture
def outbox(database: Database, post: PostOffice) -> Outbox:
    return Outbox(database, post.deliver, "mail.test:25")


def incident(name: str = "one", *, over: bool = False) -> Incident:
    ended = Time(T0 + 60_000) if over else None
    return Incident(id=name, kind="target-down", targets=["router"], opened_at=T0, resolved_at=ended, cause="silent")


def mail(name: str = "one", transition: str = "opened", recipient: str = OPS) -> Mail:
    return Mail(name, transition, recipient, b"From: noc@noc.test\r\n\r\n")


def begin(database: Database, name: str = "one", *recipients: str, now: Time = T0) -> None:
    mails = [mail(name, "opened", one) for one in recipients or (OPS,)]
    database.save(f"target-{name}", incident(name), mails, now)


def end(database: Database, name: str = "one", *recipients: str, now: Time = T0) -> None:
    mails = [mail(name, "resolved", one) for one in recipients or (OPS,)]
    database.save(f"target-{name}", incident(name, over=True), mails, now)


def send_all(outbox: Outbox, now: Time = T0) -> None:
    while outbox.send_one(now):
        pass


# -- incidents and mails in one transaction


def test_an_incident_and_its_mails_are_kept_together_or_not_at_all(database: Database) -> None:
    begin(database)
    broken = Mail("two", "opened", OPS, None)  # type: ignore[arg-type]  # the database refuses a mail without content
    with pytest.raises(sqlite3.Error):
        database.save("switch", incident("two"), [mail("two"), broken], T0)
    assert set(database.open_incidents()) == {"target-one"}
    assert database.mails() == {"queued": 1}
    with pytest.raises(sqlite3.IntegrityError):
        database.save("target-one", incident("other"), [mail("other")], T0)
    assert database.mails() == {"queued": 1}
    begin(database, "three")


def test_what_is_kept_is_there_after_a_restart(database: Database, tmp_path: Path) -> None:
    begin(database)
    again = Database(tmp_path / "alerter.sqlite")
    assert again.open_incidents() == {"target-one": incident()}
    assert again.mails() == {"queued": 1}
    again.close()


def test_the_same_word_about_an_incident_is_mailed_to_one_recipient_once(database: Database) -> None:
    for _ in range(3):
        begin(database)
    assert database.mails() == {"queued": 1}


def test_those_who_were_to_be_told_of_the_begin_are_told_of_the_end(database: Database) -> None:
    begin(database, "one", "ada@noc.test", "bob@noc.test")
    assert database.recipients("one") == ["ada@noc.test", "bob@noc.test"]


def test_what_ended_is_no_longer_open_and_can_be_told_again(database: Database) -> None:
    begin(database)
    end(database)
    assert database.open_incidents() == {}
    assert database.resolved("one") == incident(over=True)
    assert database.resolved("two") is None
    assert database.resolved_since(T0) == [incident(over=True)]
    assert database.resolved_since(Time(T0 + 60_001)) == []


def test_a_mail_of_the_begin_is_withdrawn_when_it_is_over_before_it_was_sent(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    begin(database)
    end(database)
    send_all(outbox)
    assert post.taken == ["one resolved ops@noc.test"]


def test_a_mail_of_the_begin_that_failed_while_the_incident_ended_is_not_sent_after_it(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    begin(database)
    row = database.claim(T0, MOST_PER_HOUR)
    assert row is not None
    end(database)
    database.again(row, "timed out", T0)
    send_all(outbox)
    assert post.taken == ["one resolved ops@noc.test"]


def test_a_mail_that_was_being_sent_when_we_died_is_sent_again(database: Database, tmp_path: Path) -> None:
    begin(database)
    assert database.claim(T0, MOST_PER_HOUR)
    assert database.claim(T0, MOST_PER_HOUR) is None
    again = Database(tmp_path / "alerter.sqlite")
    row = again.claim(T0, MOST_PER_HOUR)
    assert row is not None
    assert row.mail == mail()
    again.close()


def test_old_mails_are_forgotten_but_not_those_that_say_whom_to_tell(database: Database, outbox: Outbox) -> None:
    begin(database)
    begin(database, "two")
    end(database, "two")
    send_all(outbox)
    database.tidy(Time(T0 + 91 * 86_400_000))
    assert database.recipients("one") == [OPS]
    assert database.recipients("two") == []


def test_a_full_disk_refuses_an_incident_as_a_whole_and_takes_it_when_there_is_room_again(database: Database) -> None:
    connection = database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Mail("one", "opened", OPS, b"x" * 100_000)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            database.save("router", incident(), [large], T0)
    assert (database.open_incidents(), database.mails()) == ({}, {})
    connection.execute("PRAGMA max_page_count = 1000000")
    database.save("router", incident(), [large], T0)
    assert (len(database.open_incidents()), database.mails()) == (1, {"queued": 1})


def test_the_file_is_its_owners_alone(database: Database, tmp_path: Path) -> None:
    begin(database)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("alerter.sqlite*")} == {0o600}


# -- sending


def test_a_mail_that_was_taken_is_not_sent_again(database: Database, outbox: Outbox, post: PostOffice) -> None:
    begin(database)
    send_all(outbox)
    send_all(outbox, Time(T0 + HOUR_MS))
    assert post.taken == ["one opened ops@noc.test"]
    assert (database.mails(), outbox.trouble) == ({"sent": 1}, None)


def test_a_temporary_refusal_is_tried_again_later_and_not_at_once(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    begin(database)
    post.refuses[OPS] = LATER
    send_all(outbox)
    assert outbox.trouble == (
        "the mail server mail.test:25 did not take a mail to ops@noc.test: 451 try again later; "
        "it stays queued and is tried again"
    )
    del post.refuses[OPS]
    send_all(outbox, Time(T0 + 2_000))
    assert post.taken == []
    send_all(outbox, Time(T0 + 5_001))
    assert post.taken == ["one opened ops@noc.test"]
    assert outbox.trouble is None


def test_a_recipient_refused_for_good_does_not_keep_the_others_waiting_and_is_not_forgotten(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    begin(database, "one", "gone@noc.test", OPS)
    post.refuses["gone@noc.test"] = NEVER
    send_all(outbox)
    assert post.taken == ["one opened ops@noc.test"]
    assert database.mails() == {"dead": 1, "sent": 1}
    assert "gone@noc.test: 550 no such user; it is given up" in (outbox.trouble or "")
    send_all(outbox, Time(T0 + HOUR_MS))
    assert database.mails() == {"dead": 1, "sent": 1}


def test_a_refusal_is_logged_once_and_again_only_after_a_mail_was_taken(
    database: Database, post: PostOffice, log_lines: io.StringIO
) -> None:
    outbox = Outbox(database, post.deliver, "mail.test:25")
    begin(database)
    post.refuses[OPS] = LATER
    for hour in range(3):
        send_all(outbox, Time(T0 + hour * HOUR_MS))
    assert log_lines.getvalue().count("did not take a mail") == 1
    del post.refuses[OPS]
    send_all(outbox, Time(T0 + 4 * HOUR_MS))
    begin(database, "two", now=Time(T0 + 4 * HOUR_MS))
    post.refuses[OPS] = LATER
    send_all(outbox, Time(T0 + 5 * HOUR_MS))
    assert log_lines.getvalue().count("did not take a mail") == 2


def test_a_mail_refused_for_three_days_is_given_up(database: Database, outbox: Outbox, post: PostOffice) -> None:
    begin(database)
    post.refuses[OPS] = LATER
    for hour in range(73):
        send_all(outbox, Time(T0 + hour * HOUR_MS))
        assert database.mails() == {"queued": 1}
    send_all(outbox, Time(T0 + 73 * HOUR_MS))
    assert database.mails() == {"dead": 1}


def test_a_clock_that_was_put_forward_gives_up_no_mail(database: Database, outbox: Outbox, post: PostOffice) -> None:
    begin(database)
    post.refuses[OPS] = LATER
    send_all(outbox, Time(T0 + 1000 * HOUR_MS))
    post.refuses.clear()
    send_all(outbox, Time(T0 + 1001 * HOUR_MS))
    assert post.taken == ["one opened ops@noc.test"]


def test_a_clock_that_was_put_back_keeps_no_mail_waiting(database: Database, outbox: Outbox, post: PostOffice) -> None:
    begin(database)
    begin(database, "two", "bob@noc.test")
    post.refuses["bob@noc.test"] = LATER
    send_all(outbox)
    begin(database, "three")
    del post.refuses["bob@noc.test"]
    send_all(outbox, Time(T0 - 1000 * HOUR_MS))
    assert sorted(post.taken) == ["one opened ops@noc.test", "three opened ops@noc.test", "two opened bob@noc.test"]


def test_mails_sent_before_the_clock_was_put_back_are_not_counted_for_ever(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MOST_PER_HOUR + 1):
        begin(database, f"n{number}", now=now)
    send_all(outbox, now)
    assert len(post.taken) == MOST_PER_HOUR
    send_all(outbox, Time(now - 1000 * HOUR_MS))
    assert len(post.taken) == MOST_PER_HOUR + 1


def test_a_recipient_who_had_enough_mails_in_an_hour_gets_the_rest_later(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MOST_PER_HOUR + 5):
        begin(database, f"n{number}", now=now)
    begin(database, "other", "bob@noc.test", now=now)
    send_all(outbox, now)
    assert len([one for one in post.taken if OPS in one]) == MOST_PER_HOUR
    assert "other opened bob@noc.test" in post.taken
    send_all(outbox, Time(now + HOUR_MS + 60_000))
    assert len([one for one in post.taken if OPS in one]) == MOST_PER_HOUR + 5


def test_who_has_had_enough_mails_is_told_of_a_new_outage_before_what_is_over(
    database: Database, outbox: Outbox, post: PostOffice
) -> None:
    now = Time.now()
    for number in range(MOST_PER_HOUR + 5):
        begin(database, f"n{number}", now=now)
    send_all(outbox, now)
    for number in range(MOST_PER_HOUR + 5):
        end(database, f"n{number}", now=now)
    begin(database, "new", now=Time(now + 1000))
    send_all(outbox, Time(now + HOUR_MS + 60_000))
    assert post.taken[MOST_PER_HOUR : MOST_PER_HOUR + 2] == ["new opened ops@noc.test", "n0 resolved ops@noc.test"]


@pytest.mark.parametrize(
    ("attempts", "least_s", "most_s"), [(0, 2.5, 5), (1, 5, 10), (4, 40, 80), (10, 450, 900), (1000, 450, 900)]
)
def test_the_pause_between_tries_doubles_up_to_a_quarter_of_an_hour(
    attempts: int, least_s: float, most_s: float
) -> None:
    assert (retry_delay_s(attempts, 0.0), retry_delay_s(attempts, 1.0)) == (least_s, most_s)


def test_a_running_outbox_forgets_old_mails(database: Database, outbox: Outbox) -> None:
    long_ago = Time(Time.now() - 91 * 24 * HOUR_MS)
    begin(database, now=long_ago)
    send_all(outbox, long_ago)
    end(database, now=long_ago)
    send_all(outbox, long_ago)
    assert database.mails() == {"sent": 2}
    stop = threading.Event()
    thread = threading.Thread(target=outbox.run, args=[stop])
    thread.start()
    try:
        wait_until(lambda: database.mails() == {}, 10, "the old mails gone", seen=database.mails)
    finally:
        stop.set()
        outbox.wake()
        thread.join(10)


class FullDisk(Database):
    """Cannot note anything while `is_full`."""

    is_full = False

    def sent(self, row: object, now: Time) -> None:
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        super().sent(row, now)  # type: ignore[arg-type]


def test_a_mail_taken_while_the_disk_was_full_is_noted_later_and_sent_once(tmp_path: Path, post: PostOffice) -> None:
    database = FullDisk(tmp_path / "full.sqlite")
    outbox = Outbox(database, post.deliver, "mail.test:25")
    begin(database)
    database.is_full = True
    stop = threading.Event()
    thread = threading.Thread(target=outbox.run, args=[stop])
    thread.start()
    try:
        wait_until(lambda: "outbox cannot be written" in (outbox.trouble or ""), 10, "the trouble to be told")
        begin(database, "two")
        database.is_full = False
        outbox.wake()
        wait_until(lambda: database.mails() == {"sent": 2}, 10, "both noted", seen=database.mails)
        wait_until(lambda: outbox.trouble is None, 10, "no trouble any more")
    finally:
        stop.set()
        outbox.wake()
        thread.join(10)
    assert post.taken == ["one opened ops@noc.test", "two opened ops@noc.test"]
    database.close()
