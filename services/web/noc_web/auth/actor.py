"""Whoever asks for something: a person with a session or a machine with a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from noc_web.auth.author import Author

Role = Literal["viewer", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "operator", "admin")
"""Each may do all that those before it may."""


@dataclass(frozen=True)
class Actor:
    """`session` names a person's log-in (the hash of its secret), None for a token."""

    name: str
    role: Role
    session: str | None = None
    theme: str = "auto"
    must_change_password: bool = False
    origin: str = ""
    """The address it asked from."""
    areas: tuple[str, ...] = ()
    """Where a token may do what its role may, by the first word of the path; empty: everywhere."""

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    def may_enter(self, area: str) -> bool:
        return not self.areas or area in self.areas

    @property
    def signature(self) -> Author:
        """How it is written into the audit."""
        return Author(self.name if self.session else f"token {self.name}", self.origin)
