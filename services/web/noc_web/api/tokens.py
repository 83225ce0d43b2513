"""Tokens: keys for machines."""

from __future__ import annotations

from typing import Final

from noc_web.api import answers
from noc_web.api.bodies import TokenRequest
from noc_web.api.route import Ask, Route
from noc_web.auth.accounts import Accounts
from noc_web.auth.guard import area_of
from noc_web.catalog.catalog import Catalog
from noc_web.problem import FieldError, ProblemCode, invalid


def list_tokens(ask: Ask, accounts: Accounts) -> object:
    return {"tokens": accounts.tokens()}


def create_token(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    wanted = ask.read(TokenRequest)
    check_areas(wanted.areas)
    token = accounts.create_token(wanted.name, wanted.role, wanted.days, wanted.areas)
    detail = {"role": wanted.role, "days": wanted.days, "areas": list(wanted.areas)}
    catalog.note(ask.actor.signature, "create token", wanted.name, detail, after=detail)
    return {"name": wanted.name, "token": token}


def delete_token(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    accounts.delete_token(ask["name"])
    catalog.note(ask.actor.signature, "delete token", ask["name"])
    return None


_EVERYTHING: Final = {"users", "tokens", "me"}


def areas() -> tuple[str, ...]:
    """What a token may be bound to: the first words of the API's paths, and the metrics.

    Not those by which one makes users and tokens: whoever may do that may reach everything.
    """
    from noc_web.api import ROUTES as ALL  # which is made of this module too

    return tuple(sorted({area_of(route.path) for route in ALL} - _EVERYTHING | {"metrics"}))


def check_areas(wanted: tuple[str, ...]) -> None:
    """Raises ProblemError 422."""
    known = areas()
    for one in wanted:
        if one not in known:
            sentence = f"areas: {one[:40]!r} is not accepted; use {', '.join(known)}."
            raise invalid([FieldError("areas", sentence, ProblemCode.DOES_NOT_FIT)])


ROUTES = (
    Route("GET", "/tokens", "admin", "All tokens, without their secrets.", list_tokens, answer=answers.Tokens),
    Route(
        "POST",
        "/tokens",
        "admin",
        "Create a token; it is shown this once.",
        create_token,
        body=TokenRequest,
        answer=answers.NewToken,
        status=201,
    ),
    Route("DELETE", "/tokens/{name}", "admin", "Delete a token; it is refused from then on.", delete_token, status=204),
)
