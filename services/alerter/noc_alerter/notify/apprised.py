"""Messages by Apprise, an optional extra: `pip install noc-alerter[apprise]`. Each is handed over by a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any, Final

import msgspec

from noc_alerter.notify.smtp import NotDelivered
from noc_rules.apprise_url import LOCAL, parsed_scheme

_LONGEST_S: Final = 45.0
_CHILD: Final = (sys.executable, "-I", "-m", "noc_alerter.notify.apprise_child")
NOT_INSTALLED: Final = (
    "Apprise is not installed where the alerter runs; install it there: pip install noc-alerter[apprise]"
)
TEST: Final = msgspec.json.encode(
    {
        "title": "[NOC] Test message",
        "body": "This message was sent to try it. Messages about incidents take the same way.",
        "type": "info",
    }
)


def schemes() -> list[str]:
    """Of the URLs that may be used; empty: Apprise is not installed. Takes a second or two."""
    if not _is_installed():
        return []
    done = subprocess.run(
        [*_CHILD, "--schemes"], capture_output=True, text=True, env=_environment(), timeout=_LONGEST_S
    )
    return [one for one in done.stdout.split() if one not in LOCAL]


def written(title: str, body: str, kind: str) -> bytes:
    """`kind`: failure, warning, success or info, which some services show as a colour."""
    return msgspec.json.encode({"title": title, "body": body, "type": kind})


def deliver(url: str, content: bytes, longest_s: float = _LONGEST_S) -> str:
    """The other side's own words on taking it. Raises NotDelivered."""
    if not _is_installed():
        raise NotDelivered(NOT_INSTALLED, can_retry=True)
    try:
        scheme = parsed_scheme(url)
    except ValueError as error:
        raise NotDelivered(f"the Apprise URL cannot be used: {error}", can_retry=True) from None
    asked = json.dumps({**json.loads(content), "url": url})
    try:
        done = subprocess.run(
            _CHILD, input=asked, capture_output=True, text=True, env=_environment(), timeout=longest_s
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        raise NotDelivered(f"{scheme}:// has not answered within {longest_s:g} s", can_retry=True) from None
    except (OSError, ValueError):
        raise NotDelivered(f"{scheme}:// could not be tried; Apprise ended by itself", can_retry=True) from None
    words = str(answer["words"])
    if not answer["ok"]:
        raise NotDelivered(f"{scheme}:// did not take it: {words}", can_retry=True)
    return words


def _is_installed() -> bool:
    return importlib.util.find_spec("apprise") is not None


def _environment() -> dict[str, str]:
    """Without our own settings, which have secrets in them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NOC_")}
