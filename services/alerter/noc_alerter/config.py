"""The alerter's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from noc_bus.broker import MQTT_URL, Broker
from noc_frame.settings import DATA, LOG, PUBLIC_URL, Setting, SettingError
from noc_rules.mail_address import is_mail_address

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Smtp:
    """A mail server. `starttls` means required: a server without it is refused, never used in the clear."""

    host: str
    port: int
    tls: bool = False
    starttls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    """The path of a file of certificates that vouch for the server; None: those of this machine."""

    @classmethod
    def parse(cls, url: str) -> Smtp | None:
        """Read `smtp://user:password@host:587?starttls=1` or `smtps://…`. Raises ValueError with the reason."""
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps"):
            raise ValueError("not smtp or smtps")
        if not parts.hostname:
            raise ValueError("it names no host")
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        choice = options.get("starttls", ["0" if parts.hostname in _LOOPBACK else "1"])[0]
        if set(options) - {"starttls", "ca"} or choice not in ("0", "1"):
            raise ValueError("unknown option")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            # smtplib sends no others.
            raise ValueError("not ASCII")
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if tls else 587),
            tls=tls,
            starttls=not tls and choice == "1",
            user=user or None,
            password=password or None,
            ca=options["ca"][0] if "ca" in options else None,
        )

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(one.strip() for one in text.split(",") if one.strip())
    for address in addresses:
        if not is_mail_address(address):
            raise ValueError(f"{address[:60]!r} is not a mail address")
    return addresses


def parse_from(text: str) -> str:
    if text and not is_mail_address(text):
        raise ValueError("not a mail address")
    return text


SMTP_URL = Setting(
    "NOC_SMTP_URL",
    Smtp.parse,
    "smtp://[user:password@]host[:587][?starttls=0] or smtps://[user:password@]host[:465], "
    "each also with ca=/path/of/ca.pem after the ?, user and password in ASCII characters",
    "the mail server; STARTTLS is required unless the host is this machine or starttls=0; empty: no mail",
    default="",
    secret=True,
)
MAIL_FROM = Setting("NOC_MAIL_FROM", parse_from, "one mail address", "the sender of the mails", default="")
MAIL_TO = Setting(
    "NOC_MAIL_TO",
    parse_addresses,
    "mail addresses with commas between",
    "who is told of incidents of targets that have no contacts of their own",
    default="",
)
MAX_WAIT_S = 300.0


def parse_wait(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= MAX_WAIT_S:
        raise ValueError(f"{seconds:g} is not between 0 and {MAX_WAIT_S:g}")
    return seconds


GROUP_WAIT_S = Setting(
    "NOC_GROUP_WAIT_S",
    parse_wait,
    "seconds from 0 to 300",
    "for how long what goes down together is gathered into one incident before people are mailed; "
    "a critical target waits at most 2 s",
    default="15",
)
SETTINGS = (MQTT_URL, DATA, SMTP_URL, MAIL_FROM, MAIL_TO, GROUP_WAIT_S, PUBLIC_URL, LOG)


@dataclass(frozen=True)
class Config:
    broker: Broker
    data: Path
    smtp: Smtp | None
    mail_from: str
    mail_to: tuple[str, ...]
    group_wait_s: float
    public_url: str
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """Raises SettingError with a sentence."""
        config = cls(
            broker=MQTT_URL.read(environment),
            data=DATA.read(environment),
            smtp=SMTP_URL.read(environment),
            mail_from=MAIL_FROM.read(environment),
            mail_to=MAIL_TO.read(environment),
            group_wait_s=GROUP_WAIT_S.read(environment),
            public_url=PUBLIC_URL.read(environment),
            log=LOG.read(environment),
        )
        if config.smtp and not config.mail_from:
            raise SettingError("NOC_SMTP_URL is set but NOC_MAIL_FROM is not; use one mail address, the sender's.")
        if config.smtp and not config.mail_to:
            raise SettingError("NOC_SMTP_URL is set but NOC_MAIL_TO is not; use mail addresses with commas between.")
        return config
