"""paho's client, reading what has come at once.

By itself it asks the system five times for each message: whether there is anything, then for the first byte, for each
byte of the length, and for the rest. A recorder would spend most of its time on that, and much of what is left on what
paho does for messages that have to be answered: those at QoS 0 that are here as a whole are taken past it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

_BYTES: Final = 65_536
# Then what is to be written has its turn.
_PACKETS_AT_ONCE: Final = 200
# MQTT 3.1.1: a message at QoS 0, which is never sent again; its lowest bit says that it was retained.
_MESSAGE: Final = 0x30
_RETAINED: Final = 0x01

Message = tuple[str, bytes, bool]
"""Topic, payload, and whether it is a retained copy."""


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

    def next_message(self) -> Message | None:
        """Where a packet begins and something is ahead: the message at QoS 0 that it is. None: something else, or not
        all of it is here, or it is broken; then nothing is taken."""
        ahead, place = self._ahead, self._place
        if ahead[place] & ~_RETAINED != _MESSAGE:
            return None
        at, length = place + 1, 0
        for shift in (0, 7, 14, 21):
            if at == len(ahead):
                return None
            byte = ahead[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            return None
        end, start = at + length, at + 2
        if end > len(ahead) or start > end:
            return None
        topic_end = start + (ahead[at] << 8 | ahead[at + 1])
        if not start < topic_end <= end:
            return None
        try:
            topic = ahead[start:topic_end].decode()
        except UnicodeDecodeError:
            return None
        self._place = end
        return topic, ahead[topic_end:end], bool(ahead[place] & _RETAINED)

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
    """Speaks MQTT 3.1.1. `take` is called with messages at QoS 0, and `on_message` with all others and some of these."""

    def __init__(
        self, take: Callable[[str, bytes, bool], None], client_id: str, transport: Literal["tcp", "websockets"]
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv311,
            transport=transport,
            # A client that reconnects sends again what it had queued; the owners of the messages do that better.
            reconnect_on_failure=False,
        )
        self._take = take
        self._opened: socket.socket | None = None

    def _create_socket(self) -> Socket:
        try:
            return Socket(super()._create_socket())
        except BaseException:
            # By itself paho leaves open what it was refused on.
            if self._opened:
                self._opened.close()
            raise

    def _create_socket_connection(self) -> socket.socket:
        self._opened = super()._create_socket_connection()
        return self._opened

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        assert self._ssl_context is not None
        self._opened = wrapped = self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host)
        return wrapped

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        # At least one by paho, which notes when it heard of the broker.
        code = super().loop_read(max_packets)
        for _ in range(_PACKETS_AT_ONCE):
            sock = self.socket()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or not isinstance(sock, Socket) or not sock.is_ahead:
                break
            is_between = not self._in_packet["command"]
            if is_between and (message := sock.next_message()) is not None:
                self._take(*message)
            else:
                code = super().loop_read(max_packets)
        return code
