"""Users, their log-ins, and machines' tokens, in the database. Usable beside a running service."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from noc_bus.time import DAY_MS, Time
from noc_frame.sqlite import DatabaseFault
from noc_rules.expiry import Expiring
from noc_web.auth import passwords
from noc_web.auth.actor import ROLES, Actor, Role
from noc_web.database.opening import Database
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

FIRST_USER: Final = "admin"
FIRST_LOGIN: Final = "first-login.txt"
THEMES: Final = ("auto", "dark", "light")
_IDLE_MS: Final = 12 * 3600 * 1000
_LONGEST_MS: Final = 7 * 24 * 3600 * 1000
# When a session or a token was last used need not be known to the second.
_SEEN_EVERY_MS: Final = 60_000
_PLACES: Final = 20
_LONGEST_ADDRESS: Final = 64
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}(?!\n)$"
_NAME: Final = re.compile(NAME_PATTERN)
_USER: Final = "user.id, name, password_hash, role, theme, must_change_password"
_ADD_SESSION: Final = "INSERT INTO session (id_hash, user_id, created_at, seen_at) VALUES (?, ?, ?, ?)"
_SET_HASH: Final = "UPDATE user SET password_hash = ?, must_change_password = 0 WHERE id = ?"
_ADD_USER: Final = (
    "INSERT INTO user (name, role, password_hash, must_change_password, theme, created_at) "
    "VALUES (?, ?, ?, ?, 'auto', ?)"
)


class _User(NamedTuple):
    """The columns of `_USER`."""

    id: int
    name: str
    password_hash: str
    role: str
    theme: str
    must_change_password: int


class Accounts:
    """Every method is one transaction. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- the first user

    def ensure_first(self, password: str, folder: Path) -> None:
        """Have an admin who can log in: `admin` with `password`, or with a one-time secret left in `folder`.

        A secret that nobody has turned into a password is replaced by a new one at every start.
        """
        note = folder / FIRST_LOGIN
        with self._database.begin() as connection:
            users = [_User(*row) for row in connection.execute(f"SELECT {_USER} FROM user")]
            # Of users who cannot make others there may be some already: the command line adds them too.
            if any(user.role == "admin" and not user.must_change_password for user in users):
                note.unlink(missing_ok=True)
                return
            secret = password or secrets.token_urlsafe(12)
            first = next((user for user in users if user.name == FIRST_USER), None)
            hashed = passwords.hashed(secret)
            if first is None:
                connection.execute(_ADD_USER, (FIRST_USER, "admin", hashed, not password, int(Time.now())))
            else:
                connection.execute(
                    "UPDATE user SET password_hash = ?, must_change_password = ? WHERE id = ?",
                    (hashed, not password, first.id),
                )
        note.unlink(missing_ok=True)
        if not password:
            note.touch(mode=0o600)
            note.write_text(f"{secret}\n", encoding="utf-8")

    # -- log-ins

    def log_in(self, name: str, password: str) -> tuple[str, Actor] | None:
        """A new session's secret and who it is; None where name or password is wrong."""
        user = self._user(name)
        if not passwords.fits(password, user.password_hash if user else None) or user is None:
            return None
        now = int(Time.now())
        with self._database.begin() as connection:
            unchanged = "SELECT 1 FROM user WHERE id = ? AND password_hash = ?"
            if connection.execute(unchanged, (user.id, user.password_hash)).fetchone() is None:
                return None
            if user.must_change_password:
                # The secret was for one log-in: whoever finds it later finds nothing.
                connection.execute("UPDATE user SET password_hash = ? WHERE id = ?", (passwords.UNUSABLE, user.id))
            connection.execute("DELETE FROM session WHERE seen_at < ?", (now - _IDLE_MS,))
            secret = secrets.token_urlsafe(32)
            connection.execute(_ADD_SESSION, (_hash(secret), user.id, now, now))
        return secret, _actor(user, _hash(secret))

    def who(self, secret: str) -> Actor | None:
        """Whose session this is; None where it is over."""
        now = int(Time.now())
        id_hash = _hash(secret)
        found = self._database.rows(
            f"SELECT seen_at, session.created_at, {_USER} FROM session JOIN user ON user.id = user_id WHERE id_hash = ?",
            id_hash,
        )
        if not found:
            return None
        seen_at, begun_at, *user = found[0]
        if not _is_alive(seen_at, begun_at, now):
            return None
        if now - seen_at > _SEEN_EVERY_MS:
            self._note_use("UPDATE session SET seen_at = ? WHERE id_hash = ?", now, id_hash)
        return _actor(_User(*user), id_hash)

    def in_use(self, sessions: Collection[str]) -> set[str]:
        """Of these sessions (their hashes), which have a page open now, those that still hold: being open keeps them."""
        now = int(Time.now())
        asked = "SELECT id_hash, seen_at, created_at FROM session WHERE id_hash IN (SELECT value FROM json_each(?))"
        rows = self._database.rows(asked, json.dumps(list(sessions)))
        alive = {id_hash: seen_at for id_hash, seen_at, begun_at in rows if _is_alive(seen_at, begun_at, now)}
        if old := [id_hash for id_hash, seen_at in alive.items() if now - seen_at > _SEEN_EVERY_MS]:
            seen = "UPDATE session SET seen_at = ? WHERE id_hash IN (SELECT value FROM json_each(?))"
            self._note_use(seen, now, json.dumps(old))
        return set(alive)

    def log_out(self, secret: str) -> None:
        with self._database.begin() as connection:
            connection.execute("DELETE FROM session WHERE id_hash = ?", (_hash(secret),))

    # -- where people log in

    def password_print(self, name: str) -> str:
        """Names a password without telling anything about it: another one after every change; empty for nobody's."""
        found = self._database.value("SELECT password_hash FROM user WHERE name = ?", name)
        return _hash(found)[:16] if found else ""

    def note_place(self, name: str, address: str) -> None:
        """That this user has logged in from there; the newest places are kept."""
        with self._database.begin() as connection:
            user_id = _id_of(connection, name)
            connection.execute(
                "INSERT OR REPLACE INTO place (user_id, address, at) VALUES (?, ?, ?)",
                (user_id, address[:_LONGEST_ADDRESS], int(Time.now())),
            )
            connection.execute(
                "DELETE FROM place WHERE user_id = ? AND address NOT IN "
                "(SELECT address FROM place WHERE user_id = ? ORDER BY at DESC LIMIT ?)",
                (user_id, user_id, _PLACES),
            )

    def was_at(self, name: str, address: str) -> bool:
        was = "SELECT 1 FROM place JOIN user ON user.id = user_id WHERE name = ? AND address = ?"
        return self._database.value(was, name, address) is not None

    # -- users

    def users(self) -> list[dict[str, Any]]:
        rows = self._database.rows("SELECT name, role, created_at FROM user ORDER BY name")
        return [{"name": name, "role": role, "created_at": str(Time(at))} for name, role, at in rows]

    def add_user(self, name: str, role: str, password: str) -> None:
        """Raises ProblemError 409 for a name that is taken, 422 for what is not accepted."""
        _check_name(name)
        _check_role(role)
        passwords.check_acceptable(password, name)
        password_hash = passwords.hashed(password)
        with self._database.begin() as connection:
            if connection.execute("SELECT 1 FROM user WHERE name = ?", (name,)).fetchone():
                raise _exists(f"A user {name!r} exists already; choose another name.")
            connection.execute(_ADD_USER, (name, role, password_hash, False, int(Time.now())))

    def change_user(self, name: str, role: str | None, password: str | None) -> str:
        """Ends that user's sessions; the role it had. Raises ProblemError 404, 409, 422."""
        if role is not None:
            _check_role(role)
        if password is not None:
            passwords.check_acceptable(password, name)
        with self._database.begin() as connection:
            user_id, before = _id_of(connection, name), _role_of(connection, name)
            if role is not None:
                _keep_an_admin(connection, name, role)
                connection.execute("UPDATE user SET role = ? WHERE id = ?", (role, user_id))
            if password is not None:
                connection.execute(_SET_HASH, (passwords.hashed(password), user_id))
            connection.execute("DELETE FROM session WHERE user_id = ?", (user_id,))
        return before

    def reset_admin(self, name: str, password: str) -> bool:
        """Make somebody an admin with that password, and add them where there is nobody of that name.

        For whoever has the data folder, when no admin can log in any more. Ends their sessions; whether they were
        added. Raises ProblemError 422.
        """
        _check_name(name)
        passwords.check_acceptable(password, name)
        hashed = passwords.hashed(password)
        with self._database.begin() as connection:
            found = connection.execute("SELECT id FROM user WHERE name = ?", (name,)).fetchone()
            if found is None:
                connection.execute(_ADD_USER, (name, "admin", hashed, False, int(Time.now())))
                return True
            connection.execute("UPDATE user SET role = 'admin' WHERE id = ?", found)
            connection.execute(_SET_HASH, (hashed, found[0]))
            connection.execute("DELETE FROM session WHERE user_id = ?", found)
        return False

    def delete_user(self, name: str) -> str:
        """The role it had. Raises ProblemError 404, and 409 for the last admin."""
        with self._database.begin() as connection:
            user_id, before = _id_of(connection, name), _role_of(connection, name)
            _keep_an_admin(connection, name, None)
            # Sessions and places go with it.
            connection.execute("DELETE FROM user WHERE id = ?", (user_id,))
        return before

    def choose_password(self, actor: Actor, current: str | None, new: str, folder: Path) -> None:
        """A person's own password; all other sessions end. `current` is not asked after a one-time secret.

        Raises ProblemError 403 for a wrong current one, 422 for a new one that is not accepted.
        """
        user = self._user(actor.name)
        if user is None or actor.session is None:
            raise ProblemError(403, "Only a person who is logged in has a password.")
        if not actor.must_change_password and not passwords.fits(current or "", user.password_hash):
            error = FieldError("current", "This is not it.", ProblemCode.WRONG_PASSWORD)
            raise ProblemError(403, "The current password is wrong.", [error])
        passwords.check_acceptable(new, actor.name)
        with self._database.begin() as connection:
            connection.execute(_SET_HASH, (passwords.hashed(new), user.id))
            connection.execute("DELETE FROM session WHERE user_id = ? AND id_hash != ?", (user.id, actor.session))
        (folder / FIRST_LOGIN).unlink(missing_ok=True)

    def set_theme(self, actor: Actor, theme: str) -> None:
        """Raises ProblemError 422."""
        if theme not in THEMES:
            raise invalid([FieldError("theme", f"theme: {theme[:20]!r} is not accepted; use {', '.join(THEMES)}.")])
        with self._database.begin() as connection:
            connection.execute("UPDATE user SET theme = ? WHERE name = ?", (theme, actor.name))

    # -- tokens

    def tokens(self) -> list[dict[str, Any]]:
        rows = self._database.rows(
            "SELECT name, role, prefix, created_at, used_at, expires_at, areas FROM token ORDER BY name"
        )
        return [
            {
                "name": name,
                "role": role,
                "begins_with": prefix,
                "created_at": str(Time(created_at)),
                "used_at": None if used_at is None else str(Time(used_at)),
                "expires_at": None if expires_at is None else str(Time(expires_at)),
                "areas": json.loads(areas),
            }
            for name, role, prefix, created_at, used_at, expires_at, areas in rows
        ]

    def expiring_tokens(self) -> list[Expiring]:
        """Those that somebody uses and that will expire."""
        asked = (
            "SELECT name, created_at, expires_at FROM token "
            "WHERE used_at IS NOT NULL AND expires_at > ? ORDER BY expires_at"
        )
        return [
            Expiring(
                f"the API token {name}",
                Time(expires_at),
                "create another one in Settings",
                (expires_at - created_at) / DAY_MS,
            )
            for name, created_at, expires_at in self._database.rows(asked, int(Time.now()))
        ]

    def create_token(self, name: str, role: str, days: int | None = None, areas: Sequence[str] = ()) -> str:
        """The token, which nobody can ask for again. Raises ProblemError 409, 422.

        `days`: so long it is worth something; None: until it is deleted. `areas`: see `Actor`.
        """
        _check_name(name)
        _check_role(role)
        now = int(Time.now())
        expires_at = None if days is None else now + days * DAY_MS
        # The beginning tells people, and tools that look for leaked keys, what it is.
        token = f"noc_{secrets.token_urlsafe(32)}"
        with self._database.begin() as connection:
            if connection.execute("SELECT 1 FROM token WHERE name = ?", (name,)).fetchone():
                raise _exists(f"A token {name!r} exists already; choose another name or delete that one.")
            connection.execute(
                "INSERT INTO token (name, role, prefix, token_hash, created_at, expires_at, areas) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, role, token[:8], _hash(token), now, expires_at, json.dumps(sorted(set(areas)))),
            )
        return token

    def delete_token(self, name: str) -> None:
        """Raises ProblemError 404. Who uses it is nobody from then on."""
        with self._database.begin() as connection:
            if not connection.execute("DELETE FROM token WHERE name = ?", (name,)).rowcount:
                raise ProblemError(404, f"There is no token {name[:64]!r}.")

    def whose_token(self, token: str) -> Actor | None:
        """Who asks with it; None where nobody has it, or it has expired."""
        now = int(Time.now())
        found = self._database.rows(
            "SELECT id, name, role, used_at, areas FROM token "
            "WHERE token_hash = ? AND (expires_at IS NULL OR expires_at > ?)",
            _hash(token),
            now,
        )
        if not found:
            return None
        row, name, role, used_at, areas = found[0]
        if used_at is None or now - used_at > _SEEN_EVERY_MS:
            self._note_use("UPDATE token SET used_at = ? WHERE id = ?", now, row)
        return Actor(name, cast("Role", role), areas=tuple(json.loads(areas)))

    # --

    def _user(self, name: str) -> _User | None:
        found = self._database.rows(f"SELECT {_USER} FROM user WHERE name = ?", name)
        return _User(*found[0]) if found else None

    def _note_use(self, statement: str, *values: Any) -> None:
        # Where nothing can be written, as on a full disk, people still have to see what is going on.
        with contextlib.suppress(DatabaseFault), self._database.begin() as connection:
            connection.execute(statement, values)


def _hash(secret: str) -> str:
    # The secrets are 256 random bits: a fast hash is enough, and a slow one would be asked for at every request.
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_alive(seen_at: int, begun_at: int, now: int) -> bool:
    return now - seen_at < _IDLE_MS and now - begun_at < _LONGEST_MS


def _actor(user: _User, session: str) -> Actor:
    return Actor(user.name, cast("Role", user.role), session, user.theme, bool(user.must_change_password))


def _id_of(connection: sqlite3.Connection, name: str) -> int:
    """Raises ProblemError 404."""
    found = connection.execute("SELECT id FROM user WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise ProblemError(404, f"There is no user {name[:64]!r}.")
    return int(found[0])


def _role_of(connection: sqlite3.Connection, name: str) -> str:
    return str(connection.execute("SELECT role FROM user WHERE name = ?", (name,)).fetchone()[0])


def _check_name(name: str) -> None:
    if not _NAME.search(name):
        sentence = (
            f"name: {name[:64]!r} is not accepted; use 1 to 64 letters, digits and . _ @ -, a letter or digit first."
        )
        raise invalid([FieldError("name", sentence)])


def _exists(sentence: str) -> ProblemError:
    return ProblemError(409, sentence, code=ProblemCode.EXISTS)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise invalid([FieldError("role", f"role: {role[:20]!r} is not accepted; use {', '.join(ROLES)}.")])


def _keep_an_admin(connection: sqlite3.Connection, name: str, role: str | None) -> None:
    others = connection.execute("SELECT 1 FROM user WHERE role = 'admin' AND name != ? LIMIT 1", (name,)).fetchone()
    if role != "admin" and not others:
        sentence = f"{name} is the last admin; make somebody else one first."
        raise ProblemError(409, sentence, code=ProblemCode.LAST_ADMIN)
