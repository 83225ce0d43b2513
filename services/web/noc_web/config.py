"""The web service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from noc_bus.broker import MQTT_URL, Broker
from noc_frame.settings import DATA, LOG, PUBLIC_URL, Setting
from noc_history.stores import HISTORY_URL, HistoryUrl, in_folder
from noc_web.auth.client import Network, parse_networks
from noc_web.broker.config import SETTINGS as BROKER_SETTINGS
from noc_web.broker.config import BrokerConfig

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 128


def parse_port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError("")
    return int(text)


def parse_days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise ValueError("")
    return int(text)


@dataclass(frozen=True)
class Picture:
    media_type: str
    content: bytes = field(repr=False)


# By what the file begins with.
_PICTURES = {
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"<svg": "image/svg+xml",
    b"<?xml": "image/svg+xml",
}
_LARGEST_LOGO = 200_000


def parse_title(text: str) -> str:
    if not 1 <= len(text) <= 120:
        raise ValueError("")
    return text


def parse_logo(text: str) -> Picture | None:
    if not text:
        return None
    try:
        with Path(text).open("rb") as file:
            content = file.read(_LARGEST_LOGO + 1)
    except OSError as error:
        raise ValueError(str(error)) from None
    media_type = next((kind for start, kind in _PICTURES.items() if content.startswith(start)), None)
    if media_type is None or len(content) > _LARGEST_LOGO:
        raise ValueError("")
    return Picture(media_type, content)


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
TRUSTED_PROXIES = Setting(
    "NOC_TRUSTED_PROXIES",
    parse_networks,
    "addresses or networks with commas between, like 10.0.0.1,192.168.0.0/16",
    "the proxies whose X-Forwarded-For says where a browser is",
    default="",
)
AUDIT_KEEP_DAYS = Setting(
    "NOC_AUDIT_KEEP_DAYS", parse_days, "a number of days from 1 to 36500", "how long the audit is kept", default="400"
)
REPORT_TITLE = Setting(
    "NOC_REPORT_TITLE", parse_title, "1 to 120 characters", "the title of the uptime report", default="Uptime report"
)
REPORT_LOGO = Setting(
    "NOC_REPORT_LOGO",
    parse_logo,
    "the path of a PNG, JPEG or SVG file of at most 200 kB",
    "a picture that the printed report begins with",
    default="",
)
SETTINGS = (
    MQTT_URL,
    HISTORY_URL,
    DATA,
    HTTP_HOST,
    HTTP_PORT,
    ADMIN_PASSWORD,
    PUBLIC_URL,
    TRUSTED_PROXIES,
    AUDIT_KEEP_DAYS,
    REPORT_TITLE,
    REPORT_LOGO,
    *BROKER_SETTINGS,
    LOG,
)


@dataclass(frozen=True)
class Config:
    broker: Broker
    history: HistoryUrl
    data: Path
    http_host: str
    http_port: int
    admin_password: str = field(repr=False)
    public_url: str
    trusted_proxies: tuple[Network, ...]
    audit_keep_days: int
    report_title: str
    report_logo: Picture | None
    log: str
    accounts: BrokerConfig = field(default_factory=BrokerConfig)

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
            trusted_proxies=TRUSTED_PROXIES.read(environment),
            audit_keep_days=AUDIT_KEEP_DAYS.read(environment),
            report_title=REPORT_TITLE.read(environment),
            report_logo=REPORT_LOGO.read(environment),
            log=LOG.read(environment),
            accounts=BrokerConfig.read(environment),
        )

    @property
    def address(self) -> str:
        """Where to point a browser."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_host, self.http_host)  # noqa: S104
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.http_port}"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https:")
