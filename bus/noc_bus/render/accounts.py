"""The users of a broker, as each broker wants to read them: who they are, and what they may.

Neither text holds a secret: Mosquitto's has PBKDF2 hashes, nats-server's bcrypt ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, assert_never

from noc_bus.channels import DEFAULT_ROOT
from noc_bus.render import acl, nats, rights

AccountRole = Literal["web", "recorder", "alerter", "site", "reader"]
ANONYMOUS: Final = "_anonymous"
"""nats-server's user for who gives no name. No site can be called so."""
_ON_LOOPBACK: Final = ["MQTT"]
_FROM_ANYWHERE: Final = ["MQTT", "MQTT_WS"]


@dataclass(frozen=True)
class Account:
    """A broker user. `reads`: the topic filters below the root that a reader may read.

    `as_before`: a site whose key was made by the version before, and may read what it then could.
    """

    user: str
    role: AccountRole
    mosquitto_hash: str = field(repr=False)
    nats_hash: str = field(repr=False)
    reads: tuple[str, ...] = ()
    as_before: bool = False


def rights_of(account: Account, root: str = DEFAULT_ROOT) -> rights.Rights:
    match account.role:
        case "web" | "recorder" | "alerter":
            return rights.of_service(root, account.role)
        case "site":
            return rights.of_site(root, account.user, as_before=account.as_before)
        case "reader":
            return rights.Rights((), tuple(f"{root}/{one}" for one in account.reads))
        case _:
            assert_never(account.role)


def mosquitto_users(accounts: Sequence[Account]) -> str:
    """Mosquitto's password_file."""
    return "".join(f"{one.user}:{one.mosquitto_hash}\n" for one in accounts)


def mosquitto_acl(accounts: Sequence[Account], root: str = DEFAULT_ROOT, *, anonymous_read: bool = False) -> str:
    """Mosquitto's acl_file: each user by name. `anonymous_read`: who gives no name may read everything."""
    blocks = ["# Rendered from the accounts in NOC's database; do not edit.\n"]
    if anonymous_read:
        # Before any user's: Mosquitto takes these lines for clients without a name.
        blocks.append("".join(f"{line}\n" for line in acl.lines("topic", rights.of_reader(root))))
    blocks += [
        "".join(f"{line}\n" for line in (f"user {one.user}", *acl.lines("topic", rights_of(one, root))))
        for one in accounts
    ]
    return "\n".join(blocks)


def nats_accounts(accounts: Sequence[Account], root: str = DEFAULT_ROOT, *, anonymous_read: bool = False) -> str:
    """nats-server's authorization, for a file that its configuration includes.

    Sites and readers may come over the WebSocket listener, which is the one that leaves this machine; the services
    and who gives no name may not.
    """
    users: list[dict[str, Any]] = []
    if anonymous_read:
        granted = nats.permissions(rights.of_reader(root))
        users.append(
            # It compares no hash with what it puts in itself for who gives no name.
            {"user": ANONYMOUS, "password": "", "permissions": granted, "allowed_connection_types": _ON_LOOPBACK}
        )
    users += [
        {
            "user": one.user,
            "password": one.nats_hash,
            "permissions": nats.permissions(rights_of(one, root)),
            "allowed_connection_types": _FROM_ANYWHERE if one.role in ("site", "reader") else _ON_LOOPBACK,
        }
        for one in accounts
    ]
    return f"authorization: {json.dumps({'users': users}, indent=1)}\n"
