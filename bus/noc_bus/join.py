"""The join token: all that a site needs to know of its NOC, in one word.

It carries where the middle is reached, who the site is, its secret, the authority whose certificates
it is to trust, and its own certificate where the middle wants to see one. Whoever has it is the site, for as long as the middle lets it in.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import zlib
from dataclasses import replace
from typing import Final

import msgspec

from noc_bus import tls
from noc_bus.broker import Broker
from noc_bus.channels import parse_site
from noc_frame.settings import Setting

PREFIX: Final = "noc1-"
_CHECK_BYTES: Final = 4


class Join(msgspec.Struct, frozen=True, array_like=True):
    """`urls`: where the broker is, without user and password, best first. `authority`: a certificate as DER, empty: the system's.

    `certificate` and `private_key`: what the site shows to a broker that asks for it, as DER; empty: it has none.
    """

    urls: tuple[str, ...]
    site: str
    secret: str
    authority: bytes = b""
    expires_at: int = 0
    """Until when it has to be used for the first time, in milliseconds since 1970."""
    certificate: bytes = b""
    private_key: bytes = b""

    def token(self) -> str:
        raw = msgspec.msgpack.encode(self)
        checked = raw + zlib.crc32(raw).to_bytes(_CHECK_BYTES, "big")
        return PREFIX + base64.urlsafe_b64encode(checked).decode().rstrip("=")

    def broker(self) -> Broker:
        """Where to connect, and as whom. Raises ValueError."""
        authority = ssl.DER_cert_to_PEM_cert(self.authority) if self.authority else None
        shown = tls.pem(self.certificate, self.private_key) if self.certificate else None
        first, *others = [
            replace(
                Broker.parse(url),
                user=self.site,
                password=self.secret,
                authority=authority,
                certificate=shown,
                joined=self.site,
                first_use_until=self.expires_at,
            )
            for url in self.urls
        ]
        return replace(first, others=tuple(others))


def parse(token: str) -> Join:
    """Raises ValueError with the reason."""
    if not token.startswith(PREFIX):
        raise ValueError("it is no join token")
    text = token.removeprefix(PREFIX)
    try:
        checked = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not complete") from None
    raw, check = checked[:-_CHECK_BYTES], checked[-_CHECK_BYTES:]
    if zlib.crc32(raw).to_bytes(_CHECK_BYTES, "big") != check:
        raise ValueError("it is not complete")
    try:
        join = msgspec.msgpack.decode(raw, type=Join)
    except msgspec.DecodeError:
        raise ValueError("it is of another version of NOC") from None
    if not join.urls:
        raise ValueError("it names no address")
    parse_site(join.site)
    join.broker()
    return join


def _optional(token: str) -> Join | None:
    return parse(token) if token else None


JOIN: Final = Setting(
    "NOC_JOIN",
    _optional,
    "the whole word that `noc site add` printed, which begins with noc1-",
    "the token that makes this prober one of a site; with it neither NOC_MQTT_URL nor NOC_SITE is needed",
    default="",
    secret=True,
)
