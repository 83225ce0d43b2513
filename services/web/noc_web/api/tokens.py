"""Tokens: keys for machines."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import TokenRequest
from noc_web.api.route import Ask, Route
from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog


def list_tokens(ask: Ask, accounts: Accounts) -> object:
    return {"tokens": accounts.tokens()}


def create_token(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    wanted = ask.read(TokenRequest)
    token = accounts.create_token(wanted.name, wanted.role)
    catalog.note(ask.actor.signature, "create token", wanted.name, {"role": wanted.role})
    return {"name": wanted.name, "token": token}


def delete_token(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    accounts.delete_token(ask["name"])
    catalog.note(ask.actor.signature, "delete token", ask["name"])
    return None


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
