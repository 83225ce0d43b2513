"""Secrets for one reader, over a broker that others read too: sealed with a key that only this reader can undo.

The reader makes a pair of keys and publishes the public one in its presence; a broker lets nobody else publish that.
Each sealing has a key of its own (X25519, HKDF-SHA256, ChaCha20-Poly1305), so that what was sealed twice looks
different. cryptography is imported only where something is sealed or opened: a prober needs none of it.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Final

from noc_frame.files import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_KEY_BYTES: Final = 32
_PURPOSE: Final = b"noc/v1 sealed"
# Each key is used for one message only.
_NONCE: Final = bytes(12)


class NotOpened(Exception):
    """What was sealed for another key, or changed on its way."""


class BadKey(Exception):
    """What is no public key."""


class SealingKey:
    """The reader's pair of keys, in a file that only its user may read."""

    def __init__(self, path: Path) -> None:
        """Reads the file, or makes it anew where it is missing or damaged. Raises OSError."""
        try:
            secret, public = (_decoded(line) for line in path.read_text(encoding="ascii").split())
        except (FileNotFoundError, ValueError):
            secret, public = _new_pair()
            write_private(path, f"{_encoded(secret)}\n{_encoded(public)}\n")
        self._secret = secret
        self.public = _encoded(public)
        """For the presence."""

    def opened(self, sealed: str) -> bytes:
        """What was sealed for this key. Raises NotOpened."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

        try:
            content = base64.b64decode(sealed, validate=True)
            own = X25519PrivateKey.from_private_bytes(self._secret)
            shared = own.exchange(X25519PublicKey.from_public_bytes(content[:_KEY_BYTES]))
            cipher = _cipher(shared, content[:_KEY_BYTES], _decoded(self.public))
            return cipher.decrypt(_NONCE, content[_KEY_BYTES:], _PURPOSE)
        except (InvalidTag, ValueError) as error:
            raise NotOpened("it was sealed for another key") from error


def seal(content: bytes, public: str) -> str:
    """Text that only the holder of `public`'s other half can read. Raises BadKey."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    try:
        key = _decoded(public)
        once = X25519PrivateKey.generate()
        shared = once.exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError as error:
        raise BadKey(f"{public[:60]!r} is no sealing key") from error
    own = once.public_key().public_bytes_raw()
    return base64.b64encode(own + _cipher(shared, own, key).encrypt(_NONCE, content, _PURPOSE)).decode()


def _cipher(shared: bytes, once: bytes, public: bytes) -> ChaCha20Poly1305:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return ChaCha20Poly1305(HKDF(SHA256(), _KEY_BYTES, once + public, _PURPOSE).derive(shared))


def _new_pair() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def _encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def _decoded(text: str) -> bytes:
    """Raises ValueError for what is no key."""
    try:
        key = base64.urlsafe_b64decode(text)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != _KEY_BYTES:
        raise ValueError("not of the length of a key")
    return key
