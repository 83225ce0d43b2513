"""Whoever asks for something: a person with a session or a machine with a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

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

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def signature(self) -> str:
        """How it is written into the audit."""
        return self.name if self.session else f"token {self.name}"
