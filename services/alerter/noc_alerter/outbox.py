"""Sends what the database has queued, one mail at a time, again and again until it is taken or hopeless."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

from noc_alerter.database import Database, Mail, Row
from noc_alerter.smtp import NotDelivered
from noc_bus import log
from noc_bus.time import Time

MOST_PER_HOUR: Final = 60
_GIVE_UP_MS: Final = 72 * 3_600_000
_FIRST_RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 900.0
_TIDY_EVERY_MS: Final = 3_600_000


def retry_delay_s(attempts: int, chance: float) -> float:
    """Before the next try after so many: 5 s doubling up to 15 min, spread by half with `chance` of 0 to 1."""
    longest = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(attempts, 20))
    return longest * (0.5 + chance / 2)


class Outbox:
    """Runs in a thread of its own. `trouble` says what the mail server's last word was, None if it was good."""

    def __init__(self, database: Database, deliver: Callable[[Mail], None], server: str) -> None:
        self.trouble: str | None = None
        self._database = database
        self._deliver = deliver
        self._server = server
        self._work = threading.Event()
        self._tidied_at = 0
        self._log = log.get("noc.alerter")

    def wake(self) -> None:
        """There is something new to send."""
        self._work.set()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            while not stop.is_set() and self.send_one(Time.now()):
                pass
            self._work.wait(1.0)
            self._work.clear()
            if Time.now() - self._tidied_at > _TIDY_EVERY_MS:
                self._tidied_at = Time.now()
                self._database.tidy(Time.now())

    def send_one(self, now: Time) -> bool:
        """Try the oldest mail that is due. False when there is none."""
        row = self._database.claim(now, MOST_PER_HOUR)
        if row is None:
            return False
        try:
            self._deliver(row.mail)
        except NotDelivered as error:
            self._failed(row, error, now)
        else:
            self._database.sent(row, Time.now())
            self._log.info(f"mailed {row.mail.recipient}: {row.mail.incident} {row.mail.transition}")
            self.trouble = None
        return True

    def _failed(self, row: Row, error: NotDelivered, now: Time) -> None:
        sentence = f"the mail server {self._server} did not take a mail to {row.mail.recipient}: {error}"
        if not error.can_retry or now - row.created_at > _GIVE_UP_MS:
            self._database.given_up(row, str(error))
            self._log.error(f"{sentence}; it is given up")
        else:
            delay_s = retry_delay_s(row.attempts, random.random())
            self._database.again(row, str(error), Time(now + round(delay_s * 1000)))
            if sentence != self.trouble:
                self._log.warning(f"{sentence}; it stays queued and is tried again")
        self.trouble = sentence
