"""By which way a recipient is told, with what is in force now: one file beside this one for each kind of way."""

from __future__ import annotations

from datetime import tzinfo

from noc_alerter.ledger import Letter
from noc_alerter.notify import smtp, try_mail
from noc_alerter.notify.mail import Mailer
from noc_alerter.notify.smtp import NotDelivered
from noc_alerter.settings import Settings
from noc_bus.time import Time


class Channels:
    """Used from several threads. What was queued goes by the settings of the moment when it is sent."""

    def __init__(self, settings: Settings, public_url: str, zone: tzinfo) -> None:
        self._settings = settings
        self._public_url = public_url
        self._zone = zone

    def write(self, one: Letter, queued_at: Time) -> bytes:
        return Mailer(self._settings.means.sender, self._public_url, self._zone).write(one, queued_at)

    def deliver(self, recipient: str, content: bytes) -> str:
        """The other side's own words on taking it. Raises NotDelivered."""
        means = self._settings.means
        if means.smtp is None or means.why_no_mail:
            raise NotDelivered(means.why_no_mail or "", can_retry=True, is_for_all=True)
        return smtp.deliver(means.smtp, recipient, content)

    def try_one(self, recipient: str) -> str:
        """The same of a message that says it is a test."""
        means = self._settings.means
        if means.smtp is None or means.why_no_mail:
            raise NotDelivered(means.why_no_mail or "", can_retry=True, is_for_all=True)
        return try_mail(means.smtp, means.sender, recipient)

    def name(self, recipient: str) -> str:
        """Who takes what goes to this recipient, for sentences."""
        return f"the mail server {self._settings.means.smtp or ''}".rstrip()
