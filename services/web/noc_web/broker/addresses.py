"""Where sites reach a broker, as people write it: a host name or an address, with a port where it is not the usual one."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from noc_bus.broker import Broker

_ADDRESS: Final = re.compile(
    r"(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?"
)


def host_and_port(address: str, usual_port: int | None) -> str:
    """As it stands in a URL. Raises ValueError."""
    found = _ADDRESS.fullmatch(address)
    if found:
        text = f"{found['host']}:{found['port'] or usual_port}"
    else:
        text = f"[{ipaddress.IPv6Address(address)}]:{usual_port}"
    Broker.parse(f"mqtts://{text}")
    return text
