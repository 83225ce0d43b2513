"""The mails of the alerter, as the rest of it sees them."""

from __future__ import annotations

from typing import Final

from noc_alerter.notify.letter import FOUND, REPORT
from noc_alerter.notify.sender import Sender, held_back_sentence
from noc_bus.time import Time
from noc_rules.troubles import NotTaken

_CURES: Final = {
    REPORT: "send it again in Settings",
    FOUND: "read it under Incidents, All; this is said for a week",
}
"""What to do about a mail that was given up, where no incident can be acknowledged."""


class Post:
    """Counts, and the one thing people should know: what is not mailed, and why. Everything raises DatabaseFault."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._outbox = sender.outbox

    def wake(self, *, is_mended: bool = False) -> None:
        """There is something to send. `is_mended`: by other settings than before, so that nothing waits any more."""
        if is_mended:
            self._outbox.retry_all()
        self._sender.wake(is_mended=is_mended)

    def seen(self, incident: str, now: Time) -> None:
        self._outbox.seen(incident, now)

    def not_taken(self) -> tuple[NotTaken | None, NotTaken | None]:
        """What waits because nobody takes it: mails, and messages to channels."""
        return self._outbox.not_taken()

    def figures(self, now: Time) -> dict[str, float]:
        counts = self._outbox.counts()
        figures: dict[str, float] = {
            "mails_queued": counts.get("queued", 0),
            "mails_held_back": sum(self._outbox.held_back(now).values()),
            "mails_sent": counts.get("sent", 0),
            "mails_given_up": counts.get("dead", 0),
            "mails_given_up_unseen": len(self._outbox.unseen(now)),
        }
        return figures

    def trouble(self, now: Time) -> tuple[str, str] | None:
        """A code and a sentence, the worst first; None: everybody gets their mails."""
        if found := self._sender.trouble:
            return found
        if given_up := self._outbox.unseen(now):
            first = given_up[0]
            more = f", and {len(given_up) - 1} more mails" if len(given_up) > 1 else ""
            sentence = f"a mail to {first.recipient} about {first.incident} was given up: {first.error}{more}"
            cure = _CURES.get(first.transition, "acknowledge the incident to say that you know")
            return "mail-given-up", f"{sentence}; {cure}"
        if held_back := self._outbox.held_back(now):
            return "mails-held-back", held_back_sentence(held_back)
        return None
