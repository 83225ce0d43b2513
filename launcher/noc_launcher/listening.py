"""`noc up --listen`: where probers of other sites connect to the broker that it runs. TLS only."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from noc_frame.settings import Setting
from noc_web.broker.authority import (
    LISTENER_FILES,
    SITE_CERTIFICATES,
    SITES_AUTHORITY,
    TLS_CERTIFICATE,
    TLS_KEY,
    CertificatesOfSites,
    read_given,
)

PORT: Final = 8883
_SIOCGIFADDR: Final = 0x8915
_IPV6_ADDRESSES: Final = Path("/proc/net/if_inet6")
_GLOBAL_SCOPE: Final = "00"


def _parse(text: str) -> tuple[str, int] | None:
    """An address of this machine, and a port. Raises ValueError."""
    if not text:
        return None
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text.strip("[]"))), PORT
    host, _, number = text.rpartition(":")
    if not host:
        host, number = text, str(PORT)
    if not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise ValueError("the port is not one from 1 to 65535")
    return str(ipaddress.ip_address(host.strip("[]"))), int(number)


LISTEN: Final = Setting(
    "NOC_LISTEN",
    _parse,
    "an address of this machine, or 0.0.0.0 for all, with :PORT where it is not 8883",
    "where probers of other sites connect to the broker of `noc up`, over TLS; empty: nowhere",
    default="",
)
SETTINGS: Final = (LISTEN, TLS_CERTIFICATE, TLS_KEY, SITE_CERTIFICATES)


@dataclass(frozen=True)
class Listener:
    """`given`: the user's own certificate and key; None: the NOC makes them. `certificates`: those that sites show."""

    host: str
    port: int
    given: tuple[Path, Path] | None = None
    certificates: CertificatesOfSites = "none"

    def names(self) -> list[str]:
        """What it is to be called in a certificate, and where sites reach it: best first."""
        if not ipaddress.ip_address(self.host).is_unspecified:
            return [self.host]
        return [one for one in addresses() if self.host == "::" or ":" not in one] or ["127.0.0.1"]

    def certificate(self, folder: Path) -> Path:
        return self.given[0] if self.given else folder / LISTENER_FILES[0]

    def asks_for(self, folder: Path) -> Path | None:
        """The authority by one of whose certificates alone it is spoken to; None: by anybody."""
        return folder / SITES_AUTHORITY if self.certificates == "required" else None

    def key(self, folder: Path) -> Path:
        return self.given[1] if self.given else folder / LISTENER_FILES[1]


def read(environment: Mapping[str, str]) -> Listener | None:
    """Raises SettingError."""
    where, given = LISTEN.read(environment), read_given(environment)
    if where is None:
        return None
    return Listener(*where, given, SITE_CERTIFICATES.read(environment))


def addresses() -> list[str]:
    """This machine's addresses but for loopback: first those that packets to elsewhere leave from."""
    found = [*_outgoing(), *_ipv4(), *_ipv6()]
    return list(dict.fromkeys(one for one in found if not ipaddress.ip_address(one).is_loopback))


def _outgoing() -> list[str]:
    found = []
    # Of documentation: nothing is sent, the kernel only looks for the way.
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((elsewhere, 9))
            found.append(str(sock.getsockname()[0]))
    return found


def _ipv4() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            # Of an interface without an address the kernel says that there is none.
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(sock, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _ipv6() -> list[str]:
    try:
        lines = _IPV6_ADDRESSES.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [str(ipaddress.IPv6Address(bytes.fromhex(row[0]))) for row in rows if row[3] == _GLOBAL_SCOPE]
