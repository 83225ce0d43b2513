"""What requests carry. Targets, groups and sites are checked field by field by the catalogue; these types document them."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from noc_bus.messages import Site, Target, fields_of
from noc_rules.inheritance import OPTIONS
from noc_web.api.route import Body


def _optional(name: str, of: type[Struct], fields: tuple[str, ...], required: tuple[str, ...] = ()) -> type[Struct]:
    """A struct of those fields, each of which may be left out or null unless it is required."""
    types: dict[str, Any] = get_type_hints(of, include_extras=True)
    needed: list[Any] = [(field, types[field]) for field in required]
    others: list[Any] = [(field, types[field] | None | UnsetType, UNSET) for field in fields if field not in required]
    return defstruct(name, [*needed, *others], kw_only=True, forbid_unknown_fields=True)


NewTarget: Final = _optional("NewTarget", Target, fields_of(Target), ("address",))
TargetChanges: Final = _optional("TargetChanges", Target, fields_of(Target))
GroupOptions: Final = _optional("GroupOptions", Target, OPTIONS)
NewSite: Final = _optional("NewSite", Site, fields_of(Site), ("id",))
SiteFields: Final = _optional("SiteFields", Site, fields_of(Site))
SavedTarget: Final = defstruct(
    "SavedTarget",
    [("warnings", Annotated[list[str], Meta(description="what was accepted, and deserves a second look")])],
    bases=(Target,),
    kw_only=True,
)

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
