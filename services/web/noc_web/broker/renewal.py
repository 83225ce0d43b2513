"""Renews the listener's certificate while NOC runs, once a day, in a process that holds what signing needs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from noc_bus.codec import decode_other
from noc_frame import log
from noc_web.broker.authority import ListenerCertificate

_EVERY_S: Final = 24 * 3600.0
# The service has better things to do while it starts.
_FIRST_S: Final = 60.0
_LONGEST_S: Final = 60.0
_log = log.get("noc.web")


class Renewal:
    """`tick` may take a few seconds once a day."""

    def __init__(self, data: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._data = data
        self._clock = clock
        self._next_s = clock() + _FIRST_S
        self.certificate: ListenerCertificate | None = None
        """The listener's, as it was seen last; None: not known, or there is none."""

    def tick(self) -> None:
        if self._clock() < self._next_s:
            return
        self._next_s = self._clock() + _EVERY_S
        words = [sys.executable, "-P", "-m", "noc_web.broker", "--renew", str(self._data)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_LONGEST_S, check=False)  # noqa: S603  # all words are ours
        except (OSError, subprocess.TimeoutExpired) as error:
            _log.error(f"the certificate for sites could not be looked at: {error}")
            return
        if done.returncode:
            _log.error(f"the certificate for sites is not renewed: {done.stderr.strip().rpartition(chr(10))[2]}")
            return
        self.certificate = msgspec.json.decode(done.stdout, type=ListenerCertificate | None, dec_hook=decode_other)
