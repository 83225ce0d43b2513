"""paho's client, reading what has come at once.

By itself it asks the system five times for each message: whether there is anything, then for the first byte, for each
byte of the length, and for the rest. A recorder spends most of its time on that.
"""

from __future__ import annotations

from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

_BYTES: Final = 65_536
# Then what is to be written has its turn.
_PACKETS_AT_ONCE: Final = 200


class Socket:
    """A connected socket, or what paho makes of one for WebSocket, with what was read of it and not asked for yet."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._ahead = b""
        self._place = 0

    def recv(self, size: int) -> bytes:
        """At least a byte and at most `size`; nothing once the other side has closed it. Raises what a socket does."""
        if self._place == len(self._ahead):
            # In its place only when it is there: nothing may have come.
            self._ahead = self._inner.recv(_BYTES)
            self._place = 0
        start, self._place = self._place, min(self._place + size, len(self._ahead))
        return self._ahead[start : self._place]

    def pending(self) -> int:
        """Bytes that can be read although the system says that nothing has come. paho asks for it."""
        ahead = len(self._ahead) - self._place
        inner = getattr(self._inner, "pending", None)
        return ahead + (inner() if inner else 0)

    @property
    def is_ahead(self) -> bool:
        return self._place < len(self._ahead)

    def send(self, data: bytes | bytearray) -> int:
        sent: int = self._inner.send(data)
        return sent

    def close(self) -> None:
        self._inner.close()

    def fileno(self) -> int:
        number: int = self._inner.fileno()
        return number

    def setblocking(self, flag: bool) -> None:  # as sockets have it
        self._inner.setblocking(flag)

    @property
    def own_address(self) -> str:
        """Raises OSError."""
        # Of MQTT over WebSocket it is paho's own class, around the socket.
        sock: Any = getattr(self._inner, "_socket", self._inner)
        return str(sock.getsockname()[0])


class Client(mqtt.Client):
    def _create_socket(self) -> Socket:
        return Socket(super()._create_socket())

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        code = super().loop_read(max_packets)
        for _ in range(_PACKETS_AT_ONCE):
            sock = self.socket()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or not isinstance(sock, Socket) or not sock.is_ahead:
                break
            code = super().loop_read(max_packets)
        return code
