"""MQTT 3.1.1 by hand: clients that send exactly what a test wants, hundreds of them in a second."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Final, Self

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP = 1, 2, 3, 8, 9, 12, 13
_REFUSED_FILTER: Final = 0x80


class Wire:
    """A connection that is let in, or else `refused` says by which code; a context manager."""

    def __init__(
        self,
        port: int,
        user: str | None = None,
        password: str = "",
        *,
        client_id: str = "",
        will: tuple[str, bytes] | None = None,
        deadline_s: float = 10.0,
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=deadline_s)
        # A packet is not to wait for the acknowledgement of the one before.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.heard: list[tuple[str, bytes]] = []
        flags, fields = 0x02, _text(client_id)
        if will is not None:
            # Retained, at QoS 0.
            flags |= 0x24
            fields += _text(will[0]) + _data(will[1])
        if user is not None:
            flags |= 0xC0
            fields += _text(user) + _text(password)
        self._send(CONNECT << 4, _text("MQTT") + bytes([4, flags]) + struct.pack(">H", 60) + fields)
        try:
            self.refused: int | None = self._wait_for(CONNACK)[1] or None
        except ConnectionError:
            self.refused = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
        self._send(PUBLISH << 4 | retain, _text(topic) + payload)

    def subscribe(self, *filters: str) -> list[bool]:
        """Which of them the broker grants. All that was published here before has been dealt with then."""
        self._send(SUBSCRIBE << 4 | 2, b"\0\1" + b"".join(_text(one) + b"\0" for one in filters))
        return [code != _REFUSED_FILTER for code in self._wait_for(SUBACK)[2:]]

    def ping(self) -> None:
        """Wait until the broker has dealt with all that was sent here."""
        self._send(PINGREQ << 4, b"")
        self._wait_for(PINGRESP)

    def hear_until(self, topic: str) -> list[tuple[str, bytes]]:
        """All that came here up to the first message on this topic."""
        while topic not in {one for one, _ in self.heard}:
            self._take(*next(self._packets()))
        return self.heard

    def vanish(self) -> None:
        """End without a word: the broker publishes the will."""
        self._socket.close()

    def _send(self, first: int, body: bytes) -> None:
        size, length = len(body), b""
        while size > 127:
            length += bytes([size % 128 | 0x80])
            size //= 128
        self._socket.sendall(bytes([first]) + length + bytes([size]) + body)

    def _wait_for(self, kind: int) -> bytes:
        """The body of the next packet of a kind; what is published meanwhile is kept."""
        for first, body in self._packets():
            if first >> 4 == kind:
                return body
            self._take(first, body)
        raise AssertionError

    def _take(self, first: int, body: bytes) -> None:
        if first >> 4 == PUBLISH:
            size = struct.unpack(">H", body[:2])[0]
            self.heard.append((body[2 : 2 + size].decode(), body[2 + size :]))

    def _packets(self) -> Iterator[tuple[int, bytes]]:
        """First byte and body, one after the other. Raises ConnectionError at the end of the connection."""
        while True:
            size = shift = 0
            first, position = self._byte(0), 1
            while True:
                digit = self._byte(position)
                size |= (digit & 0x7F) << shift
                position, shift = position + 1, shift + 7
                if not digit & 0x80:
                    break
            self._fill(position + size)
            body, self._buffer = self._buffer[position : position + size], self._buffer[position + size :]
            yield first, body

    def _byte(self, position: int) -> int:
        self._fill(position + 1)
        return self._buffer[position]

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the broker has ended the connection")
            self._buffer += data


def _text(text: str) -> bytes:
    return _data(text.encode())


def _data(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data
