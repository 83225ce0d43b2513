"""Who is told of what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from noc_alerter.settings import Means
from noc_bus.messages import Incident, Target
from noc_bus.presence import NO_MAIL
from noc_bus.time import Time
from noc_frame import log
from noc_rules.incident import Severity, severity
from noc_rules.telling import WEBHOOK, Book, Occasion, quiet_until, reminded, told

NO_RECIPIENTS: Final = "no-recipients"
NO_RECIPIENTS_SENTENCE: Final = "nobody is told of targets without contacts: add a route, enter recipients in Settings, or set NOC_MAIL_TO for the alerter"


class Recipients:
    """By the rules of `noc_rules.telling`, with what is in force now."""

    def __init__(self, means: Callable[[], Means]) -> None:
        self._means = means
        self._named: set[str] = set()

    @property
    def book(self) -> Book:
        """Who there is to be told, now."""
        return self._means().book

    def of(self, incident: Incident, targets: Sequence[Target], waited_s: float) -> dict[str, str]:
        """Whom to tell of it, and why in words. `targets`: those that take part, as they are defined now.

        `waited_s`: for how long it has been told, neither acknowledged nor muted.

        The hours of routes are those in which it opened: who was asleep then is not told of it later in the day.
        No mail address, where nothing is there to mail by.
        """
        means = self._means()
        found = told(_occasion(incident, targets, waited_s), means.book)
        for entry in set(found.unknown) - self._named:
            self._named.add(entry)
            log.get("noc.alerter").error(
                f"{entry[:80]!r} is neither a mail address nor a contact: nobody is told by it"
            )
        return {
            to: ", ".join(map(str, reasons))[:500] for to, reasons in found.recipients.items() if _is_reached(to, means)
        }

    def reminded(self, incident: Incident, targets: Sequence[Target], waited_s: float) -> dict[str, tuple[int, str]]:
        """Who is told again that it is open: the number of the reminder, and why."""
        means = self._means()
        found = reminded(_occasion(incident, targets, waited_s), means.book)
        return {
            to: max((number, str(reason)) for number, reason in each.items())
            for to, each in found.items()
            if _is_reached(to, means)
        }

    def not_before(self, recipient: str, incident: Incident, now: Time) -> int:
        """When the recipient's quiet hours end; 0: there are none now, or it is critical."""
        if (incident.severity or severity(incident)) == Severity.CRITICAL:
            return 0
        return int(quiet_until(recipient, self.book, now) or 0)

    def why_nobody(self) -> str:
        """For an incident of which nobody is told."""
        return (
            self._means().why_no_mail or "it has no contacts, no route matches, and nobody is told when nobody else is"
        )


def _occasion(incident: Incident, targets: Sequence[Target], waited_s: float) -> Occasion:
    return Occasion(incident.kind, incident.severity or severity(incident), targets, incident.opened_at, waited_s)


def _is_reached(recipient: str, means: Means) -> bool:
    return recipient.startswith(WEBHOOK) or not means.why_no_mail


def why_nobody(means: Means) -> tuple[str, str | None] | None:
    """A code and a sentence, where somebody would not be told. No sentence: nothing is set up, which needs no mending."""
    if means.why_no_mail:
        is_begun = means.smtp or means.sender or means.mail_to
        if not is_begun and any(one.webhook_url for one in means.book.contacts.values()):
            return None
        return NO_MAIL, f"nobody is mailed: {means.why_no_mail}" if is_begun else None
    return None if means.mail_to or means.book.routes else (NO_RECIPIENTS, NO_RECIPIENTS_SENTENCE)
