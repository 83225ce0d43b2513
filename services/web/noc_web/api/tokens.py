"""Tokens: keys for machines."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import TokenRequest
from noc_web.api.route import Ask, Route
from noc_web.parts import Parts


def list_tokens(parts: Parts, ask: Ask) -> object:
    return {"tokens": parts.accounts.tokens()}


def create_token(parts: Parts, ask: Ask) -> object:
    wanted = ask.read(TokenRequest)
    token = parts.accounts.create_token(wanted.name, wanted.role)
    parts.catalog.note(ask.actor.signature, "create token", wanted.name, {"role": wanted.role})
    return {"name": wanted.name, "token": token}


def delete_token(parts: Parts, ask: Ask) -> object:
    parts.accounts.delete_token(ask["name"])
    parts.catalog.note(ask.actor.signature, "delete token", ask["name"])
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
