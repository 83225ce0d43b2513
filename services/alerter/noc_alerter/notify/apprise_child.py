"""Hands one message to Apprise, in a process of its own that may do little else: `python -m noc_alerter.notify.apprise_child`.

Standard input is one JSON document: `url`, `title`, `body` and `type`; standard output is one with `ok` and `words`.
With `--schemes` it prints the schemes that Apprise knows.

Apprise follows redirects, resolves names when it likes, and some of its services take names of files. So what it may do
is decided where Python does it: a hook that nobody can take away sees every connection with its resolved address, every
file and every program before it is opened or started.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from noc_alerter.notify.webhook import why_not

_MOST_WORDS: Final = 300
_STARTS: Final = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "ctypes.dlopen",
}
_CHANGES: Final = {
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
    "os.truncate",
}
# Python itself, its packages, the authorities, and how names are resolved and time zones are.
_READABLE: Final = (sys.prefix, sys.base_prefix, "/usr/lib/python", "/etc/ssl", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/pki", "/usr/lib/ssl", "/usr/share/zoneinfo", "/etc/mime.types", "/dev/null", "/dev/urandom")  # fmt: skip


class Refused(Exception):
    """Something that a channel may not do."""


def main() -> int:
    from apprise import Apprise, AppriseAsset, logger
    from apprise.manager_plugins import NotificationManager

    # This loads all of them, which is not to happen under the guard.
    schemes = sorted(NotificationManager().schemas())  # type: ignore[no-untyped-call]
    if sys.argv[1:] == ["--schemes"]:
        print("\n".join(schemes))
        return 0
    asked = json.load(sys.stdin)
    said, answers = _listening(logger), _answers()
    asset = AppriseAsset(app_id="NOC", app_desc="NOC", app_url="", storage_mode="memory", plugin_paths=[])
    refused: list[str] = []
    sys.addaudithook(_guard(urlsplit(asked["url"]).hostname or "", refused))
    try:
        channel = Apprise.instantiate(asked["url"], asset=asset)
        ok = channel is not None and bool(
            channel.notify(body=asked["body"], title=asked["title"], notify_type=asked["type"], body_format="text")
        )
    except Exception as error:  # noqa: BLE001  # of any of its services
        return _tell(ok=False, words=refused or [f"{type(error).__name__}: {error}"])
    return _tell(ok=ok, words=refused or (answers if ok else [*answers, *said]))


def _tell(*, ok: bool, words: Sequence[str]) -> int:
    text = " ".join("; ".join(dict.fromkeys(words)).split()) or ("taken" if ok else "it was not taken")
    # Whatever else was printed, the last line is ours.
    print(json.dumps({"ok": ok, "words": text[:_MOST_WORDS]}))
    return 0


def _listening(logger: logging.Logger) -> list[str]:
    """What Apprise says of what went wrong."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                said.append(record.getMessage())

    logger.handlers[:] = [Listener()]
    logger.propagate = False
    return said


def _answers() -> list[str]:
    """What the other sides say, which Apprise keeps to itself."""
    import requests

    answers: list[str] = []
    send = requests.Session.send

    def listening(self: Any, *given: Any, **named: Any) -> Any:
        answer = send(self, *given, **named)
        text = re.sub(r"<[^>]*>", " ", answer.text[:2000])
        answers[:] = [f"{answer.status_code} {answer.reason} {' '.join(text.split())}".strip()]
        return answer

    requests.Session.send = listening  # type: ignore[method-assign]
    return answers


def _guard(host: str, refused: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """`host`: as it stands in the channel's URL."""

    def hook(event: str, given: tuple[Any, ...]) -> None:
        why = None
        if event in ("socket.connect", "socket.sendto"):
            address = given[1]
            if isinstance(address, tuple):
                why = why_not(host, str(address[0]))
            else:
                why = "it may not reach sockets of this machine"
        elif event in _STARTS or event in _CHANGES:
            why = f"it may not do {event}"
        elif event == "open" and not _may_open(given[0], given[1]):
            why = f"it may not open the file {os.fsdecode(given[0])[:100]}"
        if why is not None:
            refused.append(why)
            raise Refused(why)

    return hook


def _may_open(path: Any, mode: Any) -> bool:
    if isinstance(path, int):
        return True
    if mode and set(mode) & set("wax+"):
        return os.fsdecode(path) == os.devnull
    return str(Path(os.fsdecode(path)).resolve()).startswith(_READABLE)


if __name__ == "__main__":
    sys.exit(main())
