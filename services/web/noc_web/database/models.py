"""The tables. Points in time are milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    theme: Mapped[str] = mapped_column(default="auto")
    # Logged in with the one-time secret: nothing else works before a password is chosen.
    must_change_password: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[int]


class Session(Base):
    """A log-in. Only a hash of its id is kept: who reads the database cannot take a session over."""

    __tablename__ = "session"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[int]
    seen_at: Mapped[int]


class Place(Base):
    """An address from which a user has logged in."""

    __tablename__ = "place"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[int]


class Token(Base):
    """A machine's key. Only its hash is kept."""

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[int]
    used_at: Mapped[int | None]


class TargetRow(Base):
    """A target as it was defined: its own options only."""

    __tablename__ = "target"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    own: Mapped[dict[str, Any]] = mapped_column(JSON)


class GroupRow(Base):
    __tablename__ = "target_group"

    path: Mapped[str] = mapped_column(String(250), primary_key=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)


class SiteRow(Base):
    __tablename__ = "site"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    label: Mapped[str]
    location: Mapped[str]
    anchors: Mapped[list[str]] = mapped_column(JSON)
    expected: Mapped[bool]


class ChangeRow(Base):
    """The newest revision of the catalogue that touched a target, group or site, also one that took it out."""

    __tablename__ = "catalog_change"

    kind: Mapped[str] = mapped_column(String(7), primary_key=True)
    name: Mapped[str] = mapped_column(String(250), primary_key=True)
    revision: Mapped[int] = mapped_column(index=True)


class AuditRow(Base):
    """Who changed what, when."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(index=True)
    who: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
