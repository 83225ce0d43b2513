"""Who is mailed about what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from noc_bus.messages import Target
from noc_frame import log
from noc_rules.mail_address import is_mail_address


@dataclass(frozen=True)
class Recipients:
    everybody: tuple[str, ...]
    """Of NOC_MAIL_TO."""

    def of(self, target: Target | None) -> tuple[str, ...]:
        """A target's contacts; where it has none, everybody."""
        contacts = dict.fromkeys(target.contacts if target else ())
        for wrong in [one for one in contacts if not is_mail_address(one)]:
            log.get("noc.alerter").error(
                f"{wrong[:80]!r}, a contact of {target and target.id}, is not a mail address: not mailed"
            )
            del contacts[wrong]
        return tuple(contacts) or self.everybody

    def of_all(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """Everybody who is told of any of these; where there are none, everybody."""
        by_contacts = {tuple(one.contacts): one for one in targets}
        return tuple(dict.fromkeys(one for target in by_contacts.values() for one in self.of(target))) or self.everybody
