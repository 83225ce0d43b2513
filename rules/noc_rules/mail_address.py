"""What counts as one plain mail address, in settings and in a target's contacts."""

from __future__ import annotations

import re
from typing import Final

_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def is_mail_address(text: str) -> bool:
    """Whether this is one address, and nothing that could become a second header or recipient."""
    return _ADDRESS.fullmatch(text) is not None
