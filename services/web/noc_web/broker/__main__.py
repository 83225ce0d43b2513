"""Prepare the accounts of a broker that is about to start: `python -m noc_web.broker FOLDER`, the data folder.

Standard input has an `Order` as JSON. With `--renew` before the folder it only puts a new certificate in place of
one of the NOC's own that is about to expire, beside a running service. It is a process of its own because whoever starts brokers, and stays,
needs no database and no cryptography.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import SettingError
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.authority import LISTENER_FILES, AuthorityFault, certify
from noc_web.broker.files import BrokerFiles, tell_broker
from noc_web.database.opening import Database


class Order(msgspec.Struct, kw_only=True):
    """`own`: the secrets of this NOC's own processes by user. `certified`: names and addresses of a listener that is
    to get a certificate of the NOC's own; none: it has another one, or there is no listener."""

    arrangement: Arrangement
    own: dict[str, str]
    certified: list[str] = []


def prepare(data: Path, arrangement: Arrangement, own: Mapping[str, str], certified: Sequence[str] = ()) -> None:
    """Raises SettingError, DatabaseFault, AuthorityFault, OSError."""
    if certified:
        listener = certify(data, Path(arrangement.folder), certified)
        arrangement = replace(arrangement, authority=listener.authority)
    with closing(Database(data)) as database:
        accounts = BrokerAccounts(database)
        accounts.arrange(arrangement, own)
        BrokerFiles(accounts).write()


def renew(data: Path) -> None:
    """Raises SettingError, DatabaseFault, AuthorityFault, OSError."""
    with closing(Database(data)) as database:
        arrangement = BrokerAccounts(database).arrangement()
    folder = Path(arrangement.folder)
    if not arrangement.authority or not folder.is_dir():
        return
    hosts = [urlsplit(url).hostname or "" for url in arrangement.urls]
    before = [_content(folder / name) for name in LISTENER_FILES]
    certify(data, folder, hosts)
    if [_content(folder / name) for name in LISTENER_FILES] != before:
        tell_broker(folder)


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def main(argv: Sequence[str]) -> int:
    if argv[0] == "--renew":
        return _told(lambda: renew(Path(argv[1])))
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    return _told(lambda: prepare(Path(argv[0]), order.arrangement, order.own, order.certified))


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
