"""A person's own new password, from the form or the API: what came of it stands in the audit."""

from __future__ import annotations

from flask import request

from noc_web.auth.accounts import Accounts
from noc_web.auth.actor import Actor
from noc_web.auth.client import client_address
from noc_web.auth.throttle import WINDOW_S
from noc_web.catalog.catalog import Catalog
from noc_web.config import Config
from noc_web.problem import ProblemCode, ProblemError


def change(
    actor: Actor, current: str | None, new: str, *, accounts: Accounts, catalog: Catalog, config: Config
) -> None:
    """Raises ProblemError as `Accounts.choose_password` does."""
    try:
        accounts.choose_password(actor, current, new, config.data)
    except ProblemError as problem:
        if problem.code == ProblemCode.WRONG_PASSWORD:
            # Perhaps somebody guesses who found a page open.
            address = client_address(request, config.trusted_proxies)
            catalog.note_repeated(actor.signature, "change of password failed", address, WINDOW_S * 1000)
        raise
    catalog.note(actor.signature, "change password", actor.name)
