"""The lines of Mosquitto's access control list."""

from __future__ import annotations

from noc_bus.render import rights


def lines(keyword: str, granted: rights.Rights) -> list[str]:
    """What a user may write and read. `keyword`: Mosquitto's, before each of them."""
    return [
        *(f"{keyword} write {topic}" for topic in granted.publish),
        *(f"{keyword} read {topic}" for topic in granted.subscribe),
    ]
