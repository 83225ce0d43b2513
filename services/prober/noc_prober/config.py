"""The prober's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from noc_bus.broker import MQTT_URL, Broker
from noc_bus.channels import parse_site
from noc_bus.join import JOIN
from noc_frame.settings import DATA, LOG, Setting, SettingError

SITE: Final = Setting(
    "NOC_SITE",
    parse_site,
    "lower-case letters, digits and hyphens, at most 63, and not the name of a service",
    "the site this prober stands at",
    default="local",
)
SETTINGS: Final[tuple[Setting[Any], ...]] = (JOIN, MQTT_URL, SITE, DATA, LOG)


@dataclass(frozen=True)
class Config:
    broker: Broker
    site: str
    data: Path
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """Raises SettingError with a sentence."""
        join = JOIN.read(environment)
        if join and (MQTT_URL.is_set(environment) or SITE.is_set(environment)):
            raise SettingError(
                f"{JOIN.name} says where the broker is and that this is the site {join.site}; "
                f"set neither {MQTT_URL.name} nor {SITE.name} beside it."
            )
        return cls(
            broker=join.broker() if join else MQTT_URL.read(environment),
            site=join.site if join else SITE.read(environment),
            data=DATA.read(environment),
            log=LOG.read(environment),
        )
