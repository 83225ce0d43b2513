"""Events for pages, encoded once for all who get them: Socket.IO's text in a WebSocket frame, plain and compressed."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from noc_web.json import encode
from noc_web.live.engine import packet

_TEXT: Final = 0x81
_COMPRESSED: Final = 0x40
# What deflate writes at the end of a message, and RFC 7692 leaves out.
_TAIL: Final = b"\x00\x00\xff\xff"
_WORTH_COMPRESSING_BYTES: Final = 256
_LEVEL: Final = 6
_SHORT, _MIDDLE = 126, 127


class Event:
    """One Socket.IO event. Its frames are made when they are first asked for."""

    def __init__(self, name: str, body: object) -> None:
        self.text = b'42["%s",%s]' % (name.encode(), encode(body))
        self._plain: bytes | None = None
        self._compressed: bytes | None = None

    @property
    def size(self) -> int:
        return len(self.text)

    def frame(self, *, compressed: bool) -> bytes:
        """The bytes to be sent. `compressed`: to a page that agreed to permessage-deflate without context."""
        if compressed and self.size >= _WORTH_COMPRESSING_BYTES:
            if self._compressed is None:
                squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
                squeezed = squeeze.compress(self.text) + squeeze.flush(zlib.Z_SYNC_FLUSH)
                self._compressed = _framed(_TEXT | _COMPRESSED, squeezed.removesuffix(_TAIL))
            return self._compressed
        if self._plain is None:
            self._plain = _framed(_TEXT, self.text)
        return self._plain


class Ready(packet.Packet):  # type: ignore[misc]  # engineio has no types
    """An event in the shape of engineio's packets: nothing is left to encode, or to search for binary data."""

    def __init__(self, event: Event) -> None:
        super().__init__(packet.MESSAGE, data="")
        self._event = event

    def encode(self, b64: bool = False) -> Any:
        return self._event


def text_frame(text: str) -> bytes:
    return _framed(_TEXT, text.encode())


def _framed(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < _SHORT:
        return struct.pack("!BB", first, size) + payload
    if size < 2**16:
        return struct.pack("!BBH", first, _SHORT, size) + payload
    return struct.pack("!BBQ", first, _MIDDLE, size) + payload
