"""What the mail server in Settings may be set to: every mistake is one sentence about one field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from noc_bus.messages import NotificationSettings
from noc_rules.mail_address import is_mail_address
from noc_rules.mail_server import Smtp
from noc_web.problem import FieldError, ProblemCode, invalid

FIELDS: Final = ("mail_server", "mail_user", "mail_password", "mail_from", "mail_to")
_ACCEPTS: Final = (
    "smtp://host[:587][?starttls=0] or smtps://host[:465], each also with ca=/path/of/ca.pem after the ?, "
    "the path as on the alerter's machine; nothing for no mail server"
)
_MOST: Final = 100


def changed(before: NotificationSettings, body: Mapping[str, Any]) -> NotificationSettings:
    """With what the body sets; what it leaves out stays. Raises ProblemError 422."""
    given = {name: value for name, value in body.items() if value is not None}
    errors: list[FieldError] = []
    given |= _split(str(given["mail_server"]).strip()) if "mail_server" in given else {}
    for name, check in _CHECKS.items():
        if name in given and (sentence := check(given[name])):
            errors.append(FieldError(name, f"{name}: {sentence}"))
    if not errors and before.mail_password and "mail_password" not in given and _moves(before, given):
        sentence = "enter the password again: the one that is kept is not shown to another mail server."
        errors.append(FieldError("mail_password", f"mail_password: {sentence}", ProblemCode.DOES_NOT_FIT))
    if errors:
        raise invalid(errors)
    if "mail_to" in given:
        given["mail_to"] = list(dict.fromkeys(given["mail_to"]))
    return replace(before, **given)


def _moves(before: NotificationSettings, given: Mapping[str, Any]) -> bool:
    """Whether a log-in would go to another machine than before."""
    old, new = Smtp.parse(before.mail_server), Smtp.parse(given.get("mail_server", before.mail_server))
    stays = given.get("mail_user", before.mail_user)
    return bool(stays and new and (old is None or old.host != new.host))


def _split(url: str) -> dict[str, str]:
    """A user and a password that stand in the address are kept apart from it: they are not shown."""
    try:
        parts = urlsplit(url)
        if parts.username is None:
            return {"mail_server": url}
    except ValueError:
        return {"mail_server": url}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return {
        "mail_server": bare,
        "mail_user": unquote(parts.username),
        "mail_password": unquote(parts.password or ""),
    }


def _of_server(url: str) -> str:
    try:
        Smtp.parse(url)
    except ValueError as error:
        return f"{url[:80]!r} is not accepted ({error}); use {_ACCEPTS}."
    return ""


def _of_user(text: str) -> str:
    return "" if text.isascii() else "it is not accepted; use ASCII characters, mail servers take no others."


def _of_sender(text: str) -> str:
    return "" if not text or is_mail_address(text) else f"{text[:80]!r} is not accepted; use one mail address."


def _of_recipients(addresses: list[str]) -> str:
    wrong = next((one for one in addresses if not is_mail_address(one)), None)
    if wrong is not None:
        return f"{wrong[:80]!r} is not accepted; use mail addresses."
    return f"{len(addresses)} are not accepted; use at most {_MOST}." if len(addresses) > _MOST else ""


_CHECKS: Final[Mapping[str, Callable[[Any], str]]] = {
    "mail_server": _of_server,
    "mail_user": _of_user,
    "mail_password": _of_user,
    "mail_from": _of_sender,
    "mail_to": _of_recipients,
}
