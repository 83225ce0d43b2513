"""What `noc up` was asked for: arguments over environment variables over defaults."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from noc_bus.broker import MQTT_URL
from noc_bus.channels import RESERVED_SITES
from noc_frame.settings import DATA, SettingError, parse_folder, set_over
from noc_launcher import listening
from noc_launcher.errors import CommandError
from noc_launcher.listening import Listener
from noc_prober.config import SITE
from noc_web.config import HTTP_HOST, HTTP_PORT

BrokerKind = Literal["nats", "mosquitto"]


@dataclass(frozen=True)
class Options:
    """The arguments; None: not given."""

    data: str | None = None
    host: str | None = None
    port: str | None = None
    site: str | None = None
    broker: BrokerKind = "nats"
    mqtt_port: int | None = None
    listen: str | None = None


@dataclass(frozen=True)
class Plan:
    """`broker` None: the one in NOC_MQTT_URL is used. `mqtt_port` None: the usual one, or any that is free."""

    folder: Path
    site: str
    http_host: str
    http_port: int
    broker: BrokerKind | None
    mqtt_port: int | None
    listener: Listener | None
    """Where other sites reach the broker that we run; None: nowhere."""
    environment: Mapping[str, str] = field(repr=False)
    """For every service; what differs between them is put over it."""


def read(options: Options, environment: Mapping[str, str]) -> Plan:
    """Raises SettingError or CommandError with a sentence. Makes the data folder."""
    folder = data_folder(options.data, environment)
    try:
        parse_folder(str(folder))
    except ValueError as error:
        raise CommandError(
            f"The data folder {folder} cannot be used ({error}); name one you may write with --data."
        ) from None
    wanted = set_over(
        environment,
        {
            "NOC_HTTP_HOST": options.host,
            "NOC_HTTP_PORT": options.port,
            "NOC_SITE": options.site,
            "NOC_LISTEN": options.listen,
        },
    )
    if not SITE.is_set(wanted):
        wanted = set_over(wanted, {"NOC_SITE": site_of(socket.gethostname())})
    # For the reader of --port, who has set no variable.
    try:
        port = HTTP_PORT.read(wanted)
    except SettingError as error:
        raise (
            CommandError(f"--port: {options.port!r} is not a port; use 1 to 65535.", 2) if options.port else error
        ) from None
    listener = listening.read(wanted)
    if listener and MQTT_URL.is_set(environment):
        raise CommandError(
            "NOC_LISTEN is for the broker that `noc up` starts, and NOC_MQTT_URL names another one; set one of them.", 2
        )
    return Plan(
        folder=folder.resolve(),
        site=SITE.read(wanted),
        http_host=HTTP_HOST.read(wanted),
        http_port=port,
        broker=None if MQTT_URL.is_set(environment) else options.broker,
        mqtt_port=options.mqtt_port,
        listener=listener,
        environment=set_over(wanted, {"NOC_DATA": str(folder.resolve())}),
    )


def data_folder(given: str | None, environment: Mapping[str, str]) -> Path:
    """Where files are: --data, else NOC_DATA, else this user's folder for such things."""
    try:
        if given:
            return _absolute(given)
        if DATA.is_set(environment):
            # It is only named here: whoever uses it makes it.
            return replace(DATA, parse=_absolute).read(environment)
        home = environment.get("XDG_DATA_HOME", "")
        # The standard says that a relative path there is to be ignored.
        return (Path(home) if home.startswith("/") else Path.home() / ".local/share") / "noc"
    except RuntimeError:
        # A user without an entry among the system's users, or a ~name of nobody.
        raise CommandError("The home folder is not known; name the data folder by its full path with --data.") from None


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


def site_of(hostname: str) -> str:
    """A site's name from a machine's: its first label as a slug, else `local`."""
    slug = re.sub(r"[^a-z0-9]+", "-", hostname.partition(".")[0].lower()).strip("-")[:63].strip("-")
    return slug if slug and slug not in RESERVED_SITES and slug != "localhost" else "local"
