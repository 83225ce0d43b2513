"""What counts as the URL of a channel of Apprise. Which schemes there are only Apprise itself knows."""

from __future__ import annotations

import re
from typing import Final

URL_ACCEPTS: Final = "an Apprise URL like slack://TokenA/TokenB/TokenC/#channel"
LOCAL: Final = frozenset({"blink1", "dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Schemes that reach nothing but the machine itself: its screen, its log, its files."""
_SCHEME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{0,39}(?=://.)", re.IGNORECASE)


def parsed_scheme(url: str) -> str:
    """In lower case. Raises ValueError with the reason."""
    found = _SCHEME.match(url)
    if found is None:
        raise ValueError("it does not begin with a scheme and ://")
    if not url.isprintable():
        raise ValueError("it has characters that no URL has")
    scheme = found[0].lower()
    if scheme in LOCAL:
        raise ValueError(f"{scheme}:// reaches nothing but the alerter's own machine")
    return scheme
