"""Who may publish and subscribe where, as topic filters: the one source of every broker's permissions."""

from __future__ import annotations

from dataclasses import dataclass

from noc_bus.channels import CHANNELS, Channel, Role
from noc_bus.messages import Message


@dataclass(frozen=True)
class Rights:
    """Topic filters a broker user may publish to and subscribe to; sorted."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def of_service(root: str, service: Role) -> Rights:
    """The rights of the recorder, the alerter or the web service, whose user name is the service's."""
    return _rights(root, service, {"service": service})


def of_site(root: str, site: str, *, as_before: bool = False) -> Rights:
    """The rights of a site's prober, whose user name is the site. It reads and writes its own site only.

    `as_before`: it may read, too, what the version before did.
    """
    return _rights(root, "prober", {"site": site}, as_before=as_before)


def of_reader(root: str) -> Rights:
    """The rights of other systems: everything may be read, nothing written."""
    return Rights((), (f"{root}/#",))


def _rights(root: str, role: Role, own: dict[str, str], *, as_before: bool = False) -> Rights:
    return Rights(
        publish=tuple(
            sorted(_fill(channel, root, own) for channel in CHANNELS if role in (*channel.writers, *channel.clearers))
        ),
        # A service reads every service's presence, but writes only its own.
        subscribe=tuple(
            sorted(
                _fill(channel, root, own if role == "prober" else {})
                for channel in CHANNELS
                if role in channel.readers or (as_before and role in channel.former_readers)
            )
        ),
    )


def _fill(channel: Channel[Message], root: str, own: dict[str, str]) -> str:
    """The filter, with a name that need not be a slug (a broker's pattern) in place of the own one."""
    filled = channel.topic
    for name in channel.variables:
        filled = filled.replace(f"{{{name}}}", own.get(name, "+"))
    return f"{root}/{filled}"
