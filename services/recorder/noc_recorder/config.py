"""The recorder's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noc_bus.broker import MQTT_URL, Broker
from noc_frame.settings import DATA, LOG
from noc_history.stores import HISTORY_URL, HistoryUrl, in_folder

SETTINGS = (MQTT_URL, HISTORY_URL, DATA, LOG)


@dataclass(frozen=True)
class Config:
    broker: Broker
    history: HistoryUrl
    data: Path
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """Raises SettingError with a sentence."""
        data = DATA.read(environment)
        return cls(
            broker=MQTT_URL.read(environment),
            history=HISTORY_URL.read(environment) or in_folder(data),
            data=data,
            log=LOG.read(environment),
        )
