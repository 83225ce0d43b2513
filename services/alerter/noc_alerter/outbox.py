"""Sends what the database has queued, one mail at a time, again and again until it is taken or hopeless."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable
from typing import Final

from noc_alerter.database import LONGEST_PAUSE_MS, Database, Mail, Row
from noc_alerter.smtp import NotDelivered
from noc_bus.time import Time
from noc_frame import log

MOST_PER_HOUR: Final = 60
_GIVE_UP_MS: Final = 72 * 3_600_000
_FIRST_RETRY_S: Final = 5.0
# Three days may be over at once, where the clock was put right or the machine was off.
_FEWEST_TRIES: Final = 20
_TIDY_EVERY_MS: Final = 3_600_000
_DATABASE: Final = ""


def retry_delay_s(attempts: int, chance: float) -> float:
    """Before the next try after so many: 5 s doubling up to 15 min, spread by half with `chance` of 0 to 1."""
    longest = min(LONGEST_PAUSE_MS / 1000, _FIRST_RETRY_S * 2.0 ** min(attempts, 20))
    return longest * (0.5 + chance / 2)


class Outbox:
    """Runs in a thread of its own."""

    def __init__(self, database: Database, deliver: Callable[[Mail], None], server: str) -> None:
        self._troubles: dict[str, str] = {}
        self._unnoted: Callable[[], None] | None = None
        self._database = database
        self._deliver = deliver
        self._server = server
        self._work = threading.Event()
        self._tidied_at = 0
        self._log = log.get("noc.alerter")

    @property
    def trouble(self) -> str | None:
        """The latest of what keeps some recipient from getting mail; None: everybody's last mail was taken."""
        return next(reversed(list(self._troubles.values())), None)

    def wake(self) -> None:
        """There is something new to send."""
        self._work.set()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                while not stop.is_set() and self.send_one(Time.now()):
                    pass
                self._tidy(Time.now())
                self._troubles.pop(_DATABASE, None)
            except sqlite3.Error as error:
                self._say(_DATABASE, f"the outbox cannot be written: {error}; free disk space in NOC_DATA")
            self._work.wait(1.0)
            self._work.clear()

    def send_one(self, now: Time) -> bool:
        """Try the next mail that is due. False when there is none.

        Raises sqlite3.Error where the outcome cannot be noted; it is noted first thing in the next call.
        """
        if self._unnoted:
            self._note(self._unnoted)
        row = self._database.claim(now, MOST_PER_HOUR)
        if row is None:
            return False
        try:
            self._deliver(row.mail)
        except NotDelivered as error:
            self._failed(row, error, now)
        else:
            self._log.info(f"mailed {row.mail.recipient}: {row.mail.incident} {row.mail.transition}")
            self._troubles.pop(row.mail.recipient, None)
            at = Time.now()
            self._note(lambda: self._database.sent(row, at))
        return True

    def _failed(self, row: Row, error: NotDelivered, now: Time) -> None:
        sentence = f"the mail server {self._server} did not take a mail to {row.mail.recipient}: {error}"
        is_hopeless = now - row.created_at > _GIVE_UP_MS and row.attempts >= _FEWEST_TRIES
        if not error.can_retry or is_hopeless:
            self._say(row.mail.recipient, f"{sentence}; it is given up")
            self._note(lambda: self._database.given_up(row, str(error)))
        else:
            delay_s = retry_delay_s(row.attempts, random.random())
            self._say(row.mail.recipient, f"{sentence}; it stays queued and is tried again")
            self._note(lambda: self._database.again(row, str(error), Time(now + round(delay_s * 1000))))

    def _note(self, note: Callable[[], None]) -> None:
        """A mail must not be sent again only because the disk was full when it had been sent."""
        self._unnoted = note
        note()
        self._unnoted = None

    def _say(self, about: str, sentence: str) -> None:
        if self._troubles.pop(about, None) != sentence:
            self._log.error(sentence)
        self._troubles[about] = sentence

    def _tidy(self, now: Time) -> None:
        if now - self._tidied_at > _TIDY_EVERY_MS:
            self._tidied_at = now
            self._database.tidy(now)
