"""By which way a recipient is told, with what is in force now: one file beside this one for each kind of way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from noc_alerter.ledger import Letter
from noc_alerter.notify import apprised, posted, smtp, try_mail, webhook
from noc_alerter.notify.heartbeat import HEARTBEAT, beat
from noc_alerter.notify.mail import Mailer
from noc_alerter.notify.smtp import NotDelivered
from noc_alerter.notify.templating import BUILT_IN, Templates
from noc_alerter.notify.webhook import Receiver
from noc_alerter.settings import NO_SERVER, Settings
from noc_bus.messages import Channel
from noc_bus.time import Time
from noc_rules.calendar import zone_of
from noc_rules.mail_server import Smtp
from noc_rules.telling import APPRISE, WEBHOOK, is_mail


class Channels:
    """Used from several threads. What was queued goes by the settings of the moment when it is sent."""

    def __init__(
        self,
        settings: Settings,
        public_url: str,
        zone: tzinfo,
        templates: Templates = BUILT_IN,
        domain: Callable[[str], str] = lambda of_sender: of_sender,
    ) -> None:
        """`domain` gives what stands in every Message-ID, asked with the domain of the sender of now."""
        self._domain = domain
        self._templates = templates
        self._settings = settings
        self._public_url = public_url
        self._zone = zone

    def write(self, one: Letter, queued_at: Time) -> bytes:
        if one.recipient.startswith(WEBHOOK):
            return posted.written(one, queued_at, self._public_url)
        means = self._settings.means
        owner = means.book.owner(one.recipient)
        found = zone_of(owner.zone) if owner else None
        domain = self._domain(means.sender.rpartition("@")[2])
        mailer = Mailer(means.sender, self._public_url, found or self._zone, self._templates, domain)
        return mailer.write_short(one) if one.recipient.startswith(APPRISE) else mailer.write(one, queued_at)

    def deliver(self, recipient: str, content: bytes) -> str:
        """The other side's own words on taking it. Raises NotDelivered."""
        if recipient.startswith(WEBHOOK):
            return webhook.deliver(self._receiver(recipient), posted.read(content), int(Time.now()) // 1000)
        if recipient.startswith(APPRISE):
            return apprised.deliver(self._channel(recipient).url, content)
        server, _ = self._mail()
        return smtp.deliver(server, recipient, content)

    def try_one(self, recipient: str) -> str:
        """The same of a message that says it is a test, or of one heartbeat."""
        if recipient == HEARTBEAT:
            return beat(self._settings.means)
        if recipient.startswith(WEBHOOK):
            now = Time.now()
            return webhook.deliver(self._receiver(recipient), posted.test(now), int(now) // 1000)
        if recipient.startswith(APPRISE):
            return apprised.deliver(self._channel(recipient).url, apprised.TEST)
        return try_mail(*self._mail(), recipient)

    def refusal(self, recipient: str) -> str:
        """Who did not take something, for a sentence that goes on with why."""
        book = self._settings.means.book
        if found := book.channel(recipient):
            contact, channel = found
            what = f"the {channel.kind}" if not channel.id else f"{channel.name} ({channel.kind})"
            return f"{what} of {contact.name} did not take a message"
        if not is_mail(recipient):
            return f"a message to {recipient} was not taken"
        server = f"the mail server {self._settings.means.smtp or ''}".rstrip()
        return f"{server} did not take a mail to {recipient}"

    def _mail(self) -> tuple[Smtp, str]:
        means = self._settings.means
        if means.smtp is None or means.why_no_mail:
            raise NotDelivered(means.why_no_mail or NO_SERVER, can_retry=True, is_for_all=True)
        return means.smtp, means.sender

    def _receiver(self, recipient: str) -> Receiver:
        channel = self._channel(recipient)
        return Receiver(channel.url, channel.secret)

    def _channel(self, recipient: str) -> Channel:
        found = self._settings.means.book.channel(recipient)
        if found is None:
            raise NotDelivered("there is no such contact any more, or it has no such channel", can_retry=False)
        return found[1]
