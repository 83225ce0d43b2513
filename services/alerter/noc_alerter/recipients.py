"""Who is told of what, by the means that are in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from noc_alerter.settings import Means
from noc_bus.presence import NO_MAIL
from noc_frame import log
from noc_rules.notices import Recipients
from noc_rules.telling import channels

NO_RECIPIENTS: Final = "no-recipients"
NO_RECIPIENTS_SENTENCE: Final = "nobody is told of targets without contacts: add a route, enter recipients in Settings, or set NOC_MAIL_TO for the alerter"


def recipients(means: Callable[[], Means]) -> Recipients:
    return Recipients(means, _name_unknown)


def why_nobody(means: Means) -> tuple[str, str | None] | None:
    """A code and a sentence, where somebody would not be told. No sentence: nothing is set up, which needs no mending."""
    if means.why_no_mail:
        is_begun = means.smtp or means.sender or means.mail_to
        if not is_begun and any(channels(one) for one in means.book.contacts.values()):
            return None
        return NO_MAIL, f"nobody is mailed: {means.why_no_mail}" if is_begun else None
    return None if means.mail_to or means.book.routes else (NO_RECIPIENTS, NO_RECIPIENTS_SENTENCE)


def _name_unknown(entry: str) -> None:
    log.get("noc.alerter").error(f"{entry[:80]!r} is neither a mail address nor a contact: nobody is told by it")
