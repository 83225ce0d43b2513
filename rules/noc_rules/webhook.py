"""What counts as the address and the secret of a webhook receiver, as Standard Webhooks has them."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import SplitResult, urlsplit

URL_ACCEPTS: Final = "https://host/path or http://host/path, without user and password"
SIGNED_BY: Final = "whsec_ and base64 of 24 to 64 bytes"
_PREFIX: Final = "whsec_"


def parsed_url(url: str) -> SplitResult:
    """Raises ValueError with the reason."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("not http or https")
    if not parts.hostname:
        raise ValueError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it has a user or a password in it")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it has characters that no address has")
    if parts.port == 0:
        raise ValueError("port 0")
    return parts


def secret_bytes(secret: str) -> bytes:
    """What signs. Raises ValueError with the reason."""
    if not secret.startswith(_PREFIX):
        raise ValueError("it does not begin with whsec_")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64 after whsec_") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"it has {len(key)} bytes")
    return key


def secret_of(key: bytes) -> str:
    """As people write it."""
    return _PREFIX + base64.b64encode(key).decode()
