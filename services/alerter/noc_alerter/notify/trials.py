"""Test mails that an administrator asks for: what the mail server says of each recipient, as soon as it has said it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from noc_alerter.notify.heartbeat import HEARTBEAT
from noc_alerter.notify.smtp import NotDelivered
from noc_alerter.recipients import NO_RECIPIENTS_SENTENCE
from noc_alerter.settings import Means
from noc_bus.bus import Bus
from noc_bus.channels import MAIL_TEST_RESULTS, MAIL_TESTS
from noc_bus.messages import MailTest, MailTestAnswer, MailTestResult
from noc_bus.presence import BUSY, NO_MAIL
from noc_bus.time import Time
from noc_frame import log
from noc_rules.telling import addresses, is_mail

Deliver = Callable[[str], str]
"""Called with a recipient: the server's own words. Raises NotDelivered."""
# As many as a message has room for.
_MOST: Final = 100
_AT_ONCE: Final = 8
_LONGEST: Final = 500
_log = log.get("noc.alerter")


class Trials:
    """Answers requests on the bus, one at a time. A mail server may take minutes: its threads wait, nobody else."""

    def __init__(self, bus: Bus, deliver: Deliver, means: Callable[[], Means], is_silenced: Callable[[], bool]) -> None:
        """`means`: those in force. `is_silenced`: another alerter was here first, and answers instead."""
        self._bus = bus
        self._deliver = deliver
        self._means = means
        self._is_silenced = is_silenced
        self._lock = threading.Lock()
        self._trial: _Trial | None = None
        bus.subscribe(MAIL_TESTS, self._on_request)

    def _on_request(self, asked: MailTest | None, variables: dict[str, str]) -> None:
        if asked is None or self._is_silenced():
            return
        to, why = ((HEARTBEAT,), None) if asked.heartbeat else self._recipients(asked.contact)
        if why:
            self._refuse(asked, NO_MAIL, why)
            return
        with self._lock:
            is_busy = self._trial is not None and not self._trial.is_over
            if not is_busy:
                self._trial = _Trial(self._bus, asked.request, tuple(dict.fromkeys(to))[:_MOST], self._deliver)
                self._trial.start()
        if is_busy:
            sentence = "the earlier test has not been answered in full yet; try again in a few minutes"
            self._refuse(asked, BUSY, sentence)

    def _recipients(self, contact: str | None) -> tuple[tuple[str, ...], str | None]:
        """To whom test mails go, and why to nobody; None: they go."""
        means = self._means()
        to = addresses(contact, means.book) if contact else means.mail_to
        nobody = f"the contact {contact} has no address" if contact else NO_RECIPIENTS_SENTENCE
        is_only_mail = all(map(is_mail, to))
        return to, (means.why_no_mail if is_only_mail else None) or (None if to else nobody)

    def _refuse(self, asked: MailTest, code: str, sentence: str) -> None:
        refusal = MailTestResult(request=asked.request, at=Time.now(), done=True, error=sentence, code=code)
        self._bus.publish(MAIL_TEST_RESULTS, refusal)


class _Trial:
    """The mails of one request: what came of them is published whole each time it changes."""

    def __init__(self, bus: Bus, request: str, to: tuple[str, ...], deliver: Deliver) -> None:
        self._bus = bus
        self._request = request
        self._deliver = deliver
        self._lock = threading.Lock()
        self._waiting = deque(to)
        self._mails = {one: MailTestAnswer(to=one) for one in to}

    @property
    def is_over(self) -> bool:
        return all(mail.answer is not None or mail.error is not None for mail in self._mails.values())

    def start(self) -> None:
        self._publish()
        for number in range(min(_AT_ONCE, len(self._waiting))):
            threading.Thread(target=self._run, name=f"mail-test-{number}", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                to = self._waiting.popleft()
            except IndexError:
                return
            mail = self._tried(to)
            with self._lock:
                self._mails[to] = mail
                self._publish()

    def _tried(self, to: str) -> MailTestAnswer:
        try:
            return MailTestAnswer(to=to, answer=self._deliver(to)[:_LONGEST])
        except NotDelivered as refusal:
            return MailTestAnswer(to=to, error=str(refusal)[:_LONGEST])
        except Exception:  # noqa: BLE001  # whatever it was, whoever asked must not wait for ever
            _log.exception(f"the test mail to {to} could not be sent")
            return MailTestAnswer(to=to, error="it could not be sent; the alerter's log says why")

    def _publish(self) -> None:
        self._bus.publish(
            MAIL_TEST_RESULTS,
            MailTestResult(request=self._request, at=Time.now(), mails=list(self._mails.values()), done=self.is_over),
        )
