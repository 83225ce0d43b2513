"""Where the broker is and who we are there, read from NOC_MQTT_URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from noc_bus.channels import DEFAULT_ROOT
from noc_frame.settings import Setting

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_WEB_PATH: Final = "/mqtt"


@dataclass(frozen=True)
class Broker:
    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    root: str = DEFAULT_ROOT
    ca: str | None = None
    """The path of a file with the authorities that are trusted; None: the system's."""
    path: str | None = None
    """Where MQTT is to be had over WebSocket; None: MQTT without it."""
    authority: str | None = field(default=None, repr=False)
    """The certificate of the one authority that is trusted, as PEM, whatever the broker is called there."""
    certificate: str | None = field(default=None, repr=False)
    """What we show to a broker that asks for it: a certificate and its private key, as PEM."""
    joined: str | None = None
    """The site that a join token made us."""
    first_use_until: int = 0
    """Until when that token had to be used for the first time, in milliseconds since 1970; 0: not known."""
    others: tuple[Broker, ...] = ()
    """The same broker at other addresses, to be tried in turn."""

    @classmethod
    def parse(cls, url: str) -> Broker:
        """Read `mqtt://user:password@host:1883/root` or `mqtts://…`, or `wss://user:password@host:443/mqtt`.

        A broker of several machines has each of its addresses, with commas between. Raises ValueError with the reason.
        """
        scheme, slashes, rest = url.partition("://")
        netloc = re.split("[/?#]", rest, maxsplit=1)[0]
        who, at, places = netloc.rpartition("@")
        before, behind = f"{scheme}{slashes}{who}{at}", rest.removeprefix(netloc)
        # One by one: newer Pythons refuse the brackets of an IPv6 address behind anything else.
        first, *others = (cls._parse(urlsplit(f"{before}{place}{behind}")) for place in places.split(","))
        return replace(first, others=tuple(others))

    @classmethod
    def _parse(cls, parts: SplitResult) -> Broker:
        if parts.scheme not in _PORTS:
            raise ValueError(f"{parts.scheme or 'nothing'} is not mqtt, mqtts, ws or wss")
        if not parts.hostname:
            raise ValueError("it names no host")
        # What cannot even be looked up would end paho's thread, and with it the process, for ever anew.
        if not all(0 < len(label) < 64 for label in parts.hostname.removesuffix(".").split(".")):
            raise ValueError("it names no possible host")
        over_web = parts.scheme in ("ws", "wss")
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if unknown := set(options) - {"ca"}:
            raise ValueError(f"unknown option {min(unknown)}")
        root = DEFAULT_ROOT if over_web else parts.path.strip("/") or DEFAULT_ROOT
        if not re.fullmatch(r"[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*", root):
            raise ValueError("the root topic has letters, digits, _ and - between single slashes")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            tls=parts.scheme in ("mqtts", "wss"),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            root=root,
            ca=options["ca"][0] if "ca" in options else None,
            path=(parts.path.rstrip("/") or _WEB_PATH) if over_web else None,
        )

    def __str__(self) -> str:
        """Without the password, for logs."""
        scheme = ("mqtt" if self.path is None else "ws") + ("s" if self.tls else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{f'{self.user}@' if self.user else ''}{host}:{self.port}"


MQTT_URL = Setting(
    "NOC_MQTT_URL",
    Broker.parse,
    "mqtt://[user:password@]host[:1883][,host…][/root], mqtts://[user:password@]host[:8883][/root][?ca=/path/of/ca.pem] or "
    "wss://[user:password@]host[:443][/path][?ca=/path/of/ca.pem]",
    "the MQTT broker; the path is the root topic",
    default="mqtt://127.0.0.1:1883",
    secret=True,
)
