"""Settings for a broker that the web service is to keep the accounts of, where `noc up` does not run one itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from noc_bus.broker import Broker
from noc_bus.channels import parse_site
from noc_frame.settings import Setting, SettingError, parse_folder
from noc_web.broker.accounts import CENTRAL, READER, Hashes
from noc_web.broker.addresses import host_and_port
from noc_web.broker.authority import SITE_CERTIFICATES, TLS_CERTIFICATE, TLS_KEY, CertificatesOfSites, read_given
from noc_web.broker.preparing import NotPrepared, prepare_apart

SITES_PORT: Final = 8883
_USER: Final = re.compile(r"(?P<user>[^:\s]+):(?P<mosquitto>\$7\$[^:\s]+):(?P<nats>\$2[aby]\$[^:\s]+)")


def _parse_folder(text: str) -> Path | None:
    return parse_folder(text) if text else None


def _parse_users(text: str) -> dict[str, Hashes]:
    """Lines USER:HASH:HASH. Raises ValueError."""
    users = {}
    for line in text.split("\n") if text else []:
        found = _USER.fullmatch(line.strip())
        if not found:
            raise ValueError("a line has another form")
        user = found["user"]
        if user not in (*CENTRAL, READER):
            parse_site(user)
        users[user] = Hashes(found["mosquitto"], found["nats"])
    return users


def _parse_addresses(text: str) -> tuple[str, ...]:
    """The URLs of host names and addresses, best first. Raises ValueError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    return tuple(dict.fromkeys(f"mqtts://{host_and_port(word, SITES_PORT)}" for word in words))


BROKER_FOLDER: Final = Setting(
    "NOC_BROKER_FOLDER",
    _parse_folder,
    "the path of a folder that this user may write and the broker may read",
    "where the accounts are written for a broker of your own, which reads them again at SIGHUP; empty: nowhere",
    default="",
)
BROKER_USERS: Final = Setting(
    "NOC_BROKER_USERS",
    _parse_users,
    "lines USER:HASH:HASH, as `noc secrets` writes them into broker_users",
    "how the broker in NOC_BROKER_FOLDER is to know the services of this NOC",
    default="",
    secret=True,
)
SITES_CONNECT_TO: Final = Setting(
    "NOC_SITES_CONNECT_TO",
    _parse_addresses,
    f"host names and addresses with commas between, each with :PORT where it is not {SITES_PORT}",
    "where probers of other sites reach the broker in NOC_BROKER_FOLDER, over TLS; empty: nowhere",
    default="",
)
SETTINGS: Final = (BROKER_FOLDER, BROKER_USERS, SITES_CONNECT_TO, TLS_CERTIFICATE, TLS_KEY, SITE_CERTIFICATES)


@dataclass(frozen=True)
class BrokerConfig:
    """`folder` None: somebody else keeps the accounts. `given`: the user's own certificate and key; None: the NOC's."""

    folder: Path | None = None
    users: Mapping[str, Hashes] = field(default_factory=dict, repr=False)
    sites_connect_to: tuple[str, ...] = ()
    certificates: CertificatesOfSites = "none"
    given: tuple[Path, Path] | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> BrokerConfig:
        """Raises SettingError."""
        folder, users = BROKER_FOLDER.read(environment), BROKER_USERS.read(environment)
        urls = SITES_CONNECT_TO.read(environment)
        if bool(folder) != bool(users):
            raise SettingError(f"{BROKER_FOLDER.name} and {BROKER_USERS.name} belong together; set both, or neither.")
        if urls and not folder:
            raise SettingError(f"{SITES_CONNECT_TO.name} is for the broker in {BROKER_FOLDER.name}; set that, too.")
        if users and (missing := [user for user in CENTRAL if user not in users]):
            raise SettingError(
                f"{BROKER_USERS.name}: there is no line of {', '.join(missing)}; `noc secrets` writes all."
            )
        # For a broker of `noc up` they are read where it is started.
        given = read_given(environment) if folder else None
        return cls(folder, users, urls, SITE_CERTIFICATES.read(environment), given)

    def prepare(self, data: Path, root: str) -> None:
        """Keep the accounts of that broker from now on: before it is connected to. Raises SettingError."""
        if self.folder is None:
            return
        order = {
            "arrangement": {
                "folder": str(self.folder),
                "root": root,
                "urls": self.sites_connect_to,
                "certificates": self.certificates,
            },
            "hashed": dict(self.users),
            "certified": [] if self.given else [Broker.parse(url).host for url in self.sites_connect_to],
            "given": [str(file) for file in self.given or ()] if self.sites_connect_to else [],
        }
        try:
            prepare_apart(data, order)
        except NotPrepared as fault:
            raise SettingError(str(fault)) from None
