"""The accounts as files, for a broker that reads them at its start and at each SIGHUP."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from noc_bus.render import accounts as render
from noc_bus.time import Time
from noc_frame import log
from noc_web.broker import names
from noc_web.broker.accounts import BrokerAccounts
from noc_web.broker.folder import content, put, tell_broker
from noc_web.problem import ProblemCode, ProblemError

_LOCK: Final = ".accounts.lock"

_log = log.get("noc.web")


class BrokerFiles:
    """Safe to use from any thread, and beside other processes that do the same."""

    def __init__(self, accounts: BrokerAccounts, clock: Callable[[], Time] = Time.now) -> None:
        self._accounts = accounts
        self._clock = clock
        self._fingerprint: tuple[int, int] | None = None
        self._fault = ""

    def follow(self) -> None:
        """Write the files where accounts have changed or expired since the last time. Raises DatabaseFault."""
        fingerprint = self._accounts.fingerprint(self._clock())
        if fingerprint == self._fingerprint:
            return
        try:
            self.write()
        except OSError as error:
            # Tried again at the next call; told once.
            fault = f"the broker's accounts cannot be written: {error.filename}: {error.strerror}"
            if fault != self._fault:
                _log.error(fault)
            self._fault = fault
        else:
            self._fingerprint, self._fault = fingerprint, ""

    def write_now(self) -> None:
        """After a change: so that it counts even while no service follows. Raises ProblemError 503."""
        try:
            self.write()
        except OSError as error:
            sentence = (
                f"The change is kept, but the broker is not told of it yet: {error.filename} cannot be written "
                f"({error.strerror}); it is tried again while NOC runs."
            )
            raise ProblemError(503, sentence, code=ProblemCode.UNAVAILABLE) from None

    def write(self) -> None:
        """Raises OSError, DatabaseFault."""
        folder_name = self._accounts.arrangement().folder
        if not folder_name:
            return
        folder = Path(folder_name)
        if not folder.is_dir():
            # Of a NOC that ran here and was moved: its next start arranges it anew.
            return
        with (folder / _LOCK).open("a") as lock:
            # Read within the lock: what is written last is what was last read.
            fcntl.flock(lock, fcntl.LOCK_EX)
            arrangement, accounts = self._accounts.arrangement(), self._accounts.let_in(self._clock())
            root, anonymous_read = arrangement.root, arrangement.anonymous_read
            rendered = {
                names.NATS: render.nats_accounts(accounts, root, anonymous_read=anonymous_read),
                names.MOSQUITTO_USERS: render.mosquitto_users(accounts),
                names.MOSQUITTO_ACL: render.mosquitto_acl(accounts, root, anonymous_read=anonymous_read),
            }
            changed = [name for name, text in rendered.items() if content(folder / name) != text]
            for name in changed:
                put(folder / name, rendered[name])
            if changed:
                tell_broker(folder)
