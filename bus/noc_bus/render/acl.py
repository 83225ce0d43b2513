"""The access control list of Mosquitto."""

from __future__ import annotations

from noc_bus.channels import DEFAULT_ROOT
from noc_bus.render import rights


def render(root: str = DEFAULT_ROOT) -> str:
    """An acl_file: users web, recorder, alerter and reader, and a pattern for every site."""
    text = [
        "# Rendered from the table of channels by `python -m noc_bus.render`; do not edit.",
        "# A site's user name is the site's id; the names web, recorder, alerter and reader are no sites.",
        "",
    ]
    for service in ("web", "recorder", "alerter"):
        text += [f"user {service}", *lines("topic", rights.of_service(root, service)), ""]
    text += ["user reader", *lines("topic", rights.of_reader(root)), ""]
    text += ["# Probers: %u is the user name", *lines("pattern", rights.of_site(root, "%u"))]
    return "\n".join(text) + "\n"


def lines(keyword: str, granted: rights.Rights) -> list[str]:
    """What a user, or with the keyword `pattern` every user, may write and read."""
    return [
        *(f"{keyword} write {topic}" for topic in granted.publish),
        *(f"{keyword} read {topic}" for topic in granted.subscribe),
    ]
