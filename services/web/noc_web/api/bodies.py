"""What requests carry. Targets, groups and sites are checked field by field by the catalogue; these types document them."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from noc_bus.messages import Site, Target, fields_of
from noc_rules.inheritance import OPTIONS
from noc_web.api.route import Body


def _optional(name: str, of: type[Struct], fields: tuple[str, ...]) -> type[Struct]:
    """A struct of those fields, each of which may be left out or null."""
    types: dict[str, Any] = get_type_hints(of, include_extras=True)
    return defstruct(name, [(field, types[field] | None | UnsetType, UNSET) for field in fields], kw_only=True)


OwnOptions: Final = _optional("OwnOptions", Target, fields_of(Target))
GroupOptions: Final = _optional("GroupOptions", Target, OPTIONS)
SiteFields: Final = _optional("SiteFields", Site, fields_of(Site))

_Comment = Annotated[str, Meta(max_length=500)]


class At(Body):
    """Which site is to act; left out: one that is online."""

    site: str | None = None


class Comment(Body):
    comment: _Comment = ""


class MyChanges(Body):
    theme: str


class PasswordChange(Body):
    new: str
    current: str | None = None


class NewUser(Body):
    name: str
    role: str
    password: str


class UserChange(Body):
    role: str | None = None
    password: str | None = None


class TokenRequest(Body):
    name: str
    role: str
