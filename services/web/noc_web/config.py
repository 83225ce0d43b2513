"""The web service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from noc_bus.broker import MQTT_URL, Broker
from noc_frame.settings import DATA, LOG, PUBLIC_URL, Setting
from noc_history.stores import HISTORY_URL, HistoryUrl, in_folder

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 128


def parse_port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError("")
    return int(text)


def parse_password(text: str) -> str:
    if text and not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise ValueError("")
    return text


HTTP_HOST = Setting(
    "NOC_HTTP_HOST",
    str,
    "an address of this machine, or 0.0.0.0 for all",
    "where browsers connect",
    default="127.0.0.1",
)
HTTP_PORT = Setting("NOC_HTTP_PORT", parse_port, "a port from 1 to 65535", "where browsers connect", default="8080")
ADMIN_PASSWORD = Setting(
    "NOC_ADMIN_PASSWORD",
    parse_password,
    f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
    "the password of the first user, admin; empty: a random one for one log-in, in NOC_DATA/first-login.txt",
    default="",
    secret=True,
)
SETTINGS = (MQTT_URL, HISTORY_URL, DATA, HTTP_HOST, HTTP_PORT, ADMIN_PASSWORD, PUBLIC_URL, LOG)


@dataclass(frozen=True)
class Config:
    broker: Broker
    history: HistoryUrl
    data: Path
    http_host: str
    http_port: int
    admin_password: str = field(repr=False)
    public_url: str
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """Raises SettingError with a sentence."""
        data = DATA.read(environment)
        return cls(
            broker=MQTT_URL.read(environment),
            history=HISTORY_URL.read(environment) or in_folder(data),
            data=data,
            http_host=HTTP_HOST.read(environment),
            http_port=HTTP_PORT.read(environment),
            admin_password=ADMIN_PASSWORD.read(environment),
            public_url=PUBLIC_URL.read(environment),
            log=LOG.read(environment),
        )

    @property
    def address(self) -> str:
        """Where to point a browser."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_host, self.http_host)  # noqa: S104
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.http_port}"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https:")
