"""Handing mails to a real mail server that refuses, stalls, lies or is away."""

from __future__ import annotations

import functools
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from noc_alerter.config import Config
from noc_alerter.ledger import Ledger
from noc_alerter.notify import smtp, try_mail
from noc_alerter.notify.mail import Mailer
from noc_alerter.notify.outbox import Outbox
from noc_alerter.notify.sender import Sender
from noc_alerter.notify.smtp import NotDelivered, deliver
from noc_bus.messages import Incident, Member, Target
from noc_bus.time import Time
from noc_frame.settings import SettingError
from noc_rules.mail_address import is_mail_address
from noc_rules.mail_server import Smtp
from tests.alerter.conftest import FROM, OPS, T0, entry, letter, parse, part
from tests.parts.ports import free_port
from tests.parts.smtp import Mode, SmtpSink
from tests.parts.waiting import wait_until

MEMBER = Member(target="router", name="Router", address="192.0.2.1", joined_at=T0)
INCIDENT = Incident(id="one", kind="target-down", targets=["router"], members=[MEMBER], opened_at=T0, cause="no answer")
MAIL = Mailer(FROM, "").write(letter(INCIDENT), T0)


def server(sink: SmtpSink, query: str = "starttls=0") -> Smtp:
    parsed = Smtp.parse(f"smtp://127.0.0.1:{sink.port}?{query}")
    assert parsed is not None
    return parsed


def test_a_mail_arrives_as_it_was_written(smtp_sink: SmtpSink) -> None:
    deliver(server(smtp_sink), OPS, MAIL)
    (mail,) = smtp_sink.mails
    assert mail.recipients == [OPS]
    assert mail.subject == "[DOWN] Router since 12:00"
    assert "no answer" in mail.text


@pytest.mark.parametrize(
    ("mode", "can_retry", "sentence"),
    [
        ("greylist", True, "ops@noc.test refused: 451 4.7.1 try again later"),
        ("refuse-recipients", False, "ops@noc.test refused: 550 5.1.1 no such user here"),
        ("refuse-mail", True, "554 5.7.1 we do not want this"),
        ("drop-after-data", True, "Connection unexpectedly closed"),
    ],
)
def test_a_refusal_says_what_the_server_said_and_whether_to_try_again(
    smtp_sink: SmtpSink, mode: Mode, can_retry: bool, sentence: str
) -> None:
    smtp_sink.mode = mode
    with pytest.raises(NotDelivered) as caught:
        deliver(server(smtp_sink), OPS, MAIL)
    assert (sentence in str(caught.value), caught.value.can_retry) == (True, can_retry), str(caught.value)


def test_a_server_that_is_away_is_tried_again() -> None:
    parsed = Smtp.parse(f"smtp://127.0.0.1:{free_port()}?starttls=0")
    assert parsed is not None
    with pytest.raises(NotDelivered, match=r"no greeting from .* \(Connection refused\); check that it runs") as caught:
        deliver(parsed, OPS, MAIL)
    assert caught.value.can_retry


def test_a_server_without_starttls_is_never_spoken_to_in_the_clear(smtp_sink: SmtpSink) -> None:
    with pytest.raises(NotDelivered, match="add \\?starttls=0 to NOC_SMTP_URL") as caught:
        deliver(server(smtp_sink, "starttls=1"), OPS, MAIL)
    assert caught.value.can_retry
    assert smtp_sink.mails == []


class Scripted:
    """A server that answers each line in turn with what it was told to."""

    def __init__(self, *answers: bytes, pause_s: float = 0) -> None:
        """With a pause it says one after the other without being asked."""
        self._pause_s = pause_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._answers = answers
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as lines:
            for answer in self._answers:
                try:
                    connection.sendall(answer + b"\r\n")
                except OSError:
                    return
                if self._pause_s:
                    time.sleep(self._pause_s)
                else:
                    lines.readline()


@pytest.mark.parametrize(
    ("answers", "can_retry", "sentence"),
    [
        ([b"554 we do not speak with you"], True, "554 we do not speak with you"),
        (
            [b"220 hello", b"250 mail.test", b"530 5.7.0 Authentication required", b"221 bye"],
            True,
            "add user:password@ to NOC_SMTP_URL",
        ),
        (
            [
                b"220 hello",
                b"250-mail.test\r\n250 STARTTLS",
                b"530 5.7.0 Must issue a STARTTLS command first",
                b"221 bye",
            ],
            True,
            "add ?starttls=1 to NOC_SMTP_URL",
        ),
        (
            [b"220 hello", b"250 mail.test", b"550 5.7.1 not you", b"221 bye"],
            True,
            "check the sender, and the user in NOC_SMTP_URL",
        ),
        ([b"220 hello", b"250 mail.test", b"452 4.3.1 disk full", b"221 bye"], True, "refused: 452 4.3.1 disk full"),
        ([b"SSH-2.0-OpenSSH_9.2"], True, "is no mail server; check the host and the port in NOC_SMTP_URL"),
        ([], True, "(Connection unexpectedly closed); check that it runs, and the scheme, the host and the port"),
        (
            [b"220 hello", b"250 m", b"250 ok", b"554 5.7.1 Relay access denied", b"221 bye"],
            True,
            "Relay access denied",
        ),
        ([b"220 hello", b"250 m", b"250 ok", b"550 relay not permitted", b"221 bye"], True, "550 relay not permitted"),
        ([b"220 hello", b"250 m", b"250 ok", b"552 5.2.2 mailbox full", b"221 bye"], True, "mailbox full"),
        ([b"220 hello", b"250 m", b"250 ok", b"550 5.1.10 no mail here", b"221 bye"], False, "5.1.10"),
        ([b"220 hello", b"250 m", b"250 ok", b"250 ok", b"554 no valid recipients", b"221 bye"], True, "554 no valid"),
        (
            [b"220 hello", b"250 m", b"250 ok", b"250 ok", b"354 go on", b"550 5.1.1 no such user", b"221 bye"],
            False,
            "550 5.1.1 no such user",
        ),
        (
            [b"220 hello", b"250 m", b"250 ok", b"250 ok", b"354 go on", b"554 5.7.1 spam", b"221 bye"],
            True,
            "554 5.7.1 spam",
        ),
    ],
    ids=[
        "at the door",
        "log in first",
        "encrypt first",
        "sender",
        "sender, for now",
        "another kind of server",
        "nobody at the door",
        "relaying",
        "relaying, without an extended code",
        "mailbox full now",
        "recipient takes no mail for good",
        "before the mail",
        "recipient unknown, said after the mail",
        "taken for spam",
    ],
)
def test_a_refusal_is_final_only_where_it_is_about_the_recipient_at_any_step(
    answers: list[bytes], can_retry: bool, sentence: str
) -> None:
    with closing(Scripted(*answers)) as scripted:
        parsed = Smtp.parse(f"smtp://127.0.0.1:{scripted.port}")
        assert parsed is not None
        with pytest.raises(NotDelivered, match=re.escape(sentence)) as caught:
            deliver(parsed, OPS, MAIL)
    assert caught.value.can_retry is can_retry


def test_a_wrong_mail_password_names_the_setting_and_not_the_password() -> None:
    answers = [b"220 hello", b"250-mail.test\r\n250 AUTH PLAIN", b"535 wrong", b"221 bye"]
    with closing(Scripted(*answers)) as scripted:
        parsed = Smtp.parse(f"smtp://ada:secret-word@127.0.0.1:{scripted.port}")
        assert parsed is not None
        assert "secret-word" not in f"{parsed} {parsed!r}"
        with pytest.raises(NotDelivered, match="check NOC_SMTP_URL") as caught:
            deliver(parsed, OPS, MAIL)
    assert caught.value.can_retry
    assert "secret-word" not in str(caught.value)


def test_a_server_that_stalls_is_left_in_time(smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_COMMAND_S", 0.3)
    smtp_sink.mode = "stall"
    with pytest.raises(NotDelivered) as caught:
        deliver(server(smtp_sink), OPS, MAIL)
    assert caught.value.can_retry


def test_a_server_that_greets_without_end_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_GREETING_S", 0.5)
    with closing(Scripted(*[b"220-welcome"] * 100, pause_s=0.1)) as scripted:
        parsed = Smtp.parse(f"smtp://127.0.0.1:{scripted.port}")
        assert parsed is not None
        began_s = time.monotonic()
        with pytest.raises(NotDelivered) as caught:
            deliver(parsed, OPS, MAIL)
        assert time.monotonic() - began_s < 5
    assert caught.value.can_retry


def test_a_slow_server_is_waited_for_as_long_as_the_standard_says_and_gets_the_mail_once(
    smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5321 4.5.3.2.6: ten minutes after the final dot, whatever the other steps may take."""
    assert smtp._TAKING_S == 600
    for step in ("_STEP_S", "_COMMAND_S", "_CONTENT_S"):
        monkeypatch.setattr(smtp, step, 0.3)
    smtp_sink.mode = "slow"
    deliver(server(smtp_sink), OPS, MAIL)
    assert len(smtp_sink.mails) == 1


def test_a_server_that_takes_no_passwords_is_not_cured_by_sending_unencrypted() -> None:
    with closing(Scripted(b"220 hello", b"250 mail.test", b"221 bye")) as scripted:
        parsed = Smtp.parse(f"smtp://ada:secret-word@127.0.0.1:{scripted.port}")
        assert parsed is not None
        with pytest.raises(NotDelivered, match="leave user and password out") as caught:
            deliver(parsed, OPS, MAIL)
    assert caught.value.can_retry
    assert "starttls" not in str(caught.value)


def test_a_mail_goes_through_servers_that_take_seven_bits_only() -> None:
    target = Target(id="router", name="Zürich", address="192.0.2.1", note="äöü", group="Büro")
    content = Mailer(FROM, "").write(letter(INCIDENT, target=target), T0)
    assert content.isascii()
    assert "äöü" in part(parse(content), "plain")


def test_trying_the_mail_shows_the_servers_own_words(smtp_sink: SmtpSink) -> None:
    assert try_mail(server(smtp_sink), FROM, "ada@noc.test") == "250 taken"
    (mail,) = smtp_sink.mails
    assert (mail.recipients, mail.subject) == (["ada@noc.test"], "[NOC] Test mail")
    smtp_sink.mode = "refuse-recipients"
    with pytest.raises(NotDelivered, match=re.escape("ada@noc.test refused: 550 5.1.1 no such user here")):
        try_mail(server(smtp_sink), FROM, "ada@noc.test")


# -- the outbox on a real server


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "alerter.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def sender(ledger: Ledger, smtp_sink: SmtpSink) -> Sender:
    def to_sink(recipient: str, content: bytes) -> str:
        return deliver(server(smtp_sink), recipient, content)

    return Sender(
        Outbox(ledger.database),
        Mailer(FROM, "").write,
        to_sink,
        lambda to: f"the mail server sink did not take a mail to {to}",
    )


def down(ledger: Ledger, *recipients: str, now: Time = T0) -> None:
    letters = tuple(letter(INCIDENT, one) for one in recipients)
    ledger.keep([entry(INCIDENT, *letters)], now)


def test_a_server_that_was_away_for_a_while_gets_every_mail_once(
    ledger: Ledger, sender: Sender, smtp_sink: SmtpSink
) -> None:
    people = [f"p{number}@noc.test" for number in range(5)]
    smtp_sink.stop()
    down(ledger, *people)
    now = T0
    for _ in range(3):
        while sender.send_one(now):
            pass
        now = Time(now + 60_000)
    assert sender.outbox.counts() == {"queued": 5}
    assert "in NOC_SMTP_URL; it stays queued" in str(sender.trouble)
    smtp_sink.start()
    for _ in range(3):
        while sender.send_one(now):
            pass
        now = Time(now + 60_000)
    assert sorted(mail.recipients[0] for mail in smtp_sink.mails) == people
    assert (sender.outbox.counts(), sender.trouble) == ({"sent": 5}, None)


def test_greylisting_and_one_bad_recipient_of_three_cost_the_others_nothing(
    ledger: Ledger, sender: Sender, smtp_sink: SmtpSink
) -> None:
    """Five minutes of 451, then 550 for one of them."""
    smtp_sink.mode = "greylist"
    down(ledger, "ada@noc.test", "bad@noc.test", "cleo@noc.test")
    now = T0
    for _ in range(10):
        while sender.send_one(now):
            pass
        now = Time(now + 30_000)
    tries = smtp_sink.refused
    assert (smtp_sink.mails, sender.outbox.counts()) == ([], {"queued": 3})
    assert 9 <= tries <= 21, "each was tried again a few times, and not all the time"
    smtp_sink.mode, smtp_sink.unknown = "ok", {"bad@noc.test"}
    for _ in range(20):
        while sender.send_one(now):
            pass
        now = Time(now + 60_000)
    assert sorted(mail.recipients[0] for mail in smtp_sink.mails) == ["ada@noc.test", "cleo@noc.test"]
    assert len({mail.message_id for mail in smtp_sink.mails}) == 2
    assert sender.outbox.counts() == {"sent": 2, "dead": 1}
    (given_up,) = sender.outbox.unseen(now)
    assert (given_up.recipient, "550 5.1.1 no such user here" in given_up.error) == ("bad@noc.test", True)


def test_a_mail_taken_by_a_server_that_did_not_say_so_comes_again_with_the_same_message_id(
    ledger: Ledger, sender: Sender, smtp_sink: SmtpSink
) -> None:
    down(ledger, OPS)
    smtp_sink.mode = "drop-after-data"
    sender.send_one(T0)
    smtp_sink.mode = "ok"
    sender.send_one(Time(T0 + 10_000))
    assert not sender.send_one(Time(T0 + 3_600_000))
    first, second = smtp_sink.mails
    assert first.message_id == second.message_id


def test_a_refusal_that_is_about_us_is_mended_and_the_alarm_arrives(ledger: Ledger, sender: Sender) -> None:
    """554 Relay access denied at RCPT, until somebody has put the relay right."""
    answers = [b"220 hello", b"250 mail.test", b"250 ok", b"554 5.7.1 Relay access denied", b"221 bye"]
    taken = [b"220 hello", b"250 mail.test", b"250 ok", b"250 ok", b"354 go on", b"250 2.0.0 queued", b"221 bye"]
    down(ledger, OPS)
    for script, words in ((answers, "554 5.7.1 Relay access denied"), (taken, None)):
        with closing(Scripted(*script)) as scripted:
            parsed = Smtp.parse(f"smtp://127.0.0.1:{scripted.port}")
            assert parsed is not None
            again = Sender(
                sender.outbox,
                Mailer(FROM, "").write,
                functools.partial(deliver, parsed),
                lambda to: "the mail server mail.test",
            )
            assert again.send_one(Time(T0 + 600_000 * (words is None)))
        assert (words in str(again.trouble)) if words else again.trouble is None
    assert sender.outbox.counts() == {"sent": 1}


def test_the_outbox_wakes_up_when_something_is_queued(ledger: Ledger, sender: Sender, smtp_sink: SmtpSink) -> None:
    stop = threading.Event()
    threads = sender.start(stop)
    down(ledger, OPS, now=Time.now())
    sender.wake()
    smtp_sink.wait(1, 5)
    wait_until(lambda: sender.outbox.counts() == {"sent": 1}, 5, "the mail noted as sent")
    stop.set()
    sender.wake()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


# -- the settings


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("ops@noc.test", True),
        ("first.last+tag@mail.example.org", True),
        ("ops", False),
        ("ops@", False),
        ("ops@noc.test\r\nBcc: eve@evil.test", False),
        ("ops@noc.test,eve@evil.test", False),
        ("Ops <ops@noc.test>", False),
        ("öps@noc.test", False),
        ("ops@noc.test\n", False),
    ],
)
def test_only_one_plain_address_is_an_address(address: str, is_one: bool) -> None:
    assert is_mail_address(address) is is_one


MAILING = {"NOC_SMTP_URL": "smtp://mail.test", "NOC_MAIL_FROM": FROM, "NOC_MAIL_TO": OPS}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"NOC_SMTP_URL": "http://mail.test"}, "NOC_SMTP_URL: the value given is not accepted; use smtp://"),
        ({"NOC_SMTP_URL": "smtp://mail.test?starttls=maybe"}, "NOC_SMTP_URL: the value given is not accepted"),
        ({"NOC_SMTP_URL": "smtp://ada:gr%C3%BCn@mail.test"}, "user and password in ASCII characters"),
        ({"NOC_MAIL_FROM": "me"}, "NOC_MAIL_FROM: 'me' is not accepted"),
        ({"NOC_MAIL_TO": "ops@noc.test, bob"}, "'bob' is not a mail address"),
        ({"NOC_PUBLIC_URL": "noc.test"}, "NOC_PUBLIC_URL: 'noc.test' is not accepted"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, wrong: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        Config.read({"NOC_DATA": str(tmp_path), **MAILING, **wrong})
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.test", Smtp("mail.test", 587, starttls=True)),
        ("smtp://mail.test:25?starttls=0", Smtp("mail.test", 25)),
        ("smtp://localhost", Smtp("localhost", 587)),
        ("smtps://a%40b:p%2Fw@mail.test", Smtp("mail.test", 465, tls=True, user="a@b", password="p/w")),
        ("smtp://[2001:db8::1]:25?starttls=0", Smtp("2001:db8::1", 25)),
        ("smtps://mail.test?ca=/etc/ca.pem", Smtp("mail.test", 465, tls=True, ca="/etc/ca.pem")),
        ("smtp://localhost?starttls=1&ca=ca.pem", Smtp("localhost", 587, starttls=True, ca="ca.pem")),
        ("", None),
    ],
)
def test_a_mail_server_is_named_by_its_url(url: str, expected: Smtp | None) -> None:
    assert Smtp.parse(url) == expected
