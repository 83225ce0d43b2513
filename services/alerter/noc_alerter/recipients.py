"""Who is mailed about what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from noc_alerter.settings import Means
from noc_bus.messages import Target
from noc_bus.presence import NO_MAIL
from noc_frame import log
from noc_rules.mail_address import is_mail_address

NO_RECIPIENTS: Final = "no-recipients"
NO_RECIPIENTS_SENTENCE: Final = (
    "nobody is told of targets without contacts: enter recipients in Settings, or set NOC_MAIL_TO for the alerter"
)


@dataclass(frozen=True)
class Recipients:
    means: Callable[[], Means]
    """Those in force."""

    def of(self, target: Target | None) -> tuple[str, ...]:
        """A target's contacts; where it has none, everybody. Nobody, where nothing is there to mail by."""
        means = self.means()
        if means.why_no_mail:
            return ()
        contacts = dict.fromkeys(target.contacts if target else ())
        for wrong in [one for one in contacts if not is_mail_address(one)]:
            log.get("noc.alerter").error(
                f"{wrong[:80]!r}, a contact of {target and target.id}, is not a mail address: not mailed"
            )
            del contacts[wrong]
        return tuple(contacts) or means.mail_to

    def of_all(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """Everybody who is told of any of these; where there are none, everybody."""
        by_contacts = {tuple(one.contacts): one for one in targets}
        return tuple(dict.fromkeys(one for target in by_contacts.values() for one in self.of(target))) or self.of(None)


def why_nobody(means: Means) -> tuple[str, str | None] | None:
    """A code and a sentence, where somebody would not be told. No sentence: nothing is set up, which needs no mending."""
    if means.why_no_mail:
        is_begun = means.smtp or means.sender or means.mail_to
        return NO_MAIL, f"nobody is mailed: {means.why_no_mail}" if is_begun else None
    return None if means.mail_to else (NO_RECIPIENTS, NO_RECIPIENTS_SENTENCE)
