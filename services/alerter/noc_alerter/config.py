"""The alerter's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path

from noc_bus.broker import MQTT_URL, Broker
from noc_frame.settings import DATA, LOG, PUBLIC_URL, Setting
from noc_rules.calendar import zone_of
from noc_rules.mail_server import SMTP_ACCEPTS, Smtp, parse_addresses, parse_sender

SMTP_URL = Setting(
    "NOC_SMTP_URL",
    Smtp.parse,
    SMTP_ACCEPTS,
    "the mail server; STARTTLS is required unless the host is this machine or starttls=0; empty: as in Settings",
    default="",
    secret=True,
    may_be_empty=True,
)
MAIL_FROM = Setting(
    "NOC_MAIL_FROM", parse_sender, "one mail address", "the sender of the mails; empty: as in Settings", default=""
)
MAIL_TO = Setting(
    "NOC_MAIL_TO",
    parse_addresses,
    "mail addresses with commas between",
    "who is told of an incident when nobody else is; empty: as in Settings",
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


def parse_zone(text: str) -> tzinfo:
    # UTC also where the machine has no list of time zones.
    found = UTC if text == "UTC" else zone_of(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is not a time zone")
    return found


MAIL_ZONE = Setting(
    "NOC_MAIL_ZONE",
    parse_zone,
    "a time zone, like Europe/Berlin",
    "the time zone of the times in mails, which have UTC beside it",
    default="UTC",
)


def parse_templates(text: str) -> Path | None:
    """Whether there is such a folder is looked at later: an alerter without it still mails."""
    return Path(text).expanduser() if text else None


MAIL_TEMPLATES = Setting(
    "NOC_MAIL_TEMPLATES",
    parse_templates,
    "the path of a folder",
    "templates in it replace those of the mails; `noc templates` prints these, `noc doctor` checks yours",
    default="",
)
SETTINGS = (MQTT_URL, DATA, SMTP_URL, MAIL_FROM, MAIL_TO, MAIL_ZONE, MAIL_TEMPLATES, GROUP_WAIT_S, PUBLIC_URL, LOG)


@dataclass(frozen=True)
class Config:
    """Of the mail, what is empty is as set in Settings."""

    broker: Broker
    data: Path
    smtp: Smtp | None
    mail_from: str
    mail_to: tuple[str, ...]
    mail_zone: tzinfo
    mail_templates: Path | None
    group_wait_s: float
    public_url: str
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """Raises SettingError with a sentence."""
        return cls(
            broker=MQTT_URL.read(environment),
            data=DATA.read(environment),
            smtp=SMTP_URL.read(environment),
            mail_from=MAIL_FROM.read(environment),
            mail_to=MAIL_TO.read(environment),
            mail_zone=MAIL_ZONE.read(environment),
            mail_templates=MAIL_TEMPLATES.read(environment),
            group_wait_s=GROUP_WAIT_S.read(environment),
            public_url=PUBLIC_URL.read(environment),
            log=LOG.read(environment),
        )
