"""Sends what the outbox has queued, again and again until it is taken or hopeless; a slow mail holds up no other."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final

from noc_alerter.ledger import Letter
from noc_alerter.notify.outbox import LONGEST_PAUSE_MS, MAX_PER_HOUR, Outbox, Row
from noc_alerter.notify.smtp import NotDelivered
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_rules.telling import is_mail

Deliver = Callable[[str, bytes], str]
"""Called with a recipient and a mail: the server's words. Raises NotDelivered."""
THREADS: Final = 8
_GIVE_UP_MS: Final = 72 * 3_600_000
_FIRST_RETRY_S: Final = 5.0
# A server that is away is asked with one mail now and then, not with all that wait.
_LONGEST_REST_S: Final = 60.0
# Three days may be over at once, where the clock was put right or the machine was off.
_FEWEST_TRIES: Final = 20
_LOOK_EVERY_S: Final = 1.0
_SLEEP_S: Final = 60.0
_TIDY_EVERY_S: Final = 60.0
_HOUSE_EVERY_S: Final = 0.9


def retry_delay_s(attempts: int, chance: float) -> float:
    """Before the next try after so many: 5 s doubling up to 15 min, spread by half with `chance` of 0 to 1."""
    longest = min(LONGEST_PAUSE_MS / 1000, _FIRST_RETRY_S * 2.0 ** min(attempts, 20))
    return longest * (0.5 + chance / 2)


class Sender:
    """`run` is what each of its threads does."""

    def __init__(
        self,
        outbox: Outbox,
        write: Callable[[Letter, Time], bytes],
        deliver: Deliver,
        refusal: Callable[[str], str],
    ) -> None:
        """`refusal` says who did not take what, of what goes to a recipient."""
        self.outbox = outbox
        self._write = write
        self._deliver = deliver
        self._refusal = refusal
        self._work = threading.Condition()
        self._lock = threading.Lock()
        self._refused: dict[str, str] = {}
        self._faults: dict[int, str] = {}
        self._house_s = self._tidy_s = 0.0
        self._rest: tuple[Time, Time] | None = None
        self._failures = 0
        self._was_away = True
        self._log = log.get("noc.alerter")

    @property
    def trouble(self) -> tuple[str, str] | None:
        """A code and a sentence: the latest of what keeps some recipient from getting mail now. None: nothing."""
        with self._lock:
            if self._faults:
                return "outbox-fault", next(iter(self._faults.values()))
            return ("mail-refused", next(reversed(self._refused.values()))) if self._refused else None

    def wake(self, *, is_mended: bool = False) -> None:
        """There is something new to send. `is_mended`: the settings are others, so that a server needs no rest."""
        with self._lock:
            self._rest = None if is_mended else self._rest
        with self._work:
            self._work.notify_all()

    def start(self, stop: threading.Event) -> list[threading.Thread]:
        # One looks every second what has become due; the others sleep until there is more than one mail.
        threads = [
            threading.Thread(
                target=self.run,
                args=[stop, _LOOK_EVERY_S if number == 0 else _SLEEP_S],
                name=f"sender-{number}",
                daemon=True,
            )
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        return threads

    def run(self, stop: threading.Event, look_every_s: float) -> None:
        unnoted: list[Callable[[], None]] = []
        while not stop.is_set():
            try:
                while not stop.is_set() and self.send_one(Time.now(), unnoted):
                    self._recovered()
                self.keep_house(Time.now())
                self._recovered()
            except DatabaseFault as fault:
                self._failed_to_note(f"the outbox cannot be used: {fault}")
            with self._work:
                if not stop.is_set():
                    self._work.wait(look_every_s)

    def send_one(self, now: Time, unnoted: list[Callable[[], None]] | None = None) -> bool:
        """Try the next mail that is due. False when there is none.

        Raises DatabaseFault where the outcome cannot be noted: it is left in `unnoted`, and noted first
        thing in the next call. A mail must not be sent again only because the disk was full when it had
        been sent.
        """
        unnoted = [] if unnoted is None else unnoted
        while unnoted:
            unnoted[0]()
            unnoted.pop(0)
        # While the mail server is given time, webhooks are not.
        row = self.outbox.claim(now, with_mails=not self._rests(now))
        if row is None:
            return False
        with self._work:
            # There may be another one, and this one may be slow.
            self._work.notify()
        try:
            content = row.mail or self._write(row.letter, row.created_at)
            words = self._deliver(row.letter.recipient, content)
        except NotDelivered as error:
            unnoted.append(self._outcome_of(row, error, now))
        else:
            self._log.info(
                f"told {row.letter.recipient}: {row.letter.incident} {row.letter.transition}",
                extra=log.values(server=words[:200]),
            )
            self._forget(row.letter.recipient)
            at = Time.now()
            unnoted.append(lambda: self.outbox.sent(row, at))
            if is_mail(row.letter.recipient):
                self._failures = 0
                self._is_back(now)
        unnoted[0]()
        unnoted.clear()
        return True

    def _is_back(self, now: Time) -> None:
        """The mail server has taken a mail: the first one after it was away, or after our start?"""
        with self._lock:
            was_away, self._was_away = self._was_away, False
        if not was_away:
            return
        try:
            self.outbox.digest(now)
        except DatabaseFault:
            # The next mail that it takes is the first one, then.
            with self._lock:
                self._was_away = True
            raise

    def _rests(self, now: Time) -> bool:
        """Whether the server is given time; a clock that was put back ends that."""
        with self._lock:
            if self._rest is not None and not self._rest[0] <= now < self._rest[1]:
                self._rest = None
            return self._rest is not None

    def _give_rest(self, now: Time) -> None:
        with self._lock:
            delay_s = min(_LONGEST_REST_S, retry_delay_s(self._failures, random.random()))
            self._failures += 1
            self._was_away = True
            self._rest = now, Time(now + round(delay_s * 1000))

    def _outcome_of(self, row: Row, error: NotDelivered, now: Time) -> Callable[[], None]:
        recipient = row.letter.recipient
        sentence = f"{self._refusal(recipient)}: {error}"
        is_hopeless = now - row.created_at > _GIVE_UP_MS and row.attempts >= _FEWEST_TRIES
        if not error.can_retry or is_hopeless:
            self._log.error(f"{sentence}; it is given up", extra=log.values(incident=row.letter.incident))
            self._forget(recipient)
            return lambda: self.outbox.given_up(row, str(error))
        if error.is_for_all:
            self._give_rest(now)
        delay_s = retry_delay_s(row.attempts, random.random())
        self._remember(recipient, f"{sentence}; it stays queued and is tried again")
        return lambda: self.outbox.again(row, str(error), Time(now + round(delay_s * 1000)))

    def _remember(self, recipient: str, sentence: str) -> None:
        with self._lock:
            is_known = self._refused.pop(recipient, None) == sentence
            self._refused[recipient] = sentence
        if not is_known:
            self._log.error(sentence)

    def _forget(self, recipient: str) -> None:
        with self._lock:
            self._refused.pop(recipient, None)

    def _failed_to_note(self, sentence: str) -> None:
        with self._lock:
            is_known = sentence in self._faults.values()
            self._faults[threading.get_ident()] = sentence
        if not is_known:
            self._log.error(sentence)

    def _recovered(self) -> None:
        with self._lock:
            self._faults.pop(threading.get_ident(), None)

    def keep_house(self, now: Time) -> None:
        """Say what is held back, and forget what is old. To be called now and then, by any thread."""
        now_s = time.monotonic()
        with self._lock:
            if now_s < self._house_s:
                return
            self._house_s = now_s + _HOUSE_EVERY_S
            is_to_tidy = now_s >= self._tidy_s
            if is_to_tidy:
                self._tidy_s = now_s + _TIDY_EVERY_S
        self.outbox.tell_held_back(now)
        if is_to_tidy:
            self.outbox.tidy(now)


def held_back_sentence(by_recipient: dict[str, int]) -> str:
    """Of mails that wait because of the limit."""
    total, recipient = sum(by_recipient.values()), max(by_recipient, key=lambda one: by_recipient[one])
    more = f" and {len(by_recipient) - 1} more" if len(by_recipient) > 1 else ""
    mails = "1 mail" if total == 1 else f"{total} mails"
    return f"{mails} to {recipient}{more} held back: {MAX_PER_HOUR} mails within an hour are the limit"
