"""Mosquitto's settings: the same for `noc up`, for docker-compose.yml and for the tests, but for places and who comes in."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

_ROUNDS: Final = 101

_TEXT: Final = """\
# Rendered by `python -m noc_bus.render`; do not edit.

listener {listener}
# Who it is: a name and a password each. {nameless}
allow_anonymous {anonymous}
password_file {users}
# What they may: rendered from the table of channels, one writer a topic.
acl_file {acl}
# A retained message goes when the right of its writer goes.
check_retain_source true

# What is retained survives a restart. After a crash the last 30 seconds of it are missing, until those who
# wrote them have reconnected and said them again. Saving on every change would be ten times slower, and no
# safer for results: those the probers' journals keep.
persistence true
persistence_location {store}/
autosave_interval 30
# What is kept for a subscriber who left: for a day, and within the bytes below.
persistent_client_expiration 1d

# The default of 1000 silently cuts what a new subscriber gets of the retained messages; 0 means other things
# in other versions. The bytes are what protects the memory.
max_queued_messages 200000
max_queued_bytes 67108864
max_inflight_messages 200
# What noc_bus.codec accepts. What is larger is dropped; who sends what no mistake of ours explains is cut off,
# before it is read into memory.
message_size_limit 1000000
max_packet_size 4000000
max_connections 1000
# For MQTT 5 clients only; ours use 10 seconds.
max_keepalive 300
set_tcp_nodelay true

# Standard output would be held back until there is a lot of it.
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""
_NAMELESS: Final = {
    True: "Whoever has none may read, as the list below says.",
    False: "Nobody else gets anything.",
}


_SITES: Final = """
# For other sites: TLS only, and nobody without a name.
listener {listener}
allow_anonymous false
password_file {users}
acl_file {acl}
certfile {certificate}
keyfile {key}
"""

_ASKS: Final = """\
cafile {authority}
require_certificate true
"""


@dataclass(frozen=True)
class SitesListener:
    """A port and an address, and the files of its certificate, which are read again at each SIGHUP.

    `asks_for`: the file of the authority by one of whose certificates alone it is spoken to; empty: by anybody.
    """

    listener: str
    certificate: str
    key: str
    asks_for: str = ""


@dataclass(frozen=True)
class Places:
    """Where things are on the machine it runs on. The defaults are those of docker-compose.yml and deploy/mosquitto.sh."""

    listener: str = "1883"
    """A port, or a port and an address."""
    users: str = "/run/mosquitto/mosquitto.users"
    acl: str = "/run/mosquitto/mosquitto.acl"
    store: str = "/mosquitto/data"
    sites: SitesListener | None = None


def render(places: Places | None = None, *, anonymous_read: bool = False, user: str | None = None) -> str:
    """A mosquitto.conf. `anonymous_read` goes with a list of rights of the same option; `user`: whom root becomes."""
    where = places or Places()
    text = _TEXT.format(
        listener=where.listener,
        nameless=_NAMELESS[anonymous_read],
        anonymous=str(anonymous_read).lower(),
        users=where.users,
        acl=where.acl,
        store=where.store,
    )
    if where.sites:
        sites = where.sites
        # Else what is said of one listener's users would be said of all.
        text = text.replace("\nlistener ", "\nper_listener_settings true\nlistener ", 1) + _SITES.format(
            listener=sites.listener, users=where.users, acl=where.acl, certificate=sites.certificate, key=sites.key
        )
        if sites.asks_for:
            text += _ASKS.format(authority=sites.asks_for)
    return f"{text}user {user}\n" if user else text


def hashed(password: str) -> str:
    """As `mosquitto_passwd` has it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
