"""Prepare the accounts of a broker that is about to start: `python -m noc_web.broker FOLDER`, the data folder.

Standard input has a JSON object: `arrangement`, and the secrets of this NOC's own processes by user in `own`.
It is a process of its own because whoever starts brokers, and stays, needs no database.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import SettingError
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.database.opening import Database


class Order(msgspec.Struct, kw_only=True):
    arrangement: Arrangement
    own: dict[str, str]


def prepare(data: Path, arrangement: Arrangement, own: Mapping[str, str]) -> None:
    """Raises SettingError, DatabaseFault, OSError."""
    with closing(Database(data)) as database:
        accounts = BrokerAccounts(database)
        accounts.arrange(arrangement, own)
        BrokerFiles(accounts).write()


def main(argv: Sequence[str]) -> int:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        prepare(Path(argv[0]), order.arrangement, order.own)
    except SettingError as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
