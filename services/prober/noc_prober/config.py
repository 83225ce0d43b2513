"""The prober's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from noc_bus.broker import MQTT_URL, Broker
from noc_bus.channels import parse_site
from noc_frame.settings import DATA, LOG, Setting

SITE: Final = Setting(
    "NOC_SITE",
    parse_site,
    "lower-case letters, digits and hyphens, at most 63, and not the name of a service",
    "the site this prober stands at",
    default="local",
)
SETTINGS: Final[tuple[Setting[Any], ...]] = (MQTT_URL, SITE, DATA, LOG)


@dataclass(frozen=True)
class Config:
    broker: Broker
    site: str
    data: Path
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """Raises SettingError with a sentence."""
        return cls(
            broker=MQTT_URL.read(environment),
            site=SITE.read(environment),
            data=DATA.read(environment),
            log=LOG.read(environment),
        )
