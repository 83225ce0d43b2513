"""Who is written into the audit, and from where they did it."""

from __future__ import annotations

from typing import Self


class Author(str):  # noqa: SLOT000  # the address is its attribute
    """A name that knows the address it came from; empty: not known."""

    origin: str

    def __new__(cls, name: str, origin: str = "") -> Self:
        made = super().__new__(cls, name)
        made.origin = origin
        return made


def origin_of(who: str) -> str:
    return who.origin if isinstance(who, Author) else ""
