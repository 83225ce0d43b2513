"""Where a request comes from, also through proxies that the settings name."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # The settings need this module, and the `noc` command reads the settings: it has no use for a web server.
    from flask import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED: Final = "X-Forwarded-For"


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, comma between. Raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def client_address(request: Request, trusted: Sequence[Network]) -> str:
    """The address of whoever asked. What a header says counts only where a trusted proxy has said it.

    Each proxy adds whom it heard from at the end: the last that is no trusted proxy is the client.
    """
    address = request.remote_addr or ""
    for heard_from in reversed(request.headers.get(FORWARDED, "").split(",")):
        if not _is_in(address, trusted) or not _is_address(heard_from.strip()):
            break
        address = heard_from.strip()
    return address


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
