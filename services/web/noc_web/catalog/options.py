"""What a target or a group may be set to: every mistake is one sentence about one field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, get_type_hints

import msgspec

from noc_bus.messages import Site, Target, fields_of
from noc_rules.inheritance import OPTIONS, resolve
from noc_rules.mail_address import is_mail_address
from noc_web.catalog import addresses
from noc_web.problem import FieldError, invalid

_ACCEPTS: Final = {
    "id": "lower-case letters, digits and hyphens, at most 63, a letter or digit first",
    "name": "1 to 120 characters",
    "address": addresses.ACCEPTED,
    "family": "auto, 4, 6 or both",
    "interval_s": "a number of seconds from 1 to 3600",
    "packets": "a whole number from 1 to 100",
    "packet_gap_ms": "a number of milliseconds from 1 to 60000",
    "timeout_ms": "a number of milliseconds from 10 to 60000",
    "size_bytes": "a whole number from 24 to 1472",
    "ttl": "a whole number from 1 to 255",
    "down_after": "a whole number from 1 to 100",
    "up_after": "a whole number from 1 to 100",
    "degraded_loss_pct": "a percentage from 0 to 100",
    "degraded_rtt_ms": "a number of milliseconds from 0 to 600000",
    "sites": "a list of site ids; an empty list for all sites",
    "policy": "majority, any, all or a number of sites",
    "parents": "a list of ids of other targets",
    "group": "a path of names with slashes between, like core/routers, at most 250 characters",
    "tags": "a list of lower-case words with digits and hyphens",
    "critical": "true or false",
    "contacts": "a list of mail addresses",
    "paused": "true or false",
    "note": "at most 2000 characters",
    "label": "1 to 120 characters",
    "location": "at most 120 characters",
    "anchors": f"a list of at most 20, each {addresses.ACCEPTED}",
    "expected": "true or false",
}
_TYPES: Final = get_type_hints(Target, include_extras=True)
_SITE_TYPES: Final = get_type_hints(Site, include_extras=True)
_LONGEST_NAME: Final = 120
_NOTE: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
_GROUP: Final = re.compile(r"(?:[^\s/](?:[^/\x00-\x1f]{0,61}[^\s/])?(?:/[^\s/](?:[^/\x00-\x1f]{0,61}[^\s/])?)*)?")


def target_body(body: object) -> dict[str, Any]:
    """A target's own options, checked one by one. Null is as good as absent: inherited. Raises ProblemError 422."""
    own = _checked(body, {name: _TYPES[name] for name in fields_of(Target)})
    missing = [FieldError("address", f"address is missing; use {addresses.ACCEPTED}.")] if "address" not in own else []
    if missing:
        raise invalid(missing)
    own.setdefault("name", own["address"][:_LONGEST_NAME])
    own.setdefault("id", slug(own["name"]) or slug(own["address"]))
    if not own["id"]:
        raise invalid([FieldError("id", f"No id can be made of the name and address; use {_ACCEPTS['id']}.")])
    return own


def group_body(body: object) -> dict[str, Any]:
    """A group's options, checked. Raises ProblemError 422."""
    return _checked(body, {name: _TYPES[name] for name in OPTIONS})


def site_body(body: object, site: str) -> Site:
    """A site, checked. Raises ProblemError 422."""
    fields = _checked(body, {name: _SITE_TYPES[name] for name in fields_of(Site)})
    return Site(**({"label": site} | fields | {"id": site}))


def resolved(own: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> Target:
    """The full target, its groups' options applied. Raises ProblemError 422 where they do not fit together."""
    effective = resolve(own, own.get("group", ""), groups)
    if not effective.get("sites"):
        effective.pop("sites", None)
    target = msgspec.convert(effective, Target)
    errors = list(_misfits(target))
    if errors:
        raise invalid(errors)
    return target


def slug(text: str) -> str:
    """An id made of a name: Core Röuter 1 becomes core-router-1."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")


def is_group(path: str) -> bool:
    return len(path) <= 250 and path.isprintable() and _GROUP.fullmatch(path) is not None


def _checked(body: object, types: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise invalid([FieldError("", "The body is not a JSON object.")])
    errors: list[FieldError] = []
    checked: dict[str, Any] = {}
    for name, value in body.items():
        if name not in types:
            errors.append(FieldError(str(name), f"{str(name)[:60]!r} is not an option; there are {', '.join(types)}."))
        elif value is not None:
            try:
                checked[name] = _value(name, msgspec.convert(value, types[name]))
            except (msgspec.ValidationError, ValueError) as error:
                errors.append(FieldError(name, _sentence(name, value, error)))
    if errors:
        raise invalid(errors)
    return checked


def _value(name: str, value: Any) -> Any:
    """What the declared type cannot say. Raises ValueError with the reason."""
    if name == "address":
        return addresses.checked(value)
    if name == "anchors":
        return [addresses.checked(one) for one in value]
    if name == "note":
        return _note(value)
    if name == "contacts" and (wrong := [one for one in value if not is_mail_address(one)]):
        raise ValueError(f"has {wrong[0][:60]!r}, no mail address")
    if name == "group":
        if not is_group(value):
            raise ValueError("is no path")
    elif name in ("name", "label", "location") and not value.isprintable():
        raise ValueError("has control characters")
    elif name in ("name", "label") and not value.strip():
        raise ValueError("is blank")
    return value.strip() if name in ("name", "label", "location") else value


def _note(text: str) -> str:
    """Several lines, as every system ends them. Raises ValueError."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _NOTE.fullmatch(text):
        raise ValueError("has control characters")
    return text


def _sentence(name: str, value: object, error: Exception) -> str:
    shown = msgspec.json.encode(value).decode()[:80]
    reason = "" if isinstance(error, msgspec.ValidationError) else f" ({error})"
    return f"{name}: {shown} is not accepted{reason}; use {_ACCEPTS[name]}."


def _misfits(target: Target) -> list[FieldError]:
    """Options that are fine alone and not together."""
    interval_ms = target.interval_s * 1000
    if target.timeout_ms >= interval_ms:
        return [
            FieldError(
                "timeout_ms",
                f"timeout_ms: {target.timeout_ms:g} is not accepted; use less than the interval, {interval_ms:g} ms.",
            )
        ]
    takes_ms = (target.packets - 1) * target.packet_gap_ms + target.timeout_ms
    if takes_ms > interval_ms:
        return [
            FieldError(
                "packets",
                f"{target.packets} packets {target.packet_gap_ms:g} ms apart with a timeout of {target.timeout_ms:g} ms "
                f"take {takes_ms:g} ms, longer than the interval of {interval_ms:g} ms; use fewer packets, a smaller "
                "gap or timeout, or a longer interval.",
            )
        ]
    return []
