"""Prepare the accounts of a broker that is about to start: `python -m noc_web.broker FOLDER`, the data folder.

Standard input has an `Order` as JSON. With `--renew` before the folder it only puts a new certificate in place of
one of the NOC's own that is about to expire, beside a running service. It is a process of its own because whoever starts brokers, and stays,
needs no database and no cryptography.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import SettingError
from noc_web.broker.accounts import Arrangement, BrokerAccounts, Hashes, hashes_of
from noc_web.broker.authority import (
    LISTENER_FILES,
    SITES_AUTHORITY,
    AuthorityFault,
    ListenerCertificate,
    certify,
    copy_given,
    look_at,
    read_given,
    tell_authority,
)
from noc_web.broker.files import BrokerFiles
from noc_web.broker.folder import content, tell_broker
from noc_web.database.opening import Database
from noc_web.json import encode


class Order(msgspec.Struct, kw_only=True):
    """`own`: the secrets of this NOC's own processes by user, `hashed`: what is known of others of them. `certified`: names and addresses of a listener that is
    to get a certificate of the NOC's own; none: it has another one, or there is no listener. `given`: the files of that
    other one and its key, where the broker is to have copies of them."""

    arrangement: Arrangement
    own: dict[str, str] = {}
    hashed: dict[str, Hashes] = {}
    certified: list[str] = []
    given: list[str] = []


def prepare(
    data: Path,
    arrangement: Arrangement,
    own: Mapping[str, str],
    certified: Sequence[str] = (),
    hashed: Mapping[str, Hashes] | None = None,
    given: Sequence[Path] = (),
) -> None:
    """`given`: certificate and key of the user's own, which a broker is to read in its folder. Raises SettingError, DatabaseFault, AuthorityFault, OSError."""
    folder = Path(arrangement.folder)
    before = _listener(folder)
    if certified:
        listener = certify(data, folder, certified)
        arrangement = replace(arrangement, authority=listener.authority)
    elif given:
        copy_given(given, folder)
    elif arrangement.folder:
        # It would be taken for one that is still to listen.
        for name in LISTENER_FILES:
            (folder / name).unlink(missing_ok=True)
    if arrangement.folder:
        is_asked_for = bool(arrangement.urls) and arrangement.certificates == "required"
        tell_authority(data, folder, is_asked_for=is_asked_for)
    with closing(Database(data)) as database:
        accounts = BrokerAccounts(database)
        accounts.arrange(arrangement, {user: hashes_of(secret) for user, secret in own.items()} | dict(hashed or {}))
        BrokerFiles(accounts).write()
    if _listener(folder) != before:
        tell_broker(folder)


def renew(data: Path, given: Sequence[Path] | None = None) -> ListenerCertificate | None:
    """The listener's certificate from now on; None: there is no listener.

    `given`: the files of a certificate of the user's own and its key, which the broker reads itself or has copies of.
    Raises SettingError, DatabaseFault, AuthorityFault, OSError.
    """
    with closing(Database(data)) as database:
        arrangement = BrokerAccounts(database).arrangement()
    folder = Path(arrangement.folder)
    if not arrangement.urls or not folder.is_dir():
        return None
    before = _listener(folder)
    if arrangement.authority:
        certify(data, folder, [urlsplit(url).hostname or "" for url in arrangement.urls])
        certificate = folder / LISTENER_FILES[0]
    elif given is None:
        return None
    else:
        certificate = given[0]
        if before[0] is not None:
            copy_given(given, folder)
    if _listener(folder) != before:
        tell_broker(folder)
    return look_at(certificate, is_own=bool(arrangement.authority))


def _listener(folder: Path) -> list[str | None]:
    """The content of what the listener for sites has there."""
    return [content(folder / name) for name in (*LISTENER_FILES, SITES_AUTHORITY)]


def main(argv: Sequence[str]) -> int:
    if argv[0] == "--renew":
        return _told(lambda: _say(renew(Path(argv[1]), read_given(os.environ))))
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    given = [Path(file) for file in order.given]
    return _told(lambda: prepare(Path(argv[0]), order.arrangement, order.own, order.certified, order.hashed, given))


def _say(certificate: ListenerCertificate | None) -> None:
    """For whoever has started this process, and needs no cryptography."""
    print(encode(certificate).decode())


def _told(act: Callable[[], None]) -> int:
    """Its exit code; what keeps it from its work is one sentence on standard error."""
    try:
        act()
    except (SettingError, AuthorityFault) as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
