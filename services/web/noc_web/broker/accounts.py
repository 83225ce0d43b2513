"""The broker's users in the database: the only place where they are kept. Usable beside a running service."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from noc_bus.channels import DEFAULT_ROOT, parse_site
from noc_bus.render import mosquitto
from noc_bus.render.accounts import Account, AccountRole
from noc_bus.time import Time
from noc_web.broker.authority import CertificatesOfSites
from noc_web.catalog import rows
from noc_web.database.opening import Database
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

CENTRAL: Final[tuple[AccountRole, ...]] = ("web", "recorder", "alerter")
READER: Final = "reader"
_EVERYTHING: Final = ("#",)
# Levels of words or a plus each, at the end perhaps a number sign, which is every topic below.
_FILTER: Final = re.compile(r"(?:(?:\+|[a-z0-9-]{1,63})/){0,5}(?:#|\+|[a-z0-9-]{1,63})")
_UNUSED_MS: Final = 7 * 24 * 3600 * 1000
_CUT_OFF_MS: Final = 2000
# The secrets are 256 random bits: a slow hash would protect nothing, and cost its time at every connection.
_BCRYPT_ROUNDS: Final = 4
_PUT: Final = (
    "INSERT INTO broker_account (user, role, reads, mosquitto_hash, nats_hash, is_own, created_at, used_from) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT (user) DO UPDATE SET role = excluded.role, reads = excluded.reads, "
    "mosquitto_hash = excluded.mosquitto_hash, nats_hash = excluded.nats_hash, is_own = excluded.is_own, "
    "created_at = excluded.created_at, expires_at = NULL, used_at = NULL, used_from = '', disabled_at = NULL, "
    "as_before = 0"
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
    authority: bytes = b""
    certificates: CertificatesOfSites = "none"


class Hashes(msgspec.Struct, frozen=True):
    """What the two kinds of brokers compare a secret with."""

    mosquitto: str
    nats: str


class SiteKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a site's key. It is shown once, in the token that carries it."""

    site: str
    is_own: Annotated[bool, Meta(description="true: its prober and its key belong to this NOC itself")]
    created_at: Time
    expires_at: Annotated[Time | None, Meta(description="when it is worth nothing unless it is used before")]
    used_at: Annotated[Time | None, Meta(description="when the site connected with it first; null: not yet")]
    used_from: Annotated[str, Meta(description="the machine it was used on first")]
    disabled: bool
    has_certificate: Annotated[bool, Meta(description="true: its token carries a certificate for the listener")]
    reads_all: Annotated[
        bool,
        Meta(
            description="true: the key was made by the version before, and may still read all targets and services; "
            "another one may not"
        ),
    ]

    @property
    def lacks_one(self) -> bool:
        """It comes to the listener, and has no certificate to show there."""
        return not (self.has_certificate or self.is_own)


class BrokerAccounts:
    """Every method is one transaction. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def arrange(self, arrangement: Arrangement, own: Mapping[str, Hashes]) -> None:
        """Before a broker starts: where it reads its accounts, and how it knows this NOC's own processes, by user.

        A user that is no service and no reader is a site. Own users of an earlier start lose their accounts.
        """
        with self._database.begin() as connection:
            connection.execute(
                "UPDATE broker SET folder = ?, root = ?, anonymous_read = ?, urls = ?, authority = ?, certificates = ?",
                (
                    arrangement.folder,
                    arrangement.root,
                    arrangement.anonymous_read,
                    json.dumps(arrangement.urls),
                    arrangement.authority,
                    arrangement.certificates,
                ),
            )
            still = "SELECT user, mosquitto_hash FROM broker_account WHERE is_own AND as_before"
            before = dict(connection.execute(still).fetchall())
            connection.execute("DELETE FROM broker_account WHERE is_own")
            for user, hashes in own.items():
                _put(connection, user, role_of(user), _EVERYTHING if user == READER else (), hashes, is_own=True)
                if before.get(user) == hashes.mosquitto:
                    # The same secret, which its prober may have had from the version before.
                    connection.execute("UPDATE broker_account SET as_before = 1 WHERE user = ?", (user,))
            _count(connection)

    def arrangement(self) -> Arrangement:
        ((folder, root, anonymous_read, urls, authority, certificates),) = self._database.rows(
            "SELECT folder, root, anonymous_read, urls, authority, certificates FROM broker"
        )
        return Arrangement(folder, root, bool(anonymous_read), tuple(json.loads(urls)), authority, certificates)

    # -- the keys of sites

    def new_site_key(self, site: str, *, has_certificate: bool = False) -> tuple[str, Time]:
        """Another secret for a site, which makes an earlier one worthless, and when it expires unless it is used.

        `has_certificate`: a certificate goes with it. Raises ProblemError 409 for a name that is a reader's, or that of a site whose prober is this NOC's own.
        """
        secret, now = secrets.token_urlsafe(32), Time.now()
        expires_at = Time(now + _UNUSED_MS)
        with self._database.begin() as connection:
            _check_is_a_site_of_others(connection, site)
            _put(connection, site, "site", (), hashes_of(secret), is_own=False)
            given = "UPDATE broker_account SET expires_at = ?, has_certificate = ? WHERE user = ?"
            connection.execute(given, (int(expires_at), has_certificate, site))
            rows.note_site(connection, site)
            _count(connection)
        return secret, expires_at

    def lacking_certificate(self) -> list[str]:
        """Sites that the listener does not let in, because it asks for a certificate that their keys came without."""
        if self.arrangement().certificates != "required":
            return []
        return [key.site for key in self.site_keys() if key.lacks_one and not key.disabled]

    def set_site_disabled(self, site: str, *, is_disabled: bool) -> bool:
        """Whether it was disabled before. Raises ProblemError 404, 409."""
        with self._database.begin() as connection:
            _check_has_key(connection, site)
            find = "SELECT disabled_at IS NOT NULL FROM broker_account WHERE user = ?"
            was_disabled = bool(connection.execute(find, (site,)).fetchone()[0])
            at = int(Time.now()) if is_disabled else None
            connection.execute("UPDATE broker_account SET disabled_at = ? WHERE user = ?", (at, site))
            rows.note_site(connection, site)
            _count(connection)
        return was_disabled

    def remove_site(self, site: str) -> bool:
        """Take a site's key away; whether it had one. That of this NOC's own prober stays."""
        gone = "DELETE FROM broker_account WHERE user = ? AND role = 'site' AND NOT is_own"
        with self._database.begin() as connection:
            had_one = connection.execute(gone, (site,)).rowcount > 0
            if had_one:
                _count(connection)
        return had_one

    def note_use(self, site: str, origin: str, at: Time) -> None:
        """That a site has spoken, from where: its key no longer expires."""
        used = (
            "UPDATE broker_account SET used_at = ?, used_from = ? "
            "WHERE user = ? AND role = 'site' AND NOT is_own AND used_at IS NULL AND created_at < ?"
        )
        with self._database.begin() as connection:
            # Who was there with the key before is cut off within that time.
            connection.execute(used, (int(at), origin, site, at - _CUT_OFF_MS))

    def unused_sites(self) -> frozenset[str]:
        """Sites with a key that has not been used yet."""
        unused = "SELECT user FROM broker_account WHERE role = 'site' AND NOT is_own AND used_at IS NULL"
        return frozenset(site for (site,) in self._database.rows(unused))

    def site_keys(self) -> list[SiteKey]:
        keys = (
            "SELECT user, is_own, created_at, expires_at, used_at, used_from, disabled_at, has_certificate, as_before "
            "FROM broker_account "
            "WHERE role = 'site' ORDER BY user"
        )
        return [
            SiteKey(
                site=site,
                is_own=bool(is_own),
                created_at=Time(created_at),
                expires_at=None if expires_at is None or used_at is not None else Time(expires_at),
                used_at=None if used_at is None else Time(used_at),
                used_from=used_from,
                disabled=disabled_at is not None,
                has_certificate=bool(has_certificate),
                reads_all=bool(as_before),
            )
            for (
                site,
                is_own,
                created_at,
                expires_at,
                used_at,
                used_from,
                disabled_at,
                has_certificate,
                as_before,
            ) in self._database.rows(keys)
        ]

    # -- readers

    def add_reader(self, user: str, reads: Sequence[str]) -> str:
        """The secret of a new account that may read these topics, filters below the root, and write nothing.

        Raises ProblemError 409 for a name that is taken, 422 for what is not accepted.
        """
        _check_reader(user, reads)
        secret = secrets.token_urlsafe(32)
        with self._database.begin() as connection:
            if connection.execute("SELECT 1 FROM broker_account WHERE user = ?", (user,)).fetchone():
                sentence = f"An account {user!r} exists already; choose another name or remove that one."
                raise ProblemError(409, sentence, code=ProblemCode.EXISTS)
            _put(connection, user, "reader", reads, hashes_of(secret), is_own=False)
            _count(connection)
        return secret

    def remove_reader(self, user: str) -> None:
        """Raises ProblemError 404."""
        gone = "DELETE FROM broker_account WHERE user = ? AND role = 'reader' AND NOT is_own"
        with self._database.begin() as connection:
            if not connection.execute(gone, (user,)).rowcount:
                raise ProblemError(404, f"There is no account {user[:64]!r} that reads.")
            _count(connection)

    def readers(self) -> dict[str, list[str]]:
        """What each account that only reads may read."""
        found = "SELECT user, reads FROM broker_account WHERE role = 'reader' ORDER BY user"
        return {user: json.loads(reads) for user, reads in self._database.rows(found)}

    # -- what brokers are told

    def may_speak(self, user: str) -> bool:
        """False: the broker is told of everybody whom it lets in, and this one is not among them."""
        if not self.arrangement().folder:
            return True
        asked = f"SELECT 1 FROM broker_account WHERE user = ? AND {_LET_IN}"
        return self._database.value(asked, user, int(Time.now())) is not None

    def let_in(self, at: Time) -> list[Account]:
        """Whom the broker is to let in at that time."""
        return [
            Account(user, role, mosquitto_hash, nats_hash, tuple(json.loads(reads)), bool(as_before))
            for user, role, reads, mosquitto_hash, nats_hash, as_before in self._database.rows(
                "SELECT user, role, reads, mosquitto_hash, nats_hash, as_before FROM broker_account "
                f"WHERE {_LET_IN} ORDER BY user",
                int(at),
            )
        ]

    def fingerprint(self, at: Time) -> tuple[int, int]:
        """Differs where `let_in` may: the number of changes, and of accounts that have expired by then."""
        gone = f"SELECT revision, (SELECT count(*) FROM broker_account WHERE NOT ({_LET_IN})) FROM broker"
        ((revision, expired),) = self._database.rows(gone, int(at))
        return revision, expired


def hashes_of(secret: str) -> Hashes:
    # Only who makes a secret needs it: a service that runs does not hold it in memory.
    import bcrypt

    return Hashes(mosquitto.hashed(secret), bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS)).decode())


def role_of(user: str) -> AccountRole:
    """A service's name is its role; everybody else but the reader is a site."""
    match user:
        case "web" | "recorder" | "alerter" | "reader":
            return user
        case _:
            return "site"


def _check_reader(user: str, reads: Sequence[str]) -> None:
    """Raises ProblemError 422."""
    try:
        parse_site(user)
    except ValueError:
        sentence = (
            f"name: {user[:63]!r} is not accepted; use lower-case letters, digits and hyphens, at most 63, "
            "and not the name of a service."
        )
        raise invalid([FieldError("name", sentence)]) from None
    for one in reads:
        if not _FILTER.fullmatch(one):
            sentence = f"read: {one[:80]!r} is not accepted; use topics below {DEFAULT_ROOT}, such as verdicts/# or states/+/router."
            raise invalid([FieldError("reads", sentence)])


def _check_is_a_site_of_others(connection: sqlite3.Connection, site: str) -> None:
    """Raises ProblemError 409. A name without an account will do."""
    found = connection.execute("SELECT role, is_own FROM broker_account WHERE user = ?", (site,)).fetchone()
    if found is not None and found[0] != "site":
        raise ProblemError(409, f"{site} is the name of another account of the broker.", code=ProblemCode.EXISTS)
    if found is not None and found[1]:
        sentence = f"The prober of {site} belongs to this NOC, which gives it its key itself."
        raise ProblemError(409, sentence, code=ProblemCode.IN_USE)


def _check_has_key(connection: sqlite3.Connection, site: str) -> None:
    """Raises ProblemError 404, 409."""
    _check_is_a_site_of_others(connection, site)
    if connection.execute("SELECT 1 FROM broker_account WHERE user = ?", (site,)).fetchone() is None:
        raise ProblemError(404, f"There is no key for a site {site[:63]!r}.")


def _put(
    connection: sqlite3.Connection, user: str, role: AccountRole, reads: Sequence[str], hashes: Hashes, *, is_own: bool
) -> None:
    values = (user, role, json.dumps(reads), hashes.mosquitto, hashes.nats, is_own, int(Time.now()))
    connection.execute(_PUT, values)


def _count(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE broker SET revision = revision + 1")
