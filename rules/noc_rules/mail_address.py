"""What counts as one plain mail address, in settings and in a target's contacts."""

from __future__ import annotations

import re
from typing import Final

from noc_bus.messages import MAIL_PATTERN

_ADDRESS: Final = re.compile(MAIL_PATTERN)


def is_mail_address(text: str) -> bool:
    """Whether this is one address, and nothing that could become a second header or recipient."""
    return _ADDRESS.search(text) is not None
