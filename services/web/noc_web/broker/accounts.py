"""The broker's users in the database: the only place where they are kept. Usable beside a running service."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from noc_bus.channels import DEFAULT_ROOT
from noc_bus.render import mosquitto
from noc_bus.render.accounts import Account, AccountRole
from noc_bus.time import Time
from noc_web.database.opening import Database

CENTRAL: Final[tuple[AccountRole, ...]] = ("web", "recorder", "alerter")
READER: Final = "reader"
_EVERYTHING: Final = ("#",)
# The secrets are 256 random bits: a slow hash would protect nothing, and cost its time at every connection.
_BCRYPT_ROUNDS: Final = 4
_PUT: Final = (
    "INSERT INTO broker_account (user, role, reads, mosquitto_hash, nats_hash, is_own, created_at, used_from) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT (user) DO UPDATE SET role = excluded.role, reads = excluded.reads, "
    "mosquitto_hash = excluded.mosquitto_hash, nats_hash = excluded.nats_hash, is_own = excluded.is_own, "
    "created_at = excluded.created_at, expires_at = NULL, used_at = NULL, used_from = '', disabled_at = NULL"
)
# What lets nobody in is not told to a broker.
_LET_IN: Final = "disabled_at IS NULL AND (expires_at IS NULL OR used_at IS NOT NULL OR expires_at > ?)"


@dataclass(frozen=True)
class Arrangement:
    """How the accounts get to the broker, and sites to it. Without a `folder` nobody is told."""

    folder: str = ""
    root: str = DEFAULT_ROOT
    anonymous_read: bool = False
    urls: tuple[str, ...] = ()


class BrokerAccounts:
    """Every method is one transaction. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def arrange(self, arrangement: Arrangement, own: Mapping[str, str]) -> None:
        """Before a broker starts: where it reads its accounts, and the secrets of this NOC's own processes by user.

        A user that is no service and no reader is a site. Own users of an earlier start lose their accounts.
        """
        with self._database.begin() as connection:
            connection.execute(
                "UPDATE broker SET folder = ?, root = ?, anonymous_read = ?, urls = ?",
                (arrangement.folder, arrangement.root, arrangement.anonymous_read, json.dumps(arrangement.urls)),
            )
            connection.execute("DELETE FROM broker_account WHERE is_own")
            for user, secret in own.items():
                _put(connection, user, role_of(user), _EVERYTHING if user == READER else (), secret, is_own=True)
            _count(connection)

    def arrangement(self) -> Arrangement:
        ((folder, root, anonymous_read, urls),) = self._database.rows(
            "SELECT folder, root, anonymous_read, urls FROM broker"
        )
        return Arrangement(folder, root, bool(anonymous_read), tuple(json.loads(urls)))

    def let_in(self, at: Time) -> list[Account]:
        """Whom the broker is to let in at that time."""
        return [
            Account(user, role, mosquitto_hash, nats_hash, tuple(json.loads(reads)))
            for user, role, reads, mosquitto_hash, nats_hash in self._database.rows(
                f"SELECT user, role, reads, mosquitto_hash, nats_hash FROM broker_account WHERE {_LET_IN} ORDER BY user",
                int(at),
            )
        ]

    def fingerprint(self, at: Time) -> tuple[int, int]:
        """Differs where `let_in` may: the number of changes, and of accounts that have expired by then."""
        gone = f"SELECT revision, (SELECT count(*) FROM broker_account WHERE NOT ({_LET_IN})) FROM broker"
        ((revision, expired),) = self._database.rows(gone, int(at))
        return revision, expired


def role_of(user: str) -> AccountRole:
    """A service's name is its role; everybody else but the reader is a site."""
    match user:
        case "web" | "recorder" | "alerter" | "reader":
            return user
        case _:
            return "site"


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def _put(
    connection: sqlite3.Connection, user: str, role: AccountRole, reads: Sequence[str], secret: str, *, is_own: bool
) -> None:
    # Only who makes a secret needs it: a service that runs does not hold it in memory.
    import bcrypt

    hashes = (
        mosquitto.hashed(secret),
        bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS)).decode(),
    )
    connection.execute(_PUT, (user, role, json.dumps(reads), *hashes, is_own, int(Time.now())))


def _count(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE broker SET revision = revision + 1")
