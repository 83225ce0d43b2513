"""Prepare the accounts of a broker that is about to start: `python -m noc_web.broker FOLDER`, the data folder.

Standard input has an `Order` as JSON. It is a process of its own because whoever starts brokers, and stays,
needs no database and no cryptography.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec

from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import SettingError
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.authority import AuthorityFault, certify
from noc_web.broker.files import BrokerFiles
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


def main(argv: Sequence[str]) -> int:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        prepare(Path(argv[0]), order.arrangement, order.own, order.certified)
    except (SettingError, AuthorityFault) as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
