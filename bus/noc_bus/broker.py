"""Where the broker is and who we are there, read from NOC_MQTT_URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from noc_bus.channels import DEFAULT_ROOT
from noc_frame.settings import Setting


@dataclass(frozen=True)
class Broker:
    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    root: str = DEFAULT_ROOT
    ca: str | None = None

    @classmethod
    def parse(cls, url: str) -> Broker:
        """Read `mqtt://user:password@host:1883/root` or `mqtts://…`. Raises ValueError with the reason."""
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts"):
            raise ValueError(f"{parts.scheme or 'nothing'} is not mqtt or mqtts")
        if not parts.hostname:
            raise ValueError("it names no host")
        # What cannot even be looked up would end paho's thread, and with it the process, for ever anew.
        if not all(0 < len(label) < 64 for label in parts.hostname.removesuffix(".").split(".")):
            raise ValueError("it names no possible host")
        tls = parts.scheme == "mqtts"
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if unknown := set(options) - {"ca"}:
            raise ValueError(f"unknown option {min(unknown)}")
        root = parts.path.strip("/") or DEFAULT_ROOT
        if not re.fullmatch(r"[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*", root):
            raise ValueError("the root topic has letters, digits, _ and - between single slashes")
        return cls(
            host=parts.hostname,
            port=parts.port or (8883 if tls else 1883),
            tls=tls,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            root=root,
            ca=options["ca"][0] if "ca" in options else None,
        )

    def __str__(self) -> str:
        """Without the password, for logs."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{f'{self.user}@' if self.user else ''}{self.host}:{self.port}"


MQTT_URL = Setting(
    "NOC_MQTT_URL",
    Broker.parse,
    "mqtt://[user:password@]host[:1883][/root] or mqtts://[user:password@]host[:8883][/root][?ca=/path/of/ca.pem]",
    "the MQTT broker; the path is the root topic",
    default="mqtt://127.0.0.1:1883",
    secret=True,
)
