"""The access control list of Mosquitto."""

from __future__ import annotations

from noc_bus.channels import DEFAULT_ROOT
from noc_bus.render import rights


def render(root: str = DEFAULT_ROOT, *, anonymous_read: bool = False) -> str:
    """An acl_file: users web, recorder, alerter and reader, and a pattern for every site.

    With `anonymous_read`, clients without a user name may read everything (for a broker on loopback).
    """
    lines = [
        "# Rendered from the table of channels by `python -m noc_bus.render`; do not edit.",
        "# A site's user name is the site's id; the names web, recorder, alerter and reader are no sites.",
        "",
    ]
    if anonymous_read:
        lines += ["# Clients without a user name", *_lines("topic", rights.of_reader(root)), ""]
    for service in ("web", "recorder", "alerter"):
        lines += [f"user {service}", *_lines("topic", rights.of_service(root, service)), ""]
    lines += ["user reader", *_lines("topic", rights.of_reader(root)), ""]
    lines += ["# Probers: %u is the user name", *_lines("pattern", rights.of_site(root, "%u"))]
    return "\n".join(lines) + "\n"


def _lines(keyword: str, granted: rights.Rights) -> list[str]:
    return [
        *(f"{keyword} write {topic}" for topic in granted.publish),
        *(f"{keyword} read {topic}" for topic in granted.subscribe),
    ]
