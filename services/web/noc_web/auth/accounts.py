"""Users, their log-ins, and machines' tokens, in the database. Usable beside a running service."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import Update, delete, func, select, update
from sqlalchemy.exc import OperationalError

from noc_bus.time import Time
from noc_web.auth import passwords
from noc_web.auth.actor import ROLES, Actor, Role
from noc_web.database.models import Place, Session, Token, User
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
        with self._database.begin() as session:
            users = session.scalars(select(User)).all()
            # Of users who cannot make others there may be some already: the command line adds them too.
            if any(user.role == "admin" and not user.must_change_password for user in users):
                note.unlink(missing_ok=True)
                return
            secret = password or secrets.token_urlsafe(12)
            first = next((user for user in users if user.name == FIRST_USER), None)
            if first is None:
                first = User(name=FIRST_USER, role="admin", theme="auto", created_at=int(Time.now()), password_hash="")
                session.add(first)
            first.password_hash = passwords.hashed(secret)
            first.must_change_password = not password
        note.unlink(missing_ok=True)
        if not password:
            note.touch(mode=0o600)
            note.write_text(f"{secret}\n", encoding="utf-8")

    # -- log-ins

    def log_in(self, name: str, password: str) -> tuple[str, Actor] | None:
        """A new session's secret and who it is; None where name or password is wrong."""
        with self._database.session() as session:
            user = session.scalar(select(User).where(User.name == name))
        if not passwords.fits(password, user.password_hash if user else None) or user is None:
            return None
        now = int(Time.now())
        with self._database.begin() as session:
            if session.get_one(User, user.id).password_hash != user.password_hash:
                return None
            if user.must_change_password:
                # The secret was for one log-in: whoever finds it later finds nothing.
                session.execute(update(User).where(User.id == user.id).values(password_hash=passwords.UNUSABLE))
            session.execute(delete(Session).where(Session.seen_at < now - _IDLE_MS))
            secret = secrets.token_urlsafe(32)
            session.add(Session(id_hash=_hash(secret), user_id=user.id, created_at=now, seen_at=now))
        return secret, _actor(user, _hash(secret))

    def who(self, secret: str) -> Actor | None:
        """Whose session this is; None where it is over."""
        now = int(Time.now())
        with self._database.session() as session:
            found = session.execute(
                select(Session, User).join(User, User.id == Session.user_id).where(Session.id_hash == _hash(secret))
            ).first()
        if found is None or not _is_alive(found[0], now):
            return None
        if now - found[0].seen_at > _SEEN_EVERY_MS:
            self._note_use(update(Session).where(Session.id_hash == found[0].id_hash).values(seen_at=now))
        return _actor(found[1], found[0].id_hash)

    def in_use(self, sessions: Collection[str]) -> set[str]:
        """Of these sessions (their hashes), which have a page open now, those that still hold: being open keeps them."""
        now = int(Time.now())
        with self._database.session() as session:
            rows = session.scalars(select(Session).where(Session.id_hash.in_(sessions))).all()
        alive = [row for row in rows if _is_alive(row, now)]
        if old := [row.id_hash for row in alive if now - row.seen_at > _SEEN_EVERY_MS]:
            self._note_use(update(Session).where(Session.id_hash.in_(old)).values(seen_at=now))
        return {row.id_hash for row in alive}

    def log_out(self, secret: str) -> None:
        with self._database.begin() as session:
            session.execute(delete(Session).where(Session.id_hash == _hash(secret)))

    # -- where people log in

    def password_print(self, name: str) -> str:
        """Names a password without telling anything about it: another one after every change; empty for nobody's."""
        with self._database.session() as session:
            found = session.scalar(select(User.password_hash).where(User.name == name))
        return _hash(found)[:16] if found else ""

    def note_place(self, name: str, address: str) -> None:
        """That this user has logged in from there; the newest places are kept."""
        with self._database.begin() as session:
            user_id = session.scalar(select(User.id).where(User.name == name))
            session.merge(Place(user_id=user_id, address=address[:_LONGEST_ADDRESS], at=int(Time.now())))
            session.flush()
            newest = select(Place.address).where(Place.user_id == user_id).order_by(Place.at.desc()).limit(_PLACES)
            session.execute(delete(Place).where(Place.user_id == user_id, Place.address.not_in(newest)))

    def was_at(self, name: str, address: str) -> bool:
        with self._database.session() as session:
            found = session.scalar(
                select(Place.at).join(User, User.id == Place.user_id).where(User.name == name, Place.address == address)
            )
        return found is not None

    # -- users

    def users(self) -> list[dict[str, Any]]:
        with self._database.session() as session:
            rows = session.scalars(select(User).order_by(User.name)).all()
        return [{"name": row.name, "role": row.role, "created_at": str(Time(row.created_at))} for row in rows]

    def add_user(self, name: str, role: str, password: str) -> None:
        """Raises ProblemError 409 for a name that is taken, 422 for what is not accepted."""
        _check_name(name)
        _check_role(role)
        passwords.check_acceptable(password, name)
        password_hash = passwords.hashed(password)
        with self._database.begin() as session:
            if session.scalar(select(User).where(User.name == name)):
                raise _exists(f"A user {name!r} exists already; choose another name.")
            session.add(
                User(
                    name=name,
                    role=role,
                    theme="auto",
                    must_change_password=False,
                    password_hash=password_hash,
                    created_at=int(Time.now()),
                )
            )

    def change_user(self, name: str, role: str | None, password: str | None) -> None:
        """Ends that user's sessions. Raises ProblemError 404, 409, 422."""
        if role is not None:
            _check_role(role)
        if password is not None:
            passwords.check_acceptable(password, name)
        with self._database.begin() as session:
            user = session.scalar(select(User).where(User.name == name))
            if user is None:
                raise ProblemError(404, f"There is no user {name[:64]!r}.")
            if role is not None:
                _keep_an_admin(session, name, role)
                user.role = role
            if password is not None:
                user.password_hash, user.must_change_password = passwords.hashed(password), False
            session.execute(delete(Session).where(Session.user_id == user.id))

    def delete_user(self, name: str) -> None:
        """Raises ProblemError 404, and 409 for the last admin."""
        with self._database.begin() as session:
            user = session.scalar(select(User).where(User.name == name))
            if user is None:
                raise ProblemError(404, f"There is no user {name[:64]!r}.")
            _keep_an_admin(session, name, None)
            session.execute(delete(Session).where(Session.user_id == user.id))
            session.delete(user)

    def choose_password(self, actor: Actor, current: str | None, new: str, folder: Path) -> None:
        """A person's own password; all other sessions end. `current` is not asked after a one-time secret.

        Raises ProblemError 403 for a wrong current one, 422 for a new one that is not accepted.
        """
        with self._database.session() as session:
            user = session.scalar(select(User).where(User.name == actor.name))
        if user is None or actor.session is None:
            raise ProblemError(403, "Only a person who is logged in has a password.")
        if not actor.must_change_password and not passwords.fits(current or "", user.password_hash):
            error = FieldError("current", "This is not it.", ProblemCode.WRONG_PASSWORD)
            raise ProblemError(403, "The current password is wrong.", [error])
        passwords.check_acceptable(new, actor.name)
        with self._database.begin() as session:
            session.execute(
                update(User)
                .where(User.id == user.id)
                .values(password_hash=passwords.hashed(new), must_change_password=False)
            )  # fmt: skip
            session.execute(delete(Session).where(Session.user_id == user.id, Session.id_hash != actor.session))
        (folder / FIRST_LOGIN).unlink(missing_ok=True)

    def set_theme(self, actor: Actor, theme: str) -> None:
        """Raises ProblemError 422."""
        if theme not in THEMES:
            raise invalid([FieldError("theme", f"theme: {theme[:20]!r} is not accepted; use {', '.join(THEMES)}.")])
        with self._database.begin() as session:
            session.execute(update(User).where(User.name == actor.name).values(theme=theme))

    # -- tokens

    def tokens(self) -> list[dict[str, Any]]:
        with self._database.session() as session:
            rows = session.scalars(select(Token).order_by(Token.name)).all()
        return [
            {
                "name": row.name,
                "role": row.role,
                "begins_with": row.prefix,
                "created_at": str(Time(row.created_at)),
                "used_at": None if row.used_at is None else str(Time(row.used_at)),
            }
            for row in rows
        ]

    def create_token(self, name: str, role: str) -> str:
        """The token, which nobody can ask for again. Raises ProblemError 409, 422."""
        _check_name(name)
        _check_role(role)
        # The beginning tells people, and tools that look for leaked keys, what it is.
        token = f"noc_{secrets.token_urlsafe(32)}"
        with self._database.begin() as session:
            if session.scalar(select(Token).where(Token.name == name)):
                raise _exists(f"A token {name!r} exists already; choose another name or delete that one.")
            session.add(
                Token(name=name, role=role, prefix=token[:8], token_hash=_hash(token), created_at=int(Time.now()))
            )
        return token

    def delete_token(self, name: str) -> None:
        """Raises ProblemError 404."""
        with self._database.begin() as session:
            if not session.scalar(select(Token).where(Token.name == name)):
                raise ProblemError(404, f"There is no token {name[:64]!r}.")
            session.execute(delete(Token).where(Token.name == name))

    def whose_token(self, token: str) -> Actor | None:
        now = int(Time.now())
        with self._database.session() as session:
            row = session.scalar(select(Token).where(Token.token_hash == _hash(token)))
        if row is None:
            return None
        if row.used_at is None or now - row.used_at > _SEEN_EVERY_MS:
            self._note_use(update(Token).where(Token.id == row.id).values(used_at=now))
        return Actor(row.name, cast("Role", row.role))

    def _note_use(self, note: Update) -> None:
        # Where nothing can be written, as on a full disk, people still have to see what is going on.
        with contextlib.suppress(OperationalError), self._database.begin() as session:
            session.execute(note)


def _hash(secret: str) -> str:
    # The secrets are 256 random bits: a fast hash is enough, and a slow one would be asked for at every request.
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_alive(row: Session, now: int) -> bool:
    return now - row.seen_at < _IDLE_MS and now - row.created_at < _LONGEST_MS


def _actor(user: User, session: str) -> Actor:
    return Actor(user.name, cast("Role", user.role), session, user.theme, user.must_change_password)


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


def _keep_an_admin(session: Any, name: str, role: str | None) -> None:
    others = session.scalar(select(func.count()).select_from(User).where(User.role == "admin", User.name != name))
    if role != "admin" and not others:
        sentence = f"{name} is the last admin; make somebody else one first."
        raise ProblemError(409, sentence, code=ProblemCode.LAST_ADMIN)
