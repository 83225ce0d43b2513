"""How people are told: what is queued, how a mail is written, and one file for each kind of notifier."""

from __future__ import annotations

from noc_alerter.notify import mail, smtp
from noc_rules.mail_server import Smtp


def try_mail(server: Smtp, sender: str, to: str) -> str:
    """Send a test mail now. The server's own words on taking it. Raises smtp.NotDelivered, which names the cure."""
    return smtp.deliver(server, to, mail.test_mail(sender, to))
