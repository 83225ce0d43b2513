"""One page's WebSocket, in the shape that engineio asks for: send, wait, close.

Everything about it is bounded: what it takes of one message, how long it waits for the other side, and its end.
Compression keeps no context, so that one compressed event serves every page and a silent one costs no memory.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import gevent.lock
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from noc_frame import log
from noc_web.live.frames import Event, text_frame
from noc_web.logs import Allowance

CONNECTION: Final = "noc.connection"
"""Under it the server leaves the connection in the environment of a request: `socket`, `reader` and `admit`."""
LARGEST_MESSAGE: Final = 64_000
# Longer than a page may take to answer a ping.
_SILENT_S: Final = 25.0
_GOODBYE_S: Final = 0.5
_READ_BYTES: Final = 4096
_allowance: Final = Allowance()
_log = log.get("noc.web")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    def __init__(self, handler: Callable[[WebSocket], Any], server: Any) -> None:
        self._handler = handler
        self._lock = gevent.lock.RLock()
        self._messages: Iterator[str] = iter(())
        self._is_over = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Serve the page until it is gone."""
        key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
        if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13" or not key:
            start_response("400 Bad Request", [("Sec-WebSocket-Version", "13")])
            return [b"A WebSocket of version 13 is needed."]
        connection = environ[CONNECTION]
        self._socket = connection.socket
        self._socket.settimeout(_SILENT_S)
        # The first frames may be in its buffer already, behind the request.
        self._reader = connection.reader
        deflate, answer = _agreed(environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", ""))
        self._compresses = deflate is not None
        self._protocol = Connection(ConnectionType.SERVER, [deflate] if deflate else [])
        self._socket.sendall(_accepting(key, answer))
        self._messages = self._received()
        try:
            return self._handler(self)
        except Exception as error:  # noqa: BLE001  # engineio raises what it meets in a frame that is none of its own
            if _allowance.takes():
                _log.warning(f"a live connection was ended: it sent what is no event ({type(error).__name__})")
            return []
        finally:
            self.hang_up()

    def send(self, message: str | Event) -> None:
        """Raises OSError where the page is gone, or takes nothing for too long."""
        frame = message.frame(compressed=self._compresses) if isinstance(message, Event) else text_frame(message)
        self._send(frame)

    def wait(self) -> str | None:
        """The page's next message; None at its end."""
        return next(self._messages, None)

    def close(self) -> None:
        """Without waiting for a page to agree: one that is gone never would."""
        # Whoever holds the lock is in the middle of a frame that a frozen page does not take.
        if not self._is_over and self._lock.acquire(blocking=False):
            try:
                self._socket.settimeout(_GOODBYE_S)
                with contextlib.suppress(OSError, ProtocolError):
                    self._socket.sendall(self._protocol.send(CloseConnection(CloseReason.GOING_AWAY)))
            finally:
                self._lock.release()
        self.hang_up()

    def hang_up(self) -> None:
        self._is_over = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, frame: bytes) -> None:
        """A frame whole, or the connection is over; two frames never mix."""
        with self._lock:
            if self._is_over:
                raise OSError("the page is gone")
            try:
                self._socket.sendall(frame)
            except OSError:
                self.hang_up()
                raise

    def _received(self) -> Iterator[str]:
        """Messages, until the other side ends it, breaks the rules, or says nothing for too long."""
        parts: list[str] = []
        size = 0
        with contextlib.suppress(OSError, ProtocolError):
            while data := self._reader.read1(_READ_BYTES):
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    if isinstance(event, TextMessage):
                        parts.append(event.data)
                        size += len(event.data)
                        if size > LARGEST_MESSAGE:
                            self._send(self._protocol.send(CloseConnection(CloseReason.MESSAGE_TOO_BIG)))
                            return
                        if event.message_finished:
                            yield "".join(parts)
                            parts, size = [], 0
                    elif isinstance(event, Ping):
                        self._send(self._protocol.send(event.response()))
                    elif isinstance(event, CloseConnection):
                        self._send(self._protocol.send(event.response()))
                        return
                    elif isinstance(event, BytesMessage):
                        # Pages send text only.
                        self._send(self._protocol.send(CloseConnection(CloseReason.UNSUPPORTED_DATA)))
                        return


def _agreed(offered: str) -> tuple[PerMessageDeflate | None, str]:
    """The compression agreed to, and the header that says so; None where the page offers none that fits."""
    for offer in offered.split(","):
        if offer.split(";")[0].strip() != PerMessageDeflate.name:
            continue
        deflate = PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)
        # Frames are compressed once for all pages, with the largest window.
        if "server_max_window_bits" not in offer and (parameters := deflate.accept(offer.strip())):
            return deflate, f"{deflate.name}; {parameters}"
    return None, ""


def _accepting(key: str, extensions: str) -> bytes:
    proof = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {proof}")
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
